"""Checks of money taken back: credited == confirmed - taken back, each once, to the wei."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, sentences

# What each entry moved, by the accounts that taking back is about. Households' part is with the
# claim on the payer, which is below zero.
_MOVED = """
    moved AS MATERIALIZED (
        SELECT e.book_id, e.id, e.kind, e.key,
            coalesce(sum(o.amount) FILTER (WHERE a.kind = 'payback_due'), 0) AS due_minor,
            coalesce(-sum(o.amount) FILTER (
                WHERE a.kind IN ('household_funds', 'donations')), 0) AS taken_wei,
            coalesce(-sum(o.amount) FILTER (WHERE a.kind = 'payer_claim'), 0) AS claim_wei,
            coalesce(-sum(o.amount) FILTER (
                WHERE a.kind = 'pool' AND a.name = 'operator'), 0) AS borne_wei,
            coalesce(sum(o.amount) FILTER (WHERE a.kind IN ('float', 'agent_float')), 0)
                AS left_minor,
            coalesce(-sum(o.amount) FILTER (
                WHERE a.kind = 'fx_position' AND a.asset NOT IN ('DAI', 'IT')), 0) AS position_minor
        FROM journal_entry e
        JOIN posting o ON o.book_id = e.book_id AND o.entry_id = e.id
        JOIN ledger_account a ON a.id = o.account_id
        WHERE e.kind IN ('take_back', 'payback', 'payback_fee', 'put_back', 'claim_settled',
                         'claim_written_off')
        GROUP BY 1, 2, 3, 4
    )
"""


@check(invariant=4, subject="accounts_payment")
def payments_say_what_was_taken_back(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A payment says it was taken back by what its standing take-backs come to, at most whole; and
    what they moved is its credit in proportion: all of it, once all is taken back."""
    return sentences(
        database,
        """
        SELECT format('payment %s %s: says %s of %s minor units were taken back, standing '
                      'take-backs come to %s minor units and %s of %s wei', p.provider, p.reference,
                      p.taken_back_minor, p.amount_minor, coalesce(t.minor, 0), coalesce(t.wei, 0),
                      p.credited_wei)
        FROM accounts_payment p
        LEFT JOIN (
            SELECT payment_id, sum(amount_minor) FILTER (WHERE put_back_at IS NULL) AS minor,
                sum(taken_wei + claim_wei) FILTER (WHERE put_back_at IS NULL) AS wei,
                CASE WHEN count(put_back_at) > 0 THEN count(*) ELSE 0 END AS rounded
            FROM accounts_takeback GROUP BY 1
        ) t ON t.payment_id = p.id
        WHERE p.taken_back_minor <> coalesce(t.minor, 0)
            OR p.taken_back_minor NOT BETWEEN 0 AND p.amount_minor
            OR abs(coalesce(t.wei, 0) - CASE WHEN p.state = 'credited'
                THEN div(p.credited_wei * p.taken_back_minor, p.amount_minor) ELSE 0 END)
                -- What parts that were put back left of rounding: less than a wei for each part.
                > CASE WHEN p.taken_back_minor IN (0, p.amount_minor) THEN 0
                    ELSE coalesce(t.rounded, 0) END
        """,
    )


