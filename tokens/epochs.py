"""Closing epochs: what everybody has earned, sealed as leaves, a root and a data set.

An epoch is cumulative: it holds everything that its site's book had settled when it was closed,
late slots included; only its energy balance is that of a span of time. `tokens.minting` brings it
on chain. See docs/adr/0021-epochs.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts import donors_index, ledger
from accounts.donors_index import Index, Position
from accounts.ledger import IMPACT_TOKEN
from accounts.models import Book, Donation, DonorsIndex, LedgerAccount, Site
from settlement.models import Reading
from tokens import dataset, energy, leaves
from tokens.dataset import Anchor, Claim, CohortSums, Heading, Leaves
from tokens.entitlements import Entitled, Entitlements, Owned, entitle
from tokens.models import Contract, Epoch, EpochLeaf, Leaf, Round
from tokens.sum_tree import Node

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLIWATT_HOURS_PER_KWH = 10**6
LONGEST_GRACE_SECONDS = 3_600

Kind = Leaf.Kind


def close(*, site: Site, at: datetime) -> Epoch | None:
    """Close the site's next epoch, if it is due, behind the book's lock: once, whoever else tries.

    Due is one EPOCH_SECONDS after the other (a grace later, so that the last slots are there), with
    contracts deployed, something minted, and no epoch on its way; at a closed site only while its
    book moves. A number that was vetoed or refused is closed anew. Raises TooFewHouseholds,
    ReserveTooSmall and UnequalHalves; then nothing is stored, and a later call tries again.
    """
    contracts = contracts_of(site=site)
    with transaction.atomic():
        book = _locked(site)
        ends_at = _boundary(at=at)
        span = _span_due(site, ends_at=ends_at)
        if Contract.Kind.LEDGER not in contracts or span is None:
            return None
        number, attempt, starts_at = span
        if site.closed_at is not None and _is_told(site, book):
            return None
        everybody = leaves.keep(site=site, at=at)
        earned = _earned_by_donation(site)
        entitled = _entitlements(site, book, everybody, earned, at=at)
        if entitled.milliwatt_hours == 0:
            return None
        epoch = Epoch(
            site=site,
            chain_id=settings.CHAIN_ID,
            number=number,
            attempt=attempt,
            starts_at=starts_at,
            ends_at=ends_at,
            book_height=book.height,
            book_hash=dataset.hexed(bytes(book.head_hash)),
            milliwatt_hours=entitled.milliwatt_hours,
            tokens_wei=entitled.tokens_wei,
            carry_milliwatt_hours=entitled.carry_milliwatt_hours,
            carry_wei=entitled.carry_wei,
            closed_at=at,
        )
        return _sealed(epoch, contracts, _rows(epoch, everybody, entitled, earned))


def rebuild(*, epoch: Epoch) -> Node:
    """Return the root over an epoch's stored leaves: the same bit for bit as when it was closed."""
    return stored(epoch=epoch).tree.root


def stored(*, epoch: Epoch) -> Leaves:
    """Return what an epoch's top tree stands over, from its stored leaves."""
    return arranged(rows_of(epoch=epoch))


def rewritten(*, epoch: Epoch) -> tuple[bytes, Node]:
    """Return the data set as an epoch's columns and leaves give it now, and their root."""
    published = stored(epoch=epoch)
    found = Contract.objects.filter(site_id=epoch.site_id, chain_id=epoch.chain_id)
    contracts = {contract.kind: contract for contract in found}
    told = json.loads(epoch.dataset).get("anchors", [])
    anchors = tuple(
        Anchor(kind=each["kind"], number=int(each["number"]), hash=each["hash"]) for each in told
    )
    content = dataset.write(heading=_heading(epoch, contracts, anchors), leaves=published)
    return content, published.tree.root


def rows_of(*, epoch: Epoch) -> list[EpochLeaf]:
    """Return an epoch's leaves with whose they are."""
    return list(epoch.leaves.select_related("leaf__cohort").order_by("leaf_id"))


def arranged(rows: Iterable[EpochLeaf]) -> Leaves:
    """Return leaves as the top tree has them: households in the trees of their cohorts."""
    kinds: dict[str, list[EpochLeaf]] = {kind: [] for kind in Kind.values}
    for row in rows:
        kinds[row.leaf.kind].append(row)
    (reserve,), (unallocated,) = kinds[Kind.RESERVE], kinds[Kind.UNALLOCATED]
    households = sorted(kinds[Kind.HOUSEHOLD], key=cohort_number)
    return Leaves(
        cohorts=tuple(
            _cohort_sums(number, [claim_of(row) for row in members])
            for number, members in groupby(households, key=cohort_number)
        ),
        donations=tuple(claim_of(row) for row in kinds[Kind.DONATION]),
        reserve=claim_of(reserve),
        unallocated=claim_of(unallocated),
    )


