"""The API tells each caller what is theirs to know, exactly, and says plainly what is wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks
from rest_framework.authtoken.models import Token

from accounts import amounts
from accounts.models import Household, HouseholdName, LedgerAccount, Site, TopUp, TopUpAttempt
from accounts.money import WEI_PER_DAI, dai_string
from gateway import celery_app
from gateway.api import idempotency
from gateway.api.models import GivenAnswer
from gateway.api.throttles import Anonymous
from settlement import settle
from settlement.models import Charge, Price
from tests.living_village import (
    PRICE_NOW_WEI,
    SLOTS,
    WATT_HOURS,
    LivingVillage,
    live,
    neighbour,
    staff,
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


def _client(user: Any) -> Client:
    return Client(headers={"authorization": f"Token {Token.objects.create(user=user).key}"})


def _post(client: Client, path: str, body: Any, key: str | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def _problem(response: Any, *, status: int, kind: str) -> dict[str, Any]:
    """Check the form of a problem and return it."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == f"/problems/{kind}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == response.wsgi_request.path
    return body


# Households


def test_staff_see_a_household_to_the_wei(kisima: LivingVillage, operator: Client) -> None:
    household = kisima.households[1]
    stored = amounts.of_household(household=household)

    body = operator.get("/api/v1/households/KIS0002/").json()

    assert body["code"] == "KIS0002"
    assert body["site"] == "kisima"
    assert body["phone"] == "+254711000002"
    assert (body["language"], body["tier"]) == ("en", "leisure")
    assert body["balance"] == {"amount": dai_string(stored.funds_wei), "asset": "DAI"}
    assert len(body["balance"]["amount"].split(".")[1]) == 18
    assert body["arrears"] == {"amount": "0.000000000000000000", "asset": "DAI"}
    assert body["impact_tokens"] == {
        "amount": dai_string(SLOTS * 20 * WATT_HOURS * WEI_PER_DAI // 10**6 // 2),
        "asset": "IT",
    }
    assert body["energy_30d_wh"] == f"{SLOTS * 20}.000"
    assert float(body["energy_today_wh"]) <= SLOTS * 20
    assert body["price_now"]["amount"] == dai_string(PRICE_NOW_WEI)
    assert (body["price_now"]["asset"], body["price_now"]["per"]) == ("DAI", "kWh")
    assert body["energy_as_of"] == kisima.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert body["as_of"].endswith("Z")
    charged = sum(charge.amount_wei for charge in Charge.objects.filter(household=household))
    assert stored.funds_wei == Household.objects.get(
        pk=household.pk
    ).payments.get().credited_wei - (  # type: ignore[operator]
        charged
    )


def test_arrears_are_shown_as_what_is_owed(kisima: LivingVillage, operator: Client) -> None:
    slot = timedelta(seconds=kisima.site.slot_seconds)
    kisima.village.read(
        "SM0001",
        starts_at=kisima.at - slot * 9,
        energy_milliwatt_hours=1_200_000,
        at=kisima.at,
    )
    kisima.village.price(ticks=500_000, starts_at=kisima.at - slot * 9)
    settle.run_all(site_id=kisima.site.pk, at=kisima.at)

    body = operator.get("/api/v1/households/KIS0001/").json()

    account = LedgerAccount.objects.get(household=kisima.households[0], kind="household_arrears")
    assert account.amount < 0
    assert body["arrears"]["amount"] == dai_string(-account.amount)
    assert body["balance"]["amount"] == "0.000000000000000000"


def test_a_clinic_is_told_the_price_that_it_pays(kisima: LivingVillage, operator: Client) -> None:
    kisima.households[0].tier = Household.Tier.PRIORITY
    kisima.households[0].save()

    body = operator.get("/api/v1/households/kis0001/").json()

    assert body["price_now"]["amount"] == dai_string(kisima.village.tariff.reference_wei_per_kwh)


def test_households_of_another_operator_do_not_exist(
    kisima: LivingVillage, operator: Client
) -> None:
    _, _, stranger = neighbour(at=kisima.at)

    for path in ("", "charges/", "top-ups/"):
        _problem(operator.get(f"/api/v1/households/LOF0001/{path}"), status=404, kind="not-found")
        _problem(
            _client_of(stranger).get(f"/api/v1/households/KIS0001/{path}"),
            status=404,
            kind="not-found",
        )
    _problem(
        _post(_client_of(stranger), "/api/v1/households/KIS0001/top-ups/", {"amount": "500"}),
        status=404,
        kind="not-found",
    )
    codes = {row["code"] for row in operator.get("/api/v1/households/").json()["results"]}
    assert codes == {household.code for household in kisima.households}
    assert not TopUp.objects.exists()


def _client_of(user: Any) -> Client:
    return Client(
        headers={"authorization": f"Token {Token.objects.get_or_create(user=user)[0].key}"}
    )


def test_a_superuser_without_an_operator_sees_every_household(kisima: LivingVillage) -> None:
    neighbour(at=kisima.at)
    root = _client(staff(name="root", village=None, is_superuser=True))

    assert root.get("/api/v1/households/").json()["count"] == len(kisima.households) + 1
    assert root.get("/api/v1/households/LOF0001/").json()["price_now"] is None


def test_who_is_nobody_or_no_staff_is_told_so(kisima: LivingVillage) -> None:
    path = "/api/v1/households/KIS0001/"

    anonymous = Client().get(path)
    _problem(anonymous, status=401, kind="not-authenticated")
    assert anonymous["WWW-Authenticate"] == "Token"
    wrong = Client(headers={"authorization": "Token wrong"}).get(path)
    _problem(wrong, status=401, kind="not-authenticated")
    outsider = _client(staff(name="outsider", village=None))
    _problem(outsider.get(path), status=403, kind="not-allowed")
    retired = _client(staff(name="retired", village=kisima.village, is_staff=False))
    _problem(retired.get(path), status=403, kind="not-allowed")


def test_personal_data_stay_out_of_caches(kisima: LivingVillage, operator: Client) -> None:
    response = operator.get("/api/v1/households/KIS0001/")

    assert "no-store" in response["Cache-Control"]
    assert "Authorization" in response["Vary"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("kis0003", ["KIS0003"]),
        ("nduku", ["KIS0004"]),
        ("+254711000005", ["KIS0005"]),
        ("0711000005", ["KIS0005"]),
        ("0711 000 006", ["KIS0006"]),
        ("nobody", []),
        ("%", []),
    ],
)
def test_households_are_found_by_code_name_or_phone(
    kisima: LivingVillage, operator: Client, text: str, found: list[str]
) -> None:
    HouseholdName.objects.create(household=kisima.households[3], name="Mary Nduku")

    body = operator.get("/api/v1/households/", {"search": text}).json()

    assert [row["code"] for row in body["results"]] == found


