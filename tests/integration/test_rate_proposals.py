"""The next site rate: proposed by sources that agree, published by a person, with notice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from pytest_django import Settings

from accounts import rate_proposals, rollover, site_rates
from accounts.models import Notice, RateProposal, SiteRate, User
from accounts.rate_proposals import NoticeTooShort, NotOpen, SourcesDisagree
from gateway.rates.tasks import propose_rates
from gateway.sms import wording
from tests.village import RATE, Village

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
# The first of April in Nairobi.
APRIL = datetime(2026, 3, 31, 21, 0, tzinfo=UTC)
NOTICE = timedelta(days=7)


@pytest.fixture
def village(now: datetime) -> Village:
    """Kisima, where KIS0001 lives."""
    village = Village.found(at=now)
    village.household()
    return village


@pytest.fixture
def clerk(village: Village) -> User:
    return User.objects.create_user("clerk", is_staff=True, operator=village.operator)


def told(rate: str, *, at: datetime, source: str, currency: str = "KES") -> None:
    site_rates.store_quote(
        source=source,
        currency=currency,
        local_per_dai=Decimal(rate),
        quoted_at=at,
        expires_at=at + timedelta(hours=1),
    )


def market(*, at: datetime, first: str = "131", second: str = "131.5") -> None:
    """Two tables tell shillings per DAI."""
    told(first, at=at, source="first")
    told(second, at=at, source="second")


def proposed(village: Village, *, at: datetime) -> RateProposal:
    market(at=at)
    return rate_proposals.propose(site=village.site, at=at)


class TestPeriods:
    """A month in the site's local time."""

    @pytest.mark.parametrize(
        ("zone", "after", "begins"),
        [
            ("Africa/Nairobi", "2026-03-02T09:00", "2026-03-31T21:00"),
            ("Africa/Nairobi", "2026-03-31T20:59:59", "2026-03-31T21:00"),
            ("Africa/Nairobi", "2026-03-31T21:00", "2026-04-30T21:00"),
            ("Africa/Dakar", "2026-12-31T23:59", "2027-01-01T00:00"),
            ("Africa/Nairobi", "2026-12-31T23:59", "2027-01-31T21:00"),
            ("Africa/Casablanca", "2026-02-10T00:00", "2026-03-01T00:00"),
        ],
    )
    def test_the_next_month_begins_at_local_midnight(
        self, village: Village, zone: str, after: str, begins: str
    ) -> None:
        village.site.time_zone = zone
        at = datetime.fromisoformat(after).replace(tzinfo=UTC)
        found = rate_proposals.next_period(site=village.site, after=at)
        assert found == datetime.fromisoformat(begins).replace(tzinfo=UTC)


class TestProposing:
    """The median of sources that agree, for the first period that still can be given notice of."""

    def test_the_median_is_proposed_with_what_each_source_said(
        self, village: Village, now: datetime
    ) -> None:
        made = proposed(village, at=now)
        assert (made.local_per_dai, made.currency) == (Decimal("131.25"), "KES")
        assert (made.starts_at, made.state) == (APRIL, "proposed")
        assert made.sources == [
            {"source": "first", "local_per_dai": "131", "quoted_at": now.isoformat()},
            {"source": "second", "local_per_dai": "131.5", "quoted_at": now.isoformat()},
        ]

    def test_a_feed_of_dai_is_a_source(self, village: Village, now: datetime) -> None:
        told("130", at=now, source="table")
        told("1", at=now, source="table", currency="USD")
        told("0.9992", at=now, source="chainlink", currency="USD")
        made = rate_proposals.propose(site=village.site, at=now)
        assert made.local_per_dai == Decimal("129.948")

    def test_within_the_notice_the_period_after_it_is_meant(
        self, village: Village, now: datetime
    ) -> None:
        assert proposed(village, at=APRIL - NOTICE - DAY).starts_at == APRIL
        may = datetime(2026, 4, 30, 21, 0, tzinfo=UTC)
        assert proposed(village, at=APRIL - NOTICE + DAY).starts_at == may

    @pytest.mark.parametrize(
        ("quotes", "why"),
        [
            ([], "none is fresh"),
            ([("131", "first")], "only one is fresh"),
            ([("131", "first"), ("133", "second")], "they contradict each other, 1.53 %"),
        ],
    )
    def test_sources_that_do_not_agree_propose_nothing(
        self, village: Village, now: datetime, quotes: list[tuple[str, str]], why: str
    ) -> None:
        for rate, source in quotes:
            told(rate, at=now, source=source)
        with pytest.raises(SourcesDisagree, match=why):
            rate_proposals.propose(site=village.site, at=now)
        assert rate_proposals.propose_due(at=APRIL - NOTICE - DAY) == 0
        assert not RateProposal.objects.exists()

    def test_stale_quotes_propose_nothing(self, village: Village, now: datetime) -> None:
        market(at=now)
        with pytest.raises(SourcesDisagree, match="none is fresh"):
            rate_proposals.propose(site=village.site, at=now + timedelta(hours=1))

    def test_a_newer_proposal_takes_the_place_of_the_open_one(
        self, village: Village, now: datetime
    ) -> None:
        first = proposed(village, at=now)
        second = proposed(village, at=now + timedelta(minutes=1))
        first.refresh_from_db()
        assert (first.state, second.state) == ("superseded", "proposed")


