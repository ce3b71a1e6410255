-- Guards of deposits: what came on chain is never rewritten, and what was credited stays so.

CREATE FUNCTION tokens_guard_deposit() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.uid, NEW.chain_id, NEW.transfer_hash, NEW.log_index)
            IS DISTINCT FROM (OLD.uid, OLD.chain_id, OLD.transfer_hash, OLD.log_index) THEN
        RAISE EXCEPTION 'the key of a deposit never changes' USING ERRCODE = 'LG003';
    END IF;
    -- In another block the same bytes may move another amount: nothing was credited for it.
    IF OLD.state <> 'vanished' AND (NEW.units, NEW.forwarder_id, NEW.asset_id)
            IS DISTINCT FROM (OLD.units, OLD.forwarder_id, OLD.asset_id) THEN
        RAISE EXCEPTION 'units, forwarder and asset of a deposit never change'
            USING ERRCODE = 'LG003';
    END IF;
    IF OLD.state IN ('credited', 'swept') AND (
        NOT (NEW.state = OLD.state OR (OLD.state = 'credited' AND NEW.state = 'swept'))
        OR (NEW.entry_id, NEW.credited_wei, NEW.credited_at, NEW.quote, NEW.donation_id,
            NEW.block_number, NEW.block_hash)
            IS DISTINCT FROM (OLD.entry_id, OLD.credited_wei, OLD.credited_at, OLD.quote,
                              OLD.donation_id, OLD.block_number, OLD.block_hash)
    ) THEN
        RAISE EXCEPTION 'a credited deposit stays credited, as it was' USING ERRCODE = 'LG003';
    END IF;
    IF OLD.state NOT IN ('credited', 'swept') AND NEW.state = 'swept' THEN
        RAISE EXCEPTION 'a deposit is credited before it is swept' USING ERRCODE = 'LG003';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_change BEFORE UPDATE ON tokens_deposit
    FOR EACH ROW EXECUTE FUNCTION tokens_guard_deposit();
CREATE TRIGGER append_only BEFORE DELETE ON tokens_deposit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION tokens_guard_forwarder() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF (NEW.uid, NEW.chain_id, NEW.address, NEW.salt, NEW.site_id, NEW.household_id, NEW.donor_id)
            IS DISTINCT FROM (OLD.uid, OLD.chain_id, OLD.address, OLD.salt, OLD.site_id,
                              OLD.household_id, OLD.donor_id) THEN
        RAISE EXCEPTION 'whose address it is never changes' USING ERRCODE = 'LG003';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guard_change BEFORE UPDATE ON tokens_forwarder
    FOR EACH ROW EXECUTE FUNCTION tokens_guard_forwarder();
CREATE TRIGGER append_only BEFORE DELETE ON tokens_forwarder
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE DELETE ON tokens_deposit, tokens_forwarder, tokens_assetquote FROM {app_role};
