"""Checks of batches: what they say, what was charged, what was posted, who owes what.

For every batch: charged - rebate = paid + newly owed + borne by the operator. The legs of its entry
on households' DAI come to -(paid + newly owed), on pools to paid + recovered, and on arrears not
collected yet to newly owed - recovered.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit import check
from accounts.audit.checks import sentences


@check(invariant=3, subject="settlement_settlementbatch")
def batches_equal_their_readings(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A batch's counts and sums are those of its readings and charges."""
    return sentences(
        database,
        """
        SELECT format('batch %s: took %s = %s accepted + %s repeated + %s quarantined, '
                      '%s readings; %s mWh (%s minting) for %s wei, its charges %s (%s) for %s',
                      b.id,
                      b.taken_count, b.accepted_count, b.repeated_count, b.quarantined_count,
                      coalesce(r.counted, 0), b.energy_milliwatt_hours, b.minting_milliwatt_hours,
                      b.charged_wei, coalesce(c.energy, 0), coalesce(c.minting, 0),
                      coalesce(c.charged, 0))
        FROM settlement_settlementbatch b
        LEFT JOIN (SELECT batch_id, count(*) AS counted FROM reading GROUP BY 1) r
            ON r.batch_id = b.id
        LEFT JOIN (
            SELECT batch_id, sum(energy_milliwatt_hours) AS energy,
                sum(minting_milliwatt_hours) AS minting, sum(amount_wei) AS charged
            FROM charge GROUP BY 1
        ) c ON c.batch_id = b.id
        WHERE b.taken_count <> b.accepted_count + b.repeated_count + b.quarantined_count
            OR b.accepted_count <> coalesce(r.counted, 0)
            OR b.energy_milliwatt_hours <> coalesce(c.energy, 0)
            OR b.minting_milliwatt_hours <> coalesce(c.minting, 0)
            OR b.charged_wei <> coalesce(c.charged, 0)
        """,
    )


