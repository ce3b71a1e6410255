"""Safaricom Daraja: M-Pesa in Kenya, by prompt (STK push) and by paybill (C2B)."""
