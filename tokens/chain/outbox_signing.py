"""Nonces and signatures: each in one commit with the bytes, before anything is sent.

One worker at a time signs for a sender; the others go on with the next sender. Nonces are given
in the order of the queue and without holes: one that is not committed was never used.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Max

from accounts import alarms
from accounts.locks import singleton
from accounts.models import Alarm
from tokens.chain.client import CallReverted, Chain, Fees, NodeRefused
from tokens.chain.envelopes import Unsigned
from tokens.chain.signers import Signer
from tokens.models import OutboxTransfer, SignedTransfer

log = structlog.get_logger(__name__)

BUMP_AFTER = timedelta(seconds=30)
TIP_PATIENCE = timedelta(minutes=2)
"""Before more is offered only because others offer more: we would outbid ourselves."""
RETRY_AFTER = timedelta(seconds=10)
REVERT_PATIENCE = timedelta(minutes=10)
MOST_IN_FLIGHT = 16
"""Nodes promise no more places in their pool to one sender."""
WEI_PER_GWEI = 10**9
_QUEUED, _SIGNED, _REVERTED = (
    OutboxTransfer.State.QUEUED,
    OutboxTransfer.State.SIGNED,
    OutboxTransfer.State.REVERTED,
)


def hold_prefix(*, chain_id: int, sender: str) -> str:
    """Alarms that begin so stop signing for a sender until a person has looked."""
    return f"outbox:nonce:{chain_id}:{sender}:"


def sign_next(*, chain: Chain, signer: Signer, at: datetime) -> bool:
    """Give the oldest queued transfer its nonce and its bytes; return whether more may follow.

    None is signed while another worker signs for the sender, while sixteen wait for a block, and
    while an alarm says why not: nonces ahead of ours, funds, fees. One that would revert is put
    off, and holds nobody else up.
    """
    sender, chain_id = signer.address, chain.chain_id
    mine = OutboxTransfer.objects.filter(chain_id=chain_id, sender=sender)
    with transaction.atomic(durable=True), singleton(f"outbox:{chain_id}:{sender}") as is_alone:
        if not is_alone or mine.filter(state=_SIGNED).count() >= MOST_IN_FLIGHT:
            return False
        row = (
            mine.filter(state=_QUEUED)
            .exclude(next_look_at__gt=at)
            .order_by("id")
            .select_for_update()
            .first()
        )
        return row is not None and _sign_first(chain=chain, signer=signer, row=row, at=at)


def bump(*, chain: Chain, signer: Signer, underpriced: set[int], at: datetime) -> None:
    """Sign waiting transfers again, with the same nonce and more gas, where theirs is too little.

    Too little: 30 s after the signature the next block asks more, two minutes after it others pay
    block makers more, or the node said so (`underpriced`: ids of transfers). Beyond
    CHAIN_MAX_FEE_GWEI nothing is signed, and an alarm lasts until fees have fallen or the
    transfers are in a block.
    """
    sender = signer.address
    with (
        transaction.atomic(durable=True),
        singleton(f"outbox:{chain.chain_id}:{sender}") as is_alone,
    ):
        mine = OutboxTransfer.objects.filter(chain_id=chain.chain_id, sender=sender)
        waiting = mine.filter(state=_SIGNED)
        if not is_alone or not waiting.exists():
            if is_alone and not mine.filter(state=_QUEUED).exists():
                alarms.clear(key=f"outbox:fees:{sender}", at=at)
            return
        fees = chain.fees()
        are_beyond = False
        for row in waiting.order_by("nonce").prefetch_related("signed"):
            newest = max(row.signed.all(), key=lambda signed: signed.pk)
            if row.pk in underpriced or _is_too_little(newest, fees=fees, at=at):
                are_beyond |= not _bump_one(signer=signer, row=row, newest=newest, fees=fees, at=at)
        if are_beyond:
            _raise_fees(sender=sender, fees=fees, at=at)
        elif not _is_beyond(fees):
            alarms.clear(key=f"outbox:fees:{sender}", at=at)


def more_fees(*, newest: SignedTransfer, fees: Fees) -> tuple[int, int] | None:
    """Return (max fee, priority fee) that replace a transfer's: 12.5 % more of both at least.

    None where that is beyond CHAIN_MAX_FEE_GWEI.
    """
    cap = _cap_wei()
    priority = max(_eighth_more(newest.priority_fee_wei), fees.priority_fee_wei)
    least = max(_eighth_more(newest.max_fee_wei), priority)
    if least > cap:
        return None
    return max(least, min(2 * fees.base_fee_wei + priority, cap)), priority


def _sign_first(*, chain: Chain, signer: Signer, row: OutboxTransfer, at: datetime) -> bool:
    """Sign a queued transfer, or tell why not; return whether the next one may follow."""
    nonce = _next_nonce(chain=chain, sender=row.sender, at=at)
    fees = _first_fees(chain=chain, sender=row.sender, at=at)
    if nonce is None or fees is None:
        return False
    if not _is_funded(chain=chain, row=row, fee_wei=(row.gas_limit or 0) * fees[0], at=at):
        return False
    gas_limit = row.gas_limit or _estimated(chain=chain, row=row, at=at)
    if gas_limit is None:
        return True
    if not _is_funded(chain=chain, row=row, fee_wei=gas_limit * fees[0], at=at):
        return False
    _store(signer=signer, row=row, nonce=nonce, gas_limit=gas_limit, fees=fees, at=at)
    OutboxTransfer.objects.filter(pk=row.pk, state=_QUEUED).update(
        state=_SIGNED,
        nonce=nonce,
        gas_limit=gas_limit,
        failure="",
        refused_since=None,
        next_look_at=None,
    )
    for key in (f"outbox:refused:{row.pk}", f"outbox:funds:{row.sender}"):
        alarms.clear(key=key, at=at)
    return True


def _bump_one(
    *, signer: Signer, row: OutboxTransfer, newest: SignedTransfer, fees: Fees, at: datetime
) -> bool:
    """Return whether more gas was allowed."""
    more = more_fees(newest=newest, fees=fees)
    if more is None:
        return False
    assert row.nonce is not None and row.gas_limit is not None  # noqa: S101 - as signed
    log.info("more gas", intent=row.intent, nonce=row.nonce, max_fee_wei=more[0])
    _store(signer=signer, row=row, nonce=row.nonce, gas_limit=row.gas_limit, fees=more, at=at)
    return True


def _store(
    *,
    signer: Signer,
    row: OutboxTransfer,
    nonce: int,
    gas_limit: int,
    fees: tuple[int, int],
    at: datetime,
) -> None:
    """Sign and store; sent only after the commit."""
    max_fee, priority = fees
    signed = signer.sign(
        transfer=Unsigned(
            chain_id=row.chain_id,
            nonce=nonce,
            to=row.to_address,
            value_wei=row.value_wei,
            data=row.data,
            gas_limit=gas_limit,
            max_fee_wei=max_fee,
            priority_fee_wei=priority,
        )
    )
    SignedTransfer.objects.create(
        outbox=row,
        transfer_hash=signed.transfer_hash,
        raw=signed.raw,
        max_fee_wei=max_fee,
        priority_fee_wei=priority,
        signed_at=at,
    )


def _next_nonce(*, chain: Chain, sender: str, at: datetime) -> int | None:
    """Return the nonce after our last; the chain's where we have none, or a person accepted it.

    None where the chain is ahead of ours: somebody else signs with this key, or this database is
    older than the chain. Which of them, a person has to find out (`manage.py outbox_resume`).
    """
    mine = OutboxTransfer.objects.filter(chain_id=chain.chain_id, sender=sender)
    prefix = hold_prefix(chain_id=chain.chain_id, sender=sender)
    in_blocks = chain.nonce(address=sender, tag="latest")
    told = max(in_blocks, chain.nonce(address=sender, tag="pending"))
    last = mine.aggregate(last=Max("nonce"))["last"]
    ours = told if last is None else last + 1
    key = f"{prefix}ahead-{told}"
    if told > ours and not Alarm.objects.filter(key=key, cleared_at__isnull=False).exists():
        alarms.raise_alarm(
            kind=Alarm.Kind.CHAIN,
            key=key,
            text=(
                f"{sender} has sent {told} transfers, we know of {ours}: another uses its key, or"
                " this database is older than the chain. Nothing is signed for it until"
                f" manage.py outbox_resume {sender}"
            ),
            at=at,
        )
    if Alarm.objects.filter(key__startswith=prefix, cleared_at__isnull=True).exists():
        return None
    # Never beyond what only waits in the pool: it may vanish and leave a hole.
    return max(in_blocks, ours)


def _first_fees(*, chain: Chain, sender: str, at: datetime) -> tuple[int, int] | None:
    """Return (max fee, priority fee): room for the base fee to double, up to the cap."""
    fees = chain.fees()
    if _is_beyond(fees):
        _raise_fees(sender=sender, fees=fees, at=at)
        return None
    alarms.clear(key=f"outbox:fees:{sender}", at=at)
    doubled = 2 * fees.base_fee_wei + fees.priority_fee_wei
    return min(doubled, _cap_wei()), fees.priority_fee_wei


def _estimated(*, chain: Chain, row: OutboxTransfer, at: datetime) -> int | None:
    """Return a quarter more gas than the node estimates.

    None where it would revert: tried again, as what it waits for may still be on its way, and
    given up without a nonce after ten minutes of the same.
    """
    try:
        gas = chain.estimate(
            sender=row.sender, to=row.to_address, data=row.data, value_wei=row.value_wei
        )
    except CallReverted as error:
        _postpone(row=row, why=str(error), refused_since=row.refused_since or at, at=at)
    except NodeRefused as error:
        _postpone(row=row, why=str(error), refused_since=None, at=at)
    else:
        return gas * 5 // 4
    return None


def _postpone(
    *, row: OutboxTransfer, why: str, refused_since: datetime | None, at: datetime
) -> None:
    row.failure, row.refused_since = why[:400], refused_since
    row.next_look_at = at + RETRY_AFTER
    key = f"outbox:refused:{row.pk}"
    if refused_since is not None and at - refused_since >= REVERT_PATIENCE:
        row.state, row.finished_at = _REVERTED, at
        log.warning("given up, would revert", intent=row.intent, failure=row.failure)
        alarms.clear(key=key, at=at)
    else:
        text = f"{row.intent} is not signed: {why}"
        alarms.raise_alarm(kind=Alarm.Kind.CHAIN, key=key, text=text, at=at)
    row.save(update_fields=["failure", "refused_since", "next_look_at", "state", "finished_at"])


def _is_funded(*, chain: Chain, row: OutboxTransfer, fee_wei: int, at: datetime) -> bool:
    wanted = row.value_wei + fee_wei
    if chain.balance(address=row.sender) >= wanted:
        return True
    alarms.raise_alarm(
        kind=Alarm.Kind.CHAIN,
        key=f"outbox:funds:{row.sender}",
        text=(
            f"{row.sender} has too little to pay for {row.intent}: {wanted} wei are needed."
            " Send it some; the outbox goes on by itself."
        ),
        at=at,
    )
    return False


def _raise_fees(*, sender: str, fees: Fees, at: datetime) -> None:
    asked = (fees.base_fee_wei + fees.priority_fee_wei) // WEI_PER_GWEI
    alarms.raise_alarm(
        kind=Alarm.Kind.CHAIN,
        key=f"outbox:fees:{sender}",
        text=(
            f"Transfers of {sender} wait: blocks ask {asked} gwei, CHAIN_MAX_FEE_GWEI allows"
            f" {settings.CHAIN_MAX_FEE_GWEI}. They go on by themselves when fees fall."
        ),
        at=at,
    )


def _is_too_little(newest: SignedTransfer, *, fees: Fees, at: datetime) -> bool:
    age = at - newest.signed_at
    asked = fees.base_fee_wei + newest.priority_fee_wei
    return (age >= BUMP_AFTER and newest.max_fee_wei < asked) or (
        age >= TIP_PATIENCE and newest.priority_fee_wei < fees.priority_fee_wei
    )


def _is_beyond(fees: Fees) -> bool:
    return fees.base_fee_wei + fees.priority_fee_wei > _cap_wei()


def _cap_wei() -> int:
    return int(settings.CHAIN_MAX_FEE_GWEI) * WEI_PER_GWEI


def _eighth_more(wei: int) -> int:
    """12.5 % more, rounded up, and one wei at least."""
    return max(-(-wei * 9 // 8), wei + 1)
