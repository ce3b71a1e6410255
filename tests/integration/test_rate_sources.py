"""Sources of rates over real HTTP: the sandbox's tables, its coin service, its node and feed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import requests
from django.utils import timezone
from pytest_django import Settings
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from accounts import site_rates
from accounts.models import RateQuote
from accounts.rate_agreement import State
from gateway.rates import fetching
from gateway.rates.chainlink import ChainlinkFeed
from gateway.rates.coingecko import CoinPrice
from gateway.rates.sources import Quote, SourceUnavailable
from gateway.rates.tasks import fetch_feeds, fetch_rates
from sandbox.app import QuietHandler, create_sandbox
from sandbox.chainlink import FEED_ADDRESS
from tests.integration.sandboxed import today
from tests.village import Village

__all__ = ["today"]

HEARTBEAT = timedelta(hours=1)


@dataclass(kw_only=True)
class Market:
    """The services of rates at `url`, and what they say."""

    url: str

    def feed(self, *, address: str = FEED_ADDRESS, chain_id: int = 1) -> ChainlinkFeed:
        return ChainlinkFeed(
            url=f"{self.url}/chainlink", address=address, chain_id=chain_id, heartbeat=HEARTBEAT
        )

    def tell_feed(self, **body: Any) -> None:
        self._post("chainlink/simulator/feed", body)

    def tell(self, name: str, **body: Any) -> None:
        """Let the first or the second table, or the coins, say something else."""
        self._post(f"rates/simulator/{name}", body)

    def _post(self, path: str, body: dict[str, Any]) -> None:
        answer = requests.post(f"{self.url}/{path}", json=body, timeout=5)
        assert answer.ok, answer.text


@pytest.fixture
def market(tmp_path: Path, settings: Settings) -> Iterator[Market]:
    sandbox = create_sandbox(product_url="http://product.test", state_path=tmp_path / "s.sqlite3")
    url = sandbox.start()
    settings.RATES_URL = f"{url}/rates"
    settings.RATES_URL_2 = ""
    settings.DAI_USD_FEED_RPC_URL = f"{url}/chainlink"
    settings.DAI_USD_FEED_ADDRESS = FEED_ADDRESS
    settings.DAI_USD_FEED_CHAIN_ID = 1
    settings.DAI_USD_FEED_HEARTBEAT_SECONDS = 3_600
    settings.DAI_USD_URL = ""
    market = Market(url=url)
    market.tell_feed(age_seconds=600)
    yield market
    sandbox.stop()


def ask(source: ChainlinkFeed | CoinPrice, *, at: datetime | None = None) -> Quote:
    (quote,) = source.quotes(currencies=["KES", "USD"], at=at or timezone.now())
    return quote


class TestChainlinkFeed:
    """A round is believed only if everything about it is as it should be."""

    def test_the_newest_round_is_read(self, market: Market) -> None:
        at = timezone.now()
        quote = ask(market.feed(), at=at)
        assert (quote.currency, quote.local_per_dai) == ("USD", Decimal("0.99990000"))
        assert timedelta(0) <= at - quote.quoted_at - timedelta(minutes=10) < timedelta(seconds=5)
        assert quote.expires_at == quote.quoted_at + HEARTBEAT

    def test_nothing_is_asked_where_dollars_are_not_wanted(self) -> None:
        feed = ChainlinkFeed(
            url="http://127.0.0.1:9", address=FEED_ADDRESS, chain_id=1, heartbeat=HEARTBEAT
        )
        assert feed.quotes(currencies=["KES"], at=timezone.now()) == []

    def test_an_answer_that_came_while_it_was_asked_for_is_believed(self, market: Market) -> None:
        market.tell_feed(age_seconds=-30)
        assert ask(market.feed()).local_per_dai == Decimal("0.99990000")

    @pytest.mark.parametrize(
        ("decimals", "answer", "rate"),
        [
            (18, 1_000_123_456_789_012_345, "1.00012346"),
            (8, 99_990_001, "0.99990001"),
            (6, 999_900, "0.99990000"),
            (0, 1, "1.00000000"),
            (36, 10**36 - 1, "1.00000000"),
        ],
    )
    def test_decimals_are_those_of_the_feed(
        self, market: Market, decimals: int, answer: int, rate: str
    ) -> None:
        market.tell_feed(decimals=decimals, answer=answer)
        assert ask(market.feed()).local_per_dai == Decimal(rate)

    @pytest.mark.parametrize(
        ("told", "reason"),
        [
            ({"answer": 0}, "the answer is 0"),
            ({"answer": -99_990_000}, "the answer is -99990000"),
            ({"answer": 2**200}, "is no rate"),
            ({"answer": 1, "decimals": 18}, "is no rate"),
            ({"decimals": 37}, "37 decimals"),
            ({"decimals": 255}, "255 decimals"),
            ({"round_id": 10, "answered_in_round": 9}, "no answer of its own"),
            ({"age_seconds": 3_602}, "stale"),
            ({"age_seconds": 10**9}, "stale"),
            ({"age_seconds": -600}, "still to come"),
            ({"age_seconds": -(10**12)}, ""),
            ({"is_reverting": True}, "execution reverted"),
            ({"description": "ETH / USD"}, "'ETH / USD'"),
            ({"description": ""}, "''"),
            ({"chain_id": 100}, "chain 100, not 1"),
        ],
    )
    def test_what_cannot_be_believed_is_refused(
        self, market: Market, told: dict[str, Any], reason: str
    ) -> None:
        market.tell_feed(**told)
        with pytest.raises(SourceUnavailable, match=f"^chainlink: .*{reason}"):
            ask(market.feed())

    def test_a_round_is_believed_until_its_heartbeat_is_over(self, market: Market) -> None:
        quote = ask(market.feed())
        ask(market.feed(), at=quote.quoted_at + HEARTBEAT - timedelta(seconds=2))
        with pytest.raises(SourceUnavailable, match="stale"):
            ask(market.feed(), at=quote.quoted_at + HEARTBEAT + timedelta(seconds=2))

    def test_an_address_without_a_feed(self, market: Market) -> None:
        with pytest.raises(SourceUnavailable, match="no feed at the address"):
            ask(market.feed(address="0x" + "00" * 19 + "01"))

    def test_an_address_that_is_none(self, market: Market) -> None:
        with pytest.raises(SourceUnavailable, match="not an address"):
            ask(market.feed(address="0x12"))

    def test_a_node_that_is_away_is_not_named(self) -> None:
        feed = ChainlinkFeed(
            url="http://127.0.0.1:9/v1/secret-key",
            address=FEED_ADDRESS,
            chain_id=1,
            heartbeat=HEARTBEAT,
        )
        with pytest.raises(SourceUnavailable, match=r"^chainlink: ConnectionError$"):
            ask(feed)

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "<html>",
            "[]",
            "null",
            "7",
            "[" * 5_000,
            '{"jsonrpc": "2.0", "id": 1}',
            '{"jsonrpc": "2.0", "id": 1, "result": null}',
            '{"jsonrpc": "2.0", "id": 1, "result": 1}',
            '{"jsonrpc": "2.0", "id": 1, "result": "0x"}',
            '{"jsonrpc": "2.0", "id": 1, "result": "1"}',
            '{"jsonrpc": "2.0", "id": 1, "result": "0xzz"}',
            '{"jsonrpc": "2.0", "id": 2, "result": "0x1"}',
            '{"jsonrpc": "2.0", "id": 1, "result": "0x1"}',
            '{"jsonrpc": "2.0", "id": 1, "error": "no"}',
            '{"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "busy"}}',
        ],
    )
    def test_an_answer_in_another_form_is_not_believed(self, body: str) -> None:
        with _answering(Response(body, content_type="application/json")) as url:
            feed = ChainlinkFeed(url=url, address=FEED_ADDRESS, chain_id=1, heartbeat=HEARTBEAT)
            with pytest.raises(SourceUnavailable):
                ask(feed)


class TestCoinPrice:
    """CoinGecko's form."""

    def source(self, market: Market) -> CoinPrice:
        return CoinPrice(url=f"{market.url}/rates/api/v3/simple/price")

    def test_a_price_that_came_while_it_was_asked_for_is_believed(self, market: Market) -> None:
        market.tell("coins", age_seconds=-30)
        assert ask(self.source(market)).local_per_dai == Decimal("0.99990000")

    def test_the_price_is_read(self, market: Market) -> None:
        market.tell("coins", age_seconds=120)
        at = timezone.now()
        quote = ask(self.source(market), at=at)
        assert (quote.currency, quote.local_per_dai) == ("USD", Decimal("0.99990000"))
        assert timedelta(seconds=119) <= at - quote.quoted_at < timedelta(seconds=125)
        assert quote.expires_at == quote.quoted_at + timedelta(hours=1)

    @pytest.mark.parametrize(
        ("told", "reason"),
        [
            ({"age_seconds": 3_601}, "stale"),
            ({"age_seconds": -600}, "still to come"),
            ({"is_down": True}, "answered 429"),
            ({"rates": {"USD": None}}, "KeyError"),
            ({"rates": {"USD": "0"}}, "is no rate"),
        ],
    )
    def test_what_cannot_be_believed_is_refused(
        self, market: Market, told: dict[str, Any], reason: str
    ) -> None:
        market.tell("coins", **told)
        with pytest.raises(SourceUnavailable, match=reason):
            ask(self.source(market))

    @pytest.mark.parametrize(
        "body",
        [
            "{}",
            "[]",
            '{"dai": 1}',
            '{"dai": {"usd": 1}}',
            '{"dai": {"usd": 1, "last_updated_at": 1e300}}',
            '{"dai": {"usd": 1, "last_updated_at": "soon"}}',
            '{"dai": {"usd": null, "last_updated_at": 1}}',
            '{"dai": {"usd": NaN, "last_updated_at": 1}}',
        ],
    )
    def test_an_answer_in_another_form_is_not_believed(self, body: str) -> None:
        answer = Response(body, content_type="application/json")
        with _answering(answer) as url, pytest.raises(SourceUnavailable):
            ask(CoinPrice(url=url))


