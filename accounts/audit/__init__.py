"""What manage.py audit looks for in accounts: ledger, hash chain, payments, donors' index.

Each check is a named function of one module here, and reads only. settlement.audit holds those of
settlement.
"""

from accounts.audit import chain, donors, ledger, payments
from accounts.audit.checks import Check, Finding, Result, check, run, streamed

CHECKS: tuple[Check, ...] = (*ledger.CHECKS, *chain.CHECKS, *payments.CHECKS, *donors.CHECKS)

__all__ = ["CHECKS", "Check", "Finding", "Result", "check", "run", "streamed"]
