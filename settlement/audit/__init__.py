"""What manage.py audit looks for in settlement: readings, charges, bills, batches, splits,
payouts.

Each check is a named function of one module here, and reads only.
"""

from accounts.audit import Check
from settlement.audit import batches, bills, payouts, readings, splits

CHECKS: tuple[Check, ...] = (
    *readings.CHECKS,
    *bills.CHECKS,
    *batches.CHECKS,
    *splits.CHECKS,
    *payouts.CHECKS,
)

__all__ = ["CHECKS"]