@check(invariant=2, subject="settlement_settlementbatch")
def batches_are_posted_exactly(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Every wei of a batch is paid, owed or borne, and its entry says the same."""
    return sentences(
        database,
        """
        WITH leg AS (
            SELECT o.book_id, o.entry_id,
                coalesce(sum(o.amount) FILTER (WHERE a.household_id IS NOT NULL), 0) AS households,
                coalesce(sum(o.amount) FILTER (WHERE a.kind = 'pool'), 0) AS pools,
                coalesce(sum(o.amount) FILTER (WHERE a.kind = 'arrears_unearned'), 0) AS unearned
            FROM journal_entry e
            JOIN posting o ON o.book_id = e.book_id AND o.entry_id = e.id AND o.asset = 'DAI'
            JOIN ledger_account a ON a.id = o.account_id
            WHERE e.kind IN ('settlement', 'rebate') GROUP BY 1, 2
        )
        SELECT format('batch %s: charged %s, rebate %s, paid %s, owed %s, borne %s, recovered %s; '
                      'its entry %s moves %s for households, %s for pools, %s not collected', b.id,
                      b.charged_wei, b.rebate_wei, b.paid_wei, b.arrears_wei, b.borne_wei,
                      b.recovered_wei, b.entry_id, coalesce(leg.households, 0),
                      coalesce(leg.pools, 0), coalesce(leg.unearned, 0))
        FROM settlement_settlementbatch b
        LEFT JOIN accounts_book k ON k.site_id = b.site_id
        LEFT JOIN leg ON leg.book_id = k.id AND leg.entry_id = b.entry_id
        WHERE b.charged_wei - b.rebate_wei <> b.paid_wei + b.arrears_wei + b.borne_wei
            OR coalesce(leg.households, 0) <> -(b.paid_wei + b.arrears_wei)
            OR coalesce(leg.pools, 0) <> b.paid_wei + b.recovered_wei
            OR coalesce(leg.unearned, 0) <> b.arrears_wei - b.recovered_wei
            OR b.borne_wei < 0 OR b.recovered_wei < 0
        """,
    )


@check(invariant=2, subject="journal_entry")
def settlement_entries_have_their_batch(database: BaseDatabaseWrapper) -> Iterator[str]:
    """An entry of settlement is the entry of one batch of its site; a batch's entry exists."""
    return sentences(
        database,
        """
        SELECT format('entry %s of book %s (%s) is the entry of %s batches', e.id, e.book_id, e.key,
                      count(b.id))
        FROM journal_entry e
        LEFT JOIN accounts_book k ON k.id = e.book_id
        LEFT JOIN settlement_settlementbatch b ON b.entry_id = e.id AND b.site_id = k.site_id
            AND e.key = e.kind || ':' || b.id
        WHERE e.kind IN ('settlement', 'rebate')
        GROUP BY e.id, e.book_id, e.key HAVING count(b.id) <> 1
        UNION ALL
        SELECT format('batch %s names entry %s, which is not in its site''s book', b.id, b.entry_id)
        FROM settlement_settlementbatch b
        LEFT JOIN accounts_book k ON k.site_id = b.site_id
        LEFT JOIN journal_entry e ON e.book_id = k.id AND e.id = b.entry_id
        WHERE b.entry_id IS NOT NULL AND e.id IS NULL
        """,
    )


@check(invariant=2, subject="settlement_blockbill")
def households_pay_what_they_are_charged(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Over all of its batches, each household's DAI falls by its charges less its rebates; only
    late charges may be borne by the operator instead, and what is borne the batches say."""
    return sentences(
        database,
        """
        WITH moved AS (
            SELECT k.site_id, a.household_id, sum(o.amount) AS amount
            FROM journal_entry e
            JOIN accounts_book k ON k.id = e.book_id
            JOIN posting o ON o.book_id = e.book_id AND o.entry_id = e.id AND o.asset = 'DAI'
            JOIN ledger_account a ON a.id = o.account_id AND a.household_id IS NOT NULL
            WHERE e.kind IN ('settlement', 'rebate') GROUP BY 1, 2
        ), charged AS (
            SELECT site_id, household_id, sum(amount_wei) AS amount,
                coalesce(sum(amount_wei) FILTER (WHERE is_late), 0) AS late
            FROM charge GROUP BY 1, 2
        ), rebated AS (
            SELECT site_id, household_id, sum(rebate_wei) AS amount
            FROM settlement_blockbill GROUP BY 1, 2
        ), household AS (
            SELECT site_id, household_id, coalesce(c.amount, 0) AS charged,
                coalesce(c.late, 0) AS late, coalesce(r.amount, 0) AS rebates,
                coalesce(m.amount, 0) AS moved,
                coalesce(c.amount, 0) - coalesce(r.amount, 0) + coalesce(m.amount, 0) AS borne
            FROM charged c
            FULL JOIN rebated r USING (site_id, household_id)
            FULL JOIN moved m USING (site_id, household_id)
        )
        SELECT format('site %s, household %s: charged %s wei (%s late), rebates %s, but its '
                      'accounts moved by %s', site_id, household_id, charged, late, rebates, moved)
        FROM household WHERE borne NOT BETWEEN 0 AND late
        UNION ALL
        SELECT format('site %s: households were not asked for %s wei, batches say %s were borne',
                      site_id, h.borne, b.borne)
        FROM (SELECT site_id, sum(borne) AS borne FROM household GROUP BY 1) h
        FULL JOIN (
            SELECT site_id, sum(borne_wei) AS borne FROM settlement_settlementbatch GROUP BY 1
        ) b USING (site_id)
        WHERE coalesce(h.borne, 0) <> coalesce(b.borne, 0)
        """,
    )


@check(invariant=2, subject="settlement_blockbill")
def arrears_follow_from_bills(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A site's arrears are those of its bills, less what was cancelled and recovered; no household
    had more recovered than was set aside for it."""
    return sentences(
        database,
        """
        WITH owed AS (
            SELECT site_id, household_id, sum(arrears_wei - cancelled_wei) AS amount
            FROM settlement_blockbill GROUP BY 1, 2
        ), account AS (
            SELECT k.site_id, a.household_id, a.id, a.kind, a.amount
            FROM ledger_account a JOIN accounts_book k ON k.id = a.book_id
            WHERE a.kind IN ('household_arrears', 'household_repayment')
        ), set_aside AS (
            SELECT a.site_id, a.household_id, -sum(o.amount) AS amount
            FROM account a JOIN posting o ON o.account_id = a.id AND o.amount < 0
            WHERE a.kind = 'household_repayment' GROUP BY 1, 2
        ), household AS (
            SELECT site_id, household_id, coalesce(o.amount, 0) AS owed,
                coalesce(-a.amount, 0) AS owing,
                coalesce(o.amount, 0) + coalesce(a.amount, 0) AS recovered,
                coalesce(s.amount, 0) AS set_aside
            FROM owed o
            FULL JOIN (SELECT * FROM account WHERE kind = 'household_arrears') a
                USING (site_id, household_id)
            LEFT JOIN set_aside s USING (site_id, household_id)
        ), batch AS (
            SELECT site_id, sum(arrears_wei) AS owed, sum(recovered_wei) AS recovered
            FROM settlement_settlementbatch GROUP BY 1
        )
        SELECT format('site %s, household %s: bills leave %s wei owed, the account %s, so %s were '
                      'recovered of %s set aside', site_id, household_id, owed, owing, recovered,
                      set_aside)
        FROM household WHERE recovered < 0 OR recovered > set_aside
        UNION ALL
        SELECT format('site %s: bills leave %s wei owed, batches %s; accounts say %s were '
                      'recovered, batches %s', site_id, coalesce(h.owed, 0), coalesce(b.owed, 0),
                      coalesce(h.recovered, 0), coalesce(b.recovered, 0))
        FROM (
            SELECT site_id, sum(owed) AS owed, sum(recovered) AS recovered
            FROM household GROUP BY 1
        ) h FULL JOIN batch b USING (site_id)
        WHERE coalesce(h.owed, 0) <> coalesce(b.owed, 0)
            OR coalesce(h.recovered, 0) <> coalesce(b.recovered, 0)
        """,
    )


@check(invariant=6, subject="settlement_settlementbatch")
def impact_tokens_follow_from_energy(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A batch mints w for each kWh charged: half to the household that used it, half to donors (or
    unallocated); nothing else mints."""
    return sentences(
        database,
        """
        WITH half AS (
            SELECT id AS site_id, impact_token_wei_per_kwh / 2000000 AS wei FROM accounts_site
            UNION SELECT id, impact_token_wei_per_kwh / 2000000 FROM accounts_historicalsite
        ), leg AS MATERIALIZED (
            SELECT k.site_id, b.id AS batch_id, a.kind, a.household_id, o.amount
            FROM ledger_account a
            JOIN posting o ON o.account_id = a.id
            JOIN accounts_book k ON k.id = o.book_id
            LEFT JOIN settlement_settlementbatch b
                ON b.entry_id = o.entry_id AND b.site_id = k.site_id
            WHERE a.asset = 'IT'
        ), household AS (
            SELECT site_id, batch_id, household_id,
                coalesce(c.minting, 0) AS minting, coalesce(l.amount, 0) AS amount
            FROM (SELECT site_id, batch_id, household_id, sum(minting_milliwatt_hours) AS minting
                  FROM charge GROUP BY 1, 2, 3) c
            FULL JOIN (SELECT site_id, batch_id, household_id, amount FROM leg
                       WHERE kind = 'household_tokens' AND batch_id IS NOT NULL) l
                USING (site_id, batch_id, household_id)
        ), batch AS (
            SELECT b.site_id, b.id AS batch_id, b.minting_milliwatt_hours AS minting,
                coalesce(l.minted, 0) AS minted, coalesce(l.donors, 0) AS donors
            FROM settlement_settlementbatch b LEFT JOIN (
                SELECT batch_id, -sum(amount) FILTER (WHERE kind = 'tokens_minted') AS minted,
                    sum(amount) FILTER (
                        WHERE kind IN ('donors_pool', 'unallocated_tokens')) AS donors
                FROM leg GROUP BY 1
            ) l ON l.batch_id = b.id
        )
        SELECT format('batch %s, household %s: %s wei of IT for %s mWh', batch_id, household_id,
                      amount, minting)
        FROM household h
        WHERE NOT EXISTS (SELECT FROM half
            WHERE half.site_id = h.site_id AND half.wei * h.minting = h.amount)
        UNION ALL
        SELECT format('batch %s: %s wei of IT minted, %s of it for donors, for %s mWh', batch_id,
                      minted, donors, minting)
        FROM batch b
        WHERE NOT EXISTS (SELECT FROM half WHERE half.site_id = b.site_id
            AND 2 * half.wei * b.minting = b.minted AND half.wei * b.minting = b.donors)
        UNION ALL
        SELECT format('site %s: %s wei of IT minted outside of settlement', site_id, -sum(amount))
        FROM leg WHERE batch_id IS NULL AND kind = 'tokens_minted' GROUP BY site_id
        """,
    )


CHECKS = (
    batches_equal_their_readings,
    batches_are_posted_exactly,
    settlement_entries_have_their_batch,
    households_pay_what_they_are_charged,
    arrears_follow_from_bills,
    impact_tokens_follow_from_energy,
)