def claim_of(row: EpochLeaf) -> Claim:
    """Return a stored leaf as the tree takes it."""
    return Claim(
        key=row.leaf.key,
        wallet=row.wallet,
        milliwatt_hours=row.milliwatt_hours,
        tokens_wei=row.tokens_wei,
    )


def cohort_number(row: EpochLeaf) -> int:
    """Return the number of a household's cohort."""
    if row.leaf.cohort is None:
        raise ValueError(f"{row.leaf} stands in no cohort")
    return row.leaf.cohort.number


def contracts_of(*, site: Site) -> dict[str, Contract]:
    """Return the site's contracts on the settings' chain, by kind."""
    found = Contract.objects.filter(site=site, chain_id=settings.CHAIN_ID)
    return {contract.kind: contract for contract in found}


def of_site(*, site: Site) -> QuerySet[Epoch]:
    """Return the site's epochs on the settings' chain."""
    return Epoch.objects.filter(site=site, chain_id=settings.CHAIN_ID)


def last_active(*, site: Site) -> Epoch | None:
    """Return the epoch whose root stands on the settings' chain."""
    return of_site(site=site).filter(state=Epoch.State.ACTIVE).order_by("-number").first()


def open_epoch(*, site: Site) -> Epoch | None:
    """Return the epoch that is on its way to the chain."""
    found = of_site(site=site).filter(state__in=Epoch.OPEN)
    return found.select_related("site", "proposal", "activation").first()


def wei_per_milliwatt_hour(*, site: Site) -> int:
    """Return w, in wei per milliwatt-hour."""
    return site.impact_token_wei_per_kwh // MILLIWATT_HOURS_PER_KWH


def _locked(site: Site) -> Book:
    """Lock the site's book and return it as it stands behind the lock."""
    ledger.lock(book_id=site.book.pk)
    return Book.objects.get(pk=site.book.pk)


