"""Claims: paying on chain what a leaf has earned to its wallet. Anybody may; we pay for the gas.

A claim is queued once per leaf and epoch. What was claimed is believed of finalized blocks only,
whoever sent it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import structlog
from django.conf import settings
from django.db import transaction

from tokens import proofs, queries
from tokens.chain import calls, client, outbox
from tokens.chain.artifacts import artifact
from tokens.chain.client import Chain, ChainLies, ChainUnavailable, Log, NodeRefused
from tokens.models import BlockCursor, Claim, Contract, Leaf, OutboxTransfer

log = structlog.get_logger(__name__)

LEDGER = "ImpactLedger"
MOST_OPEN = 100
"""Claims on their way at once, of all sites: what we pay for has a limit."""
WATCHER = "claims"
LEAST_SPAN_BLOCKS, LARGEST_SPAN_BLOCKS = 16, 5_000


class NotClaimable(ValueError):
    """A claim would pay nothing now; `code` is no_epoch, no_wallet, nothing, reverted or busy."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def check(*, leaf: Leaf) -> None:
    """Raise NotClaimable where a claim would pay nothing, or cannot be taken on now."""
    standing = queries.standing(leaf=leaf)
    if standing.in_epoch is None:
        raise NotClaimable("no_epoch")
    if not standing.in_epoch.wallet:
        raise NotClaimable("no_wallet")
    if standing.claimable_wei == 0:
        raise NotClaimable("nothing")
    if standing.claim is not None:
        if standing.claim.state == OutboxTransfer.State.REVERTED:
            raise NotClaimable("reverted")
        return
    if open_claims() >= MOST_OPEN:
        raise NotClaimable("busy")


def claim(*, leaf: Leaf, at: datetime) -> OutboxTransfer:
    """Queue what pays a leaf of the active epoch, once a leaf and epoch. Raises NotClaimable."""
    check(leaf=leaf)
    proof = proofs.of_leaf(leaf=leaf)
    if proof is None:
        raise NotClaimable("no_epoch")
    ledger = Contract.objects.get(
        site=leaf.site, chain_id=settings.CHAIN_ID, kind=Contract.Kind.LEDGER
    )
    data = calls.encode_call(
        artifact=artifact(LEDGER),
        function="claim",
        arguments=[
            leaf.key,
            proof.row.wallet,
            proof.row.milliwatt_hours,
            proof.row.tokens_wei,
            list(proof.path),
        ],
    )
    return outbox.queue(
        chain_id=settings.CHAIN_ID,
        intent=queries.claim_intent(proof.row),
        to=ledger.address,
        data=data,
        at=at,
    )


def claim_asked(*, leaf: Leaf, at: datetime) -> None:
    """Queue a claim that somebody asked for a moment ago; what changed since is only noted."""
    try:
        claim(leaf=leaf, at=at)
    except NotClaimable as error:
        log.info("nothing to claim any more", leaf=leaf.pk, code=error.code)


def open_claims() -> int:
    """Return how many claims are on their way."""
    return OutboxTransfer.objects.filter(
        chain_id=settings.CHAIN_ID, intent__startswith="claim:", state__in=OutboxTransfer.OPEN
    ).count()


def read_new(*, at: datetime) -> int:
    """Read what was claimed in blocks that became final; return how many claims were new.

    A chain that is down or lies is left for the next time: what it says later counts.
    """
    try:
        return follow(chain=client.connected(), at=at)
    except (ChainUnavailable, ChainLies) as error:
        log.warning("claims are not read", error=str(error))
        return 0


def follow(*, chain: Chain, at: datetime) -> int:
    """Read `Claimed` events up to the finalized block. Raises ChainUnavailable and ChainLies."""
    ledgers = {
        contract.address: contract
        for contract in Contract.objects.filter(
            chain_id=chain.chain_id, kind=Contract.Kind.LEDGER, site__isnull=False
        ).select_related("site")
    }
    if not ledgers:
        return 0
    final = chain.block(tag="finalized")
    if final is None:
        raise ChainUnavailable("the node has no finalized block")
    new = 0
    while (cursor := _cursor(chain, ledgers.values(), at=at)).block_number < final.number:
        new += _read_span(chain, cursor, ledgers, final_number=final.number, at=at)
    return new


def _read_span(
    chain: Chain,
    cursor: BlockCursor,
    ledgers: dict[str, Contract],
    *,
    final_number: int,
    at: datetime,
) -> int:
    """Read one span of blocks and move the cursor; a node that gives less gets asked for less."""
    since = cursor.block_number + 1
    until = min(cursor.block_number + cursor.span_blocks, final_number)
    topic = calls.event_topic(artifact=artifact(LEDGER), event="Claimed")
    try:
        logs = chain.logs(since=since, until=until, topics=[topic], addresses=tuple(ledgers))
    except NodeRefused:
        if cursor.span_blocks <= LEAST_SPAN_BLOCKS:
            raise
        _moved(cursor, cursor.block_number, cursor.block_hash, cursor.span_blocks // 2, at=at)
        return 0
    block = chain.block(tag=until)
    if block is None:
        raise ChainLies(f"block {until} was final and is gone")
    with transaction.atomic():
        rows = [_row(chain, ledgers[each.address], each) for each in logs]
        before = Claim.objects.count()
        Claim.objects.bulk_create([row for row in rows if row], ignore_conflicts=True)
        span = min(cursor.span_blocks * 2, LARGEST_SPAN_BLOCKS)
        _moved(cursor, until, block.hash, span, at=at)
        return Claim.objects.count() - before


def _row(chain: Chain, ledger: Contract, found: Log) -> Claim | None:
    event = calls.decode_event(
        artifact=artifact(LEDGER), topics=found.topics, data=found.data
    ).values
    leaf = Leaf.objects.filter(key=event["key"], site=ledger.site).first()
    if leaf is None or ledger.site is None:
        log.error("a claim of a leaf that is not ours", key=event["key"], ledger=ledger.address)
        return None
    block = chain.block(tag=found.block_number)
    if block is None:
        raise ChainLies(f"block {found.block_number} of a claim is not there")
    return Claim(
        chain_id=chain.chain_id,
        site=ledger.site,
        leaf=leaf,
        wallet=event["wallet"],
        tokens_wei=event["tokens"],
        transfer_hash=found.transfer_hash,
        log_index=found.log_index,
        block_number=found.block_number,
        claimed_at=datetime.fromtimestamp(block.timestamp, tz=UTC),
    )


def _cursor(chain: Chain, ledgers: Iterable[Contract], *, at: datetime) -> BlockCursor:
    """Return how far claims were read; the first time, from where the oldest ledger stands.

    A ledger that was deployed since lies in blocks that are not read yet: its contract is stored
    before its first epoch.
    """
    first = min(contract.block_number for contract in ledgers) - 1
    cursor, _ = BlockCursor.objects.get_or_create(
        chain_id=chain.chain_id,
        watcher=WATCHER,
        defaults={"block_number": first, "block_hash": "", "read_at": at},
    )
    return cursor


def _moved(
    cursor: BlockCursor, number: int, block_hash: str, span_blocks: int, *, at: datetime
) -> None:
    """Move the cursor unless another worker did."""
    BlockCursor.objects.filter(pk=cursor.pk, block_number=cursor.block_number).update(
        block_number=number, block_hash=block_hash, span_blocks=span_blocks, read_at=at
    )
