"""The product's hooks and tasks called directly, and the real sandbox on the other side.

The sandbox calls nobody back: what it would have sent lies in its list of callbacks, and a test
hands it to the hooks when, in which order and as often as it likes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import requests
from django.core.cache import cache
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Household, Notice, PaymentAttempt
from gateway.providers import collection
from gateway.providers.daraja.provider import shared_client
from gateway.sms import delivery
from gateway.ussd.actions import start_top_up
from gateway.webhooks import events
from gateway.webhooks.models import InboundEvent
from sandbox.app import create_sandbox
from settlement.meters import registry
from tests.village import Village

PHONE = "+254711000001"
MPESA_PIN = "4826"
FORM = "application/x-www-form-urlencoded"
PAYLOADS = Path(__file__).parent.parent / "payloads"


def payload(name: str) -> str:
    """What a vendor really sends: tests/payloads/<name>."""
    return (PAYLOADS / name).read_text(encoding="utf-8")


@dataclass(kw_only=True)
class Hooks:
    """Who calls the product's hooks."""

    client: Client
    secret: str = "test-secret"
    session: int = 0

    def post(
        self, path: str, body: str | bytes = b"", *, content_type: str = FORM, **extra: Any
    ) -> HttpResponse:
        url = f"/hooks/{self.secret}/{path}"
        # generic() sends the bytes as they are, whatever the content type says of them.
        answer = self.client.generic("POST", url, body, content_type=content_type, **extra)
        assert isinstance(answer, HttpResponse)
        return answer

    def form(self, path: str, **fields: str) -> HttpResponse:
        return self.post(path, urlencode(fields))

    def json(self, path: str, body: Any) -> HttpResponse:
        text = body if isinstance(body, str) else json.dumps(body)
        return self.post(path, text, content_type="application/json")

    def hop(self, text: str, *, session: str = "ATUid_1", phone: str = PHONE) -> str:
        """One hop of a USSD session: the body answered."""
        answer = self.form(
            "ussd",
            sessionId=session,
            phoneNumber=phone,
            networkCode="63902",
            serviceCode="*384*4826#",
            text=text,
        )
        assert answer.status_code == 200
        return answer.content.decode()

    def dial(self, text: str, *, phone: str = PHONE) -> str:
        """A whole session, hop by hop; the last answer."""
        self.session += 1
        session = f"ATUid_dial_{self.session}"
        parts = text.split("*") if text else []
        answer = ""
        for count in range(len(parts) + 1):
            answer = self.hop("*".join(parts[:count]), session=session, phone=phone)
        return answer

    def sms(self, text: str, *, phone: str = PHONE, message_id: str = "") -> HttpResponse:
        """A phone sends a message."""
        self.session += 1
        return self.form(
            "sms",
            date="2026-11-22 12:00:00",
            id=message_id or f"inbound-{self.session}",
            linkId="l",
            text=text,
            to="38426",
            networkCode="63902",
            **{"from": phone},
        )


def handle_events(*, at: datetime | None = None) -> None:
    """What the workers do with stored events."""
    for event in InboundEvent.objects.filter(outcome="").order_by("id"):
        events.handle(event_id=event.pk, at=at or timezone.now())


def asked(
    household: Household, *, amount_minor: int = 50_000, key: str = "key-1"
) -> PaymentAttempt:
    """A household asks for a prompt on its phone; the attempt, not submitted yet."""
    reason = start_top_up(
        household=household, phone=PHONE, amount_minor=amount_minor, key=key, at=timezone.now()
    )
    assert reason is None
    return PaymentAttempt.objects.get(top_up__idempotency_key=key)


def prompted(
    household: Household, *, amount_minor: int = 50_000, key: str = "key-1"
) -> PaymentAttempt:
    """The prompt is on the phone."""
    attempt = asked(household, amount_minor=amount_minor, key=key)
    collection.submit(attempt_id=attempt.pk, at=timezone.now())
    attempt.refresh_from_db()
    assert attempt.state == "pending", attempt.failure_text
    return attempt


def deliver_notices(*, at: datetime | None = None) -> int:
    """Send what is due, through the SDK."""
    return delivery.deliver_due(clock=lambda: at or timezone.now())


def texts(kind: str) -> list[str]:
    """Texts of the notices of a kind, oldest first."""
    return list(Notice.objects.filter(kind=kind).order_by("id").values_list("text", flat=True))