def _boundary(*, at: datetime) -> datetime:
    """Return the newest end of an epoch that lies its grace back."""
    grace = timedelta(seconds=min(settings.EPOCH_SECONDS // 10, LONGEST_GRACE_SECONDS))
    length = timedelta(seconds=settings.EPOCH_SECONDS)
    return UNIX_EPOCH + (at - grace - UNIX_EPOCH) // length * length


def _span_due(site: Site, *, ends_at: datetime) -> tuple[int, int, datetime] | None:
    """Return number, attempt and start of the epoch that is due, or None."""
    newest = of_site(site=site).order_by("-number", "-attempt").first()
    if newest is not None and (newest.state in Epoch.OPEN or newest.ends_at >= ends_at):
        return None
    active = last_active(site=site)
    number = 1 if active is None else active.number + 1
    starts_at = _first_slot(site) if active is None else active.ends_at
    if starts_at is None or starts_at >= ends_at:
        return None
    return number, of_site(site=site).filter(number=number).count() + 1, starts_at


def _is_told(site: Site, book: Book) -> bool:
    """Whether the last active epoch holds all of the book."""
    active = last_active(site=site)
    return active is not None and active.book_height == book.height


def _first_slot(site: Site) -> datetime | None:
    first = Reading.objects.filter(site=site).order_by("starts_at").first()
    return None if first is None else first.starts_at


def _entitlements(
    site: Site, book: Book, everybody: list[Leaf], earned: dict[int, int], *, at: datetime
) -> Entitlements:
    """Return what the ledger says of every leaf, and what the last active epoch had."""
    active = last_active(site=site)
    before = {} if active is None else dict(active.leaves.values_list("leaf_id", "tokens_wei"))
    amounts = LedgerAccount.objects.filter(book_id=book.pk, asset=IMPACT_TOKEN)
    of_households = dict(
        amounts.filter(kind=LedgerAccount.Kind.HOUSEHOLD_TOKENS).values_list(
            "household_id", "amount"
        )
    )
    standing = dict(amounts.filter(household__isnull=True).values_list("kind", "amount"))
    vested = _vested(site, earned, at=at)

    def owned(leaf: Leaf, ledger_wei: int) -> Owned:
        return Owned(key=leaf.key, ledger_wei=ledger_wei, previous_wei=before.get(leaf.pk, 0))

    (reserve,) = (leaf for leaf in everybody if leaf.kind == Kind.RESERVE)
    (unallocated,) = (leaf for leaf in everybody if leaf.kind == Kind.UNALLOCATED)
    return entitle(
        households=[
            owned(leaf, of_households.get(leaf.household_id, 0))
            for leaf in everybody
            if leaf.kind == Kind.HOUSEHOLD and leaf.household_id is not None
        ],
        donations=[
            owned(leaf, vested[leaf.donation_id])
            for leaf in everybody
            if leaf.kind == Kind.DONATION and leaf.donation_id is not None
        ],
        reserve_key=reserve.key,
        unallocated=owned(unallocated, standing.get(LedgerAccount.Kind.UNALLOCATED_TOKENS, 0)),
        donors_pool_wei=standing.get(LedgerAccount.Kind.DONORS_POOL, 0),
        wei_per_milliwatt_hour=wei_per_milliwatt_hour(site=site),
    )


def _earned_by_donation(site: Site) -> dict[int, int]:
    """Return what each donation has earned by the books, vested or not, in wei."""
    stored_index = DonorsIndex.objects.get(site=site)
    index = Index(donated_wei=stored_index.donated_wei, accumulated=stored_index.accumulated)
    return {
        donation.pk: _earned(donation, index=index)
        for donation in Donation.objects.filter(site=site)
    }


def _vested(site: Site, earned: dict[int, int], *, at: datetime) -> dict[int, int]:
    """Return what each donation has earned, where it has vested; 0 where not.

    What was withdrawn before it vested has nothing left; what vested stays.
    """
    ripe = set(Donation.objects.filter(site=site, vests_at__lte=at).values_list("pk", flat=True))
    return {pk: earned_wei if pk in ripe else 0 for pk, earned_wei in earned.items()}


def _earned(donation: Donation, *, index: Index) -> int:
    position = Position(
        amount_wei=donation.amount_wei,
        paid_index=donation.paid_index,
        fraction=donation.fraction,
        claimed_wei=donation.claimed_wei,
    )
    return donors_index.touched(index=index, position=position).claimed_wei


def _rows(
    epoch: Epoch, everybody: list[Leaf], entitled: Entitlements, earned: dict[int, int]
) -> list[EpochLeaf]:
    by_key: dict[str, Entitled] = {each.key: each for each in entitled.leaves}
    return [
        EpochLeaf(
            epoch=epoch,
            leaf=leaf,
            milliwatt_hours=by_key[leaf.key].milliwatt_hours,
            tokens_wei=by_key[leaf.key].tokens_wei,
            carry_milliwatt_hours=by_key[leaf.key].carry_milliwatt_hours,
            carry_wei=by_key[leaf.key].carry_wei,
            wallet=leaf.wallet,
            earned_wei=earned.get(leaf.donation_id or 0),  # type: ignore[misc]  # may be NULL
        )
        for leaf in everybody
    ]


def _sealed(epoch: Epoch, contracts: dict[str, Contract], rows: list[EpochLeaf]) -> Epoch:
    """Store an epoch with its balance, data set and leaves."""
    balance = energy.balance(site=epoch.site, starts_at=epoch.starts_at, ends_at=epoch.ends_at)
    published = arranged(rows)
    epoch.balance = balance.as_published()
    epoch.is_balanced = balance.is_balanced
    epoch.root = dataset.hexed(published.tree.root.hash)
    content = dataset.write(
        heading=_heading(epoch, contracts, _anchors(epoch.site)), leaves=published
    )
    epoch.dataset = content.decode()
    epoch.dataset_hash = dataset.hash_of(content)
    epoch.save(force_insert=True)
    EpochLeaf.objects.bulk_create(rows)
    return epoch


def _anchors(site: Site) -> tuple[Anchor, ...]:
    """Return every vote of the site that is counted: a vetoed epoch loses none of them."""
    counted = Round.objects.filter(site=site, state=Round.State.COUNTED).order_by("number")
    return tuple(
        Anchor(kind="round", number=number, hash=result_hash)
        for number, result_hash in counted.values_list("number", "result_hash")
    )


def _heading(epoch: Epoch, contracts: dict[str, Contract], anchors: tuple[Anchor, ...]) -> Heading:
    return Heading(
        site=epoch.site.slug,
        chain_id=epoch.chain_id,
        ledger=contracts[Contract.Kind.LEDGER].address,
        token=contracts[Contract.Kind.TOKEN].address,
        number=epoch.number,
        attempt=epoch.attempt,
        starts_at=epoch.starts_at,
        ends_at=epoch.ends_at,
        closed_at=epoch.closed_at,
        wei_per_milliwatt_hour=wei_per_milliwatt_hour(site=epoch.site),
        book_height=epoch.book_height,
        book_hash=epoch.book_hash,
        carry_milliwatt_hours=epoch.carry_milliwatt_hours,
        carry_wei=epoch.carry_wei,
        energy=epoch.balance,
        anchors=anchors,
    )


def _cohort_sums(number: int, members: list[Claim]) -> CohortSums:
    return CohortSums(
        number=number, households=len(members), node=dataset.cohort_tree(members).root
    )
