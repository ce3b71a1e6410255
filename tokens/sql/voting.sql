-- Guards of votes: a ballot is cast while its round is open and never changes; a count is final.

CREATE FUNCTION tokens_keep_round() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            RAISE EXCEPTION 'a round begins as a draft' USING ERRCODE = 'LG003';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('draft', 'open'), ('draft', 'cancelled'), ('open', 'counted'), ('open', 'cancelled'))
    THEN
        RAISE EXCEPTION 'round % can not go from % to %', OLD.number, OLD.state, NEW.state
            USING ERRCODE = 'LG003';
    END IF;
    -- Once people vote, what they vote on and by which rules stays.
    IF OLD.state <> 'draft'
        AND to_jsonb(NEW) - ARRAY['state', 'reserved_wei', 'result', 'result_hash', 'counted_at',
                                  'reason', 'title', 'title_fr']
            IS DISTINCT FROM
            to_jsonb(OLD) - ARRAY['state', 'reserved_wei', 'result', 'result_hash', 'counted_at',
                                  'reason', 'title', 'title_fr'] THEN
        RAISE EXCEPTION 'round % is %: its rules can not change', OLD.number, OLD.state
            USING ERRCODE = 'LG003';
    END IF;
    IF OLD.state IN ('counted', 'cancelled') AND NEW IS DISTINCT FROM OLD THEN
        RAISE EXCEPTION 'round % is %', OLD.number, OLD.state USING ERRCODE = 'LG003';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER keep_round BEFORE INSERT OR UPDATE ON tokens_round
    FOR EACH ROW EXECUTE FUNCTION tokens_keep_round();
CREATE TRIGGER append_only BEFORE DELETE ON tokens_round
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Number, round and cost of what is on the ballot stay; so does an end.
CREATE FUNCTION tokens_keep_proposal() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.number IS NOT NULL
        AND (NEW.number, NEW.round_id, NEW.cost_wei)
            IS DISTINCT FROM (OLD.number, OLD.round_id, OLD.cost_wei) THEN
        RAISE EXCEPTION 'proposal % is on the ballot: number and cost can not change', OLD.number
            USING ERRCODE = 'LG003';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('proposed', 'admitted'), ('proposed', 'refused'), ('admitted', 'refused'),
        ('admitted', 'funded'), ('admitted', 'not_funded'), ('funded', 'vetoed')) THEN
        RAISE EXCEPTION 'proposal % can not go from % to %', OLD.id, OLD.state, NEW.state
            USING ERRCODE = 'LG003';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER keep_proposal BEFORE UPDATE ON tokens_proposal
    FOR EACH ROW EXECUTE FUNCTION tokens_keep_proposal();
CREATE TRIGGER append_only BEFORE DELETE ON tokens_proposal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Of a ballot only its weight is written later, once, by the count.
CREATE FUNCTION tokens_keep_ballot() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT EXISTS (SELECT FROM tokens_round WHERE id = NEW.round_id AND state = 'open') THEN
            RAISE EXCEPTION 'round % is not open', NEW.round_id USING ERRCODE = 'LG003';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - 'weight' IS DISTINCT FROM to_jsonb(OLD) - 'weight'
        OR OLD.weight IS NOT NULL THEN
        RAISE EXCEPTION 'ballot % is cast', OLD.receipt_code USING ERRCODE = 'LG003';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER keep_ballot BEFORE INSERT OR UPDATE ON tokens_ballot
    FOR EACH ROW EXECUTE FUNCTION tokens_keep_ballot();
CREATE TRIGGER append_only BEFORE DELETE ON tokens_ballot
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The choices of a ballot come all at once, and name what is on that ballot.
CREATE FUNCTION tokens_check_new_choices() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM new_choice n
        LEFT JOIN tokens_ballot b ON b.id = n.ballot_id
        LEFT JOIN tokens_round r ON r.id = b.round_id
        LEFT JOIN tokens_proposal p ON p.id = n.proposal_id
        WHERE r.state IS DISTINCT FROM 'open' OR p.round_id IS DISTINCT FROM b.round_id
            OR p.state IS DISTINCT FROM 'admitted')
    THEN
        RAISE EXCEPTION 'a ballot chooses what is on the ballot of its open round'
            USING ERRCODE = 'LG003';
    END IF;
    IF EXISTS (
        SELECT FROM (SELECT ballot_id, count(*) AS counted FROM new_choice GROUP BY 1) n
        WHERE n.counted <> (SELECT count(*) FROM tokens_choice c WHERE c.ballot_id = n.ballot_id))
    THEN
        RAISE EXCEPTION 'a ballot takes all of its choices at once and no more later'
            USING ERRCODE = 'LG003';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_new_choices AFTER INSERT ON tokens_choice
    REFERENCING NEW TABLE AS new_choice
    FOR EACH STATEMENT EXECUTE FUNCTION tokens_check_new_choices();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON tokens_choice
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE DELETE ON tokens_round, tokens_proposal, tokens_ballot, tokens_choice FROM {app_role};
REVOKE UPDATE ON tokens_choice FROM {app_role};
