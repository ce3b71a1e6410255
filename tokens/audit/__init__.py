"""What manage.py audit looks for in tokens: the outbox, deposits, what stands on chain, and votes.

Each check is a named function of one module here, and reads only.
"""

from accounts.audit import Check
from tokens.audit import deposits, epochs, outbox, voting

CHECKS: tuple[Check, ...] = (
    *outbox.CHECKS,
    *deposits.CHECKS,
    *epochs.CHECKS,
    *voting.CHECKS,
)

__all__ = ["CHECKS"]