@check(invariant=4, subject="accounts_takeback")
def take_backs_moved_what_they_say(database: BaseDatabaseWrapper) -> Iterator[str]:
    """The entries of a take-back lie in the book of its payment's money and move what it says: owed
    to the payer, then left the float; put back, to whom it was taken from."""
    return sentences(
        database,
        f"""
        WITH {_MOVED}, said AS (
            -- What was put back before its payment left suspense stays in the operator's book.
            SELECT t.*, p.provider, p.reference, CASE WHEN p.state = 'credited' THEN s.id
                ELSE o.id END AS book_id, CASE WHEN t.put_back_at IS NOT NULL THEN o.id END
                AS other_book_id
            FROM accounts_takeback t
            JOIN accounts_payment p ON p.id = t.payment_id
            JOIN accounts_rail r ON r.id = p.rail_id
            LEFT JOIN accounts_book s ON s.site_id = p.site_id
            LEFT JOIN accounts_book o ON o.operator_id = r.operator_id
        )
        SELECT format('take-back %s of payment %s %s: %s minor units, %s wei and a claim of %s are '
                      'not what its entries %s, %s and %s move', t.id, t.provider, t.reference,
                      t.amount_minor, t.taken_wei, t.claim_wei, t.entry_id, t.paid_entry_id,
                      t.put_back_entry_id)
        FROM said t
        LEFT JOIN moved e ON e.id = t.entry_id AND e.kind = 'take_back'
            AND e.book_id IN (t.book_id, t.other_book_id)
        LEFT JOIN moved p ON p.book_id = e.book_id AND p.id = t.paid_entry_id
            AND p.kind = 'payback'
        LEFT JOIN moved b ON b.book_id = e.book_id AND b.id = t.put_back_entry_id
            AND b.kind = 'put_back'
        WHERE (e.due_minor, e.taken_wei, e.claim_wei)
                IS DISTINCT FROM (t.amount_minor::numeric, t.taken_wei, t.claim_wei)
            OR (t.paid_entry_id IS NOT NULL AND (p.due_minor, p.left_minor) IS DISTINCT FROM
                (-t.amount_minor::numeric, t.amount_minor + p.position_minor))
            OR (t.put_back_entry_id IS NULL) <> (t.put_back_at IS NULL)
            OR (t.put_back_at IS NOT NULL AND (
                CASE WHEN t.paid_entry_id IS NULL THEN b.due_minor ELSE b.left_minor END,
                b.taken_wei + b.claim_wei + b.borne_wei
            ) IS DISTINCT FROM (-t.amount_minor::numeric, -t.taken_wei - t.claim_wei))
        """,  # noqa: S608 - ours
    )


