"""A missed goal over the sandbox Stripe: the cards that paid have their money again, once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import campaigns
from accounts.models import Campaign, Household, Pledge, Rail, Refund
from gateway.checkout import endings
from gateway.checkout.tasks import end_campaigns
from gateway.demo import campaigns as demo
from gateway.providers import collection, refunding
from gateway.providers.registry import provider
from tests.campaigning import opened
from tests.integration.sandboxed import World, home, hooks, later, today, world
from tests.integration.test_stripe_provider import (
    cards,
    charged,
    dollars,
    donation,
    stripe_there,
)
from tests.paybacks import assert_books_hold

__all__ = ["cards", "dollars", "home", "hooks", "stripe_there", "today", "world"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(home: Household) -> Campaign:
    """One that misses its goal of 1,000 DAI in a minute."""
    now = timezone.now()
    return opened(home.sites.get().site, at=now, deadline_at=now + timedelta(minutes=1))


def end() -> int:
    """The worker's run once the deadline and the hour after it are over."""
    return endings.end_due(clock=lambda: later(hours=2))


def balance(rail: Rail) -> int:
    told = provider(rail=rail).balance(at=timezone.now())
    assert told is not None
    return told.amount_minor


def test_the_cards_have_their_money_again(
    world: World, home: Household, dollars: Rail, campaign: Campaign
) -> None:
    payments = [charged(world, donation(home, dollars, amount_minor=n)) for n in (5_000, 7_001)]
    kept = sum(payment.fee_minor for payment in payments)
    assert balance(dollars) == 12_001 - kept
    assert end() == 2
    refunding.poll_due(clock=lambda: later(hours=2))
    assert set(Refund.objects.values_list("state", flat=True)) == {"succeeded"}
    assert balance(dollars) == -kept
    assert end() == 0
    collection.pull(rail=dollars, at=timezone.now())
    assert Refund.objects.count() == 2
    assert set(Pledge.objects.values_list("state", flat=True)) == {"refunded"}
    assert_books_hold()


def test_a_card_page_that_is_paid_after_the_end_is_credited_and_given_back(
    world: World, home: Household, dollars: Rail, campaign: Campaign
) -> None:
    attempt = donation(home, dollars)
    assert end() == 0
    campaign.refresh_from_db()
    assert campaign.state == "failed"
    payment = charged(world, attempt)
    assert (payment.state, payment.pledge) == ("credited", attempt.pledge)
    # By its task, with the clock of today.
    end_campaigns()
    refunding.poll_due(clock=timezone.now)
    assert Refund.objects.get().state == "succeeded"
    assert balance(dollars) == -payment.fee_minor
    assert campaigns.raised(campaign=campaign, at=later(hours=3)) == 0
    assert_books_hold()


@pytest.mark.parametrize(("days", "is_from_then"), [(1, True), (300, False)])
def test_the_demos_campaigns_are_opened_once_and_show_a_photo(
    home: Household, days: int, is_from_then: bool
) -> None:
    site = home.sites.get().site
    now = site.created_at + timedelta(days=days)
    for _ in range(2):
        demo.collect(sites=[site], at=now)
    made = Campaign.objects.get()
    assert (made.state, made.opens_at) == ("open", site.created_at if is_from_then else now)
    photo = made.milestones.exclude(photo_hash="").get()
    assert len(bytes(photo.photo or b"")) < 24_000
    assert made.milestones.count() == 5
