"""Signed callbacks of pawaPay from the sandbox's key to the hook: taken, refused, rotated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts import sites
from accounts.models import Payment
from gateway.providers import tasks
from gateway.providers.interface import ProviderUnavailable
from gateway.providers.pawapay import keys
from gateway.providers.pawapay.client import shared_client
from gateway.webhooks.models import InboundEvent
from sandbox.app import create_sandbox
from tests.integration.pawapay_rail import PAYER, PIN, PawapayRail, open_rail, point_at
from tests.integration.sandboxed import Hooks, World, handle_events
from tests.sandbox.conftest import Product, Received, product
from tests.village import Village

__all__ = ["product"]

pytestmark = pytest.mark.django_db


@dataclass(kw_only=True)
class SignedRail(PawapayRail):
    """The rail, with somebody between pawaPay and us who keeps what was sent."""

    product: Product
    passed_on: int = 0

    def sent(self) -> Received:
        """The next callback as it left pawaPay."""
        self.product.wait_for("pawapay", count=self.passed_on + 1)
        self.passed_on += 1
        return self.product.received[self.passed_on - 1]

    def pass_on(self, received: Received) -> HttpResponse:
        """Hand a callback to the product behind its proxy, under another host name."""
        names = ("Content-Digest", "Signature", "Signature-Input", "Signature-Date")
        answer = Client().generic(
            received.method,
            urlsplit(received.url).path,
            received.body,
            content_type=received.headers["Content-Type"],
            headers={name: received.headers[name] for name in names if name in received.headers},
        )
        assert isinstance(answer, HttpResponse)
        handle_events()
        return answer


@pytest.fixture
def signed(db: None, product: Product, settings: Settings, tmp_path: Path) -> Iterator[SignedRail]:
    """Lofé's rail; callbacks are signed and must be."""
    cache.clear()
    settings.PUBLIC_URL = product.base_url
    settings.HOOK_SECRETS = ["demo"]
    sandbox = create_sandbox(
        product_url=product.base_url,
        state_path=tmp_path / "sandbox.sqlite3",
        callback_delay_seconds=0.01,
    )
    url = sandbox.start()
    point_at(url, settings)
    settings.PAWAPAY_CALLBACKS_SIGNED = True
    village = Village.found(at=timezone.now())
    site, rail = open_rail(village)
    household = sites.open_household(
        site=site, code="LOF0001", at=village.founded_at, phones=(PAYER,)
    )
    yield SignedRail(
        world=World(url=url, hooks=Hooks(client=Client(), secret="demo")),
        site=site,
        household=household,
        rail=rail,
        product=product,
    )
    sandbox.stop()
    shared_client.cache_clear()


def events() -> list[tuple[str, str]]:
    return list(InboundEvent.objects.order_by("id").values_list("route", "outcome"))


def paid(signed: SignedRail, *, fault: str = "", key: str = "key-1") -> Received:
    """A prompt is paid; what pawaPay then sends."""
    signed.prompted(key=key)
    if fault:
        signed.fault(fault)
    signed.answer(pin=PIN)
    return signed.sent()


@pytest.mark.parametrize("encoding", ["der", "raw"])
@pytest.mark.parametrize("digest", ["sha-512", "sha-256"])
def test_a_signed_callback_credits(signed: SignedRail, encoding: str, digest: str) -> None:
    signed.simulate("signing", encoding=encoding, digest=digest)
    assert signed.pass_on(paid(signed)).status_code == 200
    assert events() == [("pawapay", "done")]
    assert Payment.objects.get().state == "credited"


@pytest.mark.parametrize(
    "fault", ["unsigned", "forged_signature", "stale_signature", "changed_body"]
)
def test_a_badly_signed_callback_is_kept_and_triggers_nothing(
    signed: SignedRail, fault: str
) -> None:
    answer = signed.pass_on(paid(signed, fault=fault))
    assert answer.status_code == 400
    assert events() == [("pawapay", "forged")]
    assert InboundEvent.objects.get().attempts == 0
    assert not Payment.objects.exists()


