"""What manage.py audit looks for in tokens: the outbox, and what stands on chain.

Each check is a named function of one module here, and reads only.
"""

from accounts.audit import Check
from tokens.audit import outbox

CHECKS: tuple[Check, ...] = (*outbox.CHECKS,)

__all__ = ["CHECKS"]
