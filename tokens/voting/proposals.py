"""Proposals: made by anybody of the site, vetted by its operator, and what became of them.

Refusals and vetoes carry a reason, and it is published.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts import ledger, notices
from accounts.ledger import Leg
from accounts.models import Donor, Household, User
from settlement import service_tokens
from settlement.models import Payee, Payout, ServiceToken
from tokens.models import Proposal, Round
from tokens.voting import telling, voters
from tokens.voting.refusals import Refused

MOST_PROJECTS = 8
"""On a ballot: each is one digit on a phone, and 9 and 0 are taken."""
MOST_WAITING = 2
"""Proposals of one household or donor that wait to be vetted in a round."""

State = Proposal.State


def propose(
    *,
    round_: Round,
    title: str,
    cost_wei: int,
    at: datetime,
    household: Household | None = None,
    donor: Donor | None = None,
    title_fr: str = "",
    text: str = "",
) -> Proposal:
    """Store what a household or a donor of the site proposes; a household's phones are told.

    Raises Refused (not_of_site, not_now, too_many, too_dear).
    """
    with transaction.atomic():
        stored = locked(round_=round_)
        voters.check(site=stored.site, household=household, donor=donor, at=at)
        if stored.state != Round.State.DRAFT:
            raise Refused("not_now", f"{stored} takes no more proposals")
        waiting = stored.proposals.filter(
            household=household, donor=donor, state=State.PROPOSED
        ).count()
        if waiting >= MOST_WAITING:
            raise Refused("too_many", f"{waiting} proposals of theirs wait already")
        if not 0 < cost_wei <= stored.budget_wei:
            raise Refused("too_dear", f"{title} costs more than {stored} has")
        proposal = Proposal.objects.create(
            round=stored,
            title=title,
            title_fr=title_fr,
            text=text,
            cost_wei=cost_wei,
            household=household,
            donor=donor,
            proposed_at=at,
        )
        if household is not None:
            notices.tell_household(
                household=household,
                kind="proposal_made",
                key=f"proposal:{proposal.uid}",
                params={"household_code": household.code, "title": title},
                at=at,
            )
        return proposal


def admit(
    *,
    proposal: Proposal,
    by: User,
    at: datetime,
    payee: Payee | None = None,
    title_fr: str = "",
) -> Proposal:
    """Put a proposal on the ballot under the next number. Raises Refused."""
    with transaction.atomic():
        stored, round_ = _locked(proposal)
        if stored.state != State.PROPOSED or round_.state != Round.State.DRAFT:
            raise Refused("not_now", f"{stored.title} is {stored.get_state_display()}")
        numbered = round_.proposals.exclude(number=None).count()
        if numbered >= MOST_PROJECTS:
            raise Refused("too_many", f"a ballot holds {MOST_PROJECTS} projects")
        if stored.cost_wei > round_.budget_wei:
            raise Refused("too_dear", f"{stored.title} costs more than {round_} has")
        if payee is not None:
            _check_payee(payee, round_)
            stored.payee = payee
        stored.title_fr = title_fr or stored.title_fr
        stored.number = numbered + 1
        stored.state, stored.decided_by = State.ADMITTED, by
        stored.save(update_fields=["number", "state", "decided_by", "payee", "title_fr"])
        return stored


def refuse(*, proposal: Proposal, reason: str, by: User | None, at: datetime) -> Proposal:
    """Keep a proposal off the ballot; the reason is published. Raises Refused."""
    with transaction.atomic():
        stored, round_ = _locked(proposal)
        if stored.state not in (State.PROPOSED, State.ADMITTED) or (
            round_.state != Round.State.DRAFT
        ):
            raise Refused("not_now", f"{stored.title} is {stored.get_state_display()}")
        return _decide(stored, state=State.REFUSED, reason=reason, by=by)


def veto(*, proposal: Proposal, reason: str, by: User, at: datetime) -> Proposal:
    """Keep a funded project from being paid: its money goes back to the grant pool.

    One entry: grant_reserved -x, pool grant +x. The reason is published and told to its voters.
    Raises Refused, once its payee has earned the service token too.
    """
    with transaction.atomic():
        ledger.lock(book_id=proposal.round.site.book.pk)
        stored, round_ = _locked(proposal)
        if stored.state != State.FUNDED:
            raise Refused("not_now", f"{stored.title} is {stored.get_state_display()}")
        if service_token(proposal=stored) is not None:
            raise Refused("awarded", f"{stored.title} was awarded to {stored.payee} already")
        _decide(stored, state=State.VETOED, reason=reason, by=by)
        ledger.post(
            book_id=round_.site.book.pk,
            kind="grant_veto",
            key=f"veto:{stored.uid}",
            legs=_to_pool(stored.cost_wei),
            occurred_at=at,
            at=at,
        )
        telling.supporters(proposal=stored, kind="project_vetoed", news=stored.reason, at=at)
        return stored


def award(
    *, proposal: Proposal, at: datetime, by: User | None = None, payee: Payee | None = None
) -> ServiceToken:
    """Let the payee of a funded project earn its service token, which a payout then burns.

    After it there is no veto. by is None where the time for a veto ran out. Raises Refused, and
    settlement.service_tokens.NotEarned.
    """
    with transaction.atomic():
        ledger.lock(book_id=proposal.round.site.book.pk)
        stored, round_ = _locked(proposal)
        known = service_token(proposal=stored)
        if known is not None:
            return known
        if stored.state != State.FUNDED:
            raise Refused("not_now", f"{stored.title} is {stored.get_state_display()}")
        if payee is not None:
            _check_payee(payee, round_)
            stored.payee = payee
            stored.save(update_fields=["payee"])
        if stored.payee is None:
            raise Refused("no_payee", f"{stored.title} has no payee yet")
        return service_tokens.earn(
            site=round_.site,
            payee=stored.payee,
            reason=ServiceToken.Reason.GRANT,
            subject=subject(proposal=stored),
            amount_wei=stored.cost_wei,
            accepted_by=by,
            note=f"round {round_.number}: {stored.title}",
            at=at,
        )


def give_back_rest(*, proposal: Proposal, at: datetime) -> int:
    """Return to the grant pool what a paid project did not take of its reserve, in wei; once.

    Local money is paid in whole steps of a rail. Waits until the rail's statement shows the payout:
    it may still come back. One entry: grant_reserved -x, pool grant +x.
    """
    with transaction.atomic():
        ledger.lock(book_id=proposal.round.site.book.pk)
        token = service_token(proposal=proposal)
        if token is None or token.state != ServiceToken.State.BURNED:
            return 0
        paid = token.payouts.filter(state=Payout.State.PAID, reconciled_at__isnull=False).first()
        if paid is None:
            return 0
        rest_wei = proposal.cost_wei - paid.amount_wei
        if rest_wei > 0:
            ledger.post(
                book_id=proposal.round.site.book.pk,
                kind="grant_rest",
                key=rest_key(proposal=proposal),
                legs=_to_pool(rest_wei),
                occurred_at=at,
                at=at,
            )
        return rest_wei


def tell(*, proposal: Proposal, text: str, at: datetime) -> Proposal:
    """Publish what became of a funded or vetoed project and tell its voters. Raises Refused."""
    with transaction.atomic():
        stored, _round = _locked(proposal)
        if stored.state not in (State.FUNDED, State.VETOED):
            raise Refused("not_now", f"{stored.title} is {stored.get_state_display()}")
        if not text.strip():
            raise Refused("no_reason", "say what became of it")
        stored.what_became, stored.what_became_at = text.strip()[:1_000], at
        stored.save(update_fields=["what_became", "what_became_at"])
        telling.supporters(proposal=stored, kind="project_news", news=stored.what_became, at=at)
        return stored


def subject(*, proposal: Proposal) -> str:
    """Return what the service token of a project is for."""
    return f"proposal:{proposal.uid}"


def rest_key(*, proposal: Proposal) -> str:
    """Return the key of the entry that gives back what paying it left."""
    return f"grant_rest:{proposal.uid}"


def service_token(*, proposal: Proposal) -> ServiceToken | None:
    """Return the service token that the project's payee earned, if so."""
    return ServiceToken.objects.filter(
        site=proposal.round.site, subject=subject(proposal=proposal)
    ).first()


