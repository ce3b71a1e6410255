"""Fixtures of the edge: hooks, the sandbox beside them, and Kisima as it stands today."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Household
from gateway.providers.daraja.provider import shared_client
from sandbox.app import create_sandbox
from settlement.meters import registry
from tests.integration.sandboxed import Hooks, World
from tests.village import Village


@pytest.fixture
def hooks(db: None) -> Iterator[Hooks]:
    """Whoever knows the secret. Sessions and tries of one test are gone before the next."""
    cache.clear()
    yield Hooks(client=Client(raise_request_exception=False))
    cache.clear()


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
