"""A top-up is asked for once, whatever the network does to the request."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import Household, PaymentAttempt, TopUp
from accounts.money import dai_string
from gateway import celery_app
from gateway.api import idempotency
from gateway.api.models import GivenAnswer
from tests.calling import client_of, post, problem_of
from tests.living_village import (
    LivingVillage,
    live,
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


def test_a_top_up_is_stored_and_then_handed_to_the_worker(
    kisima: LivingVillage,
    operator: Client,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    _empty_queue()

    with django_capture_on_commit_callbacks(execute=True):
        response = post(operator, "/api/v1/households/KIS0001/top-ups/", {"amount": "500"})

    assert response.status_code == 201
    body = response.json()
    attempt = PaymentAttempt.objects.select_related("top_up").get()
    assert body["id"] == str(attempt.intent.uid)
    assert (body["amount"], body["currency"], body["state"]) == ("500.00", "KES", "created")
    assert (body["phone"], body["origin"], body["credited"]) == ("+254711000001", "prompt", None)
    assert attempt.intent.amount_minor == 50_000
    assert operator.get(response["Location"]).json() == body
    assert _queued() == [("gateway.providers.tasks.submit_attempt", [attempt.pk])]


def test_top_ups_list_prompts_and_paybill_payments(kisima: LivingVillage, operator: Client) -> None:
    post(operator, "/api/v1/households/KIS0001/top-ups/", {"amount": "20", "currency": "KES"})

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
    problem_of(operator.get(path.replace("KIS0001", "KIS0002")), status=404, kind="not-found")


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
    response = post(operator, "/api/v1/households/KIS0001/top-ups/", body, key="k")

    problem = problem_of(response, status=400, kind="invalid")
    assert [error["field"] for error in problem["errors"]] == [field]
    assert all(error["detail"] and error["code"] for error in problem["errors"])
    assert not TopUp.objects.exists()
    assert not GivenAnswer.objects.exists()


def test_a_closed_household_or_a_site_without_a_rail_takes_no_top_up(
    kisima: LivingVillage, operator: Client
) -> None:
    Household.objects.filter(code="KIS0001").update(closed_at=kisima.at)
    closed = post(operator, "/api/v1/households/KIS0001/top-ups/", {"amount": "500"})
    problem_of(closed, status=409, kind="household-closed")

    kisima.site.rails.clear()
    without = post(operator, "/api/v1/households/KIS0002/top-ups/", {"amount": "500"})
    problem_of(without, status=409, kind="no-rail")


def test_the_same_key_and_body_get_the_first_answer(
    kisima: LivingVillage, operator: Client
) -> None:
    path = "/api/v1/households/KIS0001/top-ups/"
    first = post(operator, path, {"amount": "500", "phone": "+254711000001"}, key="order-1")
    TopUp.objects.update(state=TopUp.State.SUCCEEDED)

    again = post(operator, path, {"phone": "+254711000001", "amount": "500"}, key="order-1")

    assert (again.status_code, again.json()) == (201, first.json())
    assert again["Location"] == first["Location"]
    assert again["Idempotent-Replayed"] == "true"
    assert TopUp.objects.count() == 1


def test_the_same_key_for_another_request_is_a_conflict(
    kisima: LivingVillage, operator: Client
) -> None:
    path = "/api/v1/households/KIS0001/top-ups/"
    post(operator, path, {"amount": "500"}, key="order-1")

    other_body = post(operator, path, {"amount": "600"}, key="order-1")
    other_path = post(
        operator, path.replace("KIS0001", "KIS0002"), {"amount": "500"}, key="order-1"
    )

    problem_of(other_body, status=409, kind="key-reused")
    problem_of(other_path, status=409, kind="key-reused")
    assert TopUp.objects.count() == 1


def test_keys_of_two_users_do_not_meet(kisima: LivingVillage, operator: Client) -> None:
    path = "/api/v1/households/KIS0001/top-ups/"
    colleague = client_of(staff(name="colleague", village=kisima.village))

    first = post(operator, path, {"amount": "500"}, key="1")
    second = post(colleague, path, {"amount": "600"}, key="1")

    assert (first.status_code, second.status_code) == (201, 201)
    assert TopUp.objects.count() == 2


def test_a_key_is_free_again_after_a_refusal(kisima: LivingVillage, operator: Client) -> None:
    path = "/api/v1/households/KIS0001/top-ups/"
    assert post(operator, path, {"amount": "1"}, key="order-1").status_code == 400

    assert post(operator, path, {"amount": "500"}, key="order-1").status_code == 201
    assert post(operator, path, {"amount": "500"}, key="order 1").status_code == 400


def test_old_answers_are_forgotten(kisima: LivingVillage, operator: Client) -> None:
    post(operator, "/api/v1/households/KIS0001/top-ups/", {"amount": "500"}, key="order-1")

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
        response = post(
            client, "/api/v1/households/KIS0001/top-ups/", {"amount": "500"}, key="order-1"
        )
        answers.append((response.status_code, response.json()["id"]))
        connection.close()

    _together(ask, 6)

    assert len(answers) == 6
    assert set(answers) == {(201, str(TopUp.objects.get().uid))}
    assert PaymentAttempt.objects.count() == 1


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


def _together(work: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
