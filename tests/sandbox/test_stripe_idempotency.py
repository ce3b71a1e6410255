"""Idempotency keys: the same answer again, a mismatch refused, a key in use told."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import stripe

from tests.sandbox.stripe_account import DECLINED, OK, Account

KEY = "9f1c2f0e-7d0b-4f0c-8c45-0a4b9d1f3c11"


def refund(account: Account, charge: str, *, key: str = KEY, **more: Any) -> stripe.Refund:
    params: Any = {"charge": charge, **more}
    return account.client.v1.refunds.create(params, {"idempotency_key": key})


def test_the_same_request_again_is_answered_as_before(stripe_account: Account) -> None:
    charge = stripe_account.paid()
    first = refund(stripe_account, charge.id, amount=100)
    again = refund(stripe_account, charge.id, amount=100)
    assert again.id == first.id
    assert first.last_response is not None and again.last_response is not None
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert (
        again.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    )
    assert again.last_response.headers["Idempotency-Key"] == KEY
    assert len(stripe_account.client.v1.refunds.list().data) == 1
    assert refund(stripe_account, charge.id, amount=100, key="another").id != first.id


def test_other_parameters_or_another_path_are_a_mismatch(stripe_account: Account) -> None:
    charge = stripe_account.paid()
    refund(stripe_account, charge.id, amount=100)
    with pytest.raises(stripe.IdempotencyError, match="with the same parameters") as other:
        refund(stripe_account, charge.id, amount=101)
    assert other.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError, match="for the same endpoint"):
        stripe_account.client.v1.payment_intents.create(
            {"amount": 100, "currency": "usd"}, {"idempotency_key": KEY}
        )
    assert len(stripe_account.client.v1.refunds.list().data) == 1


def test_a_failure_that_was_carried_out_is_repeated_too(stripe_account: Account) -> None:
    def attempt() -> stripe.CardError:
        params: Any = {
            "amount": 500,
            "currency": "usd",
            "payment_method": "pm_card_visa_chargeDeclined",
            "confirm": True,
        }
        with pytest.raises(stripe.CardError) as refused:
            stripe_account.client.v1.payment_intents.create(params, {"idempotency_key": KEY})
        return refused.value

    first, again = attempt(), attempt()
    assert first.json_body == again.json_body
    assert len(stripe_account.client.v1.payment_intents.list().data) == 1


def test_a_request_refused_for_its_parameters_leaves_its_key_free(stripe_account: Account) -> None:
    charge = stripe_account.paid()
    with pytest.raises(stripe.InvalidRequestError, match="greater than or equal to 1"):
        refund(stripe_account, charge.id, amount=0)
    assert refund(stripe_account, charge.id, amount=100).amount == 100


def test_a_key_in_use_is_409_and_the_library_tries_again(stripe_account: Account) -> None:
    stripe_account.fault(kind="key_in_use")
    with pytest.raises(stripe.APIError) as busy:
        stripe_account.session()
    assert busy.value.http_status == 409
    body: Any = busy.value.json_body
    assert body["error"]["code"] == "idempotency_key_in_use"
    stripe_account.fault(kind="key_in_use")
    client = stripe_account.client_with("sk_test_x", retries=1)
    created = client.v1.payment_intents.create({"amount": 500, "currency": "usd"})
    assert [item.id for item in client.v1.payment_intents.list().data] == [created.id]


def test_an_answer_that_came_too_late_is_there_for_the_second_attempt(
    stripe_account: Account,
) -> None:
    stripe_account.fault(kind="slow_response", seconds=1.0)
    form = {"amount": "500", "currency": "usd"}
    url, headers = f"{stripe_account.url}/v1/payment_intents", {"Idempotency-Key": KEY}
    with pytest.raises(requests.ReadTimeout):
        requests.post(url, data=form, headers=headers, auth=("sk_test_x", ""), timeout=0.3)
    again = requests.post(url, data=form, headers=headers, auth=("sk_test_x", ""), timeout=5)
    assert again.headers["Idempotent-Replayed"] == "true"
    listed = stripe_account.client.v1.payment_intents.list().data
    assert [item.id for item in listed] == [again.json()["id"]]


def test_a_key_is_forgotten_after_a_day_and_has_a_length(stripe_account: Account) -> None:
    charge = stripe_account.paid()
    first = refund(stripe_account, charge.id, amount=100)
    stripe_account.clock.move(seconds=25 * 3600)
    assert refund(stripe_account, charge.id, amount=100).id != first.id
    with pytest.raises(stripe.InvalidRequestError, match="255"):
        refund(stripe_account, charge.id, amount=100, key="k" * 256)


def test_a_session_cannot_be_paid_twice(stripe_account: Account) -> None:
    session = stripe_account.session()
    declined = stripe_account.simulate(f"checkout/{session.id}", card=DECLINED)
    assert declined.status_code == 402
    stripe_account.pay(session.id)
    again = stripe_account.simulate(f"checkout/{session.id}", card=OK)
    assert again.status_code == 400
    assert len(stripe_account.client.v1.charges.list().data) == 2
    assert stripe_account.client.v1.payment_intents.list().data[0].amount_received == 2500