class TestSchedule:
    """What the scheduler proposes by itself."""

    def test_a_proposal_is_made_two_weeks_before_and_again_every_day(
        self, village: Village
    ) -> None:
        first_day = APRIL - NOTICE - rate_proposals.PROPOSED_AHEAD
        days = 0
        for hours in range(-24, 16 * 24, 6):
            at = first_day + timedelta(hours=hours)
            market(at=at)
            days += rate_proposals.propose_due(at=at)
        assert days == RateProposal.objects.filter(starts_at=APRIL).count() == 14
        assert RateProposal.objects.filter(state="proposed").count() == 1
        assert RateProposal.objects.order_by("proposed_at")[0].proposed_at == first_day

    def test_nothing_is_proposed_once_a_person_has_decided(
        self, village: Village, clerk: User
    ) -> None:
        at = APRIL - NOTICE - 5 * DAY
        made = proposed(village, at=at)
        rate_proposals.reject(proposal=made, by=clerk, at=at)
        later = at + 2 * DAY
        market(at=later)
        assert rate_proposals.propose_due(at=later) == 0
        made.refresh_from_db()
        assert (made.state, made.decided_by, made.decided_at) == ("rejected", clerk, at)

    def test_nothing_is_proposed_where_a_rate_was_published_by_hand(self, village: Village) -> None:
        at = APRIL - NOTICE - 5 * DAY
        site_rates.publish(site=village.site, local_per_dai=Decimal(130), starts_at=APRIL, at=at)
        market(at=at)
        assert rate_proposals.propose_due(at=at) == 0

    def test_without_a_person_the_last_rate_rolls_on(self, village: Village) -> None:
        at = APRIL - NOTICE - 5 * DAY
        made = proposed(village, at=at)
        assert rate_proposals.propose_due(at=APRIL) == 0
        made.refresh_from_db()
        assert made.state == "superseded"
        assert SiteRate.objects.count() == 1
        assert site_rates.at_site(site=village.site, at=APRIL + 400 * DAY) == Fraction(RATE)

    def test_the_task_proposes_for_every_open_site(self, village: Village) -> None:
        Village.found(at=APRIL, slug="closed", beside=village)
        village.site.closed_at = APRIL
        village.site.save()
        propose_rates()
        assert not RateProposal.objects.exists()