@check(invariant=4, subject="journal_entry")
def take_back_entries_belong_to_one(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Every entry that takes back, pays out, puts back, or closes a claim is that of one row."""
    return sentences(
        database,
        """
        SELECT format('entry %s of book %s (%s) belongs to %s take-backs or claims', e.id,
                      e.book_id, e.key, count(x.owner))
        FROM journal_entry e
        LEFT JOIN (
            SELECT entry_id, 'take_back' AS kind, id AS owner, NULL AS key FROM accounts_takeback
            UNION ALL SELECT paid_entry_id, 'payback', id, NULL FROM accounts_takeback
            UNION ALL SELECT put_back_entry_id, 'put_back', id, NULL FROM accounts_takeback
            UNION ALL SELECT f.id, 'payback_fee', t.id, NULL
                FROM accounts_takeback t
                JOIN journal_entry e ON e.id = t.entry_id
                JOIN journal_entry f ON f.kind = 'payback_fee'
                    AND regexp_replace(f.key, '^payback_fee:(.*):[0-9]+$', 'take_back:\\1') = e.key
            UNION ALL SELECT e.id, 'claim_' || c.state, c.id, NULL
                FROM accounts_payerclaim c
                JOIN journal_entry e ON e.key = 'claim_' || c.state || ':' || c.id
        ) x ON x.entry_id = e.id AND x.kind = e.kind
        WHERE e.kind IN ('take_back', 'payback', 'payback_fee', 'put_back', 'claim_settled',
                         'claim_written_off')
        GROUP BY e.id, e.book_id, e.key HAVING count(x.owner) <> 1
        """,
    )


@check(invariant=4, subject="ledger_account")
def payback_due_is_what_was_not_paid_out(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What stands to be paid out by a rail is what was taken back and neither left nor was put
    back."""
    return sentences(
        database,
        """
        SELECT format('book %s, rail %s: %s minor units of %s are due, take-backs that were not '
                      'paid out come to %s', book_id, name, coalesce(a.amount, 0), asset,
                      coalesce(t.amount, 0))
        FROM (
            SELECT book_id, name, asset, amount FROM ledger_account WHERE kind = 'payback_due'
        ) a
        FULL JOIN (
            SELECT e.book_id, r.code AS name, p.currency AS asset, sum(t.amount_minor) AS amount
            FROM accounts_takeback t
            JOIN accounts_payment p ON p.id = t.payment_id
            JOIN accounts_rail r ON r.id = p.rail_id
            JOIN journal_entry e ON e.id = t.entry_id
            WHERE t.paid_entry_id IS NULL AND t.put_back_at IS NULL GROUP BY 1, 2, 3
        ) t USING (book_id, name, asset)
        WHERE coalesce(a.amount, 0) <> coalesce(t.amount, 0)
        """,
    )


@check(invariant=4, subject="accounts_payerclaim")
def payer_claims_are_open_claims(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What payers owe a book is its open claims; each is what its take-back left to claim."""
    return sentences(
        database,
        """
        SELECT format('book %s: payers owe %s wei, open claims come to %s', book_id,
                      -coalesce(a.amount, 0), coalesce(c.amount, 0))
        FROM (
            SELECT book_id, sum(amount) AS amount FROM ledger_account
            WHERE kind = 'payer_claim' GROUP BY 1
        ) a
        FULL JOIN (
            SELECT e.book_id, sum(c.amount_wei) AS amount
            FROM accounts_payerclaim c
            JOIN accounts_takeback t ON t.id = c.take_back_id
            JOIN journal_entry e ON e.id = t.entry_id
            WHERE c.state = 'open' GROUP BY 1
        ) c USING (book_id)
        WHERE -coalesce(a.amount, 0) <> coalesce(c.amount, 0)
        UNION ALL
        SELECT format('take-back %s leaves %s wei to claim, its claim is %s wei, %s', t.id,
                      t.claim_wei, coalesce(c.amount_wei, 0), coalesce(c.state, 'missing'))
        FROM accounts_takeback t LEFT JOIN accounts_payerclaim c ON c.take_back_id = t.id
        WHERE t.claim_wei <> coalesce(c.amount_wei, 0)
            OR (c.state = 'open' AND (t.put_back_at IS NOT NULL OR c.closed_at IS NOT NULL))
            OR (c.state <> 'open' AND c.closed_at IS NULL)
        """,
    )


@check(invariant=4, subject="accounts_takeback")
def take_backs_have_their_reason(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Refunds, reversals and disputes stand where their take-backs do; a take-back that stands is
    of at most one of them, and of a refund or a dispute if it was taken for one."""
    return sentences(
        database,
        """
        WITH reason AS (
            SELECT 'refund' AS what, uid, state, payment_id, amount_minor, take_back_id,
                state <> 'failed' AS stands, state = 'succeeded' AS is_paid
            FROM accounts_refund
            UNION ALL
            SELECT 'reversal', uid, 'recorded', payment_id, amount_minor, take_back_id, true, true
            FROM accounts_reversal
            UNION ALL
            SELECT 'dispute', uid, state, payment_id, amount_minor, take_back_id,
                state IN ('open', 'lost'), true
            FROM accounts_dispute WHERE take_back_id IS NOT NULL OR state IN ('open', 'lost')
        )
        SELECT format('%s %s is %s over %s minor units, its take-back %s is over %s, %s', r.what,
                      r.uid, r.state, r.amount_minor, t.id, t.amount_minor,
                      CASE WHEN t.put_back_at IS NOT NULL THEN 'put back'
                          WHEN t.paid_entry_id IS NULL THEN 'not paid out' ELSE 'paid out' END)
        FROM reason r LEFT JOIN accounts_takeback t ON t.id = r.take_back_id
        WHERE (r.payment_id, r.amount_minor, r.stands) IS DISTINCT FROM
                (t.payment_id, t.amount_minor, t.put_back_at IS NULL)
            OR (r.stands AND r.is_paid <> (t.paid_entry_id IS NOT NULL))
        UNION ALL
        SELECT format('take-back %s (%s) stands for %s refunds, reversals or disputes', t.id, e.key,
                      count(r.uid))
        FROM accounts_takeback t
        LEFT JOIN journal_entry e ON e.id = t.entry_id
        LEFT JOIN reason r ON r.take_back_id = t.id
        WHERE t.put_back_at IS NULL
        GROUP BY t.id, e.key
        HAVING count(r.uid) > 1
            OR (count(r.uid) = 0 AND split_part(e.key, ':', 2) IS DISTINCT FROM 'reversal')
            OR bool_or(r.what <> split_part(e.key, ':', 2))
        """,
    )


CHECKS = (
    payments_say_what_was_taken_back,
    take_backs_moved_what_they_say,
    take_back_entries_belong_to_one,
    payback_due_is_what_was_not_paid_out,
    payer_claims_are_open_claims,
    take_backs_have_their_reason,
)
