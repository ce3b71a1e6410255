"""What people decide about money on chain that did not credit itself."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from tokens.chain import final, reorgs
from tokens.chain.final import NotFinal
from tokens.models import BlockCursor, Deposit, StrayTransfer

State = Deposit.State

DECIDABLE = (State.REVIEW, State.DISMISSED)
"""Who dismissed a deposit may think better of it."""


class AlreadyDecided(Exception):
    """Somebody else was faster, or it vanished."""


def credit(*, deposit: Deposit, at: datetime) -> Deposit:
    """Credit a deposit in review to whom its address belongs.

    Raises NotFinal, AlreadyDecided, QuoteUnavailable, DepositRefused; nothing is changed then.
    """
    cursor = BlockCursor.objects.filter(
        chain_id=deposit.chain_id, watcher=reorgs.FINAL, block_number__gte=deposit.block_number
    )
    if not cursor.exists():
        raise NotFinal(f"block {deposit.block_number} may still be replaced: wait a few minutes")
    credited = final.credit(deposit=deposit, states=DECIDABLE, at=at)
    if credited is None:
        raise AlreadyDecided(f"{deposit} is not in review any more")
    return credited


def dismiss(*, deposit: Deposit, note: str, at: datetime) -> Deposit:
    """Note that a deposit is not credited, and why. Raises AlreadyDecided."""
    with transaction.atomic():
        stored = Deposit.objects.select_for_update().get(pk=deposit.pk)
        if stored.state != State.REVIEW:
            raise AlreadyDecided(f"{deposit} is not in review any more")
        stored.state, stored.reason, stored.finished_at = State.DISMISSED, note[:200], at
        stored.save(update_fields=["state", "reason", "finished_at"])
    return stored


def dismiss_stray(*, stray: StrayTransfer, note: str, at: datetime) -> StrayTransfer:
    """Note that somebody looked at a token that we do not take."""
    stray.dismissed_at, stray.note = at, note[:200]
    stray.save(update_fields=["dismissed_at", "note"])
    return stray
