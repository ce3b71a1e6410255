"""What manage.py audit looks for in accounts: ledger, hash chain, payments, what was taken
back of them, rates, receipts, donors' index, floats and treasury.

Each check is a named function of one module here, and reads only. settlement.audit holds those of
settlement.
"""

from accounts.audit import (
    agents,
    campaigns,
    chain,
    donors,
    fiscal,
    floats,
    ledger,
    paybacks,
    payments,
    plans,
    rates,
    treasury,
)
from accounts.audit.checks import Check, Finding, Result, check, run, streamed

CHECKS: tuple[Check, ...] = (
    *ledger.CHECKS,
    *chain.CHECKS,
    *payments.CHECKS,
    *agents.CHECKS,
    *paybacks.CHECKS,
    *rates.CHECKS,
    *donors.CHECKS,
    *campaigns.CHECKS,
    *plans.CHECKS,
    *fiscal.CHECKS,
    *floats.CHECKS,
    *treasury.CHECKS,
)

__all__ = ["CHECKS", "Check", "Finding", "Result", "check", "run", "streamed"]
