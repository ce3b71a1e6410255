"""Payouts in DAI on chain: one ERC-20 transfer a payout, out of the treasury's own address.

The outbox sends it once under its intent, whatever becomes of the workers, so nothing here is ever
unknown: a payout is as far as its transfer. It is paid once the transfer stands in a final block
with the token's own log of it; a token that answers and moves nothing has paid nobody.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.conf import settings
from django.db import DatabaseError, transaction

from accounts.ledger import LedgerError
from settlement import payout_sending
from settlement.models import Payee, Payout
from settlement.payout_sending import PayoutAnswer
from settlement.payouts import WrongState
from tokens.chain import client, outbox, signers
from tokens.chain.client import Chain, ChainLies, ChainUnavailable
from tokens.models import ChainAsset, OutboxTransfer

log = structlog.get_logger(__name__)

DAI = "DAI"
TRANSFER = "0xa9059cbb"
"""The first four bytes of the Keccak-256 of transfer(address,uint256)."""
TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
"""The Keccak-256 of Transfer(address,address,uint256)."""
DECIMALS = 18

State = Payout.State


class NotSet(LookupError):
    """Nobody signs for the treasury, or no DAI is set up on the chain."""


def run(*, at: datetime) -> int:
    """Queue what was approved and follow what was queued; return how many were looked at."""
    looked_at = 0
    for payout_id in payout_sending.take_due(way=Payee.Way.CHAIN, at=at):
        try:
            advance(payout_id=payout_id, at=at)
        except (ChainUnavailable, ChainLies) as error:
            log.warning("payout on chain rests", payout=payout_id, error=str(error))
        except (DatabaseError, LedgerError, LookupError, ValueError, WrongState):
            log.exception("payout on chain not followed", payout=payout_id)
        looked_at += 1
    return looked_at


def advance(*, payout_id: int, at: datetime) -> Payout:
    """Take a payout as far as it goes now, and return it as it is then.

    Raises ChainUnavailable, ChainLies.
    """
    payout = payout_sending.load(payout_id=payout_id)
    if payout.state in (State.APPROVED, State.SENDING):
        _queue(payout, at=at)
    elif payout.state in Payout.UNDER_WAY:
        answer = _followed(payout)
        payout_sending.settle_answer(payout=payout, answer=answer, at=at)
        # The chain is this way's statement, and was just read.
        payout_sending.seen(payout=payout, at=at)
    return payout_sending.load(payout_id=payout_id)


def intent(*, payout: Payout) -> str:
    """Return the outbox's name of a payout's transfer."""
    return f"payout:{payout.uid}"


def data(*, to: str, amount_wei: int) -> str:
    """Return the data of transfer(to, amount) of an ERC-20 token."""
    return f"{TRANSFER}{_word(int(to, 16))}{_word(amount_wei)}"


def _queue(payout: Payout, *, at: datetime) -> None:
    """Claim and queue in one commit. What can't be queued as it is set up has paid nobody."""
    try:
        token, sender = _dai(), _treasury()
    except NotSet as error:
        if payout.state == State.APPROVED:
            payout_sending.claim(payout_id=payout.pk, at=at)
        payout_sending.failed(payout=payout, code="setup", text=str(error), at=at)
        return
    with transaction.atomic():
        if payout.state == State.APPROVED and not payout_sending.claim(payout_id=payout.pk, at=at):
            return
        outbox.queue(
            chain_id=settings.CHAIN_ID,
            intent=intent(payout=payout),
            to=token,
            data=data(to=payout.destination, amount_wei=payout.amount_wei),
            sender=sender,
            at=at,
        )
        payout_sending.name_request(payout=payout, provider_request=intent(payout=payout))
        payout_sending.submitted(payout=payout, at=at)


def _followed(payout: Payout) -> PayoutAnswer:
    sent = OutboxTransfer.objects.get(chain_id=settings.CHAIN_ID, intent=intent(payout=payout))
    if sent.state == OutboxTransfer.State.REVERTED:
        return PayoutAnswer(is_final=True, code="reverted", text=sent.failure)
    if sent.state != OutboxTransfer.State.FINAL:
        return PayoutAnswer(is_final=False)
    if not _is_shown(client.connected(), sent=sent, payout=payout):
        return PayoutAnswer(is_final=True, code="silent", text="the token moved nothing")
    return PayoutAnswer(
        is_final=True, is_done=True, reference=sent.mined_hash, done_at=sent.finished_at
    )


def _is_shown(chain: Chain, *, sent: OutboxTransfer, payout: Payout) -> bool:
    """Whether the token itself logged the transfer, in the final block it is in."""
    assert sent.block_number is not None  # noqa: S101 - it is final
    topics: list[str | list[str] | None] = [
        TRANSFER_TOPIC,
        f"0x{_word(int(sent.sender, 16))}",
        f"0x{_word(int(payout.destination, 16))}",
    ]
    logs = chain.logs(
        since=sent.block_number,
        until=sent.block_number,
        topics=topics,
        addresses=(sent.to_address,),
    )
    return any(
        each.transfer_hash == sent.mined_hash and int(each.data, 16) == payout.amount_wei
        for each in logs
    )


def _dai() -> str:
    token = ChainAsset.objects.filter(
        chain_id=settings.CHAIN_ID,
        code=DAI,
        decimals=DECIMALS,
        pricing=ChainAsset.Pricing.PAR,
        closed_at__isnull=True,
    ).exclude(address="")
    found = token.first()
    if found is None:
        raise NotSet(f"no DAI is set up on chain {settings.CHAIN_ID}")
    return found.address


def _treasury() -> str:
    if not settings.CHAIN_TREASURY_SIGNER:
        raise NotSet("nobody signs for the treasury: CHAIN_TREASURY_SIGNER is not set")
    return signers.signer(settings.CHAIN_TREASURY_SIGNER).address


def _word(number: int) -> str:
    return f"{number:064x}"
