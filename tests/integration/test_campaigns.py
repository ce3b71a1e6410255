"""Campaigns: opened, counted, decided at their deadline, and given back where they missed."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts import campaigns, disputes, pledges, refunds
from accounts.campaigns import COUNTED_FOR, CampaignRefused
from accounts.models import Campaign, Donation, DonorContact, Letter, LetterOptOut, Payment, Refund
from accounts.refunds import RefundAnswer
from gateway.checkout import endings
from tests.campaigning import DAI, RUNS_FOR, cash_rail, drafted, given, on_chain, opened, paid
from tests.paybacks import assert_books_hold, card_rail, pledged
from tests.village import Village

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def raised(campaign: Campaign, *, at: datetime) -> int:
    return campaigns.raised(campaign=campaign, at=at)


def end(at: datetime) -> int:
    """What the worker does every half a minute."""
    return endings.end_due(clock=lambda: at)


def state(campaign: Campaign) -> str:
    campaign.refresh_from_db()
    return campaign.state


def answered(*, is_done: bool, at: datetime) -> None:
    """The provider answers every refund that was asked for."""
    for refund in Refund.objects.filter(state__in=Refund.OPEN).order_by("pk"):
        answer = RefundAnswer(
            is_final=True, is_done=is_done, code="1", text="no", reference=f"re_{refund.pk}"
        )
        refunds.settle_answer(refund=refund, answer=answer, at=at)


def disputed(payment: Payment, *, state: str, amount_minor: int, at: datetime) -> None:
    """A bank takes part of a payment, or gives it again."""
    disputes.follow(
        provider=payment.provider,
        reference="dp_1",
        payment_reference=payment.reference,
        amount_minor=amount_minor,
        fee_minor=0,
        currency=payment.currency,
        reason="",
        state=state,
        opened_at=at,
        at=at,
    )


class TestOpening:
    """One at a time, from a draft, with its deadline ahead."""

    def test_a_pledge_belongs_to_the_campaign_that_is_open(
        self, village: Village, now: datetime
    ) -> None:
        before = pledged(village, amount_minor=100, key="before", at=now)
        campaign = opened(village.site, at=now)
        during = pledged(village, amount_minor=100, key="during", at=now + HOUR)
        after = pledged(village, amount_minor=100, key="after", at=now + RUNS_FOR)
        assert [each.campaign for each in (before, during, after)] == [None, campaign, None]

    def test_a_draft_takes_no_pledge(self, village: Village, now: datetime) -> None:
        drafted(village.site, at=now)
        assert pledged(village, amount_minor=100, key="one", at=now).campaign is None
        assert campaigns.shown(site=village.site) is None

    def test_a_second_one_waits_for_the_first_to_close(
        self, village: Village, now: datetime
    ) -> None:
        first, second = opened(village.site, at=now), drafted(village.site, at=now)
        with pytest.raises(CampaignRefused, match="is open: close it first"):
            campaigns.start(campaign=second, at=now)
        campaigns.close(campaign=first, at=now + HOUR)
        assert campaigns.start(campaign=second, at=now + HOUR).state == "open"
        assert campaigns.shown(site=village.site) == second

    def test_the_database_keeps_it_to_one(self, village: Village, now: datetime) -> None:
        opened(village.site, at=now)
        with pytest.raises(IntegrityError, match="campaign_one_open_a_site"), transaction.atomic():
            drafted(village.site, at=now, state="open")

    def test_what_is_no_draft_or_is_over_is_not_opened(
        self, village: Village, now: datetime
    ) -> None:
        late = drafted(village.site, at=now)
        with pytest.raises(CampaignRefused, match="set a later one first"):
            campaigns.start(campaign=late, at=now + RUNS_FOR)
        campaign = opened(village.site, at=now)
        with pytest.raises(CampaignRefused, match="it is open, not a draft"):
            campaigns.start(campaign=campaign, at=now)
        with pytest.raises(CampaignRefused, match="it is draft: not shown, not open"):
            campaigns.close(campaign=late, at=now)

    def test_a_closed_site_opens_none(self, village: Village, now: datetime) -> None:
        village.site.closed_at = now
        village.site.save()
        with pytest.raises(CampaignRefused, match="Kisima is closed"):
            campaigns.start(campaign=drafted(village.site, at=now), at=now)


class TestCounting:
    """What still counts of what belongs to it."""

    def test_cards_and_crypto_money_count_and_strangers_do_not(
        self, village: Village, now: datetime
    ) -> None:
        on_chain(village.site, wei=7 * DAI, at=now - HOUR)
        given(village, dollars=5, at=now - HOUR, reference="ch_0")
        campaign = opened(village.site, at=now)
        given(village, dollars=20, at=now + HOUR, reference="ch_1")
        on_chain(village.site, wei=3 * DAI, at=now)
        on_chain(village.site, wei=9 * DAI, at=now + RUNS_FOR)
        later = now + RUNS_FOR + HOUR
        assert raised(campaign, at=later) == 23 * DAI
        assert campaigns.donors_count(campaign=campaign) == 2

    def test_crypto_money_belongs_to_one_campaign_only(
        self, village: Village, now: datetime
    ) -> None:
        first = opened(village.site, at=now, deadline_at=None)
        ended = now + HOUR
        on_chain(village.site, wei=DAI, at=ended)
        first = campaigns.close(campaign=first, at=ended)
        second = opened(village.site, at=ended)
        on_chain(village.site, wei=2 * DAI, at=ended + HOUR)
        assert first.decided_wei == raised(first, at=ended + HOUR) == DAI
        assert raised(second, at=ended + HOUR) == 2 * DAI

    def test_what_was_taken_back_counts_no_more_and_a_won_dispute_counts_again(
        self, village: Village, now: datetime
    ) -> None:
        campaign = opened(village.site, at=now)
        payment = given(village, dollars=20, at=now, reference="ch_1", public_name="Ada")
        disputed(payment, state="open", amount_minor=500, at=now)
        assert raised(campaign, at=now) == 15 * DAI
        (gift,) = campaigns.latest_gifts(campaign=campaign, limit=5)
        assert (gift.public_name, gift.amount_wei, gift.left_minor) == ("Ada", 15 * DAI, 1_500)
        disputed(payment, state="won", amount_minor=500, at=now)
        assert raised(campaign, at=now) == 20 * DAI
        # Two positions of one payment are one gift.
        (gift,) = campaigns.latest_gifts(campaign=campaign, limit=5)
        assert (gift.amount_wei, gift.left_minor) == (20 * DAI, 2_000)
        assert campaigns.donors_count(campaign=campaign) == 1


class TestDeciding:
    """At the deadline, once."""

    def test_a_goal_that_is_reached_succeeds_at_the_deadline_and_not_before(
        self, village: Village, now: datetime
    ) -> None:
        campaign = opened(village.site, at=now)
        given(village, dollars=1_000, at=now, reference="ch_1")
        assert end(now + RUNS_FOR - timedelta(seconds=1)) == 0
        assert state(campaign) == "open"
        end(now + RUNS_FOR)
        assert (state(campaign), campaign.decided_wei) == ("succeeded", 1_000 * DAI)
        assert Refund.objects.count() == 0

    def test_gifts_above_the_goal_are_welcome_until_the_deadline(
        self, village: Village, now: datetime
    ) -> None:
        campaign = opened(village.site, at=now)
        given(village, dollars=1_000, at=now, reference="ch_1")
        given(village, dollars=250, at=now + HOUR, reference="ch_2")
        end(now + RUNS_FOR)
        assert (state(campaign), campaign.decided_wei) == ("succeeded", 1_250 * DAI)
        assert raised(campaign, at=now + RUNS_FOR) == 1_250 * DAI

    def test_a_missed_goal_waits_an_hour_for_what_is_on_its_way(
        self, village: Village, now: datetime
    ) -> None:
        campaign = opened(village.site, at=now)
        pledge = pledged(village, amount_minor=100_000, key="late", at=now)
        ends = now + RUNS_FOR
        end(ends + COUNTED_FOR - timedelta(seconds=1))
        assert state(campaign) == "open"
        assert not campaigns.takes_gifts(campaign=campaign, at=ends)
        paid(pledge, at=ends + COUNTED_FOR - timedelta(seconds=1), reference="ch_1")
        end(ends + COUNTED_FOR)
        assert state(campaign) == "succeeded"

    def test_a_missed_goal_gives_every_card_payment_back_once(
        self, village: Village, now: datetime
    ) -> None:
        campaign = opened(village.site, at=now)
        for number in range(3):
            given(village, dollars=100 + number, at=now, reference=f"ch_{number}")
        ended = now + RUNS_FOR + COUNTED_FOR
        assert end(ended) == 3
        assert end(ended) == 0
        assert (state(campaign), campaign.decided_wei) == ("failed", 303 * DAI)
        asked = Refund.objects.order_by("amount_minor").values_list("amount_minor", "state")
        assert list(asked) == [(10_000, "created"), (10_100, "created"), (10_200, "created")]
        assert raised(campaign, at=ended) == 0
        assert Donation.objects.filter(withdrawn_at__isnull=True).count() == 0
        answered(is_done=True, at=ended)
        assert end(ended + HOUR) == 0
        assert_books_hold()

    def test_a_payment_that_is_confirmed_after_the_end_is_credited_and_given_back(
        self, village: Village, now: datetime
    ) -> None:
        campaign = opened(village.site, at=now)
        pledge = pledged(village, amount_minor=5_000, key="late", at=now)
        ended = now + RUNS_FOR + COUNTED_FOR
        assert end(ended) == 0
        payment = paid(pledge, at=ended + HOUR, reference="ch_late")
        assert (payment.state, raised(campaign, at=ended + HOUR)) == ("credited", 50 * DAI)
        assert end(ended + HOUR) == 1
        assert raised(campaign, at=ended + HOUR) == 0
        assert_books_hold()

    def test_only_what_is_left_of_a_payment_is_given_back(
        self, village: Village, now: datetime
    ) -> None:
        opened(village.site, at=now)
        payment = given(village, dollars=100, at=now, reference="ch_1")
        refunds.request(
            payment=payment,
            amount_minor=3_000,
            reason="asked for",
            requested_by=None,
            idempotency_key="by hand",
            at=now,
        )
        assert end(now + RUNS_FOR + COUNTED_FOR) == 1
        assert sorted(Refund.objects.values_list("amount_minor", flat=True)) == [3_000, 7_000]
        assert_books_hold()

    def test_what_a_bank_gives_back_to_us_later_is_given_back_too(
        self, village: Village, now: datetime
    ) -> None:
        opened(village.site, at=now)
        payment = given(village, dollars=100, at=now, reference="ch_1")
        ended = now + RUNS_FOR + COUNTED_FOR
        disputed(payment, state="open", amount_minor=4_000, at=now)
        assert end(ended) == 1
        answered(is_done=True, at=ended)
        disputed(payment, state="won", amount_minor=4_000, at=ended)
        assert end(ended) == 1
        assert sorted(Refund.objects.values_list("amount_minor", flat=True)) == [4_000, 6_000]
        assert end(ended) == 0

    def test_a_refund_that_the_provider_refuses_is_left_to_a_person(
        self, village: Village, now: datetime
    ) -> None:
        campaign = opened(village.site, at=now)
        given(village, dollars=100, at=now, reference="ch_1")
        ended = now + RUNS_FOR + COUNTED_FOR
        assert end(ended) == 1
        answered(is_done=False, at=ended)
        assert raised(campaign, at=ended) == 100 * DAI
        assert end(ended + HOUR) == 0
        assert_books_hold()

    def test_cash_is_handed_back_at_once(self, village: Village, now: datetime) -> None:
        opened(village.site, at=now)
        attempt = pledges.request(
            site=village.site,
            rail=cash_rail(village),
            amount_minor=500,
            idempotency_key="c",
            at=now,
        )
        assert attempt.pledge is not None
        paid(attempt.pledge, at=now, reference="cash_1")
        assert end(now + RUNS_FOR + COUNTED_FOR) == 1
        assert Refund.objects.get().state == "succeeded"

    def test_a_payment_that_waits_in_suspense_goes_back_too(
        self, village: Village, now: datetime
    ) -> None:
        opened(village.site, at=now)
        rail = card_rail(village, currency="EUR")
        attempt = pledges.request(
            site=village.site, rail=rail, amount_minor=500, idempotency_key="e", at=now
        )
        assert attempt.pledge is not None
        assert paid(attempt.pledge, at=now, reference="ch_eur").state == "suspense"
        assert end(now + RUNS_FOR + COUNTED_FOR) == 1
        assert Payment.objects.get().state == "returned"
        assert_books_hold()

    def test_crypto_money_of_a_missed_goal_waits_for_a_person(
        self, village: Village, now: datetime
    ) -> None:
        campaign = opened(village.site, at=now)
        theirs = on_chain(village.site, wei=DAI, at=now)
        strangers = on_chain(village.site, wei=DAI, at=now + RUNS_FOR)
        assert campaigns.crypto_to_give_back() == []
        end(now + RUNS_FOR + COUNTED_FOR)
        assert campaigns.crypto_to_give_back() == [theirs]
        assert campaigns.failed_campaign_of(donation=theirs) == campaign
        assert campaigns.failed_campaign_of(donation=strangers) is None


class TestClosing:
    """By the operator, who can't get round the promise."""

    def test_a_reached_goal_succeeds(self, village: Village, now: datetime) -> None:
        campaign = opened(village.site, at=now)
        given(village, dollars=1_000, at=now, reference="ch_1")
        assert campaigns.close(campaign=campaign, at=now + HOUR).state == "succeeded"

    def test_a_missed_goal_that_promised_a_deadline_is_given_back(
        self, village: Village, now: datetime
    ) -> None:
        campaign = opened(village.site, at=now)
        given(village, dollars=999, at=now, reference="ch_1")
        assert campaigns.close(campaign=campaign, at=now + HOUR).state == "failed"
        assert end(now + HOUR) == 1

    def test_a_missed_goal_without_a_deadline_keeps_what_was_given(
        self, village: Village, now: datetime
    ) -> None:
        campaign = opened(village.site, at=now, deadline_at=None)
        given(village, dollars=999, at=now, reference="ch_1")
        assert campaigns.close(campaign=campaign, at=now + HOUR).state == "closed"
        assert end(now + 10 * RUNS_FOR) == 0
        campaign.refresh_from_db()
        assert raised(campaign, at=now + HOUR) == 999 * DAI


class TestLetters:
    """Whoever gave is told, once an address."""

    def test_each_address_has_one_letter(self, village: Village, now: datetime) -> None:
        opened(village.site, at=now)
        for number, email in enumerate(("ada@example.org", "Ada@Example.org", "")):
            payment = given(village, dollars=10, at=now, reference=f"ch_{number}")
            assert payment.pledge is not None
            DonorContact.objects.create(donor=payment.pledge.donor, email=email)
        Letter.objects.all().delete()
        end(now + RUNS_FOR + COUNTED_FOR)
        (letter,) = Letter.objects.filter(kind="campaign_failed")
        assert letter.params["raised_wei"] == str(30 * DAI)

    def test_who_had_enough_of_news_still_hears_what_becomes_of_their_money(
        self, village: Village, now: datetime
    ) -> None:
        opened(village.site, at=now)
        payment = given(village, dollars=10, at=now, reference="ch_1")
        assert payment.pledge is not None
        DonorContact.objects.create(donor=payment.pledge.donor, email="ada@example.org")
        LetterOptOut.objects.create(email="ada@example.org", opted_out_at=now)
        end(now + RUNS_FOR + COUNTED_FOR)
        assert Letter.objects.filter(kind="campaign_failed").count() == 1
