"""Everybody sees what a site does, and nothing of a single household."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import Site
from accounts.money import dai_string
from settlement import settle
from settlement.models import Charge, Price
from tests.calling import problem_of
from tests.living_village import (
    PRICE_NOW_WEI,
    SLOTS,
    WATT_HOURS,
    LivingVillage,
    live,
    neighbour,
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


def test_everybody_sees_a_site_to_the_wei(kisima: LivingVillage) -> None:
    body = Client().get("/api/v1/sites/kisima/").json()

    assert (body["slug"], body["name"]) == ("kisima", "Kisima")
    assert body["price_now"]["amount"] == dai_string(PRICE_NOW_WEI)
    assert body["site_rate"] == {
        "amount": "129.25000000",
        "currency": "KES",
        "per": "DAI",
        "valid_from": body["site_rate"]["valid_from"],
    }
    assert body["site_rate"]["valid_from"].endswith("Z")
    energy = SLOTS * 10 * WATT_HOURS * sum(range(1, 7))
    assert body["kwh_settled"] == "1.680000"
    assert body["impact_tokens_minted"]["amount"] == dai_string(energy * 10**12)
    assert body["impact_tokens_minted"]["asset"] == "IT"
    pools = {name: _wei(pool) for name, pool in body["pools"].items()}
    assert list(pools) == [
        *("revenue", "tax", "levies", "reserve", "grant", "contractor", "operator")
    ]
    paid = sum(charge.amount_wei for charge in Charge.objects.all())
    assert pools["revenue"] == paid
    assert sum(pools.values()) - pools["revenue"] == paid
    assert body["donated"] == {"amount": "0.000000000000000000", "asset": "DAI"}
    assert body["funding_goal"]["asset"] == "DAI"
    assert body["battery"]["state_of_charge_basis_points"] == 4_700


def test_a_site_answers_not_modified_until_something_changes(kisima: LivingVillage) -> None:
    client = Client()
    first = client.get("/api/v1/sites/kisima/")
    etag = first["ETag"]

    assert "max-age" in first["Cache-Control"]
    same = client.get("/api/v1/sites/kisima/", headers={"if-none-match": etag})
    assert (same.status_code, same.content) == (304, b"")

    kisima.village.read(
        "SM0001",
        starts_at=kisima.at - timedelta(hours=3),
        energy_milliwatt_hours=5_000,
        at=kisima.at,
    )
    settle.run_all(site_id=kisima.site.pk, at=kisima.at)
    changed = client.get("/api/v1/sites/kisima/", headers={"if-none-match": etag})
    assert changed.status_code == 200
    assert changed.json()["kwh_settled"] == "1.685000"


def test_public_answers_look_at_no_log_in(kisima: LivingVillage) -> None:
    client = Client(headers={"authorization": "Token wrong"})

    assert client.get("/api/v1/sites/").status_code == 200


def test_sites_are_listed_without_a_query_for_each(
    kisima: LivingVillage, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    neighbour(at=kisima.at)

    with django_assert_num_queries(5):
        body = Client().get("/api/v1/sites/").json()

    assert [site["slug"] for site in body["results"]] == ["kisima", "lofe"]
    assert body["results"][1]["price_now"] is None
    assert body["results"][1]["site_rate"] is None


@pytest.mark.parametrize("path", ["", "prices/", "readings/", "plant/", "rounds/"])
def test_a_closed_or_unknown_site_does_not_exist(kisima: LivingVillage, path: str) -> None:
    Site.objects.filter(slug="kisima").update(closed_at=kisima.at)

    problem_of(Client().get(f"/api/v1/sites/kisima/{path}"), status=404, kind="not-found")
    problem_of(Client().get(f"/api/v1/sites/nowhere/{path}"), status=404, kind="not-found")


def test_prices_are_told_as_last_revised(kisima: LivingVillage) -> None:
    last = Price.objects.latest("starts_at")
    Price.objects.create(
        site=kisima.site,
        starts_at=last.starts_at,
        revision=2,
        tariff=kisima.village.tariff,
        wei_per_kwh=10**17,
        reference_wei_per_kwh=last.reference_wei_per_kwh,
        published_at=kisima.at,
    )

    rows = Client().get("/api/v1/sites/kisima/prices/").json()["results"]

    assert len(rows) == SLOTS
    assert rows[0]["price"] == {
        "amount": "0.300000000000000000",
        "asset": "DAI",
        "per": "kWh",
    }
    assert rows[-1]["price"]["amount"] == "0.100000000000000000"
    assert Client().get("/api/v1/sites/kisima/").json()["price_now"]["amount"].startswith("0.1000")


def test_readings_are_sums_over_households_only(kisima: LivingVillage) -> None:
    response = Client().get("/api/v1/sites/kisima/readings/")

    rows = response.json()["results"]
    assert len(rows) == SLOTS
    assert rows[-1] == {
        "starts_at": (kisima.at - timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ends_at": kisima.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "energy_wh": "210.000",
        "meters": 6,
    }
    assert b"KIS0" not in response.content
    assert b"SM0" not in response.content


def test_sums_over_few_households_are_withheld(db: None) -> None:
    live(now=timezone.now(), households=4)

    rows = Client().get("/api/v1/sites/kisima/readings/").json()["results"]

    assert [row["energy_wh"] for row in rows] == [None] * SLOTS


def test_the_plant_is_told_slot_by_slot(kisima: LivingVillage) -> None:
    rows = Client().get("/api/v1/sites/kisima/plant/").json()["results"]

    assert [row["state_of_charge_basis_points"] for row in rows] == [
        4_000 + 100 * number for number in range(SLOTS)
    ]
    assert {row["production_wh"] for row in rows} == {"500.000"}


@pytest.mark.parametrize("series", ["prices", "readings", "plant"])
@pytest.mark.parametrize(
    "span",
    [
        {"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:01Z"},
        {"since": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z"},
        {"since": "yesterday"},
        {"since": "0001-01-01T00:00:00Z"},
        {"until": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_a_span_that_is_too_long_or_none_is_refused(
    kisima: LivingVillage, series: str, span: dict[str, str]
) -> None:
    response = Client().get(f"/api/v1/sites/kisima/{series}/", span)

    problem = problem_of(response, status=400, kind="invalid")
    assert problem["errors"][0]["field"] in {"since", "until"}


def test_a_long_span_of_short_slots_names_the_address_of_its_rest(db: None) -> None:
    kisima = live(now=timezone.now(), slot_seconds=60)
    since = kisima.at - timedelta(days=3)
    query = {"since": since.isoformat(), "until": kisima.at.isoformat()}

    first = Client().get("/api/v1/sites/kisima/readings/", query).json()
    second = Client().get(first["next"]).json()

    assert first["results"] == []
    assert first["until"] == second["since"]
    assert second["next"] is None
    assert len(second["results"]) == SLOTS


def test_there_are_no_voting_rounds_yet(kisima: LivingVillage) -> None:
    body = Client().get("/api/v1/sites/kisima/rounds/").json()

    assert body == {"count": 0, "next": None, "previous": None, "results": []}


def test_instants_are_utc_with_a_z(kisima: LivingVillage) -> None:
    starts_at = Client().get("/api/v1/sites/kisima/").json()["price_now"]["starts_at"]

    parsed = datetime.fromisoformat(starts_at.replace("Z", "+00:00"))
    assert parsed == kisima.at - timedelta(minutes=15)


def _wei(amount: dict[str, str]) -> int:
    assert amount["asset"] == "DAI"
    return int(amount["amount"].replace(".", ""))
