"""Rates of the market and of a site: what is believed, kept, and for how long."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import Settings
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from accounts import site_rates
from accounts.models import RateQuote, SiteRate
from accounts.site_rates import NoSiteRate
from gateway.rates import fetching
from gateway.rates.sources import FixedTable, HttpTable, Source, SourceUnavailable
from gateway.rates.tasks import fetch_rates
from sandbox.app import QuietHandler
from tests.integration.sandboxed import later, today
from tests.village import RATE, Village

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["today"]

pytestmark = pytest.mark.django_db


class Service:
    """A service of rates that answers as told."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.answer: Response = Response(status=500)

    def says(self, body: Any, *, status: int = 200) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.answer = Response(text, status=status, content_type="application/json")

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        self.asked.append(Request(environ).args.get("currencies", ""))
        return self.answer(environ, start_response)


@pytest.fixture
def service() -> Iterator[Service]:
    double = Service()
    server = make_server("127.0.0.1", 0, double.wsgi_app, request_handler=QuietHandler)
    double.url = f"http://127.0.0.1:{server.server_port}/rates"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield double
    server.shutdown()
    server.server_close()
    thread.join(timeout=3)


def nothing_is_set_up(settings: Settings) -> None:
    settings.RATES_URL = settings.RATES_URL_2 = ""
    settings.DAI_USD_FEED_ADDRESS = settings.DAI_USD_URL = ""


def quote(rate: str, *, quoted_at: datetime, source: str = "test", hours: float = 1) -> None:
    site_rates.store_quote(
        source=source,
        currency="KES",
        local_per_dai=Decimal(rate),
        quoted_at=quoted_at,
        expires_at=quoted_at + timedelta(hours=hours),
    )


class TestSources:
    """What a service says, checked before anything is kept."""

    def test_quotes_are_stored_once_with_their_age(
        self, service: Service, today: Village, settings: Settings
    ) -> None:
        at = later(minutes=-5)
        nothing_is_set_up(settings)
        settings.RATES_URL = service.url
        service.says({"quoted_at": at.isoformat(), "rates": {"KES": "129.123456789", "XOF": 600}})
        fetch_rates()
        fetch_rates()
        stored = RateQuote.objects.get()
        assert service.asked[0] == "EUR,KES,USD"
        assert (stored.currency, stored.local_per_dai) == ("KES", Decimal("129.12345679"))
        assert (stored.quoted_at, stored.expires_at) == (at, at + timedelta(hours=2))
        assert site_rates.market(currency="KES", at=timezone.now()) == Fraction("129.12345679")

    @pytest.mark.parametrize(
        "rates",
        [
            {"KES": "0"},
            {"KES": "-129"},
            {"KES": "nan"},
            {"KES": "inf"},
            {"KES": "1e30"},
            {"KES": "1e-30"},
            {"KES": "many"},
            {"KES": None},
            {"KES": {}},
            "KES",
            7,
            None,
        ],
    )
    def test_a_rate_that_is_none_is_not_believed(
        self, service: Service, today: Village, rates: Any
    ) -> None:
        service.says({"quoted_at": timezone.now().isoformat(), "rates": rates})
        with pytest.raises(SourceUnavailable):
            HttpTable(url=service.url).quotes(currencies=["KES"], at=timezone.now())

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "<html>",
            "[]",
            "null",
            "[" * 5_000,
            '{"rates": {"KES": 129}}',
            '{"quoted_at": null, "rates": {"KES": 129}}',
            '{"quoted_at": "yesterday", "rates": {"KES": 129}}',
            '{"quoted_at": "2026-11-20T10:00:00", "rates": {"KES": 129}}',
            '{"quoted_at": "9999-12-31T23:59:59+00:00", "rates": {"KES": 129}}',
            '{"quoted_at": "2999-12-31T23:59:59+00:00", "rates": {"KES": 129}}',
            '{"quoted_at": "2020-12-31T23:59:59+00:00", "rates": {"KES": 129}}',
        ],
    )
    def test_an_answer_in_another_form_is_not_believed(self, service: Service, body: str) -> None:
        service.says(body)
        with pytest.raises(SourceUnavailable):
            HttpTable(url=service.url).quotes(currencies=["KES"], at=timezone.now())

    def test_a_source_that_is_away_does_not_stop_the_others(
        self, service: Service, today: Village
    ) -> None:
        service.says("down", status=503)
        fixed = FixedTable(table={"KES": Decimal("130")})
        asked: list[Source] = [
            HttpTable(url=service.url),
            HttpTable(url="http://127.0.0.1:9"),
            fixed,
        ]
        assert fetching.fetch(at=timezone.now(), asked=asked) == 1
        assert RateQuote.objects.get().source == "fixed"

    def test_a_source_may_know_none_of_our_currencies(self, service: Service) -> None:
        service.says({"quoted_at": timezone.now().isoformat(), "rates": {"EUR": 1}})
        assert HttpTable(url=service.url).quotes(currencies=["KES"], at=timezone.now()) == []

    def test_without_a_source_nothing_is_asked(self, today: Village, settings: Settings) -> None:
        nothing_is_set_up(settings)
        fetch_rates()
        assert fetching.sources() == []
        assert not RateQuote.objects.exists()

    def test_the_demo_has_a_table(self, today: Village, settings: Settings) -> None:
        nothing_is_set_up(settings)
        settings.DEMO = True
        fetch_rates()
        assert RateQuote.objects.get().local_per_dai == Decimal("129.40")


