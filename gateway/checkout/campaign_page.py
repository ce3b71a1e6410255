"""What a campaign's page shows: everything counted as the books stand, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction

from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts import campaign_photos, campaign_story, campaigns
from accounts.campaigns import Gift
from accounts.models import Campaign, Milestone, Site
from accounts.money import CURRENCY_DECIMALS, minor_per_major
from dashboard import wording

GIFTS_SHOWN = 20
PICTURE_WIDTH = 320

_KINDS = {
    Milestone.Kind.ORDERED: _("Ordered"),
    Milestone.Kind.SHIPPED: _("Shipped"),
    Milestone.Kind.ARRIVED: _("Arrived"),
    Milestone.Kind.INSTALLED: _("Installed"),
    Milestone.Kind.COMMISSIONED: _("Commissioned"),
    Milestone.Kind.OTHER: _("Step"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A milestone; photo is the path of its picture, "" for none."""

    name: str
    note: str
    planned_on: date | None
    reached_on: date | None
    photo: str
    photo_words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenBy:
    """A gift in the list of the latest: name "" is anonymous, paid is "" for crypto money."""

    name: str
    paid: str
    amount_wei: int
    donated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """A bar of PICTURE_WIDTH: how far it is filled, and where in it the goal stands."""

    filled: int
    goal: int
    percent: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A campaign as everybody sees it.

    raised_wei is what counts now; where the goal was missed, what counted when that was decided.
    counted_until is when a missed deadline is decided, None where there is no deadline.
    """

    campaign: Campaign
    title: str
    story: SafeString
    raised_wei: int
    progress: Progress
    donors: int
    gifts: tuple[GivenBy, ...]
    steps: tuple[Step, ...]
    takes_gifts: bool
    counted_until: datetime | None


def shown(*, campaign: Campaign, at: datetime) -> Shown:
    """Return what there is to see of a campaign."""
    raised_wei = campaigns.raised(campaign=campaign, at=at)
    if campaign.state == Campaign.State.FAILED:
        raised_wei = campaign.decided_wei or 0
    deadline_at = campaign.deadline_at
    return Shown(
        campaign=campaign,
        title=spoken(campaign.title, french=campaign.title_fr),
        story=campaign_story.of(
            campaign=campaign, text=spoken(campaign.story, french=campaign.story_fr)
        ),
        raised_wei=raised_wei,
        progress=progress(raised_wei=raised_wei, goal_wei=campaign.goal_wei),
        donors=campaigns.donors_count(campaign=campaign),
        gifts=tuple(
            _given_by(gift) for gift in campaigns.latest_gifts(campaign=campaign, limit=GIFTS_SHOWN)
        ),
        steps=tuple(_step(each, slug=campaign.site.slug) for each in campaign.milestones.all()),
        takes_gifts=campaigns.takes_gifts(campaign=campaign, at=at),
        counted_until=None if deadline_at is None else deadline_at + campaigns.COUNTED_FOR,
    )


def progress(*, raised_wei: int, goal_wei: int) -> Progress:
    """Return the picture of how far a campaign is; whole percent, rounded down."""
    whole_wei = max(raised_wei, goal_wei)
    return Progress(
        filled=raised_wei * PICTURE_WIDTH // whole_wei,
        goal=goal_wei * PICTURE_WIDTH // whole_wei,
        percent=wording.rounded(Fraction(raised_wei * 100 // goal_wei), decimals=0),
    )


def spoken(text: str, *, french: str) -> str:
    """Return the text in the reader's language, where it is there."""
    return french if french and (get_language() or "").startswith("fr") else text


def others_open(*, besides: Site, at: datetime) -> list[Campaign]:
    """Return the campaigns of other sites that take gifts now, by the site's name."""
    still = Campaign.objects.filter(state=Campaign.State.OPEN, site__closed_at__isnull=True)
    listed = still.exclude(site=besides).select_related("site").order_by("site__name", "pk")
    return [each for each in listed if campaigns.takes_gifts(campaign=each, at=at)]


def _step(milestone: Milestone, *, slug: str) -> Step:
    content_hash = milestone.photo_hash
    words = spoken(milestone.photo_words, french=milestone.photo_words_fr)
    return Step(
        name=str(_KINDS[Milestone.Kind(milestone.kind)]),
        note=spoken(milestone.note, french=milestone.note_fr),
        planned_on=milestone.planned_on,
        reached_on=milestone.reached_on,
        photo=campaign_photos.path(slug=slug, content_hash=content_hash) if content_hash else "",
        photo_words=words,
    )


def _given_by(gift: Gift) -> GivenBy:
    paid = ""
    if gift.left_minor is not None:
        exact = Fraction(gift.left_minor, minor_per_major(currency=gift.currency))
        decimals = CURRENCY_DECIMALS[gift.currency]
        paid = f"{wording.rounded(exact, decimals=decimals)} {gift.currency}"
    return GivenBy(
        name=gift.public_name, paid=paid, amount_wei=gift.amount_wei, donated_at=gift.donated_at
    )
