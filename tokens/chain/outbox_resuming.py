"""What a person accepts, so that the outbox goes on: nonces and blocks that are not ours.

What is accepted stays on record as a cleared alarm.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import QuerySet

from accounts import alarms
from accounts.locks import singleton
from accounts.models import Alarm
from tokens.chain import envelopes
from tokens.chain.client import Chain, ChainLies
from tokens.chain.outbox_following import (
    check_finalized_stands,
    finalized_key,
    newest_in_a_block,
    taken_key,
)
from tokens.chain.outbox_signing import hold_prefix
from tokens.models import OutboxTransfer, SignedTransfer

log = structlog.get_logger(__name__)


class NotOurs(Exception):
    """A transfer on chain does nothing that one of ours waits to do."""


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


def adopt(*, chain: Chain, transfer_hash: str, at: datetime) -> OutboxTransfer:
    """Take in bytes that we signed and lost, as after a restore of the database; NotOurs.

    They must be of a sender, to an address, with the data and the value of a transfer of ours that
    waits; that one then has their nonce, and is followed as if nothing had happened. Take in the
    lowest nonce first.
    """
    known = SignedTransfer.objects.filter(transfer_hash=transfer_hash.lower()).first()
    if known is not None:
        return known.outbox
    raw = chain.raw(transfer_hash=transfer_hash)
    if raw is None:
        raise NotOurs(f"the node has no transfer {transfer_hash} of type 2")
    said, sender = envelopes.opened(raw=raw)
    same = OutboxTransfer.objects.filter(
        chain_id=said.chain_id,
        sender=sender,
        to_address=said.to,
        data=said.data,
        value_wei=said.value_wei,
    )
    with transaction.atomic(), singleton(f"outbox:{chain.chain_id}:{sender}") as is_alone:
        if not is_alone:
            raise NotOurs(f"a worker signs for {sender} just now: try again")
        row = same.filter(state=OutboxTransfer.State.SIGNED, nonce=said.nonce).first()
        row = row or same.filter(state=OutboxTransfer.State.QUEUED).order_by("id").first()
        if row is None:
            raise NotOurs(f"no transfer of ours waits to do what {transfer_hash} did")
        SignedTransfer.objects.create(
            outbox=row,
            transfer_hash=transfer_hash.lower(),
            raw=raw,
            max_fee_wei=said.max_fee_wei,
            priority_fee_wei=said.priority_fee_wei,
            signed_at=at,
        )
        OutboxTransfer.objects.filter(pk=row.pk, state=OutboxTransfer.State.QUEUED).update(
            state=OutboxTransfer.State.SIGNED,
            nonce=said.nonce,
            gas_limit=row.gas_limit or said.gas_limit,
            failure="",
            refused_since=None,
            next_look_at=None,
        )
        log.warning("taken in", intent=row.intent, transfer=transfer_hash, nonce=said.nonce)
    row.refresh_from_db()
    return row


def _open_alarms(chain: Chain, sender: str) -> QuerySet[Alarm]:
    prefix = hold_prefix(chain_id=chain.chain_id, sender=sender)
    return Alarm.objects.filter(key__startswith=prefix, cleared_at__isnull=True)


def _changed_block(chain: Chain) -> list[str]:
    try:
        check_finalized_stands(chain=chain)
    except ChainLies as error:
        return [str(error)]
    return []
