"""MTN MoMo: prompts by Collections, refunds by Disbursements."""