class TestPublishing:
    """By a person, with notice, while the sources still say so."""

    def test_a_published_proposal_is_the_rate_of_its_period(
        self, village: Village, clerk: User, now: datetime
    ) -> None:
        made = proposed(village, at=now)
        rate = rate_proposals.publish(proposal=made, by=clerk, at=now)
        made.refresh_from_db()
        assert (made.state, made.decided_by, made.site_rate) == ("published", clerk, rate)
        assert (rate.local_per_dai, rate.published_by) == (Decimal("131.25"), clerk)
        assert (rate.validity.lower, rate.validity.upper) == (APRIL, None)
        assert rate.sources == made.sources
        assert site_rates.at_site(site=village.site, at=APRIL - DAY) == Fraction(RATE)
        assert site_rates.at_site(site=village.site, at=APRIL) == Fraction("131.25")

    def test_households_get_notice(self, village: Village, clerk: User, now: datetime) -> None:
        for code, language in (("KIS0002", "fr"), ("KIS0003", "sw")):
            village.household(code, phone=f"+25471100{code[3:]}0", language=language)
        gone = village.household("KIS0004", phone="+254711000004")
        gone.closed_at = now
        gone.save()
        rate_proposals.publish(proposal=proposed(village, at=now), by=clerk, at=now)
        notices = Notice.objects.filter(kind="rate_published").order_by("household__code")
        texts = [wording.words(notice=notice, at=now) for notice in notices]
        assert texts == [
            "From 01/04/2026 on 1 DAI is KES 131.25. The balance of KIS0001 in local money will "
            "not shrink: you lose nothing.",
            "Dès le 01/04/2026, 1 DAI vaut 131,25 KES. Le solde de KIS0002 en monnaie locale ne "
            "baissera pas : vous ne perdez rien.",
            "Kuanzia 01/04/2026 DAI 1 ni KES 131.25. Salio la KIS0003 kwa pesa ya hapa "
            "halitapungua: hupotezi kitu.",
        ]

    def test_without_its_notice_nothing_is_published(
        self, village: Village, clerk: User, settings: Settings
    ) -> None:
        made = proposed(village, at=APRIL - 8 * DAY)
        at = APRIL - NOTICE + timedelta(seconds=1)
        market(at=at)
        with pytest.raises(NoticeTooShort, match="7 days of notice"):
            rate_proposals.publish(proposal=made, by=clerk, at=at)
        assert SiteRate.objects.count() == 1
        settings.RATE_NOTICE_DAYS = 3
        assert rate_proposals.publish(proposal=made, by=clerk, at=at).validity.lower == APRIL

    @pytest.mark.parametrize(
        ("tables", "why"),
        [
            (("131", "140"), "contradict"),
            (("135", "135"), "the market has moved"),
            (("127", "127"), "the market has moved"),
        ],
    )
    def test_sources_have_to_agree_when_it_is_published(
        self, village: Village, clerk: User, now: datetime, tables: tuple[str, str], why: str
    ) -> None:
        made = proposed(village, at=now)
        later = now + timedelta(minutes=30)
        market(at=later, first=tables[0], second=tables[1])
        with pytest.raises(SourcesDisagree, match=why):
            rate_proposals.publish(proposal=made, by=clerk, at=later)
        assert SiteRate.objects.count() == 1
        assert not Notice.objects.exists()

    def test_stale_sources_publish_nothing(
        self, village: Village, clerk: User, now: datetime
    ) -> None:
        made = proposed(village, at=now)
        with pytest.raises(SourcesDisagree, match="none is fresh"):
            rate_proposals.publish(proposal=made, by=clerk, at=now + timedelta(hours=2))

    def test_a_decision_is_taken_once(self, village: Village, clerk: User, now: datetime) -> None:
        made = proposed(village, at=now)
        rate_proposals.publish(proposal=made, by=clerk, at=now)
        with pytest.raises(NotOpen, match="published already"):
            rate_proposals.publish(proposal=made, by=clerk, at=now)
        with pytest.raises(NotOpen, match="published already"):
            rate_proposals.reject(proposal=made, by=clerk, at=now)
        assert SiteRate.objects.count() == 2

    def test_a_whole_change_from_quote_to_compensation(
        self, village: Village, clerk: User, now: datetime
    ) -> None:
        market(at=now, first="117", second="118")
        village.fund(village.household("KIS0005", phone="+254711000005"), amount_wei=10**18, at=now)
        made = rate_proposals.propose(site=village.site, at=now)
        rate = rate_proposals.publish(proposal=made, by=clerk, at=now)
        rollover.run_due(at=APRIL)
        rate.refresh_from_db()
        assert rate.compensation_wei == -(-(10**18) * 12925 // 11750) - 10**18
