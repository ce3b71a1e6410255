-- Donors' shares in constant time a batch: see accounts.donors_index for the arithmetic.

-- Share a reward between the site's active donations, or park it; behind the site's locked book.
CREATE FUNCTION donors_index_reward(p_site_id bigint, p_reward_wei numeric)
RETURNS boolean
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_index accounts_donorsindex;
    v_scaled numeric;
BEGIN
    SELECT * INTO STRICT v_index FROM accounts_donorsindex WHERE site_id = p_site_id FOR UPDATE;
    IF v_index.donated_wei = 0 THEN
        UPDATE accounts_donorsindex
        SET rewarded_wei = rewarded_wei + p_reward_wei,
            unallocated_wei = unallocated_wei + p_reward_wei
        WHERE id = v_index.id;
        RETURN false;
    END IF;
    v_scaled := p_reward_wei * 1e36 + v_index.remainder;
    UPDATE accounts_donorsindex
    SET accumulated = accumulated + div(v_scaled, v_index.donated_wei),
        remainder = mod(v_scaled, v_index.donated_wei),
        rewarded_wei = rewarded_wei + p_reward_wei
    WHERE id = v_index.id;
    RETURN true;
END $$;

-- Open a position that counts for every batch posted after it.
CREATE FUNCTION donors_index_donate(
    p_uid uuid, p_donor_id bigint, p_site_id bigint, p_amount_wei numeric,
    p_donated_at timestamptz, p_vests_at timestamptz
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_accumulated numeric;
    v_id bigint;
BEGIN
    PERFORM ledger_lock(id) FROM accounts_book WHERE site_id = p_site_id;
    IF p_amount_wei <= 0 THEN
        RAISE EXCEPTION 'a donation must be above zero' USING ERRCODE = 'LG001';
    END IF;
    UPDATE accounts_donorsindex SET donated_wei = donated_wei + p_amount_wei
    WHERE site_id = p_site_id RETURNING accumulated INTO STRICT v_accumulated;
    INSERT INTO accounts_donation (uid, donor_id, site_id, amount_wei, paid_index, fraction,
                                   claimed_wei, donated_at, vests_at)
    VALUES (p_uid, p_donor_id, p_site_id, p_amount_wei, v_accumulated, 0, 0, p_donated_at,
            p_vests_at)
    RETURNING id INTO v_id;
    RETURN v_id;
END $$;

-- Bring a position up to date.
CREATE FUNCTION donors_index_touch(p_donation_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_site_id bigint;
    v_accumulated numeric;
BEGIN
    SELECT site_id INTO STRICT v_site_id FROM accounts_donation WHERE id = p_donation_id;
    PERFORM ledger_lock(id) FROM accounts_book WHERE site_id = v_site_id;
    SELECT accumulated INTO v_accumulated FROM accounts_donorsindex WHERE site_id = v_site_id;
    UPDATE accounts_donation SET
        claimed_wei = claimed_wei + div(amount_wei * (v_accumulated - paid_index) + fraction, 1e36),
        fraction = mod(amount_wei * (v_accumulated - paid_index) + fraction, 1e36),
        paid_index = v_accumulated
    WHERE id = p_donation_id AND withdrawn_at IS NULL;
END $$;

GRANT EXECUTE ON FUNCTION donors_index_donate(uuid, bigint, bigint, numeric, timestamptz,
    timestamptz) TO {app_role};
GRANT EXECUTE ON FUNCTION donors_index_touch(bigint) TO {app_role};
