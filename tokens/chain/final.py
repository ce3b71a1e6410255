"""Crediting what is final: every deposit whose block stays, once what lies on chain agrees.

A deposit is credited and marked in one transaction behind its book's lock, under the ledger's key
of (chain, transfer, log): whoever dies in between leaves both undone.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from accounts import deposits, ledger
from accounts.deposits import AlreadyCredited, DepositRefused, FinalDeposit
from accounts.models import Site
from tokens import quotes
from tokens.chain import assets, balances, feeds, reorgs, watcher
from tokens.chain.client import Block, Chain, ChainLies, ChainUnavailable
from tokens.models import BlockCursor, ChainAsset, Deposit, Forwarder
from tokens.quotes import QuoteUnavailable

log = structlog.get_logger(__name__)

LOOKED_AT_A_RUN = 20
LOOK_AGAIN_AFTER = timedelta(minutes=1)
"""Forwarders without anything new are compared in turn: so many a run, each so often at most."""

State = Deposit.State


class NotFinal(Exception):
    """The deposit's block may still be replaced."""


def credit_final(*, chain: Chain, at: datetime) -> int:
    """Credit every seen deposit that is final by now; return how many.

    Nothing is credited while any forwarder that was looked at has other amounts than its logs say.
    Raises ChainUnavailable, ChainLies.
    """
    chain.check()
    final = final_block(chain=chain)
    if final is None:
        return 0
    feeds.refresh(chain=chain, at=at)
    balances.mark_swept(chain_id=chain.chain_id, block=final.number, at=at)
    if not _all_agree(chain=chain, final=final, at=at):
        return 0
    unfit = assets.unfit(chain=chain, at=at)
    credited = sum(
        _credit_seen(deposit=deposit, at=at)
        for deposit in _seen(chain=chain, final=final)
        if deposit.asset_id not in unfit
    )
    _move_on(chain=chain, final=final, at=at)
    return credited


def final_block(*, chain: Chain) -> Block | None:
    """Return the newest block that is final and was read; None before any is.

    Raises ChainLies where a block changed that was final, ChainUnavailable where the node is
    behind.
    """
    cursor = BlockCursor.objects.filter(chain_id=chain.chain_id, watcher=watcher.WATCHER).first()
    finalized = chain.block(tag="finalized")
    if finalized is None:
        raise ChainUnavailable("the node knows no finalized block")
    before = reorgs.check_final_stands(chain=chain)
    if cursor is None or finalized.number < watcher.first_block(chain=chain):
        return None
    if before is not None and finalized.number < before.block_number:
        raise ChainUnavailable(
            f"the node has finalized block {finalized.number} only, {before.block_number} was"
        )
    if finalized.number <= cursor.block_number:
        return finalized
    stands = chain.block(tag=cursor.block_number)
    # Where not, the watcher takes back what vanished first.
    return stands if stands is not None and stands.hash == cursor.block_hash else None


def credit(*, deposit: Deposit, states: tuple[State, ...], at: datetime) -> Deposit | None:
    """Credit a final deposit to its household or donor, if it is in one of these states.

    Returns it, or None where somebody else was faster. Raises QuoteUnavailable, DepositRefused,
    AlreadyCredited; nothing is changed then.
    """
    with transaction.atomic():
        site = _site(deposit=deposit, at=at)
        ledger.lock(book_id=site.book.pk)
        stored = (
            Deposit.objects.select_for_update(of=("self",))
            .select_related("asset", "forwarder__household", "forwarder__donor")
            .get(pk=deposit.pk)
        )
        if stored.state not in states:
            return None
        quote = quotes.of(asset=stored.asset, at=at)
        told = FinalDeposit(
            chain_id=stored.chain_id,
            transfer_hash=stored.transfer_hash,
            log_index=stored.log_index,
            asset=quotes.booked_as(stored.asset),
            units=stored.units,
            worth_wei=quote.worth_wei(units=stored.units),
            came_at=stored.seen_at,
        )
        owner = stored.forwarder
        if owner.household is not None:
            stored.entry_id = deposits.credit_household(
                deposit=told, household=owner.household, site=site, at=at
            )
        else:
            assert owner.donor is not None  # noqa: S101 - a constraint of the table
            stored.entry_id, stored.donation = deposits.credit_donation(
                deposit=told, donor=owner.donor, site=site, at=at
            )
        stored.state, stored.reason = State.CREDITED, ""
        stored.quote, stored.credited_wei, stored.credited_at = quote.sources, told.worth_wei, at
        stored.save()
        return stored


