"""Rounds: planned, opened, counted once behind the site's book, and what is due of them.

A round is counted on what the grant pool holds then, and at most on its own budget. What is funded
is set aside in the same transaction, so that no later round and no payout can spend it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Max

from accounts import ledger
from accounts.ledger import DAI, Leg
from accounts.models import JournalEntry, LedgerAccount, Site
from settlement.models import Payout, ServiceToken
from settlement.service_tokens import NotEarned
from tokens.dataset import instant
from tokens.models import Ballot, Proposal, Round
from tokens.voting import proposals, published, telling, weights
from tokens.voting.counting import METHODS
from tokens.voting.houses import House
from tokens.voting.refusals import Refused

log = structlog.get_logger(__name__)

State = Round.State
NOT_VETTED = "Not vetted before the vote opened."
NOTHING_TO_VOTE_ON = "No project was admitted in time."


def plan(
    *,
    site: Site,
    title: str,
    budget_wei: int,
    opens_at: datetime,
    closes_at: datetime,
    at: datetime,
    **options: Any,
) -> Round:
    """Make a draft, which takes proposals, under the site's next number.

    options: title_fr, shares in basis points, weights and method, as in Round.
    """
    with transaction.atomic():
        ledger.lock(book_id=site.book.pk)
        last = Round.objects.filter(site=site).aggregate(last=Max("number"))["last"] or 0
        return Round.objects.create(
            site=site,
            number=last + 1,
            title=title,
            budget_wei=budget_wei,
            opens_at=opens_at,
            closes_at=closes_at,
            created_at=at,
            **options,
        )


def open_round(*, round_: Round, at: datetime) -> Round:
    """Let people vote on what was admitted, and tell them. Opening twice opens once.

    What was not vetted by then is refused, with that reason. Raises Refused (not_now) before its
    time, without a project, or while another round of the site is open.
    """
    with transaction.atomic():
        ledger.lock(book_id=round_.site.book.pk)
        stored = proposals.locked(round_=round_)
        if stored.state == State.OPEN:
            return stored
        if stored.state != State.DRAFT or not stored.opens_at <= at < stored.closes_at:
            raise Refused("not_now", f"{stored} is not to be opened now")
        if not stored.proposals.filter(state=Proposal.State.ADMITTED).exists():
            raise Refused("not_now", f"{stored} has no admitted project")
        if Round.objects.filter(site=stored.site, state=State.OPEN).exists():
            raise Refused("not_now", f"another round of {stored.site} is open")
        for left in stored.proposals.filter(state=Proposal.State.PROPOSED):
            proposals.refuse(proposal=left, reason=NOT_VETTED, by=None, at=at)
        stored.state = State.OPEN
        stored.save(update_fields=["state"])
        telling.opened(round_=stored, at=at)
        return stored


def cancel(*, round_: Round, reason: str, at: datetime) -> Round:
    """End a draft or an open round without a count; the reason is published. Raises Refused."""
    with transaction.atomic():
        stored = proposals.locked(round_=round_)
        if stored.state not in (State.DRAFT, State.OPEN):
            raise Refused("not_now", f"{stored} is {stored.get_state_display()}")
        if not reason.strip():
            raise Refused("no_reason", "the reason is published: give one")
        was_open = stored.state == State.OPEN
        stored.state, stored.reason = State.CANCELLED, reason.strip()[:400]
        stored.save(update_fields=["state", "reason"])
        if was_open:
            telling.cancelled(round_=stored, at=at)
        return stored


def count(*, round_: Round, at: datetime) -> Round:
    """Count a round that has closed, set aside what is funded, publish. Counting twice counts once.

    One entry, if anything is funded: pool grant -x, grant_reserved +x. Raises Refused (not_now)
    while it is open.
    """
    with transaction.atomic():
        ledger.lock(book_id=round_.site.book.pk)
        stored = proposals.locked(round_=round_)
        if stored.state == State.COUNTED:
            return stored
        if stored.state != State.OPEN or at < stored.closes_at:
            raise Refused("not_now", f"{stored} is not to be counted now")
        _weigh(stored, at=at)
        record = record_of(
            round_=stored, grant_pool_wei=grant_pool_wei(site=stored.site), counted_at=at
        )
        content = published.write(record)
        funded = _decide(stored, record)
        stored.reserved_wei = sum(project.cost_wei for project in funded)
        _reserve(stored, at=at)
        stored.state, stored.counted_at = State.COUNTED, at
        stored.result, stored.result_hash = content.decode(), published.hash_of(content)
        stored.save()
        telling.counted(round_=stored, funded=funded, at=at)
        return stored


def record_of(*, round_: Round, grant_pool_wei: int, counted_at: datetime) -> published.Record:
    """Return what a round's count is computed from, out of the stored rows."""
    if round_.method not in METHODS:
        raise ValueError(f"there is no method {round_.method}")
    projects = round_.proposals.filter(
        number__isnull=False,
        state__in=(
            Proposal.State.ADMITTED,
            Proposal.State.FUNDED,
            Proposal.State.NOT_FUNDED,
            Proposal.State.VETOED,
        ),
    )
    return published.Record(
        heading=published.Heading(
            site=round_.site.slug,
            number=round_.number,
            title=round_.title,
            method=round_.method,
            budget_wei=round_.budget_wei,
            grant_pool_wei=grant_pool_wei,
            household_share_basis_points=round_.household_share_basis_points,
            support_basis_points=round_.support_basis_points,
            household_weight=round_.household_weight,
            donor_weight=round_.donor_weight,
            opens_at=instant(round_.opens_at),
            closes_at=instant(round_.closes_at),
            counted_at=instant(counted_at),
        ),
        projects=tuple(
            published.Listed(
                number=project.number or 0,
                uid=str(project.uid),
                title=project.title,
                cost_wei=project.cost_wei,
            )
            for project in projects
        ),
        ballots=tuple(_ballots(round_)),
    )