def everything_stored() -> str:
    """Every row of every table, as text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(format('SELECT %L || t::text FROM %I t', relname, relname),"
            " ' UNION ALL ') FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition"
            " AND has_table_privilege(oid, 'SELECT')"
        )
        (statement,) = cursor.fetchone()
        cursor.execute(statement)
        return "\n".join(row for (row,) in cursor.fetchall() if row)


@dataclass(kw_only=True)
class World:
    """The sandbox at `url`: phones, the paybill, and what it would have called back."""

    url: str
    hooks: Hooks

    def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = requests.request(method, f"{self.url}/{path}", json=body or None, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def fault(self, kind: str, *, service: str = "daraja", **body: Any) -> None:
        """Let the service's next fitting answer or callback go wrong."""
        self.ask("POST", f"{service}/simulator/faults", kind=kind, **body)

    def prompt(self, *, phone: str = PHONE) -> dict[str, str]:
        """The newest prompt on the phone."""
        prompts: list[dict[str, str]] = self.prompts(phone=phone)
        assert prompts, "no prompt came"
        return prompts[0]

    def prompts(self, *, phone: str = PHONE) -> list[dict[str, str]]:
        listed: list[dict[str, str]] = self.ask("GET", f"daraja/simulator/phones/{phone}/prompts")
        return listed

    def pay(self, *, phone: str = PHONE, pin: str = MPESA_PIN) -> str:
        """Answer the newest prompt with the M-Pesa PIN; the receipt, or "" where it fails."""
        path = f"daraja/simulator/phones/{phone}/prompts/{self.prompt(phone=phone)['id']}"
        return str(self.ask("POST", path, pin=pin).get("receipt", ""))

    def cancel(self, *, phone: str = PHONE) -> None:
        path = f"daraja/simulator/phones/{phone}/prompts/{self.prompt(phone=phone)['id']}"
        self.ask("POST", path, cancel=True)

    def paybill(self, account: str, amount: str, *, phone: str = PHONE, **more: Any) -> str:
        """Pay the paybill; the receipt."""
        answer = self.ask(
            "POST",
            f"daraja/simulator/phones/{phone}/paybill",
            **{"account": account, "amount": amount, **more},
        )
        assert answer["accepted"], answer
        return str(answer["receipt"])

    def inbox(self, *, phone: str = PHONE) -> list[str]:
        """Texts on the phone, newest first."""
        listed = self.ask("GET", f"africastalking/simulator/phones/{phone}/messages")
        return [message["text"] for message in listed]

    def callbacks(self, topic: str, *, service: str = "daraja") -> list[tuple[str, str]]:
        """What the service would have sent, oldest first: (path behind the secret, body)."""
        listed = self.ask("GET", f"{service}/simulator/callbacks")
        return [
            (urlsplit(row["url"]).path.split("/", 3)[3], row["body"])
            for row in sorted(listed, key=lambda row: row["id"])
            if row["topic"] == topic
        ]

    def call_back(self, topic: str, *, service: str = "daraja", times: int = 1) -> None:
        """Hand over the newest callback of a topic, and do what it makes the workers do."""
        path, body = self.callbacks(topic, service=service)[-1]
        content_type = "application/json" if service == "daraja" else FORM
        for _ in range(times):
            answer = self.hooks.post(path, body, content_type=content_type)
            assert answer.status_code == 200
        handle_events()


def later(**delta: float) -> datetime:
    """An instant ahead of now."""
    return timezone.now() + timedelta(**delta)


@pytest.fixture
def hooks(db: None) -> Hooks:
    """Whoever knows the secret. What an earlier test left in the cache is gone."""
    cache.clear()
    return Hooks(client=Client(raise_request_exception=False))


@pytest.fixture
def today(db: None) -> Village:
    """Kisima, founded 90 days ago."""
    return Village.found(at=timezone.now())


@pytest.fixture
def home(today: Village) -> Household:
    """KIS0001 of +254711000001."""
    today.price(ticks=2_500, starts_at=today.founded_at)
    return today.household("KIS0001")


@pytest.fixture
def world(hooks: Hooks, settings: Settings, tmp_path: Path) -> Iterator[World]:
    """The sandbox in threads; it keeps its callbacks for the test to hand over."""
    settings.PUBLIC_URL = "http://product.test"
    sandbox = create_sandbox(
        product_url=settings.PUBLIC_URL,
        state_path=tmp_path / "sandbox.sqlite3",
        hook_secret=settings.HOOK_SECRETS[0],
        callback_delay_seconds=0.01,
    )
    url = sandbox.start()
    settings.AFRICASTALKING_URL = f"{url}/africastalking"
    settings.DARAJA_URL = f"{url}/daraja"
    settings.KOIOS_URL = f"{url}/koios"
    for service in ("daraja", "africastalking"):
        fault = {"kind": "never", "count": 100_000}
        requests.post(f"{url}/{service}/simulator/faults", json=fault, timeout=5)
    _forget_clients()
    callbacks = f"{settings.PUBLIC_URL}/hooks/{settings.HOOK_SECRETS[0]}/daraja"
    client, now = shared_client(), timezone.now()
    client.register_pull(phone="254711000000", callback_url=f"{callbacks}/result/pull", at=now)
    client.register_urls(
        confirmation_url=f"{callbacks}/confirmation", validation_url=f"{url}/nowhere", at=now
    )
    yield World(url=url, hooks=hooks)
    sandbox.stop()
    _forget_clients()


def _forget_clients() -> None:
    shared_client.cache_clear()
    registry._koios.cache_clear()
