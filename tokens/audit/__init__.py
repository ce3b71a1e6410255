"""What manage.py audit looks for in tokens: the outbox, deposits, and what stands on chain.

Each check is a named function of one module here, and reads only.
"""

from accounts.audit import Check
from tokens.audit import deposits, epochs, outbox

CHECKS: tuple[Check, ...] = (*outbox.CHECKS, *deposits.CHECKS, *epochs.CHECKS)

__all__ = ["CHECKS"]
