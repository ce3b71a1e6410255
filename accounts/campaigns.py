"""Campaigns: a goal that a site collects for, and a deadline by which it is reached or refunded.

draft -> open -> succeeded | failed | closed. Gifts above the goal are welcome until the deadline.
At the deadline a campaign that reached its goal has succeeded. One that did not waits COUNTED_FOR,
for money that was on its way, and has then failed: each of its payments goes back to the source
that paid (gateway.checkout.endings asks for that), also one that is confirmed later still. Who
closes a campaign that promised a deadline decides it there and then, by the same rule.

A card payment belongs to the campaign that was open when it was pledged; money that came on chain,
which nobody pledges, to the one that was open when it was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum

from accounts import ledger, letters
from accounts.fields import WeiField
from accounts.models import Campaign, Donation, Payment, Refund, Site

State = Campaign.State

COUNTED_FOR = timedelta(hours=1)
"""After a deadline that was missed, money that was on its way is waited for."""

ENDED = (State.SUCCEEDED, State.FAILED, State.CLOSED)

REFUND_KEY = "campaign:{campaign}:{payment}:{number}"
REFUND_REASON = "the campaign missed its goal"


class CampaignRefused(Exception):
    """The campaign can't be opened or closed; the message says why, for a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gift:
    """One payment, or one transfer on chain, that counts, as everybody may see it.

    public_name is "" for anonymous; left_minor (minor units of currency) is what was paid of it and
    not taken back, None for crypto money.
    """

    public_name: str
    amount_wei: int
    left_minor: int | None
    currency: str
    donated_at: datetime


def open_campaign(*, site: Site, at: datetime) -> Campaign | None:
    """Return the campaign of a site that takes gifts at the instant, if any."""
    found = Campaign.objects.filter(site=site, state=State.OPEN).first()
    return found if found is not None and takes_gifts(campaign=found, at=at) else None


def shown(*, site: Site) -> Campaign | None:
    """Return the campaign that a site's page is about: the open one, or else the last one.

    None before the first is opened: a draft is nobody's business yet.
    """
    known = Campaign.objects.filter(site=site).exclude(state=State.DRAFT)
    return known.filter(state=State.OPEN).first() or known.order_by("-opens_at", "-id").first()


def takes_gifts(*, campaign: Campaign, at: datetime) -> bool:
    """Return whether gifts are asked for: it is open, and its deadline is ahead."""
    is_over = campaign.deadline_at is not None and campaign.deadline_at <= at
    return campaign.state == State.OPEN and not is_over


def goal_wei(*, site: Site) -> int:
    """Return what a site collects for, in wei: its open campaign's goal, or else its own."""
    known = Campaign.objects.filter(site=site, state=State.OPEN).values_list("goal_wei", flat=True)
    found = known.first()
    return site.funding_goal_wei if found is None else found


def donations(*, campaign: Campaign) -> QuerySet[Donation]:
    """Return the donations that belong to a campaign, those that count for nothing any more too."""
    if campaign.state == State.DRAFT:
        return Donation.objects.none()
    by_card = Q(payment__pledge__campaign=campaign)
    return Donation.objects.filter(by_card | _on_chain(campaign))


def crypto_donations(*, campaign: Campaign) -> QuerySet[Donation]:
    """Return those of a campaign's donations that came on chain."""
    if campaign.state == State.DRAFT:
        return Donation.objects.none()
    return Donation.objects.filter(_on_chain(campaign))


def raised(*, campaign: Campaign, at: datetime) -> int:
    """Return what a campaign's gifts count for in wei; what was taken back of them is left out."""
    given = donations(campaign=campaign).filter(donated_at__lte=at)
    total = given.order_by().aggregate(total=Sum("amount_wei", output_field=WeiField()))["total"]
    return total or 0


def donors_count(*, campaign: Campaign) -> int:
    """Return how many donors have a gift in the campaign that counts."""
    return _counting(campaign).order_by().values("donor").distinct().count()


