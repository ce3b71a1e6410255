-- Donations that payments made, and taking part of one out of the index again.

-- Note which payment a position stands for; once.
CREATE FUNCTION donors_index_paid_by(p_donation_id bigint, p_payment_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE accounts_donation SET payment_id = p_payment_id
    WHERE id = p_donation_id AND payment_id IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'donation % has a payment already', p_donation_id
            USING ERRCODE = 'LG002';
    END IF;
END $$;

-- Take p_amount_wei of a donation out, behind the site's locked book. Its unvested tokens (all of
-- them, or the same part of them) go to the remaining donations, or are parked where there is
-- none left. Keeps sum(claimed*SCALE + fraction + d*(acc-paid)) + rem = SCALE*(rewarded -
-- unallocated) exactly.
CREATE FUNCTION donors_index_withdraw(
    p_donation_id bigint, p_amount_wei numeric, p_at timestamptz,
    OUT returned_wei numeric, OUT is_parked boolean
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_donation accounts_donation;
    v_index accounts_donorsindex;
    v_site_id bigint;
    v_is_whole boolean;
    v_fraction numeric := 0;
    v_scaled numeric;
BEGIN
    SELECT site_id INTO STRICT v_site_id FROM accounts_donation WHERE id = p_donation_id;
    PERFORM ledger_lock(id) FROM accounts_book WHERE site_id = v_site_id;
    PERFORM donors_index_touch(p_donation_id);
    SELECT * INTO STRICT v_donation FROM accounts_donation WHERE id = p_donation_id FOR UPDATE;
    SELECT * INTO STRICT v_index FROM accounts_donorsindex WHERE site_id = v_site_id FOR UPDATE;
    IF v_donation.withdrawn_at IS NOT NULL OR p_amount_wei <= 0
            OR p_amount_wei > v_donation.amount_wei THEN
        RAISE EXCEPTION 'donation % has % wei left, not %', p_donation_id,
            v_donation.amount_wei, p_amount_wei USING ERRCODE = 'LG001';
    END IF;
    v_is_whole := p_amount_wei = v_donation.amount_wei;
    returned_wei := 0;
    IF p_at < v_donation.vests_at THEN
        returned_wei := div(v_donation.claimed_wei * p_amount_wei, v_donation.amount_wei);
        IF v_is_whole THEN
            v_fraction := v_donation.fraction;
        END IF;
    END IF;
    UPDATE accounts_donation SET
        claimed_wei = claimed_wei - returned_wei,
        fraction = fraction - v_fraction,
        amount_wei = amount_wei - p_amount_wei,
        withdrawn_at = CASE WHEN v_is_whole THEN p_at END
    WHERE id = p_donation_id;
    v_index.donated_wei := v_index.donated_wei - p_amount_wei;
    is_parked := v_index.donated_wei = 0;
    v_scaled := v_index.remainder + v_fraction;
    IF is_parked THEN
        v_index.unallocated_wei := v_index.unallocated_wei + returned_wei;
    ELSE
        v_scaled := v_scaled + returned_wei * 1e36;
        v_index.accumulated := v_index.accumulated + div(v_scaled, v_index.donated_wei);
        v_scaled := mod(v_scaled, v_index.donated_wei);
    END IF;
    UPDATE accounts_donorsindex SET
        donated_wei = v_index.donated_wei,
        accumulated = v_index.accumulated,
        remainder = v_scaled,
        unallocated_wei = v_index.unallocated_wei
    WHERE id = v_index.id;
END $$;

GRANT EXECUTE ON FUNCTION donors_index_paid_by(bigint, bigint) TO {app_role};
GRANT EXECUTE ON FUNCTION donors_index_withdraw(bigint, numeric, timestamptz) TO {app_role};
