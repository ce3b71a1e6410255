-- Guards of epochs: what was closed stays as it was published.

-- Of a closed epoch only its way to the chain moves, and the certificate that claims it. A state
-- that is an end stays; what proposed it stays; an instant is written once.
CREATE FUNCTION tokens_seal_epoch() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF to_jsonb(NEW) - ARRAY['state', 'proposed_at', 'active_at', 'proposal_id', 'activation_id',
                             'certificate']
        IS DISTINCT FROM
       to_jsonb(OLD) - ARRAY['state', 'proposed_at', 'active_at', 'proposal_id', 'activation_id',
                             'certificate'] THEN
        RAISE EXCEPTION 'epoch % is closed: what was sealed can not change', OLD.number
            USING ERRCODE = 'LG003';
    END IF;
    IF NEW.state <> OLD.state AND NOT (
        OLD.state = 'closed' OR (OLD.state = 'proposed' AND NEW.state <> 'closed')) THEN
        RAISE EXCEPTION 'epoch % is %, which is an end', OLD.number, OLD.state
            USING ERRCODE = 'LG003';
    END IF;
    IF (OLD.proposal_id IS NOT NULL AND NEW.proposal_id IS DISTINCT FROM OLD.proposal_id)
        OR (OLD.proposed_at IS NOT NULL AND NEW.proposed_at IS DISTINCT FROM OLD.proposed_at)
        OR (OLD.active_at IS NOT NULL AND NEW.active_at IS DISTINCT FROM OLD.active_at) THEN
        RAISE EXCEPTION 'epoch %: a proposal and its instants are written once', OLD.number
            USING ERRCODE = 'LG003';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER seal BEFORE UPDATE ON tokens_epoch
    FOR EACH ROW EXECUTE FUNCTION tokens_seal_epoch();
CREATE TRIGGER append_only BEFORE DELETE ON tokens_epoch
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON tokens_epochleaf
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON tokens_cohort
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A leaf's wallet may change; whose it is and its key never do.
CREATE FUNCTION tokens_keep_leaf() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF to_jsonb(NEW) - 'wallet' IS DISTINCT FROM to_jsonb(OLD) - 'wallet' THEN
        RAISE EXCEPTION 'leaf % keeps its key, its owner and its cohort', OLD.id
            USING ERRCODE = 'LG003';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER keep_leaf BEFORE UPDATE ON tokens_leaf
    FOR EACH ROW EXECUTE FUNCTION tokens_keep_leaf();
CREATE TRIGGER append_only BEFORE DELETE ON tokens_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Whether the tokens of a kWh are fixed for ever: some are minted, or the ledger contract, which
-- holds the figure, is deployed. Taken behind the book's lock, since a batch may be minting now.
CREATE FUNCTION tokens_are_fixed(p_site_id bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM ledger_lock(id) FROM accounts_book WHERE site_id = p_site_id;
    RETURN EXISTS (
            SELECT FROM ledger_account a JOIN accounts_book b ON b.id = a.book_id
            WHERE b.site_id = p_site_id AND a.kind = 'tokens_minted' AND a.amount <> 0)
        OR EXISTS (SELECT FROM tokens_contract WHERE site_id = p_site_id);
END $$;

CREATE FUNCTION tokens_keep_tokens_of_a_kwh() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.impact_token_wei_per_kwh IS DISTINCT FROM OLD.impact_token_wei_per_kwh
        AND tokens_are_fixed(OLD.id) THEN
        RAISE EXCEPTION 'the impact tokens of a kWh at % are fixed: some are minted, or its ledger '
            'contract stands', OLD.slug USING ERRCODE = 'LG003';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER keep_tokens_of_a_kwh BEFORE UPDATE OF impact_token_wei_per_kwh ON accounts_site
    FOR EACH ROW EXECUTE FUNCTION tokens_keep_tokens_of_a_kwh();

REVOKE DELETE ON tokens_epoch, tokens_leaf, tokens_cohort, tokens_epochleaf FROM {app_role};
REVOKE UPDATE ON tokens_epochleaf, tokens_cohort FROM {app_role};
REVOKE EXECUTE ON FUNCTION tokens_are_fixed(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tokens_are_fixed(bigint) TO {app_role};