def grant_pool_wei(*, site: Site) -> int:
    """Return what the site's grant pool holds."""
    pool = LedgerAccount.objects.filter(
        book_id=site.book.pk, kind=LedgerAccount.Kind.POOL, name="grant", asset=DAI
    ).first()
    return 0 if pool is None else pool.amount


def run_due(*, at: datetime) -> None:
    """Open, count, award and settle up what is due; what can't be now waits for the next run."""
    drafts = Round.objects.filter(state=State.DRAFT, opens_at__lte=at)
    for draft in drafts.select_related("site__book"):
        if draft.closes_at <= at:
            _try(cancel, round_=draft, reason=NOTHING_TO_VOTE_ON, at=at)
        else:
            _try(open_round, round_=draft, at=at)
    closed = Round.objects.filter(state=State.OPEN, closes_at__lte=at)
    for round_ in closed.select_related("site__book"):
        _try(count, round_=round_, at=at)
    for project in _to_award(at=at):
        _try(proposals.award, proposal=project, at=at)
    for project in _to_settle_up():
        proposals.give_back_rest(proposal=project, at=at)


def _to_settle_up() -> list[Proposal]:
    """Paid projects that left something of their reserve, which is not given back yet."""
    paid = Payout.objects.filter(
        state=Payout.State.PAID,
        reconciled_at__isnull=False,
        service_token__reason=ServiceToken.Reason.GRANT,
        amount_wei__lt=F("service_token__amount_wei"),
    )
    subjects = paid.values_list("service_token__subject", flat=True)
    done = JournalEntry.objects.filter(kind="grant_rest").values_list("key", flat=True)
    waiting = {subject.removeprefix("proposal:") for subject in subjects} - {
        key.removeprefix("grant_rest:") for key in done
    }
    return list(Proposal.objects.filter(uid__in=waiting).select_related("round__site__book"))


def _to_award(*, at: datetime) -> list[Proposal]:
    """Funded projects with a payee, whose time for a veto is over and who have no token yet."""
    counted_by = at - timedelta(seconds=settings.VOTE_VETO_SECONDS)
    funded = Proposal.objects.filter(
        state=Proposal.State.FUNDED, payee__isnull=False, round__counted_at__lte=counted_by
    ).select_related("round__site__book")
    earned = set(
        ServiceToken.objects.filter(reason=ServiceToken.Reason.GRANT).values_list(
            "site_id", "subject"
        )
    )
    return [
        project
        for project in funded
        if (project.round.site_id, proposals.subject(proposal=project)) not in earned
    ]


def _try(act: Callable[..., object], **told: Any) -> None:
    try:
        act(**told)
    except (Refused, NotEarned) as error:
        log.info("not now", reason=str(error))


def _weigh(round_: Round, *, at: datetime) -> None:
    ballots = list(round_.ballots.all())
    weighed = weights.of_ballots(round_=round_, ballots=ballots, at=at)
    for ballot in ballots:
        ballot.weight = weighed[ballot.pk]
    Ballot.objects.bulk_update(ballots, ["weight"], batch_size=500)


def _ballots(round_: Round) -> Iterator[published.Ballot]:
    for ballot in round_.ballots.prefetch_related("choices__proposal"):
        house: House = "donors" if ballot.household_id is None else "households"
        yield published.Ballot(
            receipt_code=ballot.receipt_code,
            house=house,
            weight=ballot.weight or 0,
            options=frozenset(choice.proposal.number or 0 for choice in ballot.choices.all()),
        )


def _decide(round_: Round, record: published.Record) -> list[Proposal]:
    """Write what became of each project; return the funded ones in the order of being chosen."""
    by_number = {
        project.number: project
        for project in round_.proposals.filter(state=Proposal.State.ADMITTED)
    }
    funded = []
    for decision in record.count().decisions:
        project = by_number[decision.project.number]
        project.state = Proposal.State.FUNDED if decision.is_funded else Proposal.State.NOT_FUNDED
        project.save(update_fields=["state"])
        if decision.is_funded:
            funded.append(project)
    return funded


def _reserve(round_: Round, *, at: datetime) -> None:
    if not round_.reserved_wei:
        return
    ledger.post(
        book_id=round_.site.book.pk,
        kind="grant_reserve",
        key=f"round:{round_.site.slug}:{round_.number}",
        legs=[
            Leg(kind="pool", name="grant", amount=-round_.reserved_wei),
            Leg(kind="grant_reserved", amount=round_.reserved_wei),
        ],
        occurred_at=at,
        at=at,
    )
