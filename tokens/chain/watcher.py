"""Reading the chain for money that comes: block by block, each once, from the factory's on.

The cursor says how far; its hash tells whether that block still stands (tokens.chain.reorgs). It is
moved by a guarded UPDATE in the transaction that keeps what was found, so any number of watchers
may run. What was seen is credited when it is final (tokens.chain.final).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction

from tokens.chain import incoming, reorgs
from tokens.chain.client import Block, Chain, ChainLies, ChainUnavailable, NodeRefused
from tokens.chain.incoming import Movement
from tokens.models import (
    BlockCursor,
    ChainAsset,
    Contract,
    Deposit,
    Forwarder,
    Outflow,
    StrayTransfer,
)

log = structlog.get_logger(__name__)

WATCHER = "deposits"
FIRST_SPAN_BLOCKS = 500
MOST_SPAN_BLOCKS = 5_000
MOST_SPANS_A_RUN = 50

State = Deposit.State


class OvertakenError(Exception):
    """Another watcher moved the cursor meanwhile: what was read is left to it."""


def watch(*, chain: Chain, at: datetime) -> int:
    """Read the blocks that are new; return how many. Nothing is read where no factory stands.

    Raises ChainUnavailable, ChainLies; what was read until then stays.
    """
    chain.check()
    cursor = cursor_of(chain=chain, at=at)
    if cursor is None:
        return 0
    cursor = reorgs.recover(chain=chain, cursor=cursor, at=at)
    # The head first: an address that is shown after this is paid to in a later block.
    head = chain.block(tag="latest")
    if head is None:
        raise ChainUnavailable("the node knows no newest block")
    began = cursor.block_number
    for _ in range(MOST_SPANS_A_RUN):
        if cursor.block_number >= head.number:
            break
        try:
            cursor = _read_span(chain=chain, cursor=cursor, head=head.number, at=at)
        except OvertakenError:
            break
    return cursor.block_number - began


def cursor_of(*, chain: Chain, at: datetime) -> BlockCursor | None:
    """Return how far the chain was read; at first, to before our factory was there."""
    known = BlockCursor.objects.filter(chain_id=chain.chain_id, watcher=WATCHER).first()
    if known is not None:
        return known
    if not Contract.objects.filter(
        chain_id=chain.chain_id, kind=Contract.Kind.FACTORY, site=None
    ).exists():
        return None
    before = chain.block(tag=first_block(chain=chain))
    if before is None:
        raise ChainUnavailable("the node does not know the block before our factory's yet")
    return BlockCursor.objects.get_or_create(
        chain_id=chain.chain_id,
        watcher=WATCHER,
        defaults={
            "block_number": before.number,
            "block_hash": before.hash,
            "span_blocks": FIRST_SPAN_BLOCKS,
            "read_at": at,
        },
    )[0]


def first_block(*, chain: Chain) -> int:
    """Return the block before the one that our factory came in."""
    factory = Contract.objects.get(chain_id=chain.chain_id, kind=Contract.Kind.FACTORY, site=None)
    return max(factory.block_number - 1, 0)


def _read_span(*, chain: Chain, cursor: BlockCursor, head: int, at: datetime) -> BlockCursor:
    """Read the next blocks, fewer of them where the node refuses so many at once."""
    forwarders = {each.address: each for each in Forwarder.objects.filter(chain_id=chain.chain_id)}
    span = cursor.span_blocks
    while True:
        until = min(cursor.block_number + span, head)
        end = _block(chain, until)
        try:
            moved = incoming.movements(
                chain=chain, since=cursor.block_number + 1, until=until, addresses=forwarders
            )
            break
        except NodeRefused as error:
            if span == 1:
                raise
            span = max(span // 2, 1)
            log.info("node refuses so many blocks", span_blocks=span, error=str(error))
            BlockCursor.objects.filter(pk=cursor.pk).update(span_blocks=span)
    _check_unmoved(chain=chain, cursor=cursor, end=end)
    is_whole = until - cursor.block_number == span
    return _keep(
        cursor=cursor,
        end=end,
        moved=moved,
        forwarders=forwarders,
        span_blocks=min(span + span // 4 + 1, MOST_SPAN_BLOCKS) if is_whole else span,
        at=at,
    )


def _check_unmoved(*, chain: Chain, cursor: BlockCursor, end: Block) -> None:
    """Logs of a chain that was replaced while they were read may lack some: read them again."""
    for number, told in ((cursor.block_number, cursor.block_hash), (end.number, end.hash)):
        if _block(chain, number).hash != told:
            raise OvertakenError(f"block {number} was replaced")


@transaction.atomic
def _keep(
    *,
    cursor: BlockCursor,
    end: Block,
    moved: list[Movement],
    forwarders: Mapping[str, Forwarder],
    span_blocks: int,
    at: datetime,
) -> BlockCursor:
    is_ours = BlockCursor.objects.filter(
        pk=cursor.pk, block_number=cursor.block_number, block_hash=cursor.block_hash
    ).update(block_number=end.number, block_hash=end.hash, span_blocks=span_blocks, read_at=at)
    if not is_ours:
        raise OvertakenError("another watcher was here")
    assets = {each.address: each for each in ChainAsset.objects.filter(chain_id=cursor.chain_id)}
    for movement in moved:
        forwarder = forwarders[movement.address]
        asset = assets.get(movement.token_address)
        if movement.is_out:
            _keep_outflow(movement, forwarder=forwarder, at=at)
        elif asset is None:
            _keep_stray(movement, forwarder=forwarder, at=at)
        else:
            _keep_deposit(movement, forwarder=forwarder, asset=asset, at=at)
    cursor.refresh_from_db()
    return cursor


def _keep_deposit(
    movement: Movement, *, forwarder: Forwarder, asset: ChainAsset, at: datetime
) -> None:
    """Keep a deposit as seen. One that had vanished, or is in another block now, is taken anew."""
    reason = _why_review(movement, asset=asset)
    fields = {
        "block_number": movement.log.block_number,
        "block_hash": movement.log.block_hash,
        "forwarder": forwarder,
        "asset": asset,
        "units": movement.units,
        "sender": movement.other,
        "state": State.REVIEW if reason else State.SEEN,
        "reason": reason,
        "seen_at": at,
        "finished_at": None,
    }
    key = _key(movement, chain_id=forwarder.chain_id)
    stored, is_new = Deposit.objects.select_for_update().get_or_create(**key, defaults=fields)
    if is_new or (stored.block_hash == movement.log.block_hash and stored.state != State.VANISHED):
        return
    if stored.state in (State.CREDITED, State.SWEPT):
        raise ChainLies(
            f"{stored.transfer_hash} was final in block {stored.block_hash}, and is in "
            f"{movement.log.block_hash} now"
        )
    # Its bytes are the same; in another block they may have moved another amount.
    Deposit.objects.filter(pk=stored.pk).update(state=State.VANISHED)
    Deposit.objects.filter(pk=stored.pk).update(**fields)


def _why_review(movement: Movement, *, asset: ChainAsset) -> str:
    if asset.closed_at is not None:
        return f"{asset.code} is not taken any more"
    return "dust" if movement.units < asset.dust_units else ""


def _keep_outflow(movement: Movement, *, forwarder: Forwarder, at: datetime) -> None:
    Outflow.objects.update_or_create(
        **_key(movement, chain_id=forwarder.chain_id),
        defaults={
            "block_number": movement.log.block_number,
            "block_hash": movement.log.block_hash,
            "forwarder": forwarder,
            "token_address": movement.token_address,
            "units": movement.units,
            "seen_at": at,
        },
    )


def _keep_stray(movement: Movement, *, forwarder: Forwarder, at: datetime) -> None:
    StrayTransfer.objects.update_or_create(
        **_key(movement, chain_id=forwarder.chain_id),
        defaults={
            "block_number": movement.log.block_number,
            "block_hash": movement.log.block_hash,
            "forwarder": forwarder,
            "token_address": movement.token_address,
            "units": movement.units,
        },
        create_defaults={
            "block_number": movement.log.block_number,
            "block_hash": movement.log.block_hash,
            "forwarder": forwarder,
            "token_address": movement.token_address,
            "units": movement.units,
            "seen_at": at,
        },
    )


def _key(movement: Movement, *, chain_id: int) -> dict[str, Any]:
    return {
        "chain_id": chain_id,
        "transfer_hash": movement.log.transfer_hash,
        "log_index": movement.log.log_index,
    }


def _block(chain: Chain, number: int) -> Block:
    block = chain.block(tag=number)
    if block is None:
        raise ChainUnavailable(f"the node does not know block {number} yet")
    return block
