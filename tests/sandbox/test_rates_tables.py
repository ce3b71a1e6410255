"""Services of rates: two tables of fiat money, and CoinGecko's price of DAI."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests
from pycoingecko import CoinGeckoAPI

from tests.sandbox.conftest import MovableClock, StartSandbox


def tell(sandbox_url: str, name: str, **body: Any) -> dict[str, Any]:
    """Change what a service says."""
    answer = requests.post(f"{sandbox_url}/rates/simulator/{name}", json=body, timeout=5)
    assert answer.ok, answer.text
    told: dict[str, Any] = answer.json()
    return told


def table(sandbox_url: str, path: str = "", **query: str) -> dict[str, Any]:
    answer = requests.get(f"{sandbox_url}/rates{path}", params=query, timeout=5)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def gecko(sandbox_url: str) -> CoinGeckoAPI:
    """CoinGecko's Python client; only the host is another."""
    client = CoinGeckoAPI()
    client.api_base_url = f"{sandbox_url}/rates/api/v3/"
    return client


class TestTables:
    """Local money per DAI, with the instant of the quotation."""

    def test_it_tells_what_is_asked_for_and_leaves_out_what_it_does_not_know(
        self, sandbox_url: str
    ) -> None:
        told = table(sandbox_url, currencies="KES, XOF,CHF")
        assert told["rates"] == {"KES": "129.40", "XOF": "604.50"}
        age = datetime.now(UTC) - datetime.fromisoformat(told["quoted_at"])
        assert 0 <= age.total_seconds() < 5

    def test_it_tells_all_where_nothing_is_named(self, sandbox_url: str) -> None:
        assert {"EUR", "KES", "USD", "XAF", "XOF"} <= table(sandbox_url)["rates"].keys()

    def test_the_two_houses_differ_a_little_and_keep_the_peg(self, sandbox_url: str) -> None:
        first, second = table(sandbox_url)["rates"], table(sandbox_url, "/second")["rates"]
        assert first.keys() == second.keys()
        for currency, rate in first.items():
            assert rate != second[currency]
            assert abs(Decimal(rate) / Decimal(second[currency]) - 1) < Decimal("0.005")
        for house in (first, second):
            assert abs(Decimal(house["XOF"]) / Decimal(house["EUR"]) - Decimal("655.957")) < 1

    def test_the_simulator_changes_one_house_until_it_is_reset(self, sandbox_url: str) -> None:
        changed = tell(sandbox_url, "first", rates={"KES": "140.5", "XOF": None}, age_seconds=7200)
        assert changed["rates"]["KES"] == "140.5"
        told = table(sandbox_url, currencies="KES,XOF,USD")
        assert told["rates"] == {"KES": "140.5", "USD": "0.9998"}
        age = datetime.now(UTC) - datetime.fromisoformat(told["quoted_at"])
        assert 7200 <= age.total_seconds() < 7205
        assert table(sandbox_url, "/second", currencies="KES")["rates"] == {"KES": "129.55"}
        requests.delete(f"{sandbox_url}/rates/simulator/first", timeout=5)
        assert table(sandbox_url, currencies="KES")["rates"] == {"KES": "129.40"}

    def test_a_house_may_be_down(self, sandbox_url: str) -> None:
        tell(sandbox_url, "second", is_down=True)
        assert requests.get(f"{sandbox_url}/rates/second", timeout=5).status_code == 503
        assert requests.get(f"{sandbox_url}/rates", timeout=5).status_code == 200

    def test_faults_on_command(self, sandbox_url: str) -> None:
        fault = {"kind": "unavailable"}
        requests.post(f"{sandbox_url}/rates/simulator/faults", json=fault, timeout=5)
        assert requests.get(f"{sandbox_url}/rates", timeout=5).status_code == 503
        assert requests.get(f"{sandbox_url}/rates", timeout=5).status_code == 200

    def test_a_restart_keeps_what_was_changed(
        self, start_sandbox: StartSandbox, clock: MovableClock
    ) -> None:
        first, url = start_sandbox()
        tell(url, "first", rates={"KES": 150})
        first.stop()
        clock.move(seconds=86_400)
        _, url = start_sandbox()
        told = table(url, currencies="KES")
        assert told["rates"] == {"KES": "150"}
        assert datetime.fromisoformat(told["quoted_at"]) > datetime.now(UTC)

    @pytest.mark.parametrize(
        "body",
        [
            {"rates": {"KES": "many"}},
            {"rates": ["KES"]},
            {"age_seconds": "old"},
            {"age_seconds": True},
            {"is_down": 1},
            {"rate": {"KES": "1"}},
        ],
    )
    def test_the_simulator_refuses_what_it_cannot_read(self, sandbox_url: str, body: Any) -> None:
        before = table(sandbox_url)["rates"]
        answer = requests.post(f"{sandbox_url}/rates/simulator/first", json=body, timeout=5)
        assert answer.status_code == 400
        assert answer.json()["error"]
        assert table(sandbox_url)["rates"] == before


class TestCoins:
    """CoinGecko's simple/price."""

    def test_a_client_of_coingecko_reads_the_price(self, sandbox_url: str) -> None:
        told = gecko(sandbox_url).get_price(
            ids="dai", vs_currencies="usd,xyz", include_last_updated_at=True
        )
        assert told["dai"]["usd"] == 0.9999
        assert abs(told["dai"]["last_updated_at"] - datetime.now(UTC).timestamp()) < 5
        assert told["dai"].keys() == {"usd", "last_updated_at"}

    def test_the_price_moves_and_grows_old(self, sandbox_url: str) -> None:
        tell(sandbox_url, "coins", rates={"USD": "0.88"}, age_seconds=900)
        told = gecko(sandbox_url).get_price(
            ids="dai", vs_currencies="usd", include_last_updated_at=True
        )
        assert told["dai"]["usd"] == 0.88
        assert 900 <= datetime.now(UTC).timestamp() - told["dai"]["last_updated_at"] < 905

    def test_unknown_coins_are_left_out(self, sandbox_url: str) -> None:
        assert gecko(sandbox_url).get_price(ids="doge", vs_currencies="usd") == {}

    def test_what_is_missing_is_named(self, sandbox_url: str) -> None:
        path = f"{sandbox_url}/rates/api/v3/simple/price"
        answer = requests.get(path, params={"ids": "dai"}, timeout=5)
        assert (answer.status_code, answer.json()) == (
            422,
            {"error": "Missing parameter vs_currencies"},
        )

    def test_too_many_requests(self, sandbox_url: str) -> None:
        tell(sandbox_url, "coins", is_down=True)
        with pytest.raises(ValueError, match="429"):
            gecko(sandbox_url).get_price(ids="dai", vs_currencies="usd")