def locked(*, round_: Round) -> Round:
    """Return the round as it stands now; nobody else changes it until the transaction ends."""
    return (
        Round.objects.select_for_update(of=("self",)).select_related("site__book").get(pk=round_.pk)
    )


def _locked(proposal: Proposal) -> tuple[Proposal, Round]:
    round_ = locked(round_=proposal.round)
    stored = Proposal.objects.select_for_update(of=("self",)).select_related("payee")
    return stored.get(pk=proposal.pk), round_


def _to_pool(amount_wei: int) -> list[Leg]:
    return [
        Leg(kind="grant_reserved", amount=-amount_wei),
        Leg(kind="pool", name="grant", amount=amount_wei),
    ]


def _decide(stored: Proposal, *, state: str, reason: str, by: User | None) -> Proposal:
    if not reason.strip():
        raise Refused("no_reason", "the reason is published: give one")
    stored.state, stored.reason, stored.decided_by = state, reason.strip()[:400], by
    stored.save(update_fields=["state", "reason", "decided_by"])
    return stored


def _check_payee(payee: Payee, round_: Round) -> None:
    if payee.role != Payee.Role.GRANTEE or payee.operator_id != round_.site.operator_id:
        raise Refused("no_payee", f"{payee} is no grantee of {round_.site.operator}")
