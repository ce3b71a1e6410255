-- The one writer of postings. Called by accounts.ledger.post and by settlement's functions.
-- Every caller locks the book first; accounts are touched only behind that lock.

CREATE FUNCTION ledger_lock(p_book_id bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_height bigint;
BEGIN
    SELECT height INTO v_height FROM accounts_book WHERE id = p_book_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no book %', p_book_id USING ERRCODE = 'LG004';
    END IF;
    RETURN v_height;
END $$;

CREATE FUNCTION ledger_open_household(p_book_id bigint, p_household_ids bigint[]) RETURNS void
LANGUAGE sql SET search_path = public, pg_temp AS $$
    INSERT INTO ledger_account (book_id, household_id, kind, asset, guard)
    SELECT p_book_id, missing.id, made.kind, made.asset, ledger_guard(made.kind, '')
    FROM unnest(p_household_ids) AS missing (id)
    CROSS JOIN (VALUES ('household_funds', 'DAI'), ('household_repayment', 'DAI'),
                       ('household_arrears', 'DAI'), ('household_tokens', 'IT')
               ) AS made (kind, asset)
    WHERE NOT EXISTS (
        SELECT FROM ledger_account a
        WHERE a.book_id = p_book_id AND a.household_id = missing.id
            AND a.kind = 'household_funds'
    )
    ON CONFLICT DO NOTHING;
$$;

CREATE FUNCTION ledger_account_id(
    p_book_id bigint, p_kind text, p_name text, p_asset text, p_household_id bigint
) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_id bigint;
BEGIN
    LOOP
        -- Two ways, since IS NOT DISTINCT FROM uses no index beyond the book.
        IF p_household_id IS NULL THEN
            SELECT id INTO v_id FROM ledger_account
            WHERE book_id = p_book_id AND household_id IS NULL
                AND kind = p_kind AND name = p_name AND asset = p_asset;
        ELSE
            SELECT id INTO v_id FROM ledger_account
            WHERE book_id = p_book_id AND household_id = p_household_id
                AND kind = p_kind AND name = p_name AND asset = p_asset;
        END IF;
        IF FOUND THEN
            RETURN v_id;
        END IF;
        IF ledger_guard(p_kind, p_name) IS NULL THEN
            RAISE EXCEPTION 'there is no account kind %', p_kind USING ERRCODE = 'LG004';
        END IF;
        INSERT INTO ledger_account (book_id, household_id, kind, name, asset, guard)
        VALUES (p_book_id, p_household_id, p_kind, p_name, p_asset, ledger_guard(p_kind, p_name))
        ON CONFLICT DO NOTHING;
    END LOOP;
END $$;

-- What an entry's hash covers, beside the hash before it; manage.py audit computes the same.
CREATE FUNCTION ledger_entry_text(
    p_book_id bigint, p_sequence bigint, p_kind text, p_key text,
    p_occurred_at timestamptz, p_recorded_at timestamptz, p_postings text
) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp AS $$
    SELECT concat_ws('|', p_book_id, p_sequence, p_kind, p_key,
        (extract(epoch FROM p_occurred_at) * 1000000)::bigint,
        (extract(epoch FROM p_recorded_at) * 1000000)::bigint, p_postings);
$$;

-- Behind a locked book. Zero amounts are left out; several amounts of one account are one posting.
CREATE FUNCTION ledger_write(
    p_book_id bigint, p_kind text, p_key text, p_occurred_at timestamptz,
    p_recorded_at timestamptz, p_account_ids bigint[], p_amounts numeric[]
) RETURNS bigint
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    v_head bytea;
    v_hash bytea;
    v_sequence bigint;
    v_entry_id bigint;
    v_text text;
BEGIN
    SELECT string_agg(account_id || ':' || amount, ';' ORDER BY account_id) INTO v_text
    FROM (
        SELECT account_id, trunc(sum(amount)) AS amount
        FROM unnest(p_account_ids, p_amounts) AS p (account_id, amount)
        GROUP BY account_id HAVING sum(amount) <> 0
    ) merged;
    IF v_text IS NULL THEN
        RAISE EXCEPTION 'an entry needs postings' USING ERRCODE = 'LG001';
    END IF;

    UPDATE accounts_book SET height = height + 1 WHERE id = p_book_id
    RETURNING height, head_hash INTO v_sequence, v_head;
    v_hash := sha256(v_head || convert_to(ledger_entry_text(
        p_book_id, v_sequence, p_kind, p_key, p_occurred_at, p_recorded_at, v_text), 'UTF8'));
    UPDATE accounts_book SET head_hash = v_hash WHERE id = p_book_id;

    INSERT INTO journal_entry (book_id, sequence, kind, key, request_hash, occurred_at,
                               recorded_at, previous_hash, hash)
    VALUES (p_book_id, v_sequence, p_kind, p_key,
            sha256(convert_to(p_kind || '|' || v_text, 'UTF8')),
            p_occurred_at, p_recorded_at, v_head, v_hash)
    RETURNING id INTO v_entry_id;

    WITH merged AS (
        SELECT account_id, trunc(sum(amount)) AS amount
        FROM unnest(p_account_ids, p_amounts) AS p (account_id, amount)
        GROUP BY account_id HAVING sum(amount) <> 0
    ), posted AS (
        INSERT INTO posting (book_id, entry_id, account_id, asset, amount)
        SELECT p_book_id, v_entry_id, a.id, a.asset, merged.amount
        FROM merged LEFT JOIN ledger_account a ON a.id = merged.account_id
        ORDER BY a.id
        RETURNING account_id, amount
    )
    UPDATE ledger_account a SET amount = a.amount + posted.amount
    FROM posted WHERE a.id = posted.account_id;
    RETURN v_entry_id;
END $$;

-- An entry of a few postings, by account names. The same key with the same postings replays.
CREATE FUNCTION ledger_post(
    p_book_id bigint, p_kind text, p_key text, p_occurred_at timestamptz,
    p_recorded_at timestamptz, p_kinds text[], p_names text[], p_assets text[],
    p_household_ids bigint[], p_amounts numeric[],
    OUT entry_id bigint, OUT is_replay boolean
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_account_ids bigint[];
    v_text text;
    v_known journal_entry;
BEGIN
    PERFORM ledger_lock(p_book_id);
    PERFORM ledger_open_household(p_book_id, array_agg(DISTINCT h.id))
    FROM unnest(p_household_ids) AS h (id) WHERE h.id IS NOT NULL HAVING count(*) > 0;
    SELECT array_agg(ledger_account_id(p_book_id, p.kind, p.name, p.asset, p.household_id)
                     ORDER BY p.position)
    INTO v_account_ids
    FROM unnest(p_kinds, p_names, p_assets, p_household_ids)
        WITH ORDINALITY AS p (kind, name, asset, household_id, position);

    SELECT * INTO v_known FROM journal_entry WHERE book_id = p_book_id AND key = p_key;
    IF FOUND THEN
        SELECT string_agg(account_id || ':' || amount, ';' ORDER BY account_id) INTO v_text
        FROM (
            SELECT account_id, trunc(sum(amount)) AS amount
            FROM unnest(v_account_ids, p_amounts) AS p (account_id, amount)
            GROUP BY account_id HAVING sum(amount) <> 0
        ) merged;
        IF v_known.request_hash IS DISTINCT FROM
           sha256(convert_to(p_kind || '|' || v_text, 'UTF8')) THEN
            RAISE EXCEPTION 'entry % of book % exists with other postings', p_key, p_book_id
                USING ERRCODE = 'LG002';
        END IF;
        entry_id := v_known.id;
        is_replay := true;
        RETURN;
    END IF;

    entry_id := ledger_write(p_book_id, p_kind, p_key, p_occurred_at, p_recorded_at,
                             v_account_ids, p_amounts);
    is_replay := false;
END $$;

GRANT EXECUTE ON FUNCTION ledger_lock(bigint) TO {app_role};
GRANT EXECUTE ON FUNCTION ledger_post(bigint, text, text, timestamptz, timestamptz, text[], text[],
    text[], bigint[], numeric[]) TO {app_role};
GRANT EXECUTE ON FUNCTION ledger_entry_text(bigint, bigint, text, text, timestamptz, timestamptz,
    text) TO {app_role};
