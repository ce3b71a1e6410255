-- What was proposed is what is approved and paid: who, what for, how much and where to never change.
CREATE FUNCTION settlement_payout_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'payouts are rejected, never deleted' USING ERRCODE = 'LG003';
    END IF;
    IF (NEW.uid, NEW.request_id, NEW.token, NEW.site_id, NEW.pool, NEW.payee_id,
            NEW.service_token_id, NEW.way, NEW.rail_id, NEW.destination, NEW.destination_code,
            NEW.amount_wei::numeric, NEW.amount_minor, NEW.currency, NEW.proposed_by_id,
            NEW.proposed_at)
        IS DISTINCT FROM
        (OLD.uid, OLD.request_id, OLD.token, OLD.site_id, OLD.pool, OLD.payee_id,
            OLD.service_token_id, OLD.way, OLD.rail_id, OLD.destination, OLD.destination_code,
            OLD.amount_wei::numeric, OLD.amount_minor, OLD.currency, OLD.proposed_by_id,
            OLD.proposed_at)
    THEN
        RAISE EXCEPTION 'payout %: what was proposed does not change', OLD.id
            USING ERRCODE = 'LG003';
    END IF;
    IF OLD.approved_by_id IS NOT NULL AND NEW.approved_by_id IS DISTINCT FROM OLD.approved_by_id
        OR OLD.bank_file_id IS NOT NULL AND NEW.bank_file_id IS DISTINCT FROM OLD.bank_file_id
        OR OLD.state <> 'proposed' AND NEW.state = 'proposed'
        OR OLD.state = 'rejected' AND NEW.state <> 'rejected'
        OR OLD.state = 'proposed' AND NEW.state NOT IN ('proposed', 'rejected', 'approved')
    THEN
        RAISE EXCEPTION 'payout %: from % to % there is no way', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'LG003';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION settlement_service_token_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'service tokens are never deleted' USING ERRCODE = 'LG003';
    END IF;
    IF to_jsonb(NEW) - 'state' <> to_jsonb(OLD) - 'state' THEN
        RAISE EXCEPTION 'service token %: what was earned does not change', OLD.id
            USING ERRCODE = 'LG003';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER payout_guard BEFORE UPDATE OR DELETE ON settlement_payout
    FOR EACH ROW EXECUTE FUNCTION settlement_payout_guard();
CREATE TRIGGER service_token_guard BEFORE UPDATE OR DELETE ON settlement_servicetoken
    FOR EACH ROW EXECUTE FUNCTION settlement_service_token_guard();
REVOKE UPDATE, DELETE ON settlement_bankfile FROM {app_role};