def test_a_list_says_the_same_as_each_household(kisima: LivingVillage, operator: Client) -> None:
    listed = operator.get("/api/v1/households/", {"site": "kisima"}).json()["results"]

    assert len(listed) == 6
    for row in listed:
        single = operator.get(f"/api/v1/households/{row['code']}/").json()
        assert {**row, "as_of": ""} == {**single, "as_of": ""}


def test_a_list_takes_as_many_queries_for_one_as_for_many(
    kisima: LivingVillage, operator: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    operator.get("/api/v1/households/")
    for limit in (1, 6):
        with django_assert_num_queries(12):
            operator.get("/api/v1/households/", {"limit": limit})


def test_charges_come_newest_first_page_by_page(kisima: LivingVillage, operator: Client) -> None:
    first = operator.get("/api/v1/households/KIS0003/charges/", {"limit": 5}).json()
    second = operator.get(first["next"]).json()

    rows = first["results"] + second["results"]
    assert len(first["results"]) == 5
    assert second["next"] is None
    assert [row["starts_at"] for row in rows] == sorted(
        (row["starts_at"] for row in rows), reverse=True
    )
    assert len(rows) == SLOTS
    assert rows[0] == {
        "starts_at": (kisima.at - timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ends_at": kisima.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "site": "kisima",
        "meter": "SM0003",
        "energy_wh": "30.000",
        "price": {"amount": dai_string(PRICE_NOW_WEI), "asset": "DAI", "per": "kWh"},
        "charge": {"amount": dai_string(30 * WATT_HOURS * PRICE_NOW_WEI // 10**6), "asset": "DAI"},
        "is_late": False,
    }


# Top-ups


def test_a_top_up_is_stored_and_then_handed_to_the_worker(
    kisima: LivingVillage,
    operator: Client,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    _empty_queue()

    with django_capture_on_commit_callbacks(execute=True):
        response = _post(operator, "/api/v1/households/KIS0001/top-ups/", {"amount": "500"})

    assert response.status_code == 201
    body = response.json()
    attempt = TopUpAttempt.objects.select_related("top_up").get()
    assert body["id"] == str(attempt.top_up.uid)
    assert (body["amount"], body["currency"], body["state"]) == ("500.00", "KES", "created")
    assert (body["phone"], body["origin"], body["credited"]) == ("+254711000001", "prompt", None)
    assert attempt.top_up.amount_minor == 50_000
    assert operator.get(response["Location"]).json() == body
    assert _queued() == [("gateway.providers.tasks.submit_attempt", [attempt.pk])]


def test_top_ups_list_prompts_and_paybill_payments(kisima: LivingVillage, operator: Client) -> None:
    _post(operator, "/api/v1/households/KIS0001/top-ups/", {"amount": "20", "currency": "KES"})

    body = operator.get("/api/v1/households/KIS0001/top-ups/").json()

    assert body["count"] == 2
    prompt, paybill = body["results"]
    assert (prompt["origin"], prompt["state"]) == ("prompt", "created")
    assert (paybill["origin"], paybill["state"]) == ("paybill", "succeeded")
    assert paybill["amount"] == "500.00"
    assert paybill["reference"] == "RCP0000001"
    payment = kisima.households[0].payments.get()
    assert payment.credited_wei is not None
    assert paybill["credited"] == {"amount": dai_string(payment.credited_wei), "asset": "DAI"}
    path = f"/api/v1/households/KIS0001/top-ups/{paybill['id']}/"
    assert operator.get(path).json() == paybill
    _problem(operator.get(path.replace("KIS0001", "KIS0002")), status=404, kind="not-found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "amount"),
        ({"amount": 500}, "amount"),
        ({"amount": "5e2"}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"amount": "9.99"}, "amount"),
        ({"amount": "150000.01"}, "amount"),
        ({"amount": "500", "currency": "XOF"}, "currency"),
        ({"amount": "500", "phone": "0711"}, "phone"),
        ({"amount": "500", "phone": None}, "phone"),
        ([], ""),
    ],
)
def test_a_refused_top_up_names_the_field(
    kisima: LivingVillage, operator: Client, body: Any, field: str
) -> None:
    response = _post(operator, "/api/v1/households/KIS0001/top-ups/", body, key="k")

    problem = _problem(response, status=400, kind="invalid")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert all(error["detail"] and error["code"] for error in problem["errors"])
    assert not TopUp.objects.exists()
    assert not GivenAnswer.objects.exists()


def test_a_closed_household_or_a_site_without_a_rail_takes_no_top_up(
    kisima: LivingVillage, operator: Client
) -> None:
    Household.objects.filter(code="KIS0001").update(closed_at=kisima.at)
    closed = _post(operator, "/api/v1/households/KIS0001/top-ups/", {"amount": "500"})
    _problem(closed, status=409, kind="household-closed")

    kisima.site.rails.clear()
    without = _post(operator, "/api/v1/households/KIS0002/top-ups/", {"amount": "500"})
    _problem(without, status=409, kind="no-rail")


def test_the_same_key_and_body_get_the_first_answer(
    kisima: LivingVillage, operator: Client
) -> None:
    path = "/api/v1/households/KIS0001/top-ups/"
    first = _post(operator, path, {"amount": "500", "phone": "+254711000001"}, key="order-1")
    TopUp.objects.update(state=TopUp.State.SUCCEEDED)

    again = _post(operator, path, {"phone": "+254711000001", "amount": "500"}, key="order-1")

    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Location"] == first["Location"]
    assert again["Idempotent-Replayed"] == "true"
    assert TopUp.objects.count() == 1


def test_the_same_key_for_another_request_is_a_conflict(
    kisima: LivingVillage, operator: Client
) -> None:
    path = "/api/v1/households/KIS0001/top-ups/"
    _post(operator, path, {"amount": "500"}, key="order-1")

    other_body = _post(operator, path, {"amount": "600"}, key="order-1")
    other_path = _post(
        operator, path.replace("KIS0001", "KIS0002"), {"amount": "500"}, key="order-1"
    )

    _problem(other_body, status=409, kind="key-reused")
    _problem(other_path, status=409, kind="key-reused")
    assert TopUp.objects.count() == 1


def test_keys_of_two_users_do_not_meet(kisima: LivingVillage, operator: Client) -> None:
    path = "/api/v1/households/KIS0001/top-ups/"
    colleague = _client(staff(name="colleague", village=kisima.village))

    first = _post(operator, path, {"amount": "500"}, key="1")
    second = _post(colleague, path, {"amount": "600"}, key="1")

    assert (first.status_code, second.status_code) == (201, 201)
    assert TopUp.objects.count() == 2


def test_a_key_is_free_again_after_a_refusal(kisima: LivingVillage, operator: Client) -> None:
    path = "/api/v1/households/KIS0001/top-ups/"
    assert _post(operator, path, {"amount": "1"}, key="order-1").status_code == 400

    assert _post(operator, path, {"amount": "500"}, key="order-1").status_code == 201
    assert _post(operator, path, {"amount": "500"}, key="order 1").status_code == 400


def test_old_answers_are_forgotten(kisima: LivingVillage, operator: Client) -> None:
    _post(operator, "/api/v1/households/KIS0001/top-ups/", {"amount": "500"}, key="order-1")

    assert idempotency.forget(at=timezone.now()) == 0
    assert idempotency.forget(at=timezone.now() + idempotency.KEPT + timedelta(seconds=1)) == 1


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_one_key_used_by_many_at_once_does_its_work_once() -> None:
    kisima = live(now=timezone.now(), households=1)
    answers: list[tuple[int, str]] = []
    together = threading.Barrier(6)

    def ask() -> None:
        client = Client(headers={"authorization": f"Token {kisima.token}"})
        together.wait()
        response = _post(
            client, "/api/v1/households/KIS0001/top-ups/", {"amount": "500"}, key="order-1"
        )
        answers.append((response.status_code, response.json()["id"]))
        connection.close()

    _together(ask, 6)

    assert len(answers) == 6
    assert set(answers) == {(201, str(TopUp.objects.get().uid))}
    assert TopUpAttempt.objects.count() == 1


def _together(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


# Sites


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


def _wei(amount: dict[str, str]) -> int:
    assert amount["asset"] == "DAI"
    return int(amount["amount"].replace(".", ""))


def test_a_site_answers_not_modified_until_something_changes(kisima: LivingVillage) -> None:
    client = Client()
    first = client.get("/api/v1/sites/kisima/")
    etag = first["ETag"]

    assert "max-age" in first["Cache-Control"]
    same = client.get("/api/v1/sites/kisima/", headers={"if-none-match": etag})
    assert (same.status_code, same.content) == (304, b"")

    kisima.village.read(
        "SM0001",
        starts_at=kisima.at - timedelta(hours=1, minutes=15 * 5),
        energy_milliwatt_hours=5_000,
        at=kisima.at,
    )
    kisima.village.price(ticks=3_000, starts_at=kisima.at - timedelta(hours=5))
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

    with django_assert_num_queries(6):
        body = Client().get("/api/v1/sites/").json()

    assert [site["slug"] for site in body["results"]] == ["kisima", "lofe"]
    assert body["results"][1]["price_now"] is None
    assert body["results"][1]["site_rate"] is None


@pytest.mark.parametrize("path", ["", "prices/", "readings/", "plant/", "rounds/"])
def test_a_closed_or_unknown_site_does_not_exist(kisima: LivingVillage, path: str) -> None:
    Site.objects.filter(slug="kisima").update(closed_at=kisima.at)

    _problem(Client().get(f"/api/v1/sites/kisima/{path}"), status=404, kind="not-found")
    _problem(Client().get(f"/api/v1/sites/nowhere/{path}"), status=404, kind="not-found")


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

    problem = _problem(response, status=400, kind="invalid")
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


# Problems


def test_an_unknown_address_is_a_problem_and_a_missing_slash_is_put_right(
    kisima: LivingVillage,
) -> None:
    for path in ("/api/", "/api/v1/", "/api/v1/nothing", "/api/v1/nothing/", "/api/v2/sites/"):
        _problem(Client().get(path), status=404, kind="not-found")
        _problem(Client().post(path), status=404, kind="not-found")

    moved = Client().get("/api/v1/sites?limit=1")
    assert (moved.status_code, moved["Location"]) == (308, "/api/v1/sites/?limit=1")


def test_wrong_methods_bodies_and_formats_are_problems(
    kisima: LivingVillage, operator: Client
) -> None:
    path = "/api/v1/households/KIS0001/top-ups/"

    wrong_method = operator.delete(path)
    _problem(wrong_method, status=405, kind="method-not-allowed")
    assert "POST" in wrong_method["Allow"]
    broken = operator.post(path, "{", content_type="application/json")
    _problem(broken, status=400, kind="malformed")
    form = operator.post(path, {"amount": "500"})
    _problem(form, status=415, kind="unsupported-media-type")
    other_format = Client().get("/api/v1/sites/", headers={"accept": "application/xml"})
    _problem(other_format, status=406, kind="not-acceptable")
    _problem(operator.get("/api/v1/households/", {"search": "a\x00b"}), status=400, kind="invalid")


def test_too_many_requests_are_told_when_to_come_back(
    kisima: LivingVillage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Anonymous, "THROTTLE_RATES", {"anon": "2/min"})
    assert [Client().get("/api/v1/sites/").status_code for _ in range(2)] == [200, 200]

    response = Client().get("/api/v1/sites/")

    _problem(response, status=429, kind="too-many-requests")
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

    problem = _problem(response, status=500, kind="server-error")
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


def _empty_queue() -> None:
    with celery_app.connection_for_write() as line:
        line.default_channel.client.delete("celery")


def _queued() -> list[tuple[str, list[Any]]]:
    """What waits for the worker, in order: (task, arguments)."""
    with celery_app.connection_for_write() as line:
        messages = line.default_channel.client.lrange("celery", 0, -1)
    found = []
    for message in reversed([json.loads(message) for message in messages]):
        task = message["headers"]["task"]
        found.append((task, eval(message["headers"]["argsrepr"])))  # noqa: S307 - our own message
    return found


def test_instants_are_utc_with_a_z(kisima: LivingVillage) -> None:
    starts_at = Client().get("/api/v1/sites/kisima/").json()["price_now"]["starts_at"]

    parsed = datetime.fromisoformat(starts_at.replace("Z", "+00:00"))
    assert parsed == kisima.at - timedelta(minutes=15)
