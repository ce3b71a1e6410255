"""Several workers at the end of a campaign, and one that dies: one refund for each gift."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db.models import Sum
from django.utils import timezone

from accounts.models import Campaign, Refund
from gateway.checkout import endings
from tests.campaigning import RUNS_FOR, given, opened
from tests.integration.test_concurrency import run_together
from tests.paybacks import assert_books_hold
from tests.village import Village

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

GIFTS = 6
LONG_AGO = RUNS_FOR + timedelta(hours=2)


@pytest.fixture
def campaign(transactional_db: None) -> Campaign:
    """One whose deadline is over, missed, with six gifts of 10 dollars."""
    now = timezone.now()
    village = Village.found(at=now)
    made = opened(village.site, at=now - LONG_AGO)
    for number in range(GIFTS):
        given(village, dollars=10, at=now - LONG_AGO, reference=f"ch_{number}")
    return made


def test_workers_at_once_ask_for_one_refund_each(campaign: Campaign) -> None:

    def work() -> None:
        endings.end_due(clock=timezone.now)

    run_together(work, work, work)
    campaign.refresh_from_db()
    assert campaign.state == "failed"
    total = Refund.objects.aggregate(total=Sum("amount_minor"))["total"]
    assert (Refund.objects.count(), total) == (GIFTS, GIFTS * 1_000)
    assert_books_hold()


def test_a_run_that_dies_leaves_the_rest_to_the_next_one(campaign: Campaign) -> None:
    looks: list[datetime] = []

    def clock() -> datetime:
        """Killed when it is about to ask for the second refund."""
        looks.append(timezone.now())
        if len(looks) == 5:
            raise KeyboardInterrupt
        return looks[-1]

    with pytest.raises(KeyboardInterrupt):
        endings.end_due(clock=clock)
    assert Refund.objects.count() == 1
    endings.end_due(clock=timezone.now)
    endings.end_due(clock=timezone.now)
    assert Refund.objects.count() == GIFTS
    assert_books_hold()
