"""The admin of what stands on chain, one subject a module."""

from tokens.admin import crypto_treasury, deposits, epochs, outbox, voting, wallets

__all__ = ["crypto_treasury", "deposits", "epochs", "outbox", "voting", "wallets"]
