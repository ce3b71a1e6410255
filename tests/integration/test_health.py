"""Alive, ready, and figures for Prometheus, while things fail for real."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import attempts, notices
from gateway.webhooks.models import InboundEvent
from settlement import settle
from tests.chain_node import ChainNode
from tests.living_village import LivingVillage, live
from tokens.chain import look, outbox
from tokens.tasks import look_at_chain


@pytest.fixture
def kisima(db: None) -> LivingVillage:
    return live(now=timezone.now())


def test_alive_asks_nobody(db: None, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        response = Client().get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert "no-store" in response["Cache-Control"]


def test_ready_when_all_answers(db: None) -> None:
    response = Client().get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "failing": [],
        "checks": {"database": "ok", "broker": "ok", "cache": "ok"},
    }


def test_not_ready_names_a_database_that_is_away(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", "9")

    response = Client().get("/readyz")

    assert response.status_code == 503
    assert response.json()["failing"] == ["database"]


@pytest.mark.parametrize("url", ["redis://127.0.0.1:9/0", "redis+socket:///nowhere.sock"])
def test_not_ready_names_a_broker_that_is_away(db: None, settings: Any, url: str) -> None:
    settings.CELERY_BROKER_URL = url

    response = Client().get("/readyz")

    assert response.status_code == 503
    assert response.json()["failing"] == ["broker"]
    assert "127.0.0.1" not in response.content.decode()


def test_not_ready_names_a_cache_that_is_away(db: None, settings: Any) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:9/0",
        }
    }

    assert Client().get("/readyz").json()["failing"] == ["cache"]


def _metrics() -> dict[str, float]:
    response = Client().get("/metrics")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    return {
        name: float(value)
        for name, value in re.findall(r"^([^#\s][^\s]*) (\S+)$", response.content.decode(), re.M)
    }


def test_metrics_count_what_waits(kisima: LivingVillage) -> None:
    site, household = kisima.site, kisima.households[0]
    kisima.village.read(
        "SM0001", starts_at=kisima.at - timedelta(hours=9), energy_milliwatt_hours=1, at=kisima.at
    )
    kisima.village.pay("NOBODY1", amount_minor=10_000, at=kisima.at)
    attempt = attempts.request(
        household=household,
        site=site,
        rail=kisima.village.rail,
        phone="+254711000001",
        amount_minor=10_000,
        idempotency_key="one",
        at=kisima.at,
    )
    claimed = attempts.claim(attempt_id=attempt.pk, at=kisima.at)
    assert claimed is not None
    attempts.not_answered(attempt=claimed, text="time-out", at=kisima.at)
    InboundEvent.objects.create(route="daraja.confirmation", body="{}", received_at=kisima.at)

    found = _metrics()

    assert found["gateway_database_up"] == 1
    assert found['gateway_inbox_readings{site="kisima"}'] == 1
    assert found['gateway_payments_waiting{currency="KES",state="suspense"}'] == 1
    assert found['gateway_attempts_open{state="unknown"}'] == 1
    assert found['gateway_attempts_open{state="pending"}'] == 0
    assert found["gateway_events_open"] == 1
    assert found["gateway_notices_queued"] > 0
    assert found["gateway_notices_oldest_age_seconds"] > 0
    assert 0 <= found['gateway_settlement_age_seconds{site="kisima"}'] < 3_600
    assert 'gateway_head_end_age_seconds{site="kisima"}' not in found


def test_metrics_count_open_quarantine(kisima: LivingVillage) -> None:
    kisima.village.read(
        "NONE", starts_at=kisima.at - timedelta(hours=1), energy_milliwatt_hours=1, at=kisima.at
    )
    settle.run_all(site_id=kisima.site.pk, at=kisima.at)

    assert _metrics()['gateway_quarantine_open_readings{site="kisima"}'] == 1


def test_metrics_say_that_the_database_is_away(
    django_db_blocker: Any, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 1")
        cursor.execute("SET LOCAL search_path = pg_catalog")

    found = _metrics()

    assert found["gateway_database_up"] == 0
    assert not any(name.startswith("gateway_inbox") for name in found)


def test_messages_wait_from_the_first_on(kisima: LivingVillage) -> None:
    before = _metrics()["gateway_notices_queued"]
    notices.tell_phone(
        phone="+254711000001",
        kind="top_up_failed",
        key="one",
        params={"amount_minor": 1, "currency": "KES", "code": ""},
        at=kisima.at,
    )

    assert _metrics()["gateway_notices_queued"] == before + 1


def _seen(*, age: timedelta = timedelta(), **fields: Any) -> None:
    """Let the last look at the chain be this one."""
    with mock.patch.object(look, "_asked", lambda *, at: look.Look(looked_at=at, **fields)):
        look.take(at=timezone.now() - age)


@pytest.fixture
def forgotten(db: None) -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def test_ready_tells_of_the_chain_that_the_worker_looked_at(
    forgotten: None, chained: ChainNode
) -> None:
    look_at_chain()

    response = Client().get("/readyz")

    assert response.status_code == 200
    assert response.json()["checks"]["chain"] == "ok"


def test_ready_asks_no_node_while_it_answers(forgotten: None, chained: ChainNode) -> None:
    look_at_chain()
    chained.pause()
    try:
        began = time.monotonic()
        response = Client().get("/readyz")
    finally:
        chained.resume()

    assert response.status_code == 200
    assert time.monotonic() - began < 2


def test_not_ready_until_somebody_has_looked_at_the_chain(
    forgotten: None, chained: ChainNode
) -> None:
    response = Client().get("/readyz")

    assert response.status_code == 503
    assert response.json()["failing"] == ["chain"]


@pytest.mark.parametrize(
    ("setting", "value"), [("CHAIN_RPC_URL", "http://127.0.0.1:9"), ("CHAIN_ID", 5)]
)
def test_not_ready_where_the_chain_is_away_or_another(
    forgotten: None, chained: ChainNode, settings: Any, setting: str, value: Any
) -> None:
    setattr(settings, setting, value)
    look_at_chain()

    response = Client().get("/readyz")

    assert response.json()["failing"] == ["chain"]
    assert "127.0.0.1" not in response.content.decode()


def test_not_ready_where_the_chain_has_stopped(forgotten: None, chained: ChainNode) -> None:
    newest = int(chained.block()["timestamp"], 16)

    stuck = look.take(at=datetime.fromtimestamp(newest + 301, tz=UTC))
    going = look.take(at=datetime.fromtimestamp(newest + 299, tz=UTC))

    assert stuck.trouble == "no block for 301 s"
    assert going.trouble == ""


def test_an_old_look_at_the_chain_says_nothing(forgotten: None, settings: Any) -> None:
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    _seen(age=timedelta(seconds=30))
    assert Client().get("/readyz").status_code == 200

    _seen(age=timedelta(seconds=61))

    assert Client().get("/readyz").json()["failing"] == ["chain"]


def test_metrics_tell_the_age_of_the_chains_head_and_what_waits(
    forgotten: None, chained: ChainNode
) -> None:
    look_at_chain()
    outbox.queue(
        chain_id=chained.chain_id,
        intent="test:1",
        to=chained.accounts[4].address,
        data="0x",
        at=timezone.now(),
    )

    found = _metrics()

    assert found["gateway_chain_up"] == 1
    assert 0 <= found["gateway_chain_head_age_seconds"] < 300
    assert found['gateway_outbox_transfers{state="queued"}'] == 1
    assert found['gateway_outbox_transfers{state="signed"}'] == 0


def test_metrics_say_that_the_chain_is_away(forgotten: None, settings: Any) -> None:
    settings.CHAIN_RPC_URL = "http://127.0.0.1:9"
    look_at_chain()

    found = _metrics()

    assert found["gateway_chain_up"] == 0
    assert "gateway_chain_head_age_seconds" not in found


def test_without_a_chain_nothing_is_told_of_one(db: None) -> None:
    assert not any(name.startswith("gateway_chain") for name in _metrics())
