"""Checks of payments: each reference once, each credited with an entry or in suspense."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, sentences


@check(invariant=4, subject="accounts_payment")
def references_once(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A (provider, reference) is one payment, and one credit over all books."""
    return sentences(
        database,
        """
        SELECT format('%s %s is there as %s payments', provider, reference, count(*))
        FROM accounts_payment GROUP BY provider, reference HAVING count(*) > 1
        UNION ALL
        SELECT format('%s was posted %s times (%s), in books %s', reference, count(*),
                      string_agg(DISTINCT kind, ', '),
                      string_agg(book_id::text, ', ' ORDER BY book_id))
        FROM (
            SELECT book_id, kind, substr(key, length(kind) + 2) AS reference,
                CASE WHEN kind IN ('top_up', 'donation') THEN 'credit' ELSE kind END AS step
            FROM journal_entry
            WHERE kind IN ('top_up', 'donation', 'suspense_in', 'suspense_out')
        ) e
        GROUP BY reference, step HAVING count(*) > 1
        """,
    )


@check(invariant=4, subject="accounts_payment")
def credited_payments_have_their_entry(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A credited payment's entry lies in its site's book and moves exactly what was paid (less what
    the provider kept) and credited: to its household, or to the donations."""
    return sentences(
        database,
        """
        SELECT format('payment %s %s: says %s minor units for %s wei, its entry %s moves %s for %s',
                      p.provider, p.reference, p.amount_minor, p.credited_wei, p.entry_id,
                      coalesce(s.received, 0), coalesce(s.credited, 0))
        FROM accounts_payment p
        JOIN accounts_rail r ON r.id = p.rail_id
        LEFT JOIN accounts_agent g ON g.id = p.agent_id
        LEFT JOIN accounts_book b ON b.site_id = p.site_id
        LEFT JOIN journal_entry e ON e.book_id = b.id AND e.id = p.entry_id
        LEFT JOIN LATERAL (
            SELECT -sum(o.amount) FILTER (WHERE a.asset = p.currency AND CASE
                    WHEN g.id IS NULL THEN a.kind = 'float' AND a.name = r.code
                    ELSE a.kind = 'agent_float' AND a.name = g.code END) AS received,
                sum(o.amount) FILTER (WHERE a.asset = 'DAI' AND CASE
                    WHEN p.household_id IS NULL THEN a.kind = 'donations'
                    ELSE a.household_id = p.household_id END) AS credited,
                count(*) FILTER (WHERE a.household_id IS DISTINCT FROM p.household_id
                    AND (a.household_id IS NOT NULL OR a.kind = 'donations')) AS strangers
            FROM posting o JOIN ledger_account a ON a.id = o.account_id
            WHERE o.book_id = e.book_id AND o.entry_id = e.id
        ) s ON true
        WHERE p.state = 'credited' AND (
            e.id IS NULL
            OR e.kind <> CASE WHEN p.household_id IS NULL THEN 'donation' ELSE 'top_up' END
            OR e.key <> concat_ws(':', e.kind, p.provider, p.reference)
            OR coalesce(s.received, 0) <> p.amount_minor - p.fee_minor
            OR coalesce(s.credited, 0) <> p.credited_wei
            OR s.strangers > 0)
        """,
    )


@check(invariant=4, subject="accounts_payment")
def other_payments_are_in_suspense(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A payment that is not credited was put into suspense, in the operator's book, net of what the
    provider kept, and nowhere else; one that was given back was taken back."""
    return sentences(
        database,
        """
        SELECT format('payment %s %s is %s: %s minor units were put into suspense, %s taken out or '
                      'credited', p.provider, p.reference, p.state, coalesce(i.amount, 0),
                      coalesce(o.entries, 0))
        FROM accounts_payment p
        JOIN accounts_rail r ON r.id = p.rail_id
        LEFT JOIN accounts_book b ON b.operator_id = r.operator_id
        LEFT JOIN LATERAL (
            SELECT sum(g.amount) AS amount
            FROM journal_entry e
            JOIN posting g ON g.book_id = e.book_id AND g.entry_id = e.id
            JOIN ledger_account a ON a.id = g.account_id AND a.kind = 'suspense'
                AND a.name = r.code AND a.asset = p.currency
            WHERE e.book_id = b.id AND e.id = p.entry_id AND e.kind = 'suspense_in'
                AND e.key = concat_ws(':', 'suspense_in', p.provider, p.reference)
        ) i ON true
        LEFT JOIN (
            SELECT substr(key, length(kind) + 2) AS reference, count(*) AS entries
            FROM journal_entry WHERE kind IN ('suspense_out', 'top_up', 'donation') GROUP BY 1
        ) o ON o.reference = p.provider || ':' || p.reference
        WHERE p.state <> 'credited' AND (
            p.state NOT IN ('suspense', 'mismatch', 'returned')
            OR coalesce(i.amount, 0) <> p.amount_minor - p.fee_minor OR o.entries IS NOT NULL
            OR (p.state = 'returned') <> (p.taken_back_minor > 0))
        """,
    )


@check(invariant=4, subject="journal_entry")
def credits_come_from_payments(database: BaseDatabaseWrapper) -> Iterator[str]:
    """An entry that credits a rail's money names a payment, and that payment names it."""
    return sentences(
        database,
        """
        SELECT format('entry %s of book %s (%s) is the credit of no payment', e.id, e.book_id,
                      e.key)
        FROM journal_entry e
        LEFT JOIN accounts_payment p
            ON p.provider || ':' || p.reference = substr(e.key, length(e.kind) + 2)
        WHERE e.kind IN ('top_up', 'donation', 'suspense_in', 'suspense_out')
            AND (p.id IS NULL OR (
                e.kind IN ('top_up', 'donation') AND p.entry_id IS DISTINCT FROM e.id))
        """,
    )


@check(invariant=4, subject="ledger_account")
def suspense_equals_its_payments(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A suspense account holds exactly the payments that are in suspense, as they were received."""
    return sentences(
        database,
        """
        SELECT format('suspense of book %s, rail %s: holds %s minor units of %s, payments in '
                      'suspense come to %s', book_id, name, coalesce(a.amount, 0), asset,
                      coalesce(p.amount, 0))
        FROM (
            SELECT book_id, name, asset, amount FROM ledger_account WHERE kind = 'suspense'
        ) a
        FULL JOIN (
            SELECT b.id AS book_id, r.code AS name, p.currency AS asset,
                sum(p.amount_minor - p.fee_minor) AS amount
            FROM accounts_payment p
            JOIN accounts_rail r ON r.id = p.rail_id
            JOIN accounts_book b ON b.operator_id = r.operator_id
            WHERE p.state NOT IN ('credited', 'returned') GROUP BY 1, 2, 3
        ) p USING (book_id, name, asset)
        WHERE coalesce(a.amount, 0) <> coalesce(p.amount, 0)
        """,
    )


@check(invariant=4, subject="accounts_topup")
def intents_follow_their_payments(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A top-up or pledge that says it succeeded has a payment that was not taken back in whole; one
    that says it was refunded, reversed or disputed has payments, and none that stands."""
    return sentences(
        database,
        """
        WITH intent AS (
            SELECT 'top-up' AS what, i.uid, i.state, p.id AS payment_id,
                p.taken_back_minor < p.amount_minor AS stands
            FROM accounts_topup i LEFT JOIN accounts_payment p ON p.top_up_id = i.id
            UNION ALL
            SELECT 'pledge', i.uid, i.state, p.id, p.taken_back_minor < p.amount_minor
            FROM accounts_pledge i LEFT JOIN accounts_payment p ON p.pledge_id = i.id
        )
        SELECT format('%s %s is %s: of its %s payments %s stand', what, uid, state,
                      count(payment_id), count(payment_id) FILTER (WHERE stands))
        FROM intent WHERE state IN ('succeeded', 'refunded', 'reversed', 'disputed')
        GROUP BY what, uid, state
        HAVING count(payment_id) = 0 OR (state = 'succeeded') <> bool_or(stands)
        """,
    )


CHECKS = (
    references_once,
    credited_payments_have_their_entry,
    other_payments_are_in_suspense,
    credits_come_from_payments,
    suspense_equals_its_payments,
    intents_follow_their_payments,
)
