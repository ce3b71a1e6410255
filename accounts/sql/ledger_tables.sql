-- The ledger: accounts, entries, postings, and the guards that no writer gets around.
CREATE TABLE ledger_account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    book_id bigint NOT NULL,
    household_id bigint REFERENCES accounts_household,
    kind varchar(24) NOT NULL,
    name varchar(24) NOT NULL DEFAULT '',
    asset varchar(8) NOT NULL,
    amount wei NOT NULL DEFAULT 0,
    -- 1: never below zero; -1 (assets): never above; 0: may stand on either side.
    guard smallint NOT NULL CHECK (guard IN (-1, 0, 1)),
    CONSTRAINT ledger_account_unique
        UNIQUE NULLS NOT DISTINCT (book_id, household_id, kind, name, asset),
    CONSTRAINT ledger_account_not_overdrawn CHECK (guard = 0 OR amount * guard >= 0)
);
CREATE INDEX ledger_account_repayment ON ledger_account (book_id)
    WHERE kind = 'household_repayment' AND amount > 0;
CREATE INDEX ledger_account_by_household ON ledger_account (household_id)
    WHERE household_id IS NOT NULL;

CREATE TABLE journal_entry (
    id bigint GENERATED ALWAYS AS IDENTITY,
    uid uuid NOT NULL DEFAULT uuidv7(),
    book_id bigint NOT NULL,
    sequence bigint NOT NULL,
    kind varchar(24) NOT NULL,
    key varchar(120) NOT NULL,
    request_hash bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (book_id, id),
    UNIQUE (book_id, key),
    UNIQUE (book_id, sequence)
);
CREATE INDEX journal_entry_by_id ON journal_entry (id);

CREATE TABLE posting (
    id bigint GENERATED ALWAYS AS IDENTITY,
    book_id bigint NOT NULL,
    entry_id bigint NOT NULL,
    account_id bigint NOT NULL,
    asset varchar(8) NOT NULL,
    amount wei NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (book_id, entry_id, id)
);
CREATE INDEX posting_by_account ON posting (account_id, id);

CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: post a reversal instead', TG_TABLE_NAME
        USING ERRCODE = 'LG003';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON posting
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON journal_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Also stands for the foreign keys of postings: checked once a statement instead of once a row.
CREATE FUNCTION check_new_postings() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM new_posting GROUP BY entry_id, asset HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'the postings of an entry must sum to zero per asset'
            USING ERRCODE = 'LG001';
    END IF;
    IF EXISTS (
        SELECT FROM new_posting n
        LEFT JOIN ledger_account a ON a.id = n.account_id
        WHERE a.id IS NULL OR a.book_id <> n.book_id OR a.asset <> n.asset
    ) THEN
        RAISE EXCEPTION 'a posting must name an account of its own book and asset'
            USING ERRCODE = 'LG001';
    END IF;
    IF EXISTS (
        SELECT FROM (
            SELECT book_id, entry_id, count(*) AS counted FROM new_posting GROUP BY 1, 2
        ) n
        WHERE NOT EXISTS (
                SELECT FROM journal_entry e WHERE e.book_id = n.book_id AND e.id = n.entry_id)
            OR n.counted <> (
                SELECT count(*) FROM posting p
                WHERE p.book_id = n.book_id AND p.entry_id = n.entry_id)
    ) THEN
        RAISE EXCEPTION 'an entry takes all of its postings at once and no more later'
            USING ERRCODE = 'LG001';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER check_new_postings AFTER INSERT ON posting
    REFERENCING NEW TABLE AS new_posting
    FOR EACH STATEMENT EXECUTE FUNCTION check_new_postings();

REVOKE INSERT, UPDATE, DELETE ON ledger_account, journal_entry, posting, accounts_book,
    accounts_donorsindex, accounts_donation FROM {app_role};
-- A book is opened with its site or operator; its lock and head belong to the functions.
GRANT INSERT (site_id, operator_id, height, head_hash) ON accounts_book TO {app_role};
GRANT INSERT (site_id, donated_wei, accumulated, remainder, rewarded_wei, unallocated_wei)
    ON accounts_donorsindex TO {app_role};
