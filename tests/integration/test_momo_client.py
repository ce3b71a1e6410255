"""MoMo's client: what it tells of a call that went wrong, its tokens and its connections."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from gateway.providers.interface import (
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnreachable,
)
from gateway.providers.momo.client import Momo, Order
from sandbox.app import create_sandbox
from tests.integration.momo_rail import CREDENTIALS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PHONE = "+256772000001"
NOWHERE = "http://127.0.0.1:9/momo"


class Clock:
    """The sandbox's clock, moved at will."""

    at = NOW

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def url(clock: Clock, tmp_path: Path) -> Iterator[str]:
    sandbox = create_sandbox(
        product_url="http://product.test", state_path=tmp_path / "s.sqlite3", clock=clock
    )
    yield f"{sandbox.start()}/momo"
    sandbox.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client gives up after 0.3 s."""
    monkeypatch.setattr("gateway.providers.momo.client.TIMEOUT_SECONDS", (1, 0.3))


def client_of(url: str, **changes: str) -> Momo:
    names = ("environment", "api_user", "api_key", "collection_key", "disbursement_key")
    settings = {name: CREDENTIALS[f"MOMO_{name.upper()}"] for name in names}
    return Momo(base_url=url, **{**settings, **changes})


def order(**changes: Any) -> Order:
    fields = {
        "reference": str(uuid.uuid4()),
        "amount": "5000",
        "currency": "UGX",
        "external_id": "BUL0001",
        "message": "Solar power",
        "callback_url": "http://product.test/hooks/s/momo/t",
    }
    return Order(**{**fields, **changes})


def fault(url: str, kind: str, **body: Any) -> None:
    assert requests.post(f"{url}/simulator/faults", json={"kind": kind, **body}, timeout=5).ok


def test_a_request_is_accepted_and_found_again_by_our_id(url: str) -> None:
    momo, asked = client_of(url), order()
    assert momo.payment(reference=asked.reference, at=NOW) is None
    momo.request_to_pay(order=asked, phone=PHONE, at=NOW)
    momo.request_to_pay(order=asked, phone=PHONE, at=NOW)
    found = momo.payment(reference=asked.reference, at=NOW)
    assert found is not None
    assert (found["status"], found["externalId"]) == ("PENDING", "BUL0001")
    assert found["payer"]["partyId"] == "256772000001"


def test_a_token_that_momo_no_longer_takes_is_renewed_once(url: str, clock: Clock) -> None:
    momo = client_of(url)
    momo.balance(at=NOW)
    clock.at += timedelta(hours=2)
    # Our own clock says that the token is still good.
    assert momo.balance(at=NOW) == ("0", "UGX")


@pytest.mark.parametrize(
    "changes",
    [{"api_key": "guess"}, {"collection_key": "sandbox-disbursement-key"}, {"base_url": NOWHERE}],
)
def test_without_a_token_nothing_was_asked(url: str, changes: dict[str, str]) -> None:
    momo = client_of(changes.pop("base_url", url), **changes)
    with pytest.raises(ProviderUnreachable):
        momo.request_to_pay(order=order(), phone=PHONE, at=NOW)


def test_a_token_that_comes_too_late_leaves_nothing_unknown(url: str, impatient: None) -> None:
    fault(url, "slow_response", seconds=0.7)
    with pytest.raises(ProviderUnreachable):
        client_of(url).request_to_pay(order=order(), phone=PHONE, at=NOW)


def test_no_connection_is_told_from_an_answer_that_came_too_late(url: str, impatient: None) -> None:
    momo, late = client_of(url), order()
    momo.balance(at=NOW)
    fault(url, "slow_response", seconds=0.7)
    with pytest.raises(ProviderUnavailable) as unknown:
        momo.request_to_pay(order=late, phone=PHONE, at=NOW)
    assert not isinstance(unknown.value, ProviderUnreachable)
    time.sleep(0.6)
    assert momo.payment(reference=late.reference, at=NOW) is not None
    momo.base_url = NOWHERE
    with pytest.raises(ProviderUnreachable):
        momo.request_to_pay(order=order(), phone=PHONE, at=NOW)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"currency": "EUR"}, "INVALID_CURRENCY"),
        ({"amount": "12.5"}, "http_400"),
        ({"reference": "1"}, "http_400"),
        ({"external_id": "two words"}, "http_400"),
    ],
)
def test_a_refusal_has_a_code_whatever_its_status(
    url: str, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(ProviderRefused) as refusal:
        client_of(url).request_to_pay(order=order(**changes), phone=PHONE, at=NOW)
    assert (refusal.value.code, bool(refusal.value.text)) == (code, True)


def test_an_unknown_target_environment_is_refused(url: str) -> None:
    with pytest.raises(ProviderRefused, match="NOT_ALLOWED_TARGET_ENVIRONMENT"):
        client_of(url, environment="mtnmars").request_to_pay(order=order(), phone=PHONE, at=NOW)


def test_an_error_of_the_server_leaves_it_unknown(url: str) -> None:
    momo = client_of(url)
    momo.balance(at=NOW)
    fault(url, "unavailable")
    with pytest.raises(ProviderUnavailable) as unknown:
        momo.request_to_pay(order=order(), phone=PHONE, at=NOW)
    assert not isinstance(unknown.value, ProviderUnreachable)
    fault(url, "unavailable")
    with pytest.raises(ProviderUnavailable):
        momo.payment(reference=str(uuid.uuid4()), at=NOW)


class Odd(BaseHTTPRequestHandler):
    """Gives a token, and then answers as told, which nobody should; counts what comes."""

    protocol_version = "HTTP/1.1"
    url: str = ""
    connections: list[object]
    paths: list[str]
    token: bytes = b'{"access_token": "t", "expires_in": "3600"}'
    status: int = 200
    body: bytes = b"{}"

    def setup(self) -> None:
        super().setup()
        self.connections.append(self.client_address)

    def do_POST(self) -> None:
        is_token = self.path.endswith("/token/")
        self.give(200 if is_token else self.status, self.token if is_token else self.body)

    def do_GET(self) -> None:
        self.give(self.status, self.body)

    def give(self, status: int, body: bytes) -> None:
        self.paths.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def odd() -> Iterator[type[Odd]]:
    handler: type[Odd] = type("OddNow", (Odd,), {"connections": [], "paths": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    handler.url = f"http://127.0.0.1:{server.server_port}"
    yield handler
    server.shutdown()
    server.server_close()
    thread.join(timeout=3)


def test_one_connection_and_one_token_serve_many_calls(odd: type[Odd]) -> None:
    odd.body = b'{"availableBalance": "0", "currency": "UGX"}'
    momo = client_of(odd.url)
    for minutes in (0, 30, 58):
        assert momo.balance(at=NOW + timedelta(minutes=minutes)) == ("0", "UGX")
    assert len(odd.connections) == 1
    assert odd.paths == ["/collection/token/"] + ["/collection/v1_0/account/balance"] * 3
    momo.balance(at=NOW + timedelta(minutes=59, seconds=1))
    assert odd.paths.count("/collection/token/") == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>busy</html>"),
        (200, b"[]"),
        (200, b"\xff\xfe"),
        (200, b"[" * 5_000),
        (302, b""),
        (403, b"<html><title>403 Forbidden</title></html>"),
        (500, b'{"code": ["x"], "message": null}'),
        (204, b""),
    ],
)
def test_a_question_that_is_answered_oddly_is_asked_again(
    odd: type[Odd], status: int, body: bytes
) -> None:
    odd.status, odd.body = status, body
    momo = client_of(odd.url)
    with pytest.raises(ProviderUnavailable):
        momo.payment(reference=str(uuid.uuid4()), at=NOW)
    with pytest.raises(ProviderUnavailable):
        momo.balance(at=NOW)


@pytest.mark.parametrize(
    ("status", "is_refused"), [(200, False), (302, False), (403, True), (429, True), (502, False)]
)
def test_only_a_client_error_says_that_nothing_was_done(
    odd: type[Odd], status: int, is_refused: bool
) -> None:
    odd.status, odd.body = status, b"<html>no</html>"
    momo = client_of(odd.url)
    expected = ProviderRefused if is_refused else ProviderUnavailable
    with pytest.raises(expected) as told:
        momo.request_to_pay(order=order(), phone=PHONE, at=NOW)
    assert not isinstance(told.value, ProviderUnreachable)


@pytest.mark.parametrize(
    "token", [b"[]", b"{}", b"null", b'{"access_token": "t", "expires_in": "soon"}', b"<html>"]
)
def test_an_odd_token_is_none(odd: type[Odd], token: bytes) -> None:
    odd.token = token
    momo = client_of(odd.url)
    with pytest.raises(ProviderUnreachable):
        momo.request_to_pay(order=order(), phone=PHONE, at=NOW)