def _all_agree(*, chain: Chain, final: Block, at: datetime) -> bool:
    """Compare the forwarders that something came to, those in doubt, and some others in turn."""
    taken = list(ChainAsset.objects.filter(chain_id=chain.chain_id, closed_at__isnull=True))
    ours = Forwarder.objects.filter(chain_id=chain.chain_id)
    new = ours.filter(deposits__state=State.SEEN, deposits__block_number__lte=final.number)
    doubted = ours.filter(doubted_block__isnull=False)
    turn = ours.filter(watched_at__lte=at - LOOK_AGAIN_AFTER).order_by("watched_at", "pk")
    due = {each.pk: each for rows in (new, doubted, turn[:LOOKED_AT_A_RUN]) for each in rows}
    wrong = [
        forwarder
        for _, forwarder in sorted(due.items())
        if not balances.compare(chain=chain, forwarder=forwarder, assets=taken, final=final, at=at)
    ]
    # Those in doubt from before are being read again.
    _read_again(chain=chain, wrong=[each for each in wrong if each.doubted_block == final.number])
    return not wrong


def _read_again(*, chain: Chain, wrong: list[Forwarder]) -> None:
    """Set the watcher back to where the amounts were right last."""
    cursor = BlockCursor.objects.filter(chain_id=chain.chain_id, watcher=watcher.WATCHER).first()
    if not wrong or cursor is None:
        return
    first = watcher.first_block(chain=chain)
    since = min(each.watched_block or first for each in wrong)
    log.warning("amounts on chain differ", since=since, forwarders=len(wrong))
    reorgs.rewind(chain=chain, cursor=cursor, to=since)


def _seen(*, chain: Chain, final: Block) -> list[Deposit]:
    """The deposits that are final, in their order; ChainLies where one's block does not stand."""
    found = list(
        Deposit.objects.filter(
            chain_id=chain.chain_id, state=State.SEEN, block_number__lte=final.number
        )
        .select_related("asset", "forwarder__site", "forwarder__household", "forwarder__donor")
        .order_by("block_number", "log_index")
    )
    for number, block_hash in {(each.block_number, each.block_hash) for each in found}:
        stands = chain.block(tag=number)
        if stands is None or stands.hash != block_hash:
            raise ChainLies(f"final block {number} was {block_hash} when its logs were read")
    return found


def _credit_seen(*, deposit: Deposit, at: datetime) -> bool:
    try:
        return credit(deposit=deposit, states=(State.SEEN,), at=at) is not None
    except QuoteUnavailable as error:
        _note(deposit, state=State.SEEN, reason=str(error))
    except (DepositRefused, AlreadyCredited) as error:
        log.warning("deposit to review", deposit=deposit.pk, error=str(error))
        _note(deposit, state=State.REVIEW, reason=str(error))
    return False


def _note(deposit: Deposit, *, state: State, reason: str) -> None:
    rows = Deposit.objects.filter(pk=deposit.pk, state=State.SEEN)
    rows.exclude(state=state, reason=reason[:200]).update(state=state, reason=reason[:200])


def _site(*, deposit: Deposit, at: datetime) -> Site:
    """Where a household lives now; where a donor gave to."""
    forwarder = deposit.forwarder
    if forwarder.household is None:
        return forwarder.site
    return deposits.site_for(
        household=forwarder.household, operator_id=forwarder.site.operator_id, at=at
    )


def _move_on(*, chain: Chain, final: Block, at: datetime) -> None:
    """Note the final block: it must never change again."""
    cursor, is_new = BlockCursor.objects.get_or_create(
        chain_id=chain.chain_id,
        watcher=reorgs.FINAL,
        defaults={"block_number": final.number, "block_hash": final.hash, "read_at": at},
    )
    if not is_new:
        BlockCursor.objects.filter(pk=cursor.pk, block_number__lt=final.number).update(
            block_number=final.number, block_hash=final.hash, read_at=at
        )