def test_a_body_changed_on_the_way_is_refused(signed: SignedRail) -> None:
    received = paid(signed)
    changed = replace(received, body=received.body.replace(b"5000", b"9000"))
    assert signed.pass_on(changed).status_code == 400
    assert signed.pass_on(received).status_code == 200
    assert [outcome for _, outcome in events()] == ["forged", "done"]
    assert Payment.objects.get().amount_minor == 5_000


def test_a_callback_played_again_credits_nothing_new(
    signed: SignedRail, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = paid(signed)
    for _ in range(2):
        assert signed.pass_on(received).status_code == 200
    assert Payment.objects.count() == 1
    much_later = timezone.now() + timedelta(minutes=10)
    monkeypatch.setattr("gateway.webhooks.views.timezone.now", lambda: much_later)
    assert signed.pass_on(received).status_code == 400


def test_a_new_key_is_known_once_the_task_has_run(signed: SignedRail) -> None:
    assert signed.pass_on(paid(signed)).status_code == 200
    signed.simulate("keys")
    received = paid(signed, key="key-2")
    assert signed.pass_on(received).status_code == 400
    tasks.fetch_pawapay_keys()
    assert signed.pass_on(received).status_code == 200
    assert Payment.objects.count() == 2


def test_the_web_never_asks_for_keys(signed: SignedRail, settings: Settings) -> None:
    received = paid(signed)
    known = cache.get(keys.CACHE_KEY)
    cache.clear()
    keys.learned(at=timezone.now())
    assert signed.pass_on(received).status_code == 400
    assert keys.known() == {}
    settings.PAWAPAY_PUBLIC_KEYS = known
    assert signed.pass_on(received).status_code == 200


def test_keys_are_remembered_for_a_minute(
    signed: SignedRail, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = paid(signed)
    assert signed.pass_on(received).status_code == 200
    cache.clear()
    assert signed.pass_on(received).status_code == 200
    later = timezone.now() + keys.REMEMBERED
    monkeypatch.setattr("gateway.webhooks.views.timezone.now", lambda: later)
    assert signed.pass_on(received).status_code == 400


def test_keys_from_a_setting_are_not_asked_for(signed: SignedRail, settings: Settings) -> None:
    settings.PAWAPAY_PUBLIC_KEYS = '[{"id": "A", "key": "-----BEGIN PUBLIC KEY-----"}]'
    signed.fault("unavailable", count=10)
    tasks.fetch_pawapay_keys()
    assert list(keys.known()) == ["A"]
    assert cache.get(keys.CACHE_KEY) is None


def test_keys_that_are_none_are_not_kept(signed: SignedRail) -> None:
    signed.fault("unavailable")
    with pytest.raises(ProviderUnavailable):
        tasks.fetch_pawapay_keys()
    for text in ("[", "[1]", '[{"id": "A"}]', '[{"id": "A", "key": "secret"}]'):
        with pytest.raises(keys.BadKeys):
            keys.read(text)


def test_without_keys_nobody_is_asked_to_pay(signed: SignedRail) -> None:
    signed.fault("unavailable")
    attempt = signed.submitted()
    assert (attempt.state, attempt.failure_code) == ("failed", "unreachable")
    assert signed.prompts() == []


def test_signatures_of_refunds_are_checked_alike(signed: SignedRail) -> None:
    received = paid(signed)
    signed.pass_on(received)
    refund = signed.refund_of(Payment.objects.get())
    signed.adapter.refund(refund=refund, hooks_url="http://p.test", at=timezone.now())
    deadline = time.monotonic() + 5
    while not signed.adapter.query_refund(refund=refund, at=timezone.now()).is_done:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    told: Any = signed.sent()
    assert signed.pass_on(replace(told, body=told.body + b" ")).status_code == 400
    assert signed.pass_on(told).status_code == 200
