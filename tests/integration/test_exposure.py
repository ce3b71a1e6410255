"""What waits to be converted, what the FX reserve has left, and the alarms of exchange rates."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from accounts import exposure, fx_alarms, ledger, rollover, site_rates, sites
from accounts.exposure import Overview
from accounts.ledger import Leg
from accounts.models import Alarm
from accounts.rate_agreement import State
from gateway.rates import fetching
from gateway.rates.sources import Quote, Source, SourceUnavailable
from gateway.rates.tasks import watch_exposure
from tests.village import Village

pytestmark = pytest.mark.django_db

DAI = 10**18
HOUR = timedelta(hours=1)


@pytest.fixture
def village(now: datetime) -> Village:
    """Kisima at 129.25 KES per DAI, where KIS0001 lives."""
    village = Village.found(at=now)
    village.household()
    return village


def told(
    rate: str, *, at: datetime, currency: str = "KES", source: str = "test", hours: int = 2
) -> None:
    site_rates.store_quote(
        source=source,
        currency=currency,
        local_per_dai=Decimal(rate),
        quoted_at=at,
        expires_at=at + hours * HOUR,
    )


def seen(village: Village, *, at: datetime) -> Overview:
    return exposure.of_operator(operator=village.operator, at=at)


def open_alarms() -> dict[str, str]:
    return dict(Alarm.objects.filter(cleared_at=None).values_list("key", "text"))


class TestExposure:
    """Positions at cost and at the market."""

    def test_a_payment_waits_to_be_converted(self, village: Village, now: datetime) -> None:
        told("125", at=now)
        village.pay("KIS0001", amount_minor=12_925_00, at=now)
        found = seen(village, at=now)
        (position,) = found.positions
        assert (position.currency, position.amount_minor) == ("KES", 12_925_00)
        assert position.cost_wei == position.market_wei == 12_925 * DAI // 125
        assert position.unrealised_wei == 0
        assert found.reserve_wei == 12_925 * DAI // 125 - 100 * DAI

        later = now + HOUR
        told("130", at=later)
        (position,) = seen(village, at=later).positions
        assert position.market_wei == 12_925 * DAI // 130
        assert position.unrealised_wei == 12_925 * DAI // 130 - 12_925 * DAI // 125
        assert position.market.state == State.ALONE
        assert position.market.quoted_at == later

    def test_without_a_fresh_quote_the_last_one_is_shown_with_its_age(
        self, village: Village, now: datetime
    ) -> None:
        told("125", at=now)
        village.pay("KIS0001", amount_minor=125_00, at=now)
        (position,) = seen(village, at=now + 90 * HOUR).positions
        assert position.market.local_per_dai == 125
        assert (position.market.quoted_at, position.market.state) == (now, State.NONE)
        assert not position.market.is_fresh

    def test_a_currency_that_nobody_quotes_stands_at_cost(
        self, village: Village, now: datetime
    ) -> None:
        village.pay("KIS0001", amount_minor=129_25, at=now)
        (position,) = seen(village, at=now).positions
        assert (position.market_wei, position.unrealised_wei) == (None, None)
        assert position.size_wei == DAI

    def test_currencies_of_one_book_are_told_apart(self, village: Village, now: datetime) -> None:
        village.pay("KIS0001", amount_minor=129_25, at=now)
        ledger.post(
            book_id=village.site.book.pk,
            kind="donation",
            key="donation:1",
            legs=[
                Leg(kind="float", name="stripe", asset="EUR", amount=-90_00),
                Leg(kind="fx_position", asset="EUR", amount=90_00),
                Leg(kind="fx_position", name="EUR", amount=-100 * DAI),
                Leg(kind="donations", amount=100 * DAI),
            ],
            occurred_at=now,
            at=now,
        )
        told("0.92", at=now, currency="EUR")
        euros, shillings = seen(village, at=now).positions
        assert (euros.currency, euros.amount_minor, euros.cost_wei) == ("EUR", 90_00, 100 * DAI)
        assert euros.market_wei == 90 * DAI * 100 // 92
        assert (shillings.currency, shillings.cost_wei) == ("KES", DAI)

    def test_books_of_all_sites_of_the_operator_and_of_no_other_count(
        self, village: Village, now: datetime
    ) -> None:
        near = Village.found(at=now, slug="near", beside=village)
        near.household("NEA0001", phone="+254711000011")
        other = sites.open_operator(slug="other", name="Other Power", at=now)
        for where, code in ((village, "KIS0001"), (near, "NEA0001")):
            where.pay(code, amount_minor=129_25, at=now, reference=f"R-{code}")
        found = seen(village, at=now)
        assert found.positions[0].amount_minor == 2 * 129_25
        assert [row.site.slug for row in found.sites] == ["kisima", "near"]
        assert exposure.of_operator(operator=other, at=now).positions == ()

    def test_each_site_shows_its_rate_and_its_part_of_the_reserve(
        self, village: Village, now: datetime
    ) -> None:
        told("125", at=now)
        village.pay("KIS0001", amount_minor=129_25, at=now)
        (row,) = seen(village, at=now).sites
        assert row.rate is not None
        assert row.rate.local_per_dai == Decimal("129.25")
        assert row.market.local_per_dai == Fraction(125)
        assert row.reserve_wei == 129_25 * DAI // 125_00 - DAI


class TestLimits:
    """Alarms of the reserve and of exposure, raised once and cleared."""

    def test_a_reserve_that_lost_too_much_raises_an_alarm(
        self, village: Village, now: datetime
    ) -> None:
        village.operator.fx_reserve_limit_wei = DAI
        village.operator.save()
        told("129.25", at=now)
        village.pay("KIS0001", amount_minor=1_292_50, at=now)
        fx_alarms.watch_exposure(at=now)
        assert open_alarms() == {}
        site_rates.publish(
            site=village.site, local_per_dai=Decimal(100), starts_at=now + HOUR, at=now
        )
        rollover.run_due(at=now + HOUR)
        for minutes in (60, 61):
            fx_alarms.watch_exposure(at=now + timedelta(minutes=minutes))
        key = f"fx_reserve:{village.operator.pk}"
        assert open_alarms() == {key: "The FX reserve has lost 2.925 DAI, its limit is 1 DAI"}
        alarm = Alarm.objects.get()
        assert (alarm.kind, alarm.operator) == ("fx_reserve", village.operator)
        assert (alarm.raised_at, alarm.seen_at) == (now + HOUR, now + timedelta(minutes=61))
        village.operator.fx_reserve_limit_wei = 3 * DAI
        village.operator.save()
        watch_exposure()
        assert open_alarms() == {}
        assert Alarm.objects.count() == 1

    def test_too_much_of_a_currency_raises_an_alarm(self, village: Village, now: datetime) -> None:
        village.operator.fx_exposure_limit_wei = 10 * DAI
        village.operator.save()
        told("129.25", at=now)
        village.pay("KIS0001", amount_minor=1_292_50, at=now)
        fx_alarms.watch_exposure(at=now)
        assert open_alarms() == {}
        village.pay("KIS0001", amount_minor=2_00, at=now)
        fx_alarms.watch_exposure(at=now)
        (text,) = open_alarms().values()
        assert text.startswith("10.0154738")
        assert text.endswith("DAI of KES wait to be converted, the limit is 10 DAI")
        ledger.post(
            book_id=village.site.book.pk,
            kind="conversion",
            key="conversion:1",
            legs=[
                Leg(kind="float", name="mpesa", asset="KES", amount=1_000_00),
                Leg(kind="fx_position", asset="KES", amount=-1_000_00),
                Leg(kind="fx_position", amount=7 * DAI),
                Leg(kind="treasury", amount=-7 * DAI),
            ],
            occurred_at=now,
            at=now,
        )
        fx_alarms.watch_exposure(at=now)
        assert open_alarms() == {}


class Scripted:
    """A source that answers what it is told to; no HTTP, which test_rate_sources is about."""

    def __init__(self, name: str, **rates: str) -> None:
        self.name = name
        self.rates = rates
        self.failure = ""

    def quotes(self, *, currencies: object, at: datetime) -> list[Quote]:
        if self.failure:
            raise SourceUnavailable(f"{self.name}: {self.failure}")
        return [
            Quote(
                currency=currency,
                local_per_dai=Decimal(rate),
                quoted_at=at,
                expires_at=at + 2 * HOUR,
            )
            for currency, rate in self.rates.items()
        ]


def fetch(*sources: Source, at: datetime) -> None:
    fetching.fetch(at=at, asked=list(sources))


class TestSources:
    """Alarms of sources that fail, contradict each other or break a peg, and of DAI."""

    def test_a_source_that_fails_is_given_until_its_quote_has_run_out(
        self, village: Village, now: datetime
    ) -> None:
        source = Scripted("table", KES="129", USD="1")
        fetch(source, at=now)
        source.failure = "answered 503"
        patience = now + 2 * HOUR + fx_alarms.PATIENCE
        fetch(source, at=patience - timedelta(seconds=1))
        assert open_alarms() == {}
        fetch(source, at=patience)
        fetch(source, at=patience + HOUR)
        assert open_alarms() == {"rate_source:table": "table: answered 503"}
        source.failure = ""
        fetch(source, at=patience + 2 * HOUR)
        assert open_alarms() == {}
        assert Alarm.objects.count() == 1

    def test_a_source_that_never_answered_raises_an_alarm_at_once(
        self, village: Village, now: datetime
    ) -> None:
        source = Scripted("chainlink")
        source.failure = "stale, updated at noon"
        fetch(source, at=now)
        assert open_alarms() == {"rate_source:chainlink": "chainlink: stale, updated at noon"}

    def test_sources_that_contradict_each_other(self, village: Village, now: datetime) -> None:
        first, second = Scripted("first", KES="129"), Scripted("second", KES="140")
        fetch(first, second, at=now)
        assert open_alarms() == {
            "rate_agreement:KES": "Sources of KES: they contradict each other, 8.53 % apart "
            "(first 129, second 140)"
        }
        assert Alarm.objects.get().kind == "rate_sources"
        second.rates["KES"] = "129.5"
        fetch(first, second, at=now + HOUR)
        assert open_alarms() == {}

    @pytest.mark.parametrize("off", ["0.97", "1.03"])
    def test_a_dai_that_is_no_dollar(self, village: Village, now: datetime, off: str) -> None:
        feed, table = Scripted("feed", USD="0.98"), Scripted("table", USD="1.02")
        fetch(feed, table, at=now)
        assert open_alarms() == {}
        feed.rates["USD"] = off
        fetch(feed, table, at=now + HOUR)
        assert open_alarms() == {"dai_depeg": f"A DAI is outside 0.98 to 1.02 USD: feed {off}"}
        assert Alarm.objects.get().kind == "dai_depeg"
        fetch(at=now + 9 * HOUR)
        assert list(open_alarms()) == ["dai_depeg"], "silence is no recovery"
        feed.rates["USD"] = "0.999"
        fetch(feed, table, at=now + 10 * HOUR)
        assert open_alarms() == {}

    def test_a_rate_off_its_peg(self, village: Village, now: datetime) -> None:
        table = Scripted("table", EUR="0.92", XOF="620", XAF="603.48", KES="129")
        fetch(table, at=now)
        (key,) = open_alarms()
        assert key == "rate_peg:table:XOF"
        assert open_alarms()[key] == ("table tells 673.91304348 XOF per EUR: refused, off its peg")
        table.rates["XOF"] = "603.48"
        fetch(table, at=now + HOUR)
        assert open_alarms() == {}

    def test_one_that_lasts_is_one_alarm_for_everybody(
        self, village: Village, now: datetime
    ) -> None:
        feed = Scripted("feed", USD="0.9")
        for minutes in range(5):
            fetch(feed, at=now + timedelta(minutes=minutes))
        alarm = Alarm.objects.get()
        assert alarm.operator is None
        assert (alarm.raised_at, alarm.seen_at) == (now, now + timedelta(minutes=4))
