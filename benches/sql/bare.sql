-- One site's inbox in one statement that trusts everything: no lock, no price lookup, no judgement,
-- no arrears, no split of what is paid beyond six equal parts, no hash chain.
WITH taken AS (
    DELETE FROM bench_bare.inbox WHERE site_id = %(site)s
    RETURNING serial, starts_at, ends_at, energy_milliwatt_hours AS energy, received_at, source
), inserted AS (
    INSERT INTO bench_bare.reading (site_id, meter_id, batch_id, energy_milliwatt_hours, starts_at,
                                    ends_at, received_at, source)
    SELECT %(site)s, m.meter_id, 0, t.energy, t.starts_at, t.ends_at, t.received_at, t.source
    FROM taken t JOIN bench_bare.meter m ON m.site_id = %(site)s AND m.serial = t.serial
    ON CONFLICT (site_id, starts_at, meter_id) DO NOTHING
    RETURNING meter_id, starts_at, ends_at, energy_milliwatt_hours AS energy
), accepted AS (
    SELECT i.*, m.household_id FROM inserted i
    JOIN bench_bare.meter m ON m.meter_id = i.meter_id
), charged AS (
    INSERT INTO bench_bare.charge (site_id, meter_id, household_id, batch_id, price_id,
                                   energy_milliwatt_hours, minting_milliwatt_hours,
                                   wei_per_milliwatt_hour, amount_wei, starts_at, is_late)
    SELECT %(site)s, meter_id, household_id, 0, 0, energy, energy, %(price)s,
        energy::numeric * %(price)s, starts_at, false
    FROM accepted
), used AS MATERIALIZED (
    SELECT household_id, sum(energy) AS energy, sum(energy) * %(price)s AS paid,
        max(ends_at) AS last_slot_ends_at
    FROM accepted GROUP BY household_id
), days AS (
    INSERT INTO bench_bare.day AS known (site_id, household_id, day, energy_milliwatt_hours,
                                         charged_wei, last_slot_ends_at)
    SELECT %(site)s, household_id, %(at)s::date, energy, paid, last_slot_ends_at FROM used
    ON CONFLICT (household_id, site_id, day) DO UPDATE SET
        energy_milliwatt_hours = known.energy_milliwatt_hours + excluded.energy_milliwatt_hours,
        charged_wei = known.charged_wei + excluded.charged_wei,
        last_slot_ends_at = greatest(known.last_slot_ends_at, excluded.last_slot_ends_at)
), bills AS (
    INSERT INTO bench_bare.bill AS known (site_id, household_id, block_starts_at, block_ends_at,
        energy_milliwatt_hours, charged_wei, arrears_wei, cancelled_wei, rebate_wei, is_due)
    SELECT %(site)s, household_id, %(at)s::date, %(at)s::date + interval '1 day', energy, paid,
        0, 0, 0, true
    FROM used
    ON CONFLICT (site_id, household_id, block_starts_at) DO UPDATE SET
        energy_milliwatt_hours = known.energy_milliwatt_hours + excluded.energy_milliwatt_hours,
        charged_wei = known.charged_wei + excluded.charged_wei,
        is_due = true
), total AS MATERIALIZED (
    SELECT sum(energy) AS energy, sum(paid) AS paid FROM used
), batch AS (
    INSERT INTO bench_bare.batch (uid, site_id, kind, settled_at, taken_count, accepted_count,
        repeated_count, quarantined_count, energy_milliwatt_hours, minting_milliwatt_hours,
        charged_wei, paid_wei, arrears_wei, borne_wei, recovered_wei, rebate_wei)
    SELECT uuidv7(), %(site)s, 'readings', %(at)s, 0, 0, 0, 0, energy, energy, paid, paid,
        0, 0, 0, 0
    FROM total
), entry AS (
    INSERT INTO bench_bare.entry (book_id, sequence, kind, key, request_hash, occurred_at,
                                  recorded_at, previous_hash, hash)
    VALUES (%(book)s, %(round)s, 'settlement', 'settlement:' || %(round)s, ''::bytea, %(at)s,
            %(at)s, ''::bytea, ''::bytea)
    RETURNING id
), leg AS (
    SELECT a.id AS account_id, a.asset,
        CASE a.kind WHEN 'household_funds' THEN -u.paid ELSE u.energy * 500000000000 END AS amount
    FROM used u
    JOIN bench_bare.account a ON a.book_id = %(book)s AND a.household_id = u.household_id
        AND a.kind IN ('household_funds', 'household_tokens')
    UNION ALL
    SELECT a.id, a.asset, CASE a.kind WHEN 'pool' THEN div(t.paid, 6)
        WHEN 'tokens_minted' THEN -t.energy * 1000000000000 ELSE t.energy * 500000000000 END
    FROM total t
    JOIN bench_bare.account a ON a.book_id = %(book)s AND a.household_id IS NULL
        AND a.kind IN ('pool', 'tokens_minted', 'unallocated_tokens')
), posted AS (
    INSERT INTO bench_bare.posting (book_id, entry_id, account_id, asset, amount)
    SELECT %(book)s, entry.id, account_id, asset, amount FROM leg CROSS JOIN entry
    RETURNING account_id, amount
)
UPDATE bench_bare.account a SET amount = a.amount + posted.amount
FROM posted WHERE a.id = posted.account_id
