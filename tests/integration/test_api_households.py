"""Staff see their operator's households to the wei, and nobody else's."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import amounts
from accounts.models import Household, HouseholdName, LedgerAccount, TopUp
from accounts.money import WEI_PER_DAI, dai_string
from settlement import settle
from settlement.models import Charge
from tests.calling import client_of, post, problem_of
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
    payment = household.payments.get()
    assert payment.credited_wei is not None
    assert stored.funds_wei == payment.credited_wei - charged


def test_arrears_are_shown_as_what_is_owed(kisima: LivingVillage, operator: Client) -> None:
    for earlier in range(SLOTS + 1, SLOTS + 13):  # 14.4 kWh: more than 500 shillings pay for
        kisima.village.read(
            "SM0001",
            starts_at=kisima.at - timedelta(minutes=15) * earlier,
            energy_milliwatt_hours=1_200_000,
            at=kisima.at,
        )
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
        problem_of(operator.get(f"/api/v1/households/LOF0001/{path}"), status=404, kind="not-found")
        problem_of(
            client_of(stranger).get(f"/api/v1/households/KIS0001/{path}"),
            status=404,
            kind="not-found",
        )
    problem_of(
        post(client_of(stranger), "/api/v1/households/KIS0001/top-ups/", {"amount": "500"}),
        status=404,
        kind="not-found",
    )
    codes = {row["code"] for row in operator.get("/api/v1/households/").json()["results"]}
    assert codes == {household.code for household in kisima.households}
    assert not TopUp.objects.exists()


def test_a_superuser_without_an_operator_sees_every_household(kisima: LivingVillage) -> None:
    neighbour(at=kisima.at)
    root = client_of(staff(name="root", village=None, is_superuser=True))

    assert root.get("/api/v1/households/").json()["count"] == len(kisima.households) + 1
    assert root.get("/api/v1/households/LOF0001/").json()["price_now"] is None


def test_who_is_nobody_or_no_staff_is_told_so(kisima: LivingVillage) -> None:
    path = "/api/v1/households/KIS0001/"

    anonymous = Client().get(path)
    problem_of(anonymous, status=401, kind="not-authenticated")
    assert anonymous["WWW-Authenticate"] == "Token"
    wrong = Client(headers={"authorization": "Token wrong"}).get(path)
    problem_of(wrong, status=401, kind="not-authenticated")
    outsider = client_of(staff(name="outsider", village=None))
    problem_of(outsider.get(path), status=403, kind="not-allowed")
    retired = client_of(staff(name="retired", village=kisima.village, is_staff=False))
    problem_of(retired.get(path), status=403, kind="not-allowed")


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
