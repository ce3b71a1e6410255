"""Corruptions of campaigns, the rows they need, and the checks that see them."""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts import campaigns
from gateway.checkout import endings
from tests.campaigning import given, opened
from tests.paybacks import quote
from tests.village import Village

LASTS = timedelta(hours=2)


def collect(village: Village, *, at: datetime) -> None:
    """One that missed its goal and is being given back, one that reached it, one that is open."""
    quote(at=at - LASTS, currency="USD", local_per_dai="1")
    failed = opened(village.site, at=at - LASTS, deadline_at=at)
    given(village, dollars=10, at=at - LASTS, reference="ch_failed")
    campaigns.close(campaign=failed, at=at)
    endings.give_back(clock=lambda: at)
    reached = opened(village.site, at=at, goal_wei=10**18)
    given(village, dollars=10, at=at, reference="ch_reached")
    campaigns.close(campaign=reached, at=at)
    opened(village.site, at=at)


LIFTED_CAMPAIGNS = ("DROP INDEX campaign_one_open_a_site",)

CAMPAIGN_CORRUPTIONS: list[tuple[str, str]] = [
    (
        "campaigns_one_open_a_site",
        "INSERT INTO accounts_campaign (uid, site_id, title, title_fr, story, story_fr, goal_wei,"
        " opens_at, state, created_at) SELECT gen_random_uuid(), site_id, title, title_fr, story,"
        " story_fr, goal_wei, opens_at, state, created_at FROM accounts_campaign"
        " WHERE state = 'open'",
    ),
    (
        "campaigns_decided_by_what_was_raised",
        "UPDATE accounts_campaign SET goal_wei = decided_wei + 1 WHERE state = 'succeeded'",
    ),
    (
        "campaigns_decided_by_what_was_raised",
        "UPDATE accounts_campaign SET goal_wei = decided_wei WHERE state = 'failed'",
    ),
    (
        "campaigns_decided_by_what_was_raised",
        "UPDATE accounts_campaign SET decided_wei = NULL WHERE state = 'succeeded'",
    ),
    (
        "failed_campaigns_are_given_back",
        "UPDATE accounts_pledge SET campaign_id ="
        " (SELECT id FROM accounts_campaign WHERE state = 'failed') WHERE campaign_id ="
        " (SELECT id FROM accounts_campaign WHERE state = 'succeeded')",
    ),
    (
        "failed_campaigns_are_given_back",
        "UPDATE accounts_refund SET idempotency_key = 'campaign:' || uid"
        " WHERE idempotency_key NOT LIKE 'campaign:%'",
    ),
]
