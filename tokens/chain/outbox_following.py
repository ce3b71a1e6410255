"""What became of what was signed: sending, receipts, reorgs, nonces that others took.

Any number of workers may follow at once: each step is a conditional UPDATE, and what one worker
read too early the next pass corrects, until the block is finalized.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from accounts import alarms
from accounts.models import Alarm
from tokens.chain.client import (
    CallReverted,
    Chain,
    ChainLies,
    ChainUnavailable,
    NodeRefused,
    Receipt,
    TransferRefused,
)
from tokens.chain.outbox_signing import hold_prefix
from tokens.models import OutboxTransfer, SignedTransfer

log = structlog.get_logger(__name__)

SEND_AGAIN_AFTER = timedelta(seconds=15)
_SIGNED, _MINED = OutboxTransfer.State.SIGNED, OutboxTransfer.State.MINED


def check_finalized_stands(*, chain: Chain) -> None:
    """Raise ChainLies where our newest finished transfer is not in its block any more.

    Such a block can't change on an honest chain; a person who knows better says so with
    `manage.py outbox_resume`.
    """
    newest = newest_in_a_block(chain_id=chain.chain_id)
    if newest is None or newest.block_number is None:
        return
    block = chain.block(tag=newest.block_number)
    if block is not None and block.hash == newest.block_hash:
        return
    if Alarm.objects.filter(key=finalized_key(newest), cleared_at__isnull=False).exists():
        return
    told = "is gone" if block is None else f"is {block.hash} now"
    raise ChainLies(f"finalized block {newest.block_number} ({newest.block_hash}) {told}")


def newest_in_a_block(*, chain_id: int) -> OutboxTransfer | None:
    """Return the finished transfer of the highest block."""
    return (
        OutboxTransfer.objects.filter(
            chain_id=chain_id, finished_at__isnull=False, block_number__isnull=False
        )
        .order_by("-block_number")
        .first()
    )


def finalized_key(row: OutboxTransfer) -> str:
    """The alarm that says, once cleared, that a person accepted another block in its place."""
    return f"outbox:finalized:{row.chain_id}:{row.block_hash}"


def follow(*, chain: Chain, sender: str, at: datetime) -> None:
    """Look up every transfer of a sender that was signed and is not finished."""
    rows = OutboxTransfer.objects.filter(
        chain_id=chain.chain_id, sender=sender, state__in=(_SIGNED, _MINED)
    )
    if not rows.exists():
        return
    finalized = chain.block(tag="finalized")
    if finalized is None:
        raise ChainUnavailable("the node knows no finalized block")
    for row in rows.order_by("nonce").prefetch_related("signed"):
        receipt = _receipt(chain=chain, row=row)
        if receipt is not None:
            _found(chain=chain, row=row, receipt=receipt, finalized=finalized.number, at=at)
        elif row.state == _MINED:
            _vanished(row=row)
        elif _is_taken(chain=chain, row=row, finalized=finalized.number):
            _taken(row=row, at=at)


def broadcast(*, chain: Chain, sender: str, at: datetime) -> set[int]:
    """Send what is signed and not known to be with the node, or was sent 15 s ago and still waits.

    Returns the ids of the transfers that the node finds underpriced. Sending the same bytes twice
    does nothing, so a worker that died after sending needs no care.
    """
    underpriced: set[int] = set()
    waiting = OutboxTransfer.objects.filter(chain_id=chain.chain_id, sender=sender, state=_SIGNED)
    for row in waiting.order_by("nonce"):
        with transaction.atomic():
            newest = (
                SignedTransfer.objects.filter(outbox=row)
                .order_by("-id")
                .select_for_update(skip_locked=True)
                .first()
            )
            if newest is None or not _is_due(newest, at=at):
                continue
            code = _send(chain=chain, row=row, signed=newest, at=at)
        if code == "underpriced":
            underpriced.add(row.pk)
        if code == "insufficient_funds":
            break
    return underpriced


def _is_due(signed: SignedTransfer, *, at: datetime) -> bool:
    return signed.broadcast_at is None or at - signed.broadcast_at >= SEND_AGAIN_AFTER


def _send(*, chain: Chain, row: OutboxTransfer, signed: SignedTransfer, at: datetime) -> str:
    """Send, note it, and return the code of the node's refusal, "" for none."""
    code, text = "", ""
    try:
        chain.send(raw=signed.raw)
    except TransferRefused as error:
        code, text = error.code, str(error)
    keys = _refusal_keys(row)
    if code in keys:
        log.warning("transfer refused", intent=row.intent, error=text)
        text = f"The node does not take {row.intent}: {text}. The outbox goes on by itself."
        alarms.raise_alarm(kind=Alarm.Kind.CHAIN, key=keys[code], text=text, at=at)
        return code
    if code != "underpriced":
        # A nonce that is too low is in a block already: the next look finds whose.
        SignedTransfer.objects.filter(pk=signed.pk).update(broadcast_at=at)
        for key in keys.values():
            alarms.clear(key=key, at=at)
    return code


