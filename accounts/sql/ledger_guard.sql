-- On which side of zero an account may stand: 1 above (owed to somebody), -1 below (an asset),
-- 0 either; NULL for a kind that does not exist. Installed again whenever a kind is added.
CREATE OR REPLACE FUNCTION ledger_guard(p_kind text, p_name text) RETURNS smallint
LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp AS $$
BEGIN
    RETURN CASE
        WHEN p_kind IN ('household_funds', 'household_repayment', 'arrears_unearned', 'suspense',
                        'household_tokens', 'donors_pool', 'unallocated_tokens', 'donations',
                        'payback_due', 'agent_float', 'grant_reserved', 'payout_due',
                        'service_tokens') THEN 1
        WHEN p_kind IN ('household_arrears', 'tokens_minted', 'payer_claim', 'treasury',
                        'crypto_float', 'service_tokens_issued') THEN -1
        -- A provider may take back more than lies there (a dispute after the money was moved on).
        WHEN p_kind = 'float' THEN 0
        WHEN p_kind IN ('fx_position', 'fx_reserve', 'fx_result', 'rail_fees', 'fees_charged',
                        'spread_charged', 'unexplained', 'crypto_position') THEN 0
        -- The operator bears net-negative batches until the next ones make up for them.
        WHEN p_kind = 'pool' AND p_name = 'operator' THEN 0
        WHEN p_kind = 'pool' THEN 1
    END;
END $$;