@pytest.mark.django_db
class TestTogether:
    """All that is set up is asked, and what it says is compared."""

    def test_the_table_and_the_feed_agree(self, market: Market, today: Village) -> None:
        fetch_rates()
        kept = {(q.source, q.currency): q.local_per_dai for q in RateQuote.objects.all()}
        assert kept == {
            ("http", "EUR"): Decimal("0.92155"),
            ("http", "KES"): Decimal("129.40"),
            ("http", "USD"): Decimal("0.9998"),
            ("chainlink", "USD"): Decimal("0.9999"),
        }
        found = site_rates.agreement(currency="KES", at=timezone.now())
        through_feed = Fraction("129.40") / Fraction("0.9998") * Fraction("0.9999")
        assert found.state == State.AGREED
        assert {each.source: each.local_per_dai for each in found.opinions} == {
            "http": Fraction("129.40"),
            "chainlink": through_feed,
        }
        assert found.median == (Fraction("129.40") + through_feed) / 2

    def test_every_source_that_is_set_up_is_asked(
        self, market: Market, today: Village, settings: Settings
    ) -> None:
        settings.RATES_URL_2 = f"{market.url}/rates/second"
        settings.DAI_USD_URL = f"{market.url}/rates/api/v3/simple/price"
        fetch_rates()
        names = {"http", "http-2", "chainlink", "dai-usd"}
        assert {source.name for source in fetching.sources()} == names
        found = site_rates.agreement(currency="KES", at=timezone.now())
        assert {each.source for each in found.opinions} == names
        assert found.state == State.AGREED

    def test_only_feeds_are_asked_in_between(self, market: Market, today: Village) -> None:
        fetch_feeds()
        assert {q.source for q in RateQuote.objects.all()} == {"chainlink"}

    def test_a_feed_that_says_something_else_stops_the_market(
        self, market: Market, today: Village
    ) -> None:
        market.tell_feed(answer=88_000_000)
        fetch_rates()
        found = site_rates.agreement(currency="KES", at=timezone.now())
        assert found.state == State.DISAGREEING
        assert site_rates.market(currency="KES", at=timezone.now()) is None

    def test_a_stale_feed_leaves_the_table_alone(self, market: Market, today: Village) -> None:
        market.tell_feed(age_seconds=7_200)
        fetch_rates()
        assert site_rates.agreement(currency="KES", at=timezone.now()).state == State.ALONE
        assert site_rates.market(currency="KES", at=timezone.now()) == Fraction("129.40")

    def test_nothing_is_known_while_the_table_is_down(self, market: Market, today: Village) -> None:
        market.tell("first", is_down=True)
        fetch_rates()
        assert site_rates.agreement(currency="KES", at=timezone.now()).state == State.NONE

    @pytest.mark.parametrize("wrong", ["608", "60.45", "6045"])
    def test_a_rate_off_its_peg_is_refused(
        self, market: Market, today: Village, wrong: str
    ) -> None:
        Village.found(at=timezone.now(), slug="lofe", beside=today)
        today.site.currency = "XOF"
        today.site.save()
        market.tell("first", rates={"XOF": wrong})
        fetch_rates()
        assert not RateQuote.objects.filter(currency="XOF").exists()
        assert RateQuote.objects.filter(currency="EUR").exists()
        market.tell("first", rates={"XOF": "604.50"})
        fetch_rates()
        assert RateQuote.objects.get(currency="XOF").local_per_dai == Decimal("604.50")

    def test_a_payment_credits_whatever_the_sources_do(
        self, market: Market, today: Village
    ) -> None:
        today.household()
        market.tell_feed(answer=88_000_000)
        market.tell("first", rates={"KES": "1"})
        fetch_rates()
        payment = today.pay("KIS0001", amount_minor=50_000, at=timezone.now())
        assert payment.credited_wei == 500 * 10**18 * 100 // 12925


class _answering:
    """A server that always answers the same."""

    def __init__(self, response: Response) -> None:
        self.server = make_server("127.0.0.1", 0, response, request_handler=QuietHandler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> str:
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=3)
