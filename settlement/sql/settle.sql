-- One batch of one site's readings, exactly once: inbox -> readings -> charges -> ledger.
-- Called by settlement.settle.run. Set-based: the number of statements does not depend on the
-- number of readings. Takes the book's lock first, like every writer of money.

CREATE FUNCTION settlement_block_starts_at(p_at timestamptz, p_zone text) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT (date_trunc('day', l.local) + CASE
        WHEN l.local::time < '06:00' THEN interval '-2 hours'
        WHEN l.local::time < '10:00' THEN interval '6 hours'
        WHEN l.local::time < '16:00' THEN interval '10 hours'
        WHEN l.local::time < '22:00' THEN interval '16 hours'
        ELSE interval '22 hours' END) AT TIME ZONE p_zone
    FROM (SELECT p_at AT TIME ZONE p_zone AS local) l;
$$;

CREATE FUNCTION settlement_block_ends_at(p_block_starts_at timestamptz, p_zone text)
RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT (l.local + CASE l.local::time
        WHEN '22:00' THEN interval '8 hours'
        WHEN '06:00' THEN interval '4 hours'
        ELSE interval '6 hours' END) AT TIME ZONE p_zone
    FROM (SELECT p_block_starts_at AT TIME ZONE p_zone AS local) l;
$$;

-- The site's meters and whom they measured. A function of its own, so that the planner's settings
-- for the batch do not reach this join, which has to go by index.
CREATE FUNCTION settlement_meters_of(p_site_id bigint)
RETURNS TABLE (
    meter_id bigint, serial varchar, max_power_watts integer, closed_at timestamptz,
    household_id bigint, tier varchar, validity tstzrange
)
LANGUAGE sql STABLE ROWS 500
SET search_path = public, pg_temp SET enable_nestloop = on AS $$
    SELECT m.id, m.serial, m.max_power_watts, m.closed_at, h.id, h.tier, a.validity
    FROM settlement_meter m
    LEFT JOIN settlement_meterassignment a ON a.meter_id = m.id AND m.role = 'household'
    LEFT JOIN accounts_household h ON h.id = a.household_id
    WHERE m.site_id = p_site_id;
$$;

CREATE FUNCTION settlement_settle(p_site_id bigint, p_limit integer, p_at timestamptz)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_site accounts_site;
    v_book_id bigint;
    v_batch settlement_settlementbatch;
    v_half numeric;
    v_household_ids bigint[];
    v_block_starts timestamptz[];
    v_block_ends timestamptz[];
    v_energies bigint[];
    v_on_time numeric[];
    v_late numeric[];
    v_minting bigint[];
    v_account_ids bigint[];
    v_amounts numeric[];
    v_split record;
