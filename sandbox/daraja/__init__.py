"""Counterpart of Safaricom's Daraja: prompts, paybill, statement, reversals and queries."""