class TestMarket:
    """The freshest quote that may still be used."""

    def test_the_freshest_quote_of_a_source_counts_until_it_expires(self, today: Village) -> None:
        at = timezone.now()
        quote("120", quoted_at=at - timedelta(minutes=30), hours=5)
        quote("130", quoted_at=at - timedelta(minutes=10), hours=1)
        quote("140", quoted_at=at + timedelta(minutes=10))
        assert site_rates.market(currency="KES", at=at) == 130
        assert site_rates.market(currency="KES", at=at + timedelta(minutes=11)) == 140
        assert site_rates.market(currency="KES", at=at + timedelta(hours=3)) == 120
        assert site_rates.market(currency="KES", at=at + timedelta(hours=9)) is None
        assert site_rates.market(currency="XOF", at=at) is None

    def test_sources_that_agree_are_met_in_the_middle(self, today: Village) -> None:
        at = timezone.now()
        quote("129", quoted_at=at)
        quote("130", quoted_at=at, source="other")
        assert site_rates.market(currency="KES", at=at) == Fraction("129.5")

    def test_sources_that_contradict_each_other_say_nothing(
        self, today: Village, settings: Settings
    ) -> None:
        at = timezone.now()
        quote("129", quoted_at=at)
        quote("131", quoted_at=at, source="other")
        assert site_rates.market(currency="KES", at=at) is None
        settings.RATE_TOLERANCE_BASIS_POINTS = 200
        assert site_rates.market(currency="KES", at=at) == 130
        settings.RATE_TOLERANCE_BASIS_POINTS = 100
        assert site_rates.market(currency="KES", at=at + timedelta(hours=2)) is None

    def test_a_quote_above_zero_only(self, today: Village) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            quote("0", quoted_at=timezone.now())


class TestSiteRates:
    """Published for a period; the last one holds until the next begins."""

    def test_the_rate_of_the_instant_counts(self, today: Village) -> None:
        at = timezone.now()
        site_rates.publish(site=today.site, local_per_dai=Decimal(140), starts_at=at, at=at)
        rate_at = {
            days: site_rates.at_site(site=today.site, at=at + timedelta(days=days))
            for days in (-400, -1, 0, 400)
        }
        assert rate_at == {-400: Fraction(RATE), -1: Fraction(RATE), 0: 140, 400: 140}
        assert SiteRate.objects.get(local_per_dai=RATE).validity.upper == at

    def test_a_rate_may_be_published_ahead(self, today: Village) -> None:
        at, ahead = timezone.now(), later(days=3)
        site_rates.publish(site=today.site, local_per_dai=Decimal(140), starts_at=ahead, at=at)
        assert site_rates.at_site(site=today.site, at=at) == Fraction(RATE)
        assert site_rates.at_site(site=today.site, at=ahead) == 140

    @pytest.mark.parametrize("days", [90, 91])
    def test_the_past_is_not_taken_back(self, today: Village, days: int) -> None:
        starts_at = today.founded_at - timedelta(days=days - 90)
        with pytest.raises(ValueError, match="must begin after"):
            site_rates.publish(
                site=today.site,
                local_per_dai=Decimal(140),
                starts_at=starts_at,
                at=timezone.now(),
            )
        assert SiteRate.objects.get().validity.upper is None

    def test_a_site_without_a_rate_says_so(self, today: Village) -> None:
        SiteRate.objects.all().delete()
        with pytest.raises(NoSiteRate, match="kisima has no rate in KES"):
            site_rates.at_site(site=today.site, at=timezone.now())

    def test_the_rates_of_many_sites_are_found_at_once(
        self, today: Village, django_assert_num_queries: Any
    ) -> None:
        at = timezone.now()
        other = Village.found(at=at, slug="other", beside=today)
        site_rates.publish(site=other.site, local_per_dai=Decimal(140), starts_at=at, at=at)
        later_site = Village.found(at=at, slug="later", beside=today).site
        SiteRate.objects.filter(site=later_site).update(validity=(at + timedelta(days=1), None))
        without = Village.found(at=at, slug="without", beside=today).site
        SiteRate.objects.filter(site=without).delete()
        listed = [today.site, other.site, later_site, without]
        with django_assert_num_queries(1):
            found = site_rates.in_force(sites=listed, at=at)
        assert {pk: rate.local_per_dai for pk, rate in found.items()} == {
            today.site.pk: RATE,
            other.site.pk: Decimal(140),
            later_site.pk: RATE,
        }
