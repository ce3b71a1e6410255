-- Lifeline rebates of price blocks that have ended: computed from all charges of the block in slot
-- order, given as the difference to what was given before, so that the order of arrival does not
-- change a bill. Called by settlement.rebates.run. A rebate first cancels arrears of its own block;
-- what is left goes back to the household's funds, out of revenue. A correction downwards is taken
-- from funds, the rest is owed.
CREATE FUNCTION settlement_rebate(p_site_id bigint, p_limit integer, p_at timestamptz)
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    v_site accounts_site;
    v_book_id bigint;
    v_batch settlement_settlementbatch;
    v_bill_ids bigint[];
    v_from timestamptz;
    v_until timestamptz;
    v_account_ids bigint[];
    v_amounts numeric[];
    v_cancelled numeric;
    v_split record;
BEGIN
    SELECT id INTO STRICT v_book_id FROM accounts_book WHERE site_id = p_site_id;
    PERFORM ledger_lock(v_book_id);
    SELECT * INTO STRICT v_site FROM accounts_site WHERE id = p_site_id;

    SELECT array_agg(id), min(block_starts_at), max(block_ends_at)
    INTO v_bill_ids, v_from, v_until
    FROM (
        SELECT id, block_starts_at, block_ends_at FROM settlement_blockbill
        WHERE site_id = p_site_id AND is_due AND block_ends_at <= p_at
        ORDER BY block_ends_at LIMIT p_limit) due;
    IF v_bill_ids IS NULL THEN
        RETURN NULL;
    END IF;
    v_batch.id := nextval(pg_get_serial_sequence('settlement_settlementbatch', 'id'));

    -- As in settle.sql: joined row by row, each bill would read all charges of its block.
    PERFORM set_config('enable_nestloop', 'off', true);
    WITH bill AS MATERIALIZED (
        SELECT b.* FROM settlement_blockbill b WHERE b.id = ANY (v_bill_ids)
    ), piece AS (
        SELECT b.id AS bill_id, c.energy_milliwatt_hours AS energy,
            greatest(c.wei_per_milliwatt_hour
                - div(p.reference_wei_per_kwh, 1000000), 0) AS above,
            sum(c.energy_milliwatt_hours) OVER (
                PARTITION BY b.id ORDER BY c.starts_at, c.meter_id
            ) - c.energy_milliwatt_hours AS before
        FROM bill b
        JOIN accounts_household h ON h.id = b.household_id AND h.has_lifeline
        JOIN charge c ON c.site_id = p_site_id AND c.household_id = b.household_id
            AND c.starts_at >= b.block_starts_at AND c.starts_at < b.block_ends_at
            -- Known when the statement is planned: only the partitions and slots of the span.
            AND c.starts_at >= v_from AND c.starts_at < v_until
        JOIN settlement_price p ON p.id = c.price_id
    ), target AS (
        SELECT b.id AS bill_id, b.household_id, b.block_starts_at,
            b.arrears_wei - b.cancelled_wei AS open_arrears,
            coalesce(t.rebate, 0) - b.rebate_wei AS difference
        FROM bill b LEFT JOIN (
            SELECT bill_id, sum(above * least(energy, greatest(
                v_site.lifeline_milliwatt_hours_per_block - before, 0))) AS rebate
            FROM piece GROUP BY bill_id
        ) t ON t.bill_id = b.id
    ), owner AS MATERIALIZED (
        SELECT a.household_id,
            max(a.id) FILTER (WHERE a.kind = 'household_funds') AS funds_id,
            max(a.id) FILTER (WHERE a.kind = 'household_arrears') AS arrears_id,
            sum(a.amount) FILTER (WHERE a.kind = 'household_funds') AS funds,
            -- What a top-up set aside for arrears is as good as repaid.
            -sum(a.amount) FILTER (WHERE a.kind = 'household_arrears')
                - sum(a.amount) FILTER (WHERE a.kind = 'household_repayment') AS arrears
        FROM ledger_account a
        WHERE a.book_id = v_book_id AND a.household_id IN (SELECT household_id FROM target)
        GROUP BY a.household_id
    ), wish AS (
        SELECT t.*, o.funds, o.arrears,
            least(greatest(t.difference, 0), greatest(t.open_arrears, 0)) AS may_cancel,
            greatest(-t.difference, 0) AS to_take
        FROM target t JOIN owner o ON o.household_id = t.household_id
    ), ordered AS (
        SELECT w.*,
            sum(may_cancel) OVER earlier - may_cancel AS before_cancel,
            sum(to_take) OVER earlier - to_take AS before_take
        FROM wish w
        WINDOW earlier AS (PARTITION BY household_id ORDER BY block_starts_at)
    ), done AS MATERIALIZED (
        SELECT *,
            least(may_cancel, greatest(arrears - before_cancel, 0)) AS cancelled,
            least(to_take, greatest(funds - before_take, 0)) AS taken
        FROM ordered
    ), changed AS (
        UPDATE settlement_blockbill b SET
            is_due = false,
            rebate_wei = b.rebate_wei + d.difference,
            cancelled_wei = b.cancelled_wei + d.cancelled,
            arrears_wei = b.arrears_wei + d.to_take - d.taken
        FROM done d WHERE b.id = d.bill_id
    ), result AS MATERIALIZED (
        SELECT o.funds_id, o.arrears_id,
            sum(greatest(d.difference, 0) - d.cancelled - d.taken) AS to_funds,
            sum(d.cancelled - (d.to_take - d.taken)) AS less_arrears,
            sum(d.difference) AS rebate
        FROM done d JOIN owner o ON o.household_id = d.household_id
        GROUP BY o.household_id, o.funds_id, o.arrears_id
    ), leg AS (
        SELECT funds_id AS account_id, to_funds AS amount FROM result
        UNION ALL SELECT arrears_id, less_arrears FROM result
    )
    SELECT (SELECT array_agg(account_id) FROM leg WHERE amount <> 0),
        (SELECT array_agg(amount) FROM leg WHERE amount <> 0),
        -sum(to_funds), sum(less_arrears), sum(rebate)
    INTO v_account_ids, v_amounts, v_batch.paid_wei, v_cancelled, v_batch.rebate_wei
    FROM result;
    PERFORM set_config('enable_nestloop', 'on', true);

    IF v_account_ids IS NULL THEN
        UPDATE settlement_blockbill SET is_due = false WHERE id = ANY (v_bill_ids);
        RETURN NULL;
    END IF;
    SELECT * INTO v_split FROM settlement_split(p_site_id, v_book_id, p_at, v_batch.paid_wei);
    v_batch.entry_id := ledger_write(v_book_id, 'rebate', 'rebate:' || v_batch.id, p_at, p_at,
        v_account_ids || v_split.account_ids
            || ledger_account_id(v_book_id, 'arrears_unearned', '', 'DAI', NULL),
        v_amounts || v_split.amounts || -v_cancelled);
    INSERT INTO settlement_settlementbatch (id, uid, site_id, kind, settled_at, split_version_id,
        entry_id, taken_count, accepted_count, repeated_count, quarantined_count,
        energy_milliwatt_hours, minting_milliwatt_hours, charged_wei, paid_wei, arrears_wei,
        borne_wei, recovered_wei, rebate_wei)
    OVERRIDING SYSTEM VALUE
    VALUES (v_batch.id, uuidv7(), p_site_id, 'rebates', p_at, v_split.version_id,
        v_batch.entry_id, 0, 0, 0, 0, 0, 0, 0, v_batch.paid_wei, -v_cancelled, 0, 0,
        v_batch.rebate_wei);
    RETURN v_batch.id;
END $$;

GRANT EXECUTE ON FUNCTION settlement_rebate(bigint, integer, timestamptz) TO {app_role};
