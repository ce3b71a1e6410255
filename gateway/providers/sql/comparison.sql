-- A rail's kept statement against our books: what agrees (counted) and what does not (listed).
-- Parameters as gateway.providers.comparison.compare gives them.
WITH failed AS MATERIALIZED (
    SELECT r.reference FROM accounts_refund r JOIN accounts_payment p ON p.id = r.payment_id
    WHERE p.rail_id = %(rail)s AND r.state = 'failed'
), there AS MATERIALIZED (
    SELECT s.id, CASE s.kind WHEN 'reversal' THEN 'refund' ELSE s.kind END AS movement,
        s.reference, s.amount_minor, s.fee_minor, s.currency,
        s.happened_at >= %(begin)s AND s.happened_at < %(end)s AS is_of_span
    FROM gateway_providers_statementrow s
    WHERE s.rail_id = %(rail)s
        AND (s.happened_at >= %(begin)s AND s.happened_at < %(end)s OR s.id = ANY(%(rows)s)
            OR s.kind = ANY(%(kinds)s) AND s.reference = ANY(%(references)s))
        -- The money of a refund that failed came back to us.
        AND (s.kind <> 'refund' OR s.reference NOT IN (SELECT reference FROM failed))
), moved AS MATERIALIZED (
    -- What left again, or came again: few, and each with its provider's id.
    SELECT m.movement, m.reference, min(m.payment_id) AS payment_id,
        sum(m.amount_minor) AS amount_minor,
        sum(coalesce(f.amount - m.amount_minor, 0)) AS fee_minor, min(m.currency) AS currency,
        min(m.happened_at) AS happened_at
    FROM (
        SELECT 'refund' AS movement, r.reference, r.payment_id, r.amount_minor, r.currency,
            r.finished_at AS happened_at, t.paid_entry_id
        FROM accounts_refund r
        JOIN accounts_payment p ON p.id = r.payment_id
        LEFT JOIN accounts_takeback t ON t.id = r.take_back_id
        WHERE p.rail_id = %(rail)s AND r.state = 'succeeded'
        UNION ALL
        SELECT 'refund', v.reference, v.payment_id, v.amount_minor, p.currency, v.reversed_at,
            t.paid_entry_id
        FROM accounts_reversal v
        JOIN accounts_payment p ON p.id = v.payment_id
        JOIN accounts_takeback t ON t.id = v.take_back_id
        WHERE p.rail_id = %(rail)s
        UNION ALL
        SELECT 'dispute', d.reference, d.payment_id, d.amount_minor, p.currency, d.opened_at, NULL
        FROM accounts_dispute d JOIN accounts_payment p ON p.id = d.payment_id
        WHERE p.rail_id = %(rail)s AND d.take_back_id IS NOT NULL
        UNION ALL
        SELECT 'dispute_won', d.reference, d.payment_id, d.amount_minor, p.currency, d.closed_at,
            NULL
        FROM accounts_dispute d JOIN accounts_payment p ON p.id = d.payment_id
        WHERE p.rail_id = %(rail)s AND d.take_back_id IS NOT NULL AND d.state = 'won'
        UNION ALL
        SELECT 'payout', c.reference, NULL, c.sold_minor, c.currency, c.converted_at, NULL
        FROM accounts_treasuryconversion c WHERE c.rail_id = %(rail)s
        UNION ALL
        SELECT 'payout', o.reference, NULL, o.amount_minor, o.currency, o.finished_at, NULL
        FROM settlement_payout o WHERE o.rail_id = %(rail)s AND o.state = 'paid'
    ) m
    LEFT JOIN LATERAL (
        -- What left the float for it, the provider's fee included.
        SELECT sum(o.amount) AS amount
        FROM journal_entry e
        JOIN posting o ON o.book_id = e.book_id AND o.entry_id = e.id
        JOIN ledger_account a ON a.id = o.account_id AND a.kind = 'float'
        WHERE e.id = m.paid_entry_id
    ) f ON true
    WHERE m.reference <> '' AND (
        m.happened_at >= %(begin)s AND m.happened_at < %(end)s
        OR m.reference IN (SELECT reference FROM there WHERE movement <> 'payment')
        OR m.reference = ANY(%(references)s))
    GROUP BY m.movement, m.reference
), shown AS MATERIALIZED (
    SELECT kind FROM unnest(ARRAY['refund', 'dispute', 'dispute_won', 'payout']) AS k (kind)
    WHERE EXISTS (
        SELECT FROM gateway_providers_statementrow s
        WHERE s.rail_id = %(rail)s
            AND (s.kind = k.kind OR (s.kind = 'reversal' AND k.kind = 'refund')))
), from_there AS (
    -- Two ways, so that a day's payments are only ever joined by the payments' unique index.
    SELECT t.movement, t.reference, t.id AS row_id, p.id AS payment_id, t.is_of_span, t.currency,
        p.currency AS our_currency, p.amount_minor - p.fee_minor AS ours_minor,
        t.amount_minor - CASE WHEN t.fee_minor > 0 THEN t.fee_minor ELSE coalesce(p.fee_minor, 0)
            END AS theirs_minor
    FROM there t
    LEFT JOIN accounts_payment p ON p.provider = %(provider)s AND p.reference = t.reference
        AND p.rail_id = %(rail)s
    WHERE t.movement = 'payment'
    UNION ALL
    SELECT t.movement, t.reference, t.id, m.payment_id, t.is_of_span, t.currency, m.currency,
        m.amount_minor + m.fee_minor,
        t.amount_minor + CASE WHEN t.movement <> 'refund' THEN 0 WHEN t.fee_minor > 0
            THEN t.fee_minor ELSE coalesce(m.fee_minor, 0) END
    FROM there t
    LEFT JOIN moved m ON m.movement = t.movement AND m.reference = t.reference
    WHERE t.movement <> 'payment'
), ours_of_span AS (
    SELECT 'payment' AS movement, p.reference, p.id AS payment_id, p.currency,
        p.amount_minor - p.fee_minor AS ours_minor,
        p.paid_at >= %(begin)s AND p.paid_at < %(end)s AS is_of_span
    FROM accounts_payment p
    WHERE p.rail_id = %(rail)s AND p.agent_id IS NULL AND (
            p.paid_at >= %(begin)s AND p.paid_at < %(end)s OR p.id = ANY(%(payments)s))
        -- No join, so that each is looked up by the whole unique index whatever the statistics say.
        AND (SELECT s.id FROM gateway_providers_statementrow s
             WHERE s.rail_id = %(rail)s AND s.kind = 'payment' AND s.reference = p.reference
             LIMIT 1) IS NULL
    UNION ALL
    SELECT m.movement, m.reference, m.payment_id, m.currency, m.amount_minor + m.fee_minor,
        m.happened_at >= %(begin)s AND m.happened_at < %(end)s
    FROM moved m JOIN shown k ON k.kind = m.movement
    WHERE (m.happened_at >= %(begin)s AND m.happened_at < %(end)s
            OR m.reference = ANY(%(references)s))
        AND NOT EXISTS (
            SELECT FROM gateway_providers_statementrow s
            WHERE s.rail_id = %(rail)s AND s.reference = m.reference
                AND s.kind = ANY(CASE m.movement WHEN 'refund'
                    THEN ARRAY['refund', 'reversal'] ELSE ARRAY[m.movement] END))
), compared AS MATERIALIZED (
    SELECT CASE WHEN ours_minor IS NULL THEN 'missing_here'
            WHEN ours_minor = theirs_minor AND our_currency = currency THEN 'matched'
            ELSE 'amount_differs' END AS kind,
        movement, reference, row_id, payment_id, coalesce(ours_minor, 0) AS ours_minor,
        theirs_minor, currency, is_of_span
    FROM from_there
    UNION ALL
    SELECT 'missing_there', movement, reference, NULL, payment_id, ours_minor, 0, currency,
        is_of_span
    FROM ours_of_span
)
SELECT c.kind, c.movement, c.reference, c.row_id, c.payment_id, c.ours_minor, c.theirs_minor,
    c.currency, c.is_of_span
FROM compared c
LEFT JOIN gateway_providers_difference d ON d.rail_id = %(rail)s AND d.kind = c.kind
    AND d.movement = c.movement AND d.reference = c.reference
    AND d.state NOT IN ('open', 'gone')
WHERE c.kind <> 'matched' AND d.id IS NULL
UNION ALL
SELECT 'matched', '', '', NULL, NULL, count(*), 0, '', true
FROM compared WHERE kind = 'matched' AND is_of_span;
