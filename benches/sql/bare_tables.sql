-- Tables of the same shape as the service's (columns, checks, keys, indexes, partitions), without
-- its triggers and functions: what the bare statement writes to.
DROP SCHEMA IF EXISTS bench_bare CASCADE;
CREATE SCHEMA bench_bare;
CREATE TABLE bench_bare.inbox (LIKE settlement_readinginbox INCLUDING ALL);
CREATE TABLE bench_bare.reading (LIKE reading INCLUDING ALL) PARTITION BY RANGE (starts_at);
CREATE TABLE bench_bare.reading_202603 PARTITION OF bench_bare.reading
    FOR VALUES FROM ('2026-03-01+00') TO ('2026-04-01+00');
CREATE TABLE bench_bare.charge (LIKE charge INCLUDING ALL) PARTITION BY RANGE (starts_at);
CREATE TABLE bench_bare.charge_202603 PARTITION OF bench_bare.charge
    FOR VALUES FROM ('2026-03-01+00') TO ('2026-04-01+00');
CREATE TABLE bench_bare.day (LIKE settlement_householdday INCLUDING ALL);
CREATE TABLE bench_bare.bill (LIKE settlement_blockbill INCLUDING ALL);
CREATE TABLE bench_bare.batch (LIKE settlement_settlementbatch INCLUDING ALL);
CREATE TABLE bench_bare.account (LIKE ledger_account INCLUDING ALL);
CREATE TABLE bench_bare.entry (LIKE journal_entry INCLUDING ALL);
CREATE TABLE bench_bare.posting (LIKE posting INCLUDING ALL);

CREATE TABLE bench_bare.meter AS
    SELECT m.site_id, m.serial, m.id AS meter_id, a.household_id
    FROM settlement_meter m JOIN settlement_meterassignment a ON a.meter_id = m.id;
ALTER TABLE bench_bare.meter ADD PRIMARY KEY (meter_id), ADD UNIQUE (site_id, serial);
INSERT INTO bench_bare.account (book_id, household_id, kind, name, asset, amount, guard)
    SELECT book_id, household_id, kind, name, asset, amount, guard FROM ledger_account;
INSERT INTO bench_bare.account (book_id, kind, name, asset, guard)
    SELECT b.id, 'pool', line, 'DAI', 0
    FROM accounts_book b
    CROSS JOIN unnest(ARRAY['tax', 'levies', 'reserve', 'grant', 'contractor', 'operator']) AS line
    WHERE b.site_id IS NOT NULL
    UNION ALL
    SELECT b.id, kind, '', 'IT', 0
    FROM accounts_book b CROSS JOIN unnest(ARRAY['tokens_minted', 'unallocated_tokens']) AS kind
    WHERE b.site_id IS NOT NULL
    ON CONFLICT DO NOTHING;
GRANT USAGE ON SCHEMA bench_bare TO {app_role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA bench_bare TO {app_role};
