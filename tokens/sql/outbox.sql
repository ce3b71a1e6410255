-- Guards of the outbox: what was once decided or signed never changes and never vanishes.
-- tokens/chain/outbox.py and its neighbours are the only writers.

CREATE FUNCTION guard_outbox_transfer() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'queued' OR NEW.nonce IS NOT NULL THEN
            RAISE EXCEPTION 'a transfer begins queued, without a nonce' USING ERRCODE = 'OB001';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.uid, NEW.chain_id, NEW.intent, NEW.sender, NEW.to_address, NEW.value_wei,
            NEW.data, NEW.created_at)
        IS DISTINCT FROM (OLD.id, OLD.uid, OLD.chain_id, OLD.intent, OLD.sender, OLD.to_address,
            OLD.value_wei, OLD.data, OLD.created_at)
    THEN
        RAISE EXCEPTION 'what transfer % is for never changes', OLD.intent
            USING ERRCODE = 'OB001';
    END IF;
    IF (OLD.nonce IS NOT NULL AND NEW.nonce IS DISTINCT FROM OLD.nonce)
        OR (OLD.gas_limit IS NOT NULL AND NEW.gas_limit IS DISTINCT FROM OLD.gas_limit)
    THEN
        RAISE EXCEPTION 'nonce and gas limit of transfer % are set once', OLD.intent
            USING ERRCODE = 'OB001';
    END IF;
    IF OLD.state IN ('final', 'reverted') THEN
        RAISE EXCEPTION 'transfer % is finished', OLD.intent USING ERRCODE = 'OB001';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('queued', 'signed'), ('queued', 'reverted'), ('signed', 'mined'), ('signed', 'reverted'),
        ('mined', 'signed'), ('mined', 'final'), ('mined', 'reverted'))
    THEN
        RAISE EXCEPTION 'transfer % can not go from % to %', OLD.intent, OLD.state, NEW.state
            USING ERRCODE = 'OB001';
    END IF;
    IF NEW.nonce IS NOT NULL AND OLD.nonce IS NULL AND NOT EXISTS (
        SELECT FROM tokens_signedtransfer s WHERE s.outbox_id = NEW.id)
    THEN
        RAISE EXCEPTION 'transfer % has a nonce and no signed bytes', OLD.intent
            USING ERRCODE = 'OB001';
    END IF;
    IF NEW.state IN ('mined', 'final') AND NOT EXISTS (
        SELECT FROM tokens_signedtransfer s
        WHERE s.outbox_id = NEW.id AND s.transfer_hash = NEW.mined_hash)
    THEN
        RAISE EXCEPTION 'transfer % was mined under a hash that was never signed', OLD.intent
            USING ERRCODE = 'OB001';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guarded BEFORE INSERT OR UPDATE ON tokens_outboxtransfer
    FOR EACH ROW EXECUTE FUNCTION guard_outbox_transfer();
CREATE TRIGGER append_only BEFORE DELETE ON tokens_outboxtransfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Nodes take the place of a waiting transfer only for 10 % more of both fees; we give 12.5 %.
CREATE FUNCTION guard_signed_transfer() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.outbox_id, NEW.transfer_hash, NEW.raw, NEW.max_fee_wei,
                NEW.priority_fee_wei, NEW.signed_at)
            IS DISTINCT FROM (OLD.id, OLD.outbox_id, OLD.transfer_hash, OLD.raw, OLD.max_fee_wei,
                OLD.priority_fee_wei, OLD.signed_at)
        THEN
            RAISE EXCEPTION 'signed bytes never change: %', OLD.transfer_hash
                USING ERRCODE = 'OB001';
        END IF;
        RETURN NEW;
    END IF;
    IF EXISTS (
        SELECT FROM tokens_signedtransfer s
        WHERE s.outbox_id = NEW.outbox_id
            AND (NEW.max_fee_wei * 1000 < s.max_fee_wei * 1125
                OR NEW.priority_fee_wei * 1000 < s.priority_fee_wei * 1125))
    THEN
        RAISE EXCEPTION 'transfer % replaces another for too little', NEW.transfer_hash
            USING ERRCODE = 'OB001';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER guarded BEFORE INSERT OR UPDATE ON tokens_signedtransfer
    FOR EACH ROW EXECUTE FUNCTION guard_signed_transfer();
CREATE TRIGGER append_only BEFORE DELETE ON tokens_signedtransfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE DELETE ON tokens_outboxtransfer, tokens_signedtransfer FROM {app_role};
REVOKE UPDATE ON tokens_signedtransfer FROM {app_role};
GRANT UPDATE (broadcast_at) ON tokens_signedtransfer TO {app_role};
