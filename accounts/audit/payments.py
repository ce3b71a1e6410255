"""Checks of payments: each reference once, each credited with an entry or in suspense."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, sentences, streamed
from accounts.money import WEI_PER_DAI, minor_per_major


@check(invariant=4, subject="accounts_payment")
def references_once(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A (provider, reference) is one payment, and one credit over all books."""
    return sentences(
        database,
        """
        SELECT format('%s %s is there as %s payments', provider, reference, count(*))
        FROM accounts_payment GROUP BY provider, reference HAVING count(*) > 1
        UNION ALL
        SELECT format('%s was posted %s times, in books %s', key, count(*),
                      string_agg(book_id::text, ', ' ORDER BY book_id))
        FROM journal_entry WHERE kind IN ('top_up', 'suspense_in', 'suspense_out')
        GROUP BY key HAVING count(*) > 1
        """,
    )


@check(invariant=4, subject="accounts_payment")
def credited_payments_have_their_entry(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A credited payment's entry lies in its site's book and moves exactly what was paid and
    credited, to its household."""
    return sentences(
        database,
        """
        SELECT format('payment %s %s: says %s minor units for %s wei, its entry %s moves %s for %s',
                      p.provider, p.reference, p.amount_minor, p.credited_wei, p.entry_id,
                      coalesce(s.received, 0), coalesce(s.credited, 0))
        FROM accounts_payment p
        JOIN accounts_rail r ON r.id = p.rail_id
        LEFT JOIN accounts_book b ON b.site_id = p.site_id
        LEFT JOIN journal_entry e ON e.book_id = b.id AND e.id = p.entry_id
        LEFT JOIN LATERAL (
            SELECT -sum(o.amount) FILTER (WHERE a.kind = 'float' AND a.name = r.code
                    AND a.asset = p.currency) AS received,
                sum(o.amount) FILTER (WHERE a.household_id = p.household_id
                    AND a.asset = 'DAI') AS credited,
                count(*) FILTER (WHERE a.household_id <> p.household_id) AS strangers
            FROM posting o JOIN ledger_account a ON a.id = o.account_id
            WHERE o.book_id = e.book_id AND o.entry_id = e.id
        ) s ON true
        WHERE p.state = 'credited' AND (
            e.id IS NULL OR e.kind <> 'top_up'
            OR e.key <> concat_ws(':', 'top_up', p.provider, p.reference)
            OR coalesce(s.received, 0) <> p.amount_minor
            OR coalesce(s.credited, 0) <> p.credited_wei
            OR s.strangers > 0)
        """,
    )


@check(invariant=4, subject="accounts_payment")
def other_payments_are_in_suspense(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A payment that is not credited lies in suspense, in the operator's book, and nowhere else."""
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
            FROM journal_entry WHERE kind IN ('suspense_out', 'top_up') GROUP BY 1
        ) o ON o.reference = p.provider || ':' || p.reference
        WHERE p.state <> 'credited' AND (
            p.state NOT IN ('suspense', 'mismatch')
            OR coalesce(i.amount, 0) <> p.amount_minor OR o.entries IS NOT NULL)
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
        WHERE e.kind IN ('top_up', 'suspense_in', 'suspense_out')
            AND (p.id IS NULL OR (e.kind = 'top_up' AND p.entry_id IS DISTINCT FROM e.id))
        """,
    )


@check(invariant=4, subject="ledger_account")
def suspense_equals_its_payments(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A suspense account holds exactly the payments that are in suspense."""
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
                sum(p.amount_minor) AS amount
            FROM accounts_payment p
            JOIN accounts_rail r ON r.id = p.rail_id
            JOIN accounts_book b ON b.operator_id = r.operator_id
            WHERE p.state <> 'credited' GROUP BY 1, 2, 3
        ) p USING (book_id, name, asset)
        WHERE coalesce(a.amount, 0) <> coalesce(p.amount, 0)
        """,
    )


@check(invariant=4, subject="accounts_topup")
def succeeded_top_ups_were_paid(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A top-up that says it succeeded has a payment."""
    return sentences(
        database,
        """
        SELECT format('top-up %s of %s succeeded without a payment', t.uid, h.code)
        FROM accounts_topup t
        JOIN accounts_household h ON h.id = t.household_id
        WHERE t.state = 'succeeded'
            AND NOT EXISTS (SELECT FROM accounts_payment p WHERE p.top_up_id = t.id)
        """,
    )


_RATES = """
    SELECT site_id, currency, lower(validity), published_at, local_per_dai FROM accounts_siterate
    ORDER BY lower(validity)
"""
_CREDITS = """
    SELECT provider, reference, site_id, currency, amount_minor, paid_at, credited_at, credited_wei
    FROM accounts_payment WHERE state = 'credited'
"""


@check(invariant=4, subject="accounts_payment")
def credits_are_at_the_site_rate(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A credit is what was paid at the site's rate of its instant, rounded down to the wei.

    The rate is the last one that had begun, of those published by the time of the credit; before
    any had begun, the first.
    """
    rates: defaultdict[tuple[int, str], list[tuple[datetime, datetime, Decimal]]] = defaultdict(
        list
    )
    for site_id, currency, since, published_at, rate in streamed(database, _RATES):
        rates[site_id, currency].append((since, published_at, rate))
    for row in streamed(database, _CREDITS):
        provider, reference, site_id, currency, amount_minor, paid_at, credited_at, credited = row
        known = rates[site_id, currency]
        begun = [
            rate
            for since, published_at, rate in known
            if since <= paid_at and published_at <= credited_at
        ]
        if not known:
            yield f"payment {provider} {reference}: its site never had a rate in {currency}"
            continue
        numerator, denominator = (begun[-1] if begun else known[0][2]).as_integer_ratio()
        due = (
            amount_minor
            * WEI_PER_DAI
            * denominator
            // (minor_per_major(currency=currency) * numerator)
        )
        if due != credited:
            yield f"payment {provider} {reference}: credited {credited} wei, the rate makes {due}"


CHECKS = (
    references_once,
    credited_payments_have_their_entry,
    other_payments_are_in_suspense,
    credits_come_from_payments,
    suspense_equals_its_payments,
    succeeded_top_ups_were_paid,
    credits_are_at_the_site_rate,
)
