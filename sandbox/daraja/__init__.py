"""Counterpart of Safaricom's Daraja: prompts (STK), paybill (C2B), statement, reversals, queries."""
