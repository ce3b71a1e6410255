"""A site in Senegal whose households pay by pawaPay, over the sandbox."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.utils import timezone
from pytest_django import Settings

from accounts import attempts, site_rates, sites
from accounts.models import Household, Payment, PaymentAttempt, Rail, Refund, Site
from gateway.providers import collection
from gateway.providers.pawapay.client import shared_client
from gateway.providers.pawapay.provider import PawapayProvider
from gateway.providers.registry import provider
from tests.integration.sandboxed import World, handle_events, later
from tests.village import Village

PAYER = "+221770000001"
PIN = "4826"


@dataclass(kw_only=True)
class PawapayRail:
    """The rail, its payer's phone, and what pawaPay would have called back."""

    world: World
    site: Site
    household: Household
    rail: Rail

    @property
    def adapter(self) -> PawapayProvider:
        adapter = provider(rail=self.rail)
        assert isinstance(adapter, PawapayProvider)
        return adapter

    def asked(
        self,
        *,
        amount_minor: int = 5_000,
        phone: str = PAYER,
        key: str = "key-1",
        at: datetime | None = None,
    ) -> PaymentAttempt:
        """The household asks for a prompt; the attempt, not submitted yet."""
        return attempts.request(
            household=self.household,
            site=self.site,
            rail=self.rail,
            phone=phone,
            amount_minor=amount_minor,
            idempotency_key=key,
            at=at or timezone.now(),
        )

    def submitted(self, **changes: Any) -> PaymentAttempt:
        """The attempt after it was submitted, however that went."""
        attempt = self.asked(**changes)
        collection.submit(attempt_id=attempt.pk, at=timezone.now())
        attempt.refresh_from_db()
        return attempt

    def prompted(self, **changes: Any) -> PaymentAttempt:
        """The prompt is on the phone."""
        attempt = self.submitted(**changes)
        assert attempt.state == "pending", attempt.failure_text
        return attempt

    def paid(self, **changes: Any) -> Payment:
        """A prompt that was paid, asked after and credited."""
        attempt = self.prompted(**changes)
        self.answer(pin=PIN)
        collection.ask(attempt_id=attempt.pk, at=later())
        return Payment.objects.get(reference=str(attempt.request_id))

    def prompts(self, *, phone: str = PAYER) -> list[dict[str, str]]:
        listed: list[dict[str, str]] = self.world.ask(
            "GET", f"pawapay/simulator/phones/{phone}/prompts"
        )
        return listed

    def answer(self, *, phone: str = PAYER, **body: Any) -> dict[str, str]:
        """What the payer does with the newest prompt."""
        prompts = self.prompts(phone=phone)
        assert prompts, "no prompt came"
        path = f"pawapay/simulator/phones/{phone}/prompts/{prompts[0]['id']}"
        told: dict[str, str] = self.world.ask("POST", path, **body)
        return told

    def simulate(self, what: str, **body: Any) -> Any:
        return self.world.ask("POST", f"pawapay/simulator/{what}", **body)

    def fault(self, kind: str, **body: Any) -> None:
        """Let pawaPay's next fitting answer go wrong."""
        self.world.fault(kind, service="pawapay", **body)

    def callback(self, topic: str = "deposit") -> str:
        """The newest callback of a topic."""
        path, body = self.world.callbacks(topic, service="pawapay")[-1]
        assert path == "pawapay"
        return body

    def call_back(self, body: str | None = None, *, times: int = 1) -> None:
        """Hand over the newest callback, or another body, and do what it causes."""
        for _ in range(times):
            assert self.send(self.callback() if body is None else body).status_code == 200
        handle_events()

    def send(self, body: str) -> HttpResponse:
        return self.world.hooks.json("pawapay", body)

    def refund_of(self, payment: Payment, *, amount_minor: int = 5_000) -> Refund:
        """A refund that is stored, and not submitted yet."""
        return Refund.objects.create(
            payment=payment,
            amount_minor=amount_minor,
            currency=payment.currency,
            reason="paid twice",
            idempotency_key=secrets.token_hex(8),
            token=secrets.token_hex(32),
            created_at=timezone.now(),
            submitted_at=timezone.now(),
        )


def open_rail(village: Village) -> tuple[Site, Rail]:
    """Found Lofé in Senegal, of the village's operator, with its rail."""
    at = village.founded_at
    rail = Rail.objects.create(
        operator=village.operator,
        provider=Rail.Provider.PAWAPAY,
        code="pawapay",
        merchant_account="SEN",
        currency="XOF",
        min_top_up_minor=100,
        max_top_up_minor=1_000_000,
    )
    site = sites.open_site(
        at=at,
        operator=village.operator,
        slug="lofe",
        name="Lofé",
        country="SN",
        currency="XOF",
        time_zone="Africa/Dakar",
        slot_seconds=900,
    )
    site.rails.add(rail)
    site_rates.publish(site=site, local_per_dai=Decimal(600), starts_at=at, at=at)
    return site, rail


def point_at(url: str, settings: Settings) -> None:
    """Let the adapter speak to a sandbox."""
    settings.PAWAPAY_URL = f"{url}/pawapay"
    settings.PAWAPAY_API_TOKEN = "sandbox-key"
    settings.PAWAPAY_CALLBACKS_SIGNED = False
    shared_client.cache_clear()


@pytest.fixture
def pawapay(world: World, today: Village, settings: Settings) -> Iterator[PawapayRail]:
    """Lofé and its household LOF0001 of +221770000001; callbacks wait for the test."""
    point_at(world.url, settings)
    world.fault("never", service="pawapay", count=100_000)
    site, rail = open_rail(today)
    household = sites.open_household(
        site=site, code="LOF0001", at=today.founded_at, phones=(PAYER,), language="fr"
    )
    yield PawapayRail(world=world, site=site, household=household, rail=rail)
    shared_client.cache_clear()
