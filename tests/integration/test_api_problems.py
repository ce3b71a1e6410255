"""The API says plainly what is wrong, and nothing of why it failed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import Site
from gateway.api.throttles import Anonymous
from tests.calling import problem_of
from tests.living_village import (
    LivingVillage,
    live,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def uncounted() -> None:
    """Each test starts with no requests counted."""
    cache.clear()


@pytest.fixture
def kisima(db: None) -> LivingVillage:
    return live(now=timezone.now())


@pytest.fixture
def operator(kisima: LivingVillage) -> Client:
    return Client(headers={"authorization": f"Token {kisima.token}"})


def test_an_unknown_address_is_a_problem_and_a_missing_slash_is_put_right(
    kisima: LivingVillage,
) -> None:
    for path in ("/api/", "/api/v1/", "/api/v1/nothing", "/api/v1/nothing/", "/api/v2/sites/"):
        problem_of(Client().get(path), status=404, kind="not-found")
        problem_of(Client().post(path), status=404, kind="not-found")

    moved = Client().get("/api/v1/sites?limit=1")
    assert (moved.status_code, moved["Location"]) == (308, "/api/v1/sites/?limit=1")


def test_wrong_methods_bodies_and_formats_are_problems(
    kisima: LivingVillage, operator: Client
) -> None:
    path = "/api/v1/households/KIS0001/top-ups/"

    wrong_method = operator.delete(path)
    problem_of(wrong_method, status=405, kind="method-not-allowed")
    assert "POST" in wrong_method["Allow"]
    broken = operator.post(path, "{", content_type="application/json")
    problem_of(broken, status=400, kind="malformed")
    form = operator.post(path, {"amount": "500"})
    problem_of(form, status=415, kind="unsupported-media-type")
    other_format = Client().get("/api/v1/sites/", headers={"accept": "application/xml"})
    problem_of(other_format, status=406, kind="not-acceptable")
    problem_of(
        operator.get("/api/v1/households/", {"search": "a\x00b"}), status=400, kind="invalid"
    )


def test_too_many_requests_are_told_when_to_come_back(
    kisima: LivingVillage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Anonymous, "THROTTLE_RATES", {"anon": "2/min"})
    assert [Client().get("/api/v1/sites/").status_code for _ in range(2)] == [200, 200]

    response = Client().get("/api/v1/sites/")

    problem_of(response, status=429, kind="too-many-requests")
    assert 0 < int(response["Retry-After"]) <= 61


def test_without_the_cache_requests_are_answered_uncounted(
    kisima: LivingVillage, settings: Any
) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:9/0",
        }
    }

    assert Client().get("/api/v1/sites/kisima/").status_code == 200


def test_a_fault_of_ours_is_a_problem_that_tells_nothing_of_it(kisima: LivingVillage) -> None:
    Site.objects.create(  # no book: cannot happen, and must not be explained to strangers
        operator=kisima.village.operator,
        slug="broken",
        name="Broken",
        country="KE",
        currency="KES",
        time_zone="Africa/Nairobi",
        created_at=kisima.at,
    )

    response = Client(raise_request_exception=False).get("/api/v1/sites/broken/")

    problem = problem_of(response, status=500, kind="server-error")
    assert "book" not in json.dumps(problem)


def test_the_type_of_a_problem_leads_to_what_it_means(kisima: LivingVillage) -> None:
    kind = Client().get("/api/v1/nothing/").json()["type"]

    page = Client().get(kind)
    assert page.status_code == 200
    assert "The address is wrong" in page.content.decode()
    assert Client().get("/problems/unheard-of").status_code == 404


def test_the_schema_has_a_page_of_its_own(db: None) -> None:
    assert Client().get("/api/docs/").status_code == 200
    schema = Client().get("/api/schema/", headers={"accept": "application/json"}).json()
    assert "/api/v1/households/{code}/" in schema["paths"]
