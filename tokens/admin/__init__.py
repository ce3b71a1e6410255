"""The admin of what stands on chain, one subject a module."""

from tokens.admin import outbox

__all__ = ["outbox"]