def _receipt(*, chain: Chain, row: OutboxTransfer) -> Receipt | None:
    """Return the receipt of whichever of the signed bytes is in a block that stands."""
    for signed in sorted(row.signed.all(), key=lambda signed: -signed.pk):
        receipt = chain.receipt(transfer_hash=signed.transfer_hash)
        if receipt is None:
            continue
        block = chain.block(tag=receipt.block_number)
        if block is not None and block.hash == receipt.block_hash:
            return receipt
    return None


def _found(
    *, chain: Chain, row: OutboxTransfer, receipt: Receipt, finalized: int, at: datetime
) -> None:
    """Note the block; once it is finalized, the transfer is finished."""
    if row.state == _SIGNED or row.block_hash != receipt.block_hash:
        failure = "" if receipt.is_success else _reason(chain=chain, row=row, receipt=receipt)
        OutboxTransfer.objects.filter(pk=row.pk, state__in=(_SIGNED, _MINED)).update(
            state=_MINED,
            mined_hash=receipt.transfer_hash,
            block_number=receipt.block_number,
            block_hash=receipt.block_hash,
            gas_used=receipt.gas_used,
            contract_address=receipt.contract_address or "",
            failure=failure,
        )
        for key in (taken_key(row), *_refusal_keys(row).values()):
            alarms.clear(key=key, at=at)
    if receipt.block_number <= finalized:
        ended = OutboxTransfer.State.FINAL if receipt.is_success else OutboxTransfer.State.REVERTED
        OutboxTransfer.objects.filter(
            pk=row.pk, state=_MINED, block_hash=receipt.block_hash
        ).update(state=ended, finished_at=at)


def _reason(*, chain: Chain, row: OutboxTransfer, receipt: Receipt) -> str:
    """Return why a transfer reverted: receipts do not say, so its call is asked again."""
    try:
        chain.call(
            to=row.to_address,
            data=row.data,
            tag=receipt.block_number - 1,
            sender=row.sender,
            value_wei=row.value_wei,
        )
    except CallReverted as error:
        return str(error)[:400]
    except NodeRefused as error:
        return f"reverted, and the node does not tell why: {error}"[:400]
    is_out_of_gas = row.gas_limit is not None and receipt.gas_used >= row.gas_limit
    return "out of gas" if is_out_of_gas else "reverted by what happened in the same block"


def _vanished(*, row: OutboxTransfer) -> None:
    """Its block was replaced: the same bytes go out again at once."""
    log.warning("block vanished", intent=row.intent, block=row.block_hash)
    with transaction.atomic():
        changed = OutboxTransfer.objects.filter(
            pk=row.pk, state=_MINED, block_hash=row.block_hash
        ).update(
            state=_SIGNED,
            mined_hash="",
            block_number=None,
            block_hash="",
            gas_used=None,
            contract_address="",
            failure="",
        )
        if changed:
            SignedTransfer.objects.filter(outbox=row).update(broadcast_at=None)


def _is_taken(*, chain: Chain, row: OutboxTransfer, finalized: int) -> bool:
    """Whether the nonce is used for good. A node is asked for older state only where it may be."""
    if row.nonce is None or chain.nonce(address=row.sender) <= row.nonce:
        return False
    return chain.nonce(address=row.sender, tag=finalized) > row.nonce


def _taken(*, row: OutboxTransfer, at: datetime) -> None:
    """Tell that the nonce is used for good while none of our bytes has a receipt.

    Another signs with our key; or this database was restored and lacks bytes that were signed
    later. As that can't be told apart from here, a person decides.
    """
    alarms.raise_alarm(
        kind=Alarm.Kind.CHAIN,
        key=taken_key(row),
        text=(
            f"Nonce {row.nonce} of {row.sender} was used by a transfer that we did not sign for"
            f" {row.intent}: another uses its key, or this database is older than the chain."
            f" Look it up; then manage.py outbox_resume {row.sender}"
        ),
        at=at,
    )


def _refusal_keys(row: OutboxTransfer) -> dict[str, str]:
    """The alarms about bytes that a node does not take, by the code of its refusal."""
    return {"insufficient_funds": f"outbox:funds:{row.sender}", "other": f"outbox:send:{row.pk}"}


def taken_key(row: OutboxTransfer) -> str:
    """The alarm that another used the transfer's nonce."""
    return f"{hold_prefix(chain_id=row.chain_id, sender=row.sender)}taken-{row.nonce}"
