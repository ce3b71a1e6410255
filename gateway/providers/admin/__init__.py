"""The admin of what rails tell of themselves, of what does not agree with our books, and of giving
money back."""

from gateway.providers.admin import differences, reconciliations, refunds, statements

__all__ = ["differences", "reconciliations", "refunds", "statements"]
