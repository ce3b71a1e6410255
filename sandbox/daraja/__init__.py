"""Counterpart of Safaricom's Daraja: M-Pesa prompts (STK), paybill (C2B) and pulled statements."""
