-- Readings and charges: partitioned by month of the slot, append-only, written by settle.sql only.
-- No foreign keys: rows come from joins with what they name, and a check a row would cost more than
-- the row; manage.py audit looks for orphans instead.
CREATE TABLE reading (
    id bigint GENERATED ALWAYS AS IDENTITY,
    site_id bigint NOT NULL,
    meter_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    energy_milliwatt_hours bigint NOT NULL CHECK (energy_milliwatt_hours >= 0),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at),
    received_at timestamptz NOT NULL,
    source varchar(20) NOT NULL,
    PRIMARY KEY (site_id, starts_at, meter_id)
) PARTITION BY RANGE (starts_at);
CREATE INDEX reading_by_id ON reading USING brin (id);

CREATE TABLE charge (
    id bigint GENERATED ALWAYS AS IDENTITY,
    site_id bigint NOT NULL,
    meter_id bigint NOT NULL,
    household_id bigint NOT NULL,
    batch_id bigint NOT NULL,
    price_id bigint NOT NULL,
    energy_milliwatt_hours bigint NOT NULL,
    minting_milliwatt_hours bigint NOT NULL,
    wei_per_milliwatt_hour bigint NOT NULL,
    amount_wei wei NOT NULL CHECK (
        amount_wei = energy_milliwatt_hours::numeric * wei_per_milliwatt_hour),
    starts_at timestamptz NOT NULL,
    is_late boolean NOT NULL,
    PRIMARY KEY (site_id, starts_at, meter_id)
) PARTITION BY RANGE (starts_at);
CREATE INDEX charge_by_id ON charge USING brin (id);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON reading
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON charge
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON settlement_tariff
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON settlement_price
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON settlement_splitversion
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON settlement_splitline
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A price per milliwatt-hour and half of its impact tokens have to be whole numbers of wei.
ALTER TABLE settlement_price ADD CONSTRAINT price_whole_per_milliwatt_hour
    CHECK (mod(wei_per_kwh, 1000000) = 0 AND mod(reference_wei_per_kwh, 1000000) = 0);
ALTER TABLE settlement_tariff ADD CONSTRAINT tariff_whole_ticks
    CHECK (mod(tick_wei_per_kwh, 1000000) = 0
        AND mod(reference_wei_per_kwh, tick_wei_per_kwh) = 0
        AND mod(floor_wei_per_kwh, tick_wei_per_kwh) = 0
        AND mod(cap_wei_per_kwh, tick_wei_per_kwh) = 0);
ALTER TABLE accounts_site ADD CONSTRAINT site_impact_tokens_halve
    CHECK (mod(impact_token_wei_per_kwh, 2000000) = 0);

-- Make the monthly partitions of a span. Each carries the append-only guard itself (a statement on
-- a partition does not fire its parent's trigger), and the app role has no right on any of them.
CREATE FUNCTION settlement_keep_partitions(p_from date, p_until date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_month date := date_trunc('month', p_from)::date;
    v_parent text;
    v_name text;
    v_made integer := 0;
BEGIN
    IF p_from < DATE '2000-01-01' OR p_until > p_from + 3660 OR p_until < p_from THEN
        RAISE EXCEPTION 'partitions from % to %: at most ten years from 2000 on', p_from, p_until
            USING ERRCODE = 'LG004';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('settlement_keep_partitions'));
    WHILE v_month <= p_until LOOP
        FOREACH v_parent IN ARRAY ARRAY['reading', 'charge'] LOOP
            v_name := format('%s_%s', v_parent, to_char(v_month, 'YYYYMM'));
            CONTINUE WHEN to_regclass('public.' || v_name) IS NOT NULL;
            EXECUTE format(
                'CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
                v_name, v_parent,
                to_char(v_month, 'YYYY-MM-DD 00:00:00+00'),
                to_char(v_month + interval '1 month', 'YYYY-MM-DD 00:00:00+00'));
            EXECUTE format('REVOKE ALL ON public.%I FROM {app_role}', v_name);
            EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON public.%I '
                'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', v_name);
            v_made := v_made + 1;
        END LOOP;
        v_month := (v_month + interval '1 month')::date;
    END LOOP;
    RETURN v_made;
END $$;

REVOKE INSERT, UPDATE, DELETE ON reading, charge, settlement_blockbill, settlement_householdday,
    settlement_settlementbatch, settlement_splitprogress FROM {app_role};
REVOKE UPDATE, DELETE ON settlement_readinginbox, settlement_tariff, settlement_price,
    settlement_splitversion, settlement_splitline FROM {app_role};
REVOKE DELETE ON settlement_quarantinedreading FROM {app_role};
GRANT EXECUTE ON FUNCTION settlement_keep_partitions(date, date) TO {app_role};
