"""Counterpart of pawaPay's Merchant API v2: deposits, refunds, statements, signed callbacks."""
