"""When blocks were replaced: what lay in them, and was not credited yet, is taken back.

Only blocks that are not final are replaced, and only final deposits are credited, so nothing that
was credited is ever touched. Reading goes on from the last block that was final: what stands in the
new blocks is found there again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Model, Q

from tokens.chain.client import Block, Chain, ChainLies, ChainUnavailable
from tokens.models import BlockCursor, Deposit, Outflow, StrayTransfer

log = structlog.get_logger(__name__)

FINAL = "final"
"""The cursor of the last block that was final when deposits were credited."""
UNLOGGED = -1
"""log_index of native money that came without a log; no block is known of it."""

UNCREDITED = (Deposit.State.SEEN, Deposit.State.REVIEW, Deposit.State.DISMISSED)


def recover(*, chain: Chain, cursor: BlockCursor, at: datetime) -> BlockCursor:
    """Return the cursor if its block stands; else take back what vanished, and set it back.

    Raises ChainUnavailable where the node has not got so far, ChainLies where a block changed that
    was final.
    """
    stands = chain.block(tag=cursor.block_number)
    if stands is None:
        raise ChainUnavailable(
            f"the node has not got to block {cursor.block_number}, which was read before"
        )
    if stands.hash == cursor.block_hash:
        return cursor
    anchor = check_final_stands(chain=chain)
    number, block_hash = _anchor(chain=chain, anchor=anchor, cursor=cursor)
    log.warning("blocks were replaced", since=number, cursor=cursor.block_number)
    gone = _replaced(chain=chain, above=number, chain_id=chain.chain_id)
    with transaction.atomic():
        is_ours = BlockCursor.objects.filter(
            pk=cursor.pk, block_number=cursor.block_number, block_hash=cursor.block_hash
        ).update(block_number=number, block_hash=block_hash, read_at=at)
        if is_ours:
            _take_back(chain_id=chain.chain_id, gone=gone, at=at)
    cursor.refresh_from_db()
    return cursor


def check_final_stands(*, chain: Chain) -> BlockCursor | None:
    """Return the cursor of the last final block, None before any; ChainLies where it changed."""
    final = BlockCursor.objects.filter(chain_id=chain.chain_id, watcher=FINAL).first()
    if final is None:
        return None
    stands = chain.block(tag=final.block_number)
    if stands is None:
        raise ChainUnavailable(
            f"the node has not got to block {final.block_number}, which was final before"
        )
    if stands.hash != final.block_hash:
        raise ChainLies(
            f"finalized block {final.block_number} was {final.block_hash}, the node tells "
            f"{stands.hash}"
        )
    return final


def final_blocks(*, chain: Chain) -> tuple[BlockCursor | None, Block | None]:
    """Return the last final block as we know it, and as the node tells it now."""
    known = BlockCursor.objects.filter(chain_id=chain.chain_id, watcher=FINAL).first()
    return known, None if known is None else chain.block(tag=known.block_number)


def accept_final(*, known: BlockCursor, told: Block) -> None:
    """Note that a person believes the node: another block is the final one of that number."""
    log.warning("another final block accepted", number=told.number, hash=told.hash)
    BlockCursor.objects.filter(pk=known.pk, block_hash=known.block_hash).update(
        block_hash=told.hash
    )


def rewind(*, chain: Chain, cursor: BlockCursor, to: int) -> None:
    """Set a cursor back, so that blocks are read again; what was found stays, and is found anew."""
    block = chain.block(tag=to)
    if block is None:
        raise ChainUnavailable(f"the node does not know block {to}")
    BlockCursor.objects.filter(pk=cursor.pk, block_number__gt=to).update(
        block_number=block.number, block_hash=block.hash
    )


def _anchor(*, chain: Chain, anchor: BlockCursor | None, cursor: BlockCursor) -> tuple[int, str]:
    """Return number and hash of the block to read on from: the last final one, or the first."""
    if anchor is not None and anchor.block_number < cursor.block_number:
        return anchor.block_number, anchor.block_hash
    if anchor is not None:
        raise ChainLies(f"block {cursor.block_number} was replaced, and was final")
    # Nothing was final yet: from the chain's own view of it, or from the very first.
    final = chain.block(tag="finalized")
    first = chain.block(tag=0)
    begin = final if final is not None and final.number < cursor.block_number else first
    if begin is None:
        raise ChainUnavailable("the node knows no first block")
    return begin.number, begin.hash


def _replaced(*, chain: Chain, above: int, chain_id: int) -> set[str]:
    """Return the hashes of blocks that something of ours lay in, and that do not stand."""
    models: Iterable[type[Model]] = (Deposit, Outflow, StrayTransfer)
    blocks: set[tuple[int, str]] = set()
    for model in models:
        rows = model._default_manager.filter(chain_id=chain_id, block_number__gt=above)
        blocks |= set(rows.values_list("block_number", "block_hash").distinct())
    gone = set()
    for number, block_hash in blocks:
        stands = chain.block(tag=number)
        if stands is None or stands.hash != block_hash:
            gone.add(block_hash)
    return gone


def _take_back(*, chain_id: int, gone: set[str], at: datetime) -> None:
    here = Q(chain_id=chain_id, block_hash__in=gone)
    Deposit.objects.filter(here, state__in=UNCREDITED).exclude(log_index=UNLOGGED).update(
        state=Deposit.State.VANISHED, reason="its block was replaced", finished_at=at
    )
    Outflow.objects.filter(here).delete()
    StrayTransfer.objects.filter(here).delete()
