"""The API's answer on a site's money adds up from its own figures."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.living_village import live
from tests.paying_out import approved, earn_revenue, reserve_grants
from tests.village import Village

pytestmark = pytest.mark.django_db

PATH = "/api/v1/sites/kisima/money/"


def told() -> dict[str, Any]:
    answer = Client().get(PATH)
    assert answer.status_code == 200
    return dict(answer.json())


def amount(of: dict[str, str]) -> Decimal:
    assert of["asset"] == "DAI"
    return Decimal(of["amount"])


def test_the_figures_add_up_to_the_wei() -> None:
    lived = live(now=timezone.now() - timedelta(days=2))
    earn_revenue(lived.village, at=timezone.now() - timedelta(hours=3))
    approved(lived.village)
    reserve_grants(lived.village, dai=2)
    body = told()

    assert [each["way"] for each in body["paid_in"]] == ["mobile"]
    assert date.fromisoformat(body["paid_in"][0]["until"]) < timezone.now().date()
    paid_in = sum(amount(each["amount"]) for each in body["paid_in"])
    assert paid_in == amount(body["revenue"]) + amount(body["left"])
    assert amount(body["revenue"]) == sum(amount(pool["received"]) for pool in body["pools"])
    for pool in body["pools"]:
        there = sum(amount(pool[name]) for name in ("held", "reserved", "set_aside", "paid"))
        assert amount(pool["received"]) + amount(pool["corrected"]) == there
    assert {pool["name"]: amount(pool["reserved"]) for pool in body["pools"]}["grant"] == 2


def test_the_money_of_one_household_is_not_told() -> None:
    village = Village.found(at=timezone.now() - timedelta(days=40))
    earn_revenue(village, at=timezone.now() - timedelta(days=30))

    assert told()["paid_in"] == []
    assert amount(told()["left"]) == -amount(told()["revenue"])


def test_the_answer_is_kept_until_it_changes() -> None:
    live(now=timezone.now() - timedelta(days=2))
    first = Client().get(PATH)

    assert Client().get(PATH, headers={"If-None-Match": first["ETag"]}).status_code == 304


def test_an_unknown_site_is_not_found() -> None:
    assert Client().get("/api/v1/sites/nowhere/money/").status_code == 404
