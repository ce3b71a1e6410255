"""What a person accepts, so that the outbox goes on: nonces and blocks that are not ours.

What is accepted stays on record as a cleared alarm.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import QuerySet

from accounts import alarms
from accounts.models import Alarm
from tokens.chain.client import Chain, ChainLies
from tokens.chain.outbox_following import (
    check_finalized_stands,
    finalized_key,
    newest_in_a_block,
    taken_key,
)
from tokens.chain.outbox_signing import hold_prefix
from tokens.models import OutboxTransfer

log = structlog.get_logger(__name__)


def held_up(*, chain: Chain, sender: str) -> list[str]:
    """Return, in words, all that waits for a person before the sender's transfers go on."""
    return [*_open_alarms(chain, sender).values_list("text", flat=True), *_changed_block(chain)]


def accept(*, chain: Chain, sender: str, at: datetime) -> list[str]:
    """Accept what held_up tells, and return it.

    A transfer whose nonce another took ends without effect: no bytes of ours can count any more.
    """
    with transaction.atomic():
        reasons = held_up(chain=chain, sender=sender)
        signed = OutboxTransfer.objects.filter(
            chain_id=chain.chain_id, sender=sender, state=OutboxTransfer.State.SIGNED
        )
        for row in signed.select_for_update():
            if alarms.clear(key=taken_key(row), at=at):
                signed.filter(pk=row.pk).update(
                    state=OutboxTransfer.State.REVERTED,
                    failure=f"given up: another transfer used nonce {row.nonce}",
                    finished_at=at,
                )
        _open_alarms(chain, sender).update(cleared_at=at)
        newest = newest_in_a_block(chain_id=chain.chain_id)
        if newest is not None and (changed := _changed_block(chain)):
            key = finalized_key(newest)
            alarms.raise_alarm(kind=Alarm.Kind.CHAIN, key=key, text=changed[0], at=at)
            alarms.clear(key=key, at=at)
    log.warning("a person accepted", sender=sender, reasons=reasons)
    return reasons


def _open_alarms(chain: Chain, sender: str) -> QuerySet[Alarm]:
    prefix = hold_prefix(chain_id=chain.chain_id, sender=sender)
    return Alarm.objects.filter(key__startswith=prefix, cleared_at__isnull=True)


def _changed_block(chain: Chain) -> list[str]:
    try:
        check_finalized_stands(chain=chain)
    except ChainLies as error:
        return [str(error)]
    return []