def latest_gifts(*, campaign: Campaign, limit: int) -> list[Gift]:
    """Return the newest gifts that count, each once."""
    rows = _counting(campaign).select_related("payment__pledge").order_by("-donated_at", "-id")
    # A dispute that was won makes a second position of the same payment.
    by_gift: dict[tuple[str, int], list[Donation]] = {}
    for row in rows[: 2 * limit]:
        known = ("donation", row.pk) if row.payment_id is None else ("payment", row.payment_id)
        by_gift.setdefault(known, []).append(row)
    return [_gift(positions) for positions in list(by_gift.values())[:limit]]


def has_gifts(*, campaign: Campaign) -> bool:
    """Return whether somebody gave, or is about to, trusting in what the campaign says."""
    return campaign.pledges.exists() or donations(campaign=campaign).exists()


def start(*, campaign: Campaign, at: datetime) -> Campaign:
    """Open a draft. Raises CampaignRefused."""
    with transaction.atomic():
        stored = _locked(campaign)
        if stored.state != State.DRAFT:
            raise CampaignRefused(f"it is {stored.get_state_display()}, not a draft")
        if stored.site.closed_at is not None:
            raise CampaignRefused(f"{stored.site} is closed")
        if stored.deadline_at is not None and stored.deadline_at <= at:
            raise CampaignRefused("its deadline is over: set a later one first")
        other = Campaign.objects.filter(site=stored.site, state=State.OPEN).first()
        if other is not None:
            raise CampaignRefused(f"{other} is open: close it first, a site has one at a time")
        stored.state, stored.opens_at = State.OPEN, _after_others(stored, at=at)
        stored.save(update_fields=["state", "opens_at"])
        return stored


def close(*, campaign: Campaign, at: datetime) -> Campaign:
    """Close an open campaign now. Raises CampaignRefused.

    Reached: it has succeeded. Missed, where it promised a deadline: it has failed, and is given
    back. Missed, where it promised none: it is closed, and keeps what was given.
    """
    with transaction.atomic():
        stored = _locked(campaign)
        if stored.state != State.OPEN:
            raise CampaignRefused(f"it is {stored.get_state_display()}, not open")
        raised_wei = raised(campaign=stored, at=at)
        missed = State.CLOSED if stored.deadline_at is None else State.FAILED
        state = State.SUCCEEDED if raised_wei >= stored.goal_wei else missed
        return _decided(stored, state=state, raised_wei=raised_wei, at=at)


def decide_due(*, at: datetime) -> int:
    """Decide every open campaign whose deadline is over; return how many were decided.

    Each in a transaction of its own, so whoever dies in between leaves the others to the next run.
    """
    due = Campaign.objects.filter(state=State.OPEN, deadline_at__lte=at)
    return sum(_decide(campaign, at=at) for campaign in due.order_by("deadline_at", "pk"))


def to_give_back() -> QuerySet[Payment]:
    """Return the payments of failed campaigns of which something is left to give back.

    One whose refund failed is left to a person: the provider has said that it can't be done.
    """
    failed = Refund.objects.filter(
        payment=OuterRef("pk"), idempotency_key__startswith="campaign:", state=Refund.State.FAILED
    )
    return (
        Payment.objects.filter(
            pledge__campaign__state=State.FAILED,
            state__in=(Payment.State.CREDITED, Payment.State.SUSPENSE),
            taken_back_minor__lt=F("amount_minor"),
        )
        .exclude(Exists(failed))
        .select_related("rail__operator", "pledge__campaign")
        .order_by("pk")
    )


def refund_key(*, payment: Payment, campaign: Campaign) -> str:
    """Return the key of the next refund of a failed campaign's payment.

    There is a second one only where something came again after the first: a dispute that was won.
    """
    before = Refund.objects.filter(payment=payment, idempotency_key__startswith="campaign:").count()
    return REFUND_KEY.format(campaign=campaign.uid, payment=payment.uid, number=before)


def crypto_to_give_back() -> list[Donation]:
    """Return the crypto donations of failed campaigns that a person still has to send back."""
    failed = Campaign.objects.filter(state=State.FAILED).order_by("pk")
    return [
        donation
        for campaign in failed
        for donation in crypto_donations(campaign=campaign).filter(withdrawn_at__isnull=True)
    ]