BEGIN
    SELECT id INTO STRICT v_book_id FROM accounts_book WHERE site_id = p_site_id;
    PERFORM ledger_lock(v_book_id);
    SELECT * INTO STRICT v_site FROM accounts_site WHERE id = p_site_id;
    v_half := v_site.impact_token_wei_per_kwh / 2000000;
    v_batch.id := nextval(pg_get_serial_sequence('settlement_settlementbatch', 'id'));

    -- The planner can't know how many rows a batch has; its guess from an inbox that was empty when
    -- it was analysed would join them row by row: 2,267 us a reading instead of 24.
    PERFORM set_config('enable_nestloop', 'off', true);
    WITH taken AS (
        -- By place: behind the book's lock nobody else takes these rows, and nobody updates any.
        DELETE FROM settlement_readinginbox i
        WHERE i.ctid = ANY (ARRAY(
            SELECT q.ctid FROM settlement_readinginbox q
            WHERE q.site_id = p_site_id ORDER BY q.id LIMIT p_limit))
        RETURNING i.*
    ), meter AS MATERIALIZED (
        SELECT * FROM settlement_meters_of(p_site_id)
    ), slot AS MATERIALIZED (
        SELECT s.starts_at,
            price.id AS price_id,
            (price.wei_per_kwh / 1000000)::bigint AS wei_per_mwh,
            (least(price.wei_per_kwh, price.reference_wei_per_kwh) / 1000000)::bigint
                AS priority_wei_per_mwh,
            block.starts_at AS block_starts_at,
            settlement_block_ends_at(block.starts_at, v_site.time_zone) AS block_ends_at,
            (s.starts_at AT TIME ZONE v_site.time_zone)::date AS day,
            coalesce(telemetry.solar_share_basis_points, 10000) AS solar_share,
            to_regclass('public.reading_' || to_char(s.starts_at AT TIME ZONE 'UTC', 'YYYYMM'))
                IS NOT NULL AS has_partition
        FROM (SELECT DISTINCT starts_at FROM taken) s
        CROSS JOIN LATERAL (
            SELECT settlement_block_starts_at(s.starts_at, v_site.time_zone) AS starts_at) block
        LEFT JOIN LATERAL (
            SELECT p.id, p.wei_per_kwh, p.reference_wei_per_kwh FROM settlement_price p
            WHERE p.site_id = p_site_id AND p.starts_at <= s.starts_at
            ORDER BY p.starts_at DESC, p.revision DESC LIMIT 1) price ON true
        LEFT JOIN settlement_slottelemetry telemetry
            ON telemetry.site_id = p_site_id AND telemetry.starts_at = s.starts_at
    ), judged AS MATERIALIZED (
        SELECT t.id, t.source, t.serial, t.starts_at, t.ends_at, t.energy_milliwatt_hours AS energy,
            t.received_at, m.meter_id, a.household_id, slot.price_id,
            CASE a.tier WHEN 'priority' THEN slot.priority_wei_per_mwh ELSE slot.wei_per_mwh
                END AS wei_per_mwh,
            slot.block_starts_at, slot.block_ends_at, slot.day, slot.solar_share,
            t.received_at > t.ends_at + make_interval(days => v_site.late_reading_days) AS is_late,
            CASE
                WHEN m.meter_id IS NULL THEN 'unknown_meter'
                WHEN m.closed_at <= t.starts_at THEN 'meter_closed'
                WHEN t.ends_at <> t.starts_at + make_interval(secs => v_site.slot_seconds)
                    OR mod(extract(epoch FROM t.starts_at), v_site.slot_seconds) <> 0
                    THEN 'not_a_slot'
                WHEN t.ends_at > p_at THEN 'in_the_future'
                WHEN NOT slot.has_partition THEN 'no_partition'
                WHEN t.energy_milliwatt_hours < 0 THEN 'negative_energy'
                WHEN NOT t.is_vouched AND t.energy_milliwatt_hours::numeric * 3600
                    > m.max_power_watts::numeric * 1000 * v_site.slot_seconds
                    THEN 'implausible_energy'
                WHEN a.household_id IS NOT NULL AND slot.price_id IS NULL THEN 'no_price'
            END AS reason
        FROM taken t
        JOIN slot ON slot.starts_at = t.starts_at
        LEFT JOIN (SELECT DISTINCT meter_id, serial, max_power_watts, closed_at FROM meter) m
            ON m.serial = t.serial
        LEFT JOIN meter a ON a.meter_id = m.meter_id AND a.validity @> t.starts_at
    ), sound AS MATERIALIZED (
        SELECT j.*,
            row_number() OVER same AS nth,
            first_value(j.energy) OVER same AS first_energy
        FROM judged j WHERE j.reason IS NULL
        WINDOW same AS (PARTITION BY j.meter_id, j.starts_at ORDER BY j.id)
    ), inserted AS (
        INSERT INTO reading (site_id, meter_id, batch_id, energy_milliwatt_hours, starts_at,
                             ends_at, received_at, source)
        SELECT p_site_id, meter_id, v_batch.id, energy, starts_at, ends_at, received_at, source
        FROM sound WHERE nth = 1
        ON CONFLICT (site_id, starts_at, meter_id) DO NOTHING
        RETURNING meter_id, starts_at
    ), accepted AS MATERIALIZED (
        SELECT s.*, (s.energy * s.solar_share / 10000)::bigint AS minting
        FROM sound s JOIN inserted i ON i.meter_id = s.meter_id AND i.starts_at = s.starts_at
        WHERE s.nth = 1
    ), duplicate AS MATERIALIZED (
        SELECT d.*, coalesce(known.energy_milliwatt_hours, d.first_energy) AS known_energy
        FROM (
            SELECT s.* FROM sound s
            LEFT JOIN inserted i ON i.meter_id = s.meter_id AND i.starts_at = s.starts_at
            WHERE s.nth > 1 OR i.meter_id IS NULL
        ) d
        LEFT JOIN LATERAL (
            SELECT r.energy_milliwatt_hours FROM reading r
            WHERE r.site_id = p_site_id AND r.starts_at = d.starts_at AND r.meter_id = d.meter_id
            LIMIT 1) known ON true
    ), charged AS (
        INSERT INTO charge (site_id, meter_id, household_id, batch_id, price_id,
                            energy_milliwatt_hours, minting_milliwatt_hours,
                            wei_per_milliwatt_hour, amount_wei, starts_at, is_late)
        SELECT p_site_id, meter_id, household_id, v_batch.id, price_id, energy, minting,
            wei_per_mwh, energy::numeric * wei_per_mwh, starts_at, is_late
        FROM accepted WHERE household_id IS NOT NULL
    ), quarantined AS (
        INSERT INTO settlement_quarantinedreading (site_id, source, serial, starts_at, ends_at,
            energy_milliwatt_hours, reason, detail, received_at, quarantined_at, resolution)
        SELECT p_site_id, source, serial, starts_at, ends_at, energy, reason, '', received_at,
            p_at, ''
        FROM judged WHERE reason IS NOT NULL
        UNION ALL
        SELECT p_site_id, source, serial, starts_at, ends_at, energy, 'conflicting_duplicate',
            'known energy: ' || known_energy || ' mWh', received_at, p_at, ''
        FROM duplicate WHERE known_energy <> energy
        RETURNING 1
    ), per_block AS MATERIALIZED (
        SELECT household_id, block_starts_at, block_ends_at, day, sum(energy)::bigint AS energy,
            coalesce(sum(energy::numeric * wei_per_mwh) FILTER (WHERE NOT is_late), 0) AS on_time,
            coalesce(sum(energy::numeric * wei_per_mwh) FILTER (WHERE is_late), 0) AS late,
            sum(minting)::bigint AS minting, max(ends_at) AS last_slot_ends_at
        FROM accepted WHERE household_id IS NOT NULL
        GROUP BY household_id, block_starts_at, block_ends_at, day
    ), days AS (
        INSERT INTO settlement_householdday AS known (site_id, household_id, day,
            energy_milliwatt_hours, charged_wei, last_slot_ends_at)
        SELECT p_site_id, household_id, day, sum(energy), sum(on_time + late),
            max(last_slot_ends_at)
        FROM per_block GROUP BY household_id, day
        ON CONFLICT (household_id, site_id, day) DO UPDATE SET
            energy_milliwatt_hours = known.energy_milliwatt_hours + excluded.energy_milliwatt_hours,
            charged_wei = known.charged_wei + excluded.charged_wei,
            last_slot_ends_at = greatest(known.last_slot_ends_at, excluded.last_slot_ends_at)
    ), whole_block AS (
        SELECT household_id, block_starts_at, block_ends_at, sum(energy)::bigint AS energy,
            sum(on_time) AS on_time, sum(late) AS late, sum(minting)::bigint AS minting
        FROM per_block GROUP BY household_id, block_starts_at, block_ends_at
    )
    SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM accepted),
        (SELECT count(*) FROM duplicate WHERE known_energy = energy),
        (SELECT count(*) FROM quarantined),
        coalesce(sum(energy), 0), coalesce(sum(minting), 0), coalesce(sum(on_time + late), 0),
        array_agg(household_id), array_agg(block_starts_at), array_agg(block_ends_at),
        array_agg(energy), array_agg(on_time), array_agg(late), array_agg(minting)
    INTO v_batch.taken_count, v_batch.accepted_count, v_batch.repeated_count,
        v_batch.quarantined_count, v_batch.energy_milliwatt_hours, v_batch.minting_milliwatt_hours,
        v_batch.charged_wei, v_household_ids, v_block_starts, v_block_ends, v_energies, v_on_time,
        v_late, v_minting
    FROM whole_block;
    PERFORM set_config('enable_nestloop', 'on', true);

    IF v_batch.taken_count = 0 AND NOT EXISTS (
        SELECT FROM ledger_account
        WHERE book_id = v_book_id AND kind = 'household_repayment' AND amount > 0
    ) THEN
        RETURN NULL;
    END IF;
    PERFORM ledger_open_household(v_book_id, array_agg(DISTINCT h.id))
    FROM unnest(v_household_ids) AS h (id) HAVING count(*) > 0;

    -- Funds first repay what top-ups set aside, then pay on-time blocks in order, then late ones.
    -- Planned for the lines at hand, or it would be for ten of them. Nothing else is: planning each
    -- statement of each function called from here took a third of a small batch's time.
    PERFORM set_config('plan_cache_mode', 'force_custom_plan', true);
    WITH line AS MATERIALIZED (
        SELECT * FROM unnest(v_household_ids, v_block_starts, v_block_ends, v_energies, v_on_time,
                             v_late, v_minting)
            AS l (household_id, block_starts_at, block_ends_at, energy, on_time, late, minting)
    ), needed AS (
        SELECT household_id FROM line
        UNION
        SELECT household_id FROM ledger_account
        WHERE book_id = v_book_id AND kind = 'household_repayment' AND amount > 0
    ), owner AS MATERIALIZED (
        SELECT a.household_id,
            max(a.id) FILTER (WHERE a.kind = 'household_funds') AS funds_id,
            max(a.id) FILTER (WHERE a.kind = 'household_repayment') AS repayment_id,
            max(a.id) FILTER (WHERE a.kind = 'household_arrears') AS arrears_id,
            max(a.id) FILTER (WHERE a.kind = 'household_tokens') AS tokens_id,
            sum(a.amount) FILTER (WHERE a.kind = 'household_funds') AS funds,
            sum(a.amount) FILTER (WHERE a.kind = 'household_repayment') AS repayment,
            least(sum(a.amount) FILTER (WHERE a.kind = 'household_repayment'),
                  -sum(a.amount) FILTER (WHERE a.kind = 'household_arrears')) AS recovered
        FROM ledger_account a JOIN needed n ON n.household_id = a.household_id
        WHERE a.book_id = v_book_id
        GROUP BY a.household_id
    ), due AS (
        SELECT l.*, o.funds + o.repayment - o.recovered AS funds,
            sum(l.on_time) OVER earlier - l.on_time AS before_on_time,
            sum(l.on_time) OVER (PARTITION BY l.household_id)
                + sum(l.late) OVER earlier - l.late AS before_late
        FROM line l JOIN owner o ON o.household_id = l.household_id
        WINDOW earlier AS (PARTITION BY l.household_id ORDER BY l.block_starts_at)
    ), cut AS MATERIALIZED (
        SELECT *,
            least(on_time, greatest(funds - before_on_time, 0)) AS on_time_paid,
            least(late, greatest(funds - before_late, 0)) AS late_paid
        FROM due
    ), bill AS (
        INSERT INTO settlement_blockbill AS known (site_id, household_id, block_starts_at,
            block_ends_at, energy_milliwatt_hours, charged_wei, arrears_wei, cancelled_wei,
            rebate_wei, is_due)
        SELECT p_site_id, household_id, block_starts_at, block_ends_at, energy, on_time + late,
            on_time - on_time_paid, 0, 0, true
        FROM cut
        ON CONFLICT (site_id, household_id, block_starts_at) DO UPDATE SET
            energy_milliwatt_hours = known.energy_milliwatt_hours + excluded.energy_milliwatt_hours,
            charged_wei = known.charged_wei + excluded.charged_wei,
            arrears_wei = known.arrears_wei + excluded.arrears_wei,
            is_due = true
    ), result AS MATERIALIZED (
        SELECT o.*, coalesce(c.paid, 0) AS paid, coalesce(c.owed, 0) AS owed,
            coalesce(c.borne, 0) AS borne, coalesce(c.minting, 0) * v_half AS tokens
        FROM owner o LEFT JOIN (
            SELECT household_id, sum(on_time_paid + late_paid) AS paid,
                sum(on_time - on_time_paid) AS owed, sum(late - late_paid) AS borne,
                sum(minting) AS minting
            FROM cut GROUP BY household_id
        ) c ON c.household_id = o.household_id
    ), leg AS (
        SELECT funds_id AS account_id, repayment - recovered - paid AS amount FROM result
        UNION ALL SELECT repayment_id, -repayment FROM result
        UNION ALL SELECT arrears_id, recovered - owed FROM result
        UNION ALL SELECT tokens_id, tokens FROM result
    ), warned AS (
        INSERT INTO accounts_notice (uid, kind, params, household_id, phone, language, key, state,
            text, provider_id, delivery_status, failure, attempts, next_attempt_at, created_at)
        SELECT uuidv7(), 'low_funds',
            jsonb_build_object('site', v_site.slug,
                'funds_wei', (r.funds + r.repayment - r.recovered - r.paid)::text),
            r.household_id, p.phone, h.language,
            concat('low_funds:', r.household_id, ':', v_batch.id, ':', p.id), 'queued',
            '', '', '', '', 0, p_at, p_at
        FROM result r
        JOIN accounts_household h ON h.id = r.household_id
        JOIN accounts_householdphone p ON p.household_id = r.household_id
            AND p.is_notified AND p.closed_at IS NULL
        WHERE r.funds >= v_site.low_funds_wei
            AND r.funds + r.repayment - r.recovered - r.paid < v_site.low_funds_wei
    )
    SELECT (SELECT array_agg(account_id) FROM leg WHERE amount <> 0),
        (SELECT array_agg(amount) FROM leg WHERE amount <> 0),
        coalesce(sum(paid), 0), coalesce(sum(recovered), 0), coalesce(sum(owed), 0),
        coalesce(sum(borne), 0)
    INTO v_account_ids, v_amounts, v_batch.paid_wei, v_batch.recovered_wei, v_batch.arrears_wei,
        v_batch.borne_wei
    FROM result;
    PERFORM set_config('plan_cache_mode', 'auto', true);

    SELECT * INTO v_split FROM settlement_split(
        p_site_id, v_book_id, p_at, v_batch.paid_wei + v_batch.recovered_wei);
    v_account_ids := v_account_ids || v_split.account_ids || ledger_account_id(
        v_book_id, 'arrears_unearned', '', 'DAI', NULL);
    v_amounts := v_amounts || v_split.amounts || (v_batch.arrears_wei - v_batch.recovered_wei);
    IF v_batch.minting_milliwatt_hours > 0 THEN
        v_account_ids := v_account_ids
            || ledger_account_id(v_book_id, 'tokens_minted', '', 'IT', NULL)
            || ledger_account_id(v_book_id,
                CASE WHEN donors_index_reward(
                        p_site_id, v_batch.minting_milliwatt_hours * v_half)
                    THEN 'donors_pool' ELSE 'unallocated_tokens' END, '', 'IT', NULL);
        v_amounts := v_amounts || (-2 * v_batch.minting_milliwatt_hours * v_half)
            || (v_batch.minting_milliwatt_hours * v_half);
    END IF;

    IF EXISTS (SELECT FROM unnest(v_amounts) AS a WHERE a <> 0) THEN
        v_batch.entry_id := ledger_write(v_book_id, 'settlement', 'settlement:' || v_batch.id,
                                         p_at, p_at, v_account_ids, v_amounts);
    END IF;
    INSERT INTO settlement_settlementbatch (id, uid, site_id, kind, settled_at, split_version_id,
        entry_id, taken_count, accepted_count, repeated_count, quarantined_count,
        energy_milliwatt_hours, minting_milliwatt_hours, charged_wei, paid_wei, arrears_wei,
        borne_wei, recovered_wei, rebate_wei)
    OVERRIDING SYSTEM VALUE
    VALUES (v_batch.id, uuidv7(), p_site_id, 'readings', p_at, v_split.version_id,
        v_batch.entry_id, v_batch.taken_count, v_batch.accepted_count, v_batch.repeated_count,
        v_batch.quarantined_count, v_batch.energy_milliwatt_hours, v_batch.minting_milliwatt_hours,
        v_batch.charged_wei, v_batch.paid_wei, v_batch.arrears_wei, v_batch.borne_wei,
        v_batch.recovered_wei, 0);
    RETURN v_batch.id;
END $$;

GRANT EXECUTE ON FUNCTION settlement_settle(bigint, integer, timestamptz) TO {app_role};
GRANT EXECUTE ON FUNCTION settlement_block_starts_at(timestamptz, text) TO {app_role};
GRANT EXECUTE ON FUNCTION settlement_block_ends_at(timestamptz, text) TO {app_role};
