-- What is paid, divided by the split version in force: line = floor(cumulative paid * share) minus
-- what was posted before, never below zero; the last line (operator) takes the rest, also when the
-- rest is negative. Behind the site's locked book. Returns the accounts and amounts to post.
CREATE FUNCTION settlement_split(
    p_site_id bigint, p_book_id bigint, p_at timestamptz, p_paid_wei numeric,
    OUT version_id bigint, OUT account_ids bigint[], OUT amounts numeric[]
)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_paid numeric;
    v_posted numeric[];
    v_shares numeric[];
    v_names text[];
    v_last integer;
BEGIN
    SELECT id INTO version_id FROM settlement_splitversion
    WHERE site_id = p_site_id AND valid_from <= p_at
    ORDER BY valid_from DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'site % has no split in force: publish one', p_site_id
            USING ERRCODE = 'LG004';
    END IF;
    SELECT array_agg(share_basis_points ORDER BY position), array_agg(name ORDER BY position)
    INTO v_shares, v_names
    FROM settlement_splitline l WHERE l.version_id = settlement_split.version_id;
    v_last := cardinality(v_shares);
    IF v_last IS NULL OR (SELECT sum(s) FROM unnest(v_shares) AS s) <> 10000 THEN
        RAISE EXCEPTION 'the lines of split version % must sum to 10,000 basis points', version_id
            USING ERRCODE = 'LG004';
    END IF;

    INSERT INTO settlement_splitprogress (version_id, site_id, paid_wei, posted_wei)
    VALUES (version_id, p_site_id, 0, array_fill(0::numeric, ARRAY[v_last]))
    ON CONFLICT ON CONSTRAINT settlement_splitprogress_version_id_key DO NOTHING;
    SELECT paid_wei + p_paid_wei, posted_wei INTO v_paid, v_posted
    FROM settlement_splitprogress p WHERE p.version_id = settlement_split.version_id;

    SELECT array_agg(CASE WHEN i < v_last
        THEN greatest(div(v_paid * v_shares[i], 10000) - v_posted[i], 0) ELSE 0 END ORDER BY i)
    INTO amounts FROM generate_series(1, v_last) AS i;
    amounts[v_last] := p_paid_wei - (SELECT sum(a) FROM unnest(amounts) AS a);
    UPDATE settlement_splitprogress p SET
        paid_wei = v_paid,
        posted_wei = (SELECT array_agg(v_posted[i] + amounts[i] ORDER BY i)
                      FROM generate_series(1, v_last) AS i)
    WHERE p.version_id = settlement_split.version_id;
    SELECT array_agg(ledger_account_id(p_book_id, 'pool', v_names[i], 'DAI', NULL) ORDER BY i)
    INTO account_ids FROM generate_series(1, v_last) AS i;
END $$;