def failed_campaign_of(*, donation: Donation) -> Campaign | None:
    """Return the failed campaign that a crypto donation belongs to, if any."""
    if donation.payment_id is not None:
        return None
    failed = Campaign.objects.filter(site=donation.site_id, state=State.FAILED)
    return next(
        (
            campaign
            for campaign in failed.order_by("pk")
            if crypto_donations(campaign=campaign).filter(pk=donation.pk).exists()
        ),
        None,
    )


def _on_chain(campaign: Campaign) -> Q:
    """What is no rail's, and was seen while the campaign was open."""
    came = Q(payment__isnull=True, site=campaign.site_id, donated_at__gte=campaign.opens_at)
    if campaign.deadline_at is not None:
        came &= Q(donated_at__lt=campaign.deadline_at)
    if campaign.decided_at is not None:
        came &= Q(donated_at__lte=campaign.decided_at)
    return came


def _counting(campaign: Campaign) -> QuerySet[Donation]:
    return donations(campaign=campaign).filter(withdrawn_at__isnull=True, amount_wei__gt=0)


def _gift(positions: list[Donation]) -> Gift:
    first = positions[0]
    payment = first.payment
    pledge = None if payment is None else payment.pledge
    return Gift(
        public_name="" if pledge is None else pledge.public_name,
        amount_wei=sum(each.amount_wei for each in positions),
        left_minor=None if payment is None else payment.left_minor,
        currency="" if payment is None else payment.currency,
        donated_at=first.donated_at,
    )


def _locked(campaign: Campaign) -> Campaign:
    """Lock the site's book, then the campaign: what is raised stands still meanwhile."""
    ledger.lock(book_id=campaign.site.book.pk)
    rows = Campaign.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("site__book").get(pk=campaign.pk)


def _after_others(campaign: Campaign, *, at: datetime) -> datetime:
    """When it opens: after the site's others ended, so that no transfer belongs to two."""
    ends = Campaign.objects.filter(site=campaign.site, decided_at__isnull=False)
    last = ends.order_by("-decided_at").values_list("decided_at", flat=True).first()
    return at if last is None else max(at, last + timedelta(microseconds=1))


def _decide(campaign: Campaign, *, at: datetime) -> bool:
    with transaction.atomic():
        stored = _locked(campaign)
        if stored.state != State.OPEN or stored.deadline_at is None or stored.deadline_at > at:
            return False
        raised_wei = raised(campaign=stored, at=at)
        if raised_wei >= stored.goal_wei:
            _decided(stored, state=State.SUCCEEDED, raised_wei=raised_wei, at=at)
        elif at >= stored.deadline_at + COUNTED_FOR:
            _decided(stored, state=State.FAILED, raised_wei=raised_wei, at=at)
        return stored.state != State.OPEN


def _decided(campaign: Campaign, *, state: State, raised_wei: int, at: datetime) -> Campaign:
    campaign.state, campaign.decided_at, campaign.decided_wei = state, at, raised_wei
    campaign.save(update_fields=["state", "decided_at", "decided_wei"])
    kinds = {State.SUCCEEDED: "campaign_succeeded", State.FAILED: "campaign_failed"}
    if state in kinds:
        _tell(campaign, kind=kinds[state], at=at)
    return campaign


def _tell(campaign: Campaign, *, kind: str, at: datetime) -> None:
    """Write to everybody whose gift counts, one letter an address."""
    letters.tell(
        donor_ids=_counting(campaign).order_by().values_list("donor_id", flat=True).distinct(),
        kind=kind,
        key=f"{kind}:{campaign.uid}",
        params={
            "site": campaign.site.slug,
            "site_name": campaign.site.name,
            "title": campaign.title,
            "title_fr": campaign.title_fr,
            "goal_wei": str(campaign.goal_wei),
            "raised_wei": str(campaign.decided_wei),
        },
        at=at,
    )
