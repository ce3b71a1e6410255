"""A site in Uganda whose households pay by MoMo, over the sandbox."""

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
from gateway.providers.momo.provider import MomoProvider, shared_client
from gateway.providers.registry import provider
from tests.integration.sandboxed import World, handle_events, later
from tests.village import Village

PAYER = "+256772000001"
MOMO_PIN = "4826"
CREDENTIALS = {
    "MOMO_API_USER": "00000000-0000-4000-8000-000000004826",
    "MOMO_API_KEY": "sandbox-key",
    "MOMO_COLLECTION_KEY": "sandbox-collection-key",
    "MOMO_DISBURSEMENT_KEY": "sandbox-disbursement-key",
    "MOMO_ENVIRONMENT": "mtnuganda",
}


@dataclass(kw_only=True)
class MomoRail:
    """The rail, its payer's phone, and what MoMo would have called back."""

    world: World
    site: Site
    household: Household
    rail: Rail

    @property
    def adapter(self) -> MomoProvider:
        adapter = provider(rail=self.rail)
        assert isinstance(adapter, MomoProvider)
        return adapter

    def asked(
        self, *, amount_minor: int = 5_000, key: str = "key-1", at: datetime | None = None
    ) -> PaymentAttempt:
        """The household asks for a prompt; the attempt, not submitted yet."""
        return attempts.request(
            household=self.household,
            site=self.site,
            rail=self.rail,
            phone=PAYER,
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
        receipt = self.pay()
        collection.ask(attempt_id=attempt.pk, at=later())
        return Payment.objects.get(reference=receipt)

    def prompts(self) -> list[dict[str, str]]:
        listed: list[dict[str, str]] = self.world.ask(
            "GET", f"momo/simulator/phones/{PAYER}/prompts"
        )
        return listed

    def answer(self, **body: Any) -> dict[str, str]:
        """What the payer does with the newest prompt."""
        prompts = self.prompts()
        assert prompts, "no prompt came"
        path = f"momo/simulator/phones/{PAYER}/prompts/{prompts[0]['id']}"
        told: dict[str, str] = self.world.ask("POST", path, **body)
        return told

    def pay(self) -> str:
        """Enter the right PIN; the financial transaction id, "" where it fails."""
        return self.answer(pin=MOMO_PIN).get("receipt", "")

    def fault(self, kind: str, **body: Any) -> None:
        """Let MoMo's next fitting answer go wrong."""
        self.world.fault(kind, service="momo", **body)

    def callback(self, topic: str = "requesttopay") -> tuple[str, str]:
        """The newest callback of a topic: (path behind the secret, body)."""
        return self.world.callbacks(topic, service="momo")[-1]

    def call_back(self, body: str | None = None, *, method: str = "POST") -> HttpResponse:
        """Hand over the newest callback (or another body to its path), and do what it causes."""
        path, sent = self.callback()
        answer = self.send(path, sent if body is None else body, method=method)
        handle_events()
        return answer

    def send(self, path: str, body: str, *, method: str = "POST") -> HttpResponse:
        """Call a hook."""
        hooks = self.world.hooks
        answer = hooks.client.generic(
            method, f"/hooks/{hooks.secret}/{path}", body, content_type="application/json"
        )
        assert isinstance(answer, HttpResponse)
        return answer

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


def use_momo(*, world: World, settings: Settings) -> None:
    """Point the adapter at the sandbox, which keeps its callbacks to itself."""
    for name, value in CREDENTIALS.items():
        setattr(settings, name, value)
    settings.MOMO_URL = f"{world.url}/momo"
    world.fault("never", service="momo", count=100_000)
    shared_client.cache_clear()


def open_rail(village: Village) -> tuple[Site, Rail]:
    """Found Bulopa in Uganda, of the village's operator, with its rail."""
    at = village.founded_at
    rail = Rail.objects.create(
        operator=village.operator,
        provider=Rail.Provider.MOMO,
        code="momo",
        merchant_account=CREDENTIALS["MOMO_API_USER"],
        currency="UGX",
        min_top_up_minor=500,
        max_top_up_minor=5_000_000,
    )
    site = sites.open_site(
        at=at,
        operator=village.operator,
        slug="bulopa",
        name="Bulopa",
        country="UG",
        currency="UGX",
        time_zone="Africa/Kampala",
        slot_seconds=900,
    )
    site.rails.add(rail)
    site_rates.publish(site=site, local_per_dai=Decimal(3_700), starts_at=at, at=at)
    return site, rail


@pytest.fixture
def momo(world: World, today: Village, settings: Settings) -> Iterator[MomoRail]:
    """Bulopa and its household BUL0001 of +256772000001."""
    use_momo(world=world, settings=settings)
    site, rail = open_rail(today)
    household = sites.open_household(
        site=site, code="BUL0001", at=today.founded_at, phones=(PAYER,)
    )
    yield MomoRail(world=world, site=site, household=household, rail=rail)
    shared_client.cache_clear()
