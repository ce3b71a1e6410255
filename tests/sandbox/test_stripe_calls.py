"""What every call of the sandbox Stripe has in common, through the official library."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import stripe

from sandbox.stripe.api import API_VERSION
from tests.sandbox.stripe_account import Account


def test_objects_have_the_shape_of_the_librarys_own_version(stripe_account: Account) -> None:
    assert stripe.api_version == API_VERSION
    answer = stripe_account.client.v1.balance.retrieve().last_response
    assert answer is not None
    assert answer.headers["Stripe-Version"] == API_VERSION
    assert answer.headers["Request-Id"].startswith("req_")


@pytest.mark.parametrize("key", ["sk_live_1", "rk_test_1", "pk_test_1", "sk_test_", "nonsense"])
def test_only_secret_test_keys_open_the_account(stripe_account: Account, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key provided") as refused:
        stripe_account.client_with(key).v1.balance.retrieve()
    assert refused.value.http_status == 401
    assert key == "sk_test_" or key not in str(refused.value) or len(key) < 13


def test_a_key_may_come_as_the_user_of_basic_auth_and_must_come(stripe_account: Account) -> None:
    url = f"{stripe_account.url}/v1/balance"
    assert requests.get(url, auth=("sk_test_x", ""), timeout=5).status_code == 200
    nobody = requests.get(url, timeout=5)
    assert nobody.status_code == 401
    assert nobody.json()["error"]["type"] == "invalid_request_error"
    assert nobody.headers["WWW-Authenticate"] == 'Basic realm="Stripe"'


def test_a_malformed_version_and_an_unknown_path_are_refused(stripe_account: Account) -> None:
    client = stripe.StripeClient(
        "sk_test_x", base_addresses={"api": stripe_account.url}, stripe_version="latest"
    )
    with pytest.raises(stripe.InvalidRequestError, match="Invalid Stripe API version: latest"):
        client.v1.balance.retrieve()
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL") as unknown:
        stripe_account.client.v1.customers.list()
    assert unknown.value.http_status == 404


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"mode": None}, "mode", "parameter_missing"),
        ({"mode": "setup"}, "mode", None),
        ({"line_items": []}, "line_items", "parameter_missing"),
        ({"success_url": None}, "success_url", "parameter_missing"),
        ({"success_url": "javascript:alert(1)"}, "success_url", "url_invalid"),
        ({"cancel_url": ""}, "cancel_url", "parameter_invalid_empty"),
        ({"colour": "green"}, "colour", "parameter_unknown"),
        (
            {"payment_intent_data": {"colour": "green"}},
            "payment_intent_data[colour]",
            "parameter_unknown",
        ),
        ({"expires_at": 12}, "expires_at", None),
        ({"expires_at": "soon"}, "expires_at", "parameter_invalid_integer"),
        ({"metadata": {"k" * 41: "v"}}, "metadata", None),
        ({"metadata": {"k": "v" * 501}}, "metadata[k]", None),
        ({"metadata": {f"k{n}": "v" for n in range(51)}}, "metadata", None),
        ({"client_reference_id": "r" * 201}, "client_reference_id", None),
        ({"line_items": [{"price": "price_1"}]}, "line_items[0][price]", "resource_missing"),
        (
            {"line_items": [{"price_data": {"currency": "usd", "unit_amount": "1.5"}}]},
            "line_items[0][price_data][unit_amount]",
            "parameter_invalid_integer",
        ),
    ],
)
def test_bad_parameters_are_named(
    stripe_account: Account, changes: dict[str, Any], param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stripe_account.session(**changes)
    assert (refused.value.http_status, refused.value.param) == (400, param)
    assert refused.value.code == code
    assert stripe_account.client.v1.checkout.sessions.list().data == []


def test_json_bodies_are_refused(stripe_account: Account) -> None:
    refused = requests.post(
        f"{stripe_account.url}/v1/refunds", json={}, auth=("sk_test_x", ""), timeout=5
    )
    assert refused.status_code == 400
    assert "application/x-www-form-urlencoded" in refused.json()["error"]["message"]


def test_lists_are_paged_newest_first_both_ways(stripe_account: Account) -> None:
    ids = [stripe_account.session(metadata={"n": str(n)}).id for n in range(7)]
    listing = stripe_account.client.v1.checkout.sessions.list
    first = listing({"limit": 3})
    assert [item.id for item in first.data] == ids[:3:-1]
    assert first.has_more
    second = listing({"limit": 5, "starting_after": first.data[-1].id})
    assert [item.id for item in second.data] == ids[3::-1]
    assert not second.has_more
    back = listing({"limit": 2, "ending_before": ids[3]})
    assert [item.id for item in back.data] == [ids[5], ids[4]]
    assert back.has_more
    assert [item.id for item in listing({"limit": 2}).auto_paging_iter()] == ids[::-1]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        listing({"starting_after": "cs_test_nobody"})
    assert refused.value.code == "resource_missing"
    with pytest.raises(stripe.InvalidRequestError, match="less than or equal to 100"):
        listing({"limit": 101})


def test_lists_are_filtered_by_the_instant_of_creation(stripe_account: Account) -> None:
    first = stripe_account.session()
    stripe_account.clock.move(seconds=60)
    second = stripe_account.session()

    def ids(created: Any) -> list[str]:
        listed = stripe_account.client.v1.checkout.sessions.list({"created": created})
        return [item.id for item in listed.data]

    assert ids({"gte": second.created}) == [second.id]
    assert ids({"gt": first.created, "lt": second.created}) == []
    assert ids({"gte": first.created, "lte": second.created}) == [second.id, first.id]
    assert ids(first.created) == [first.id]


def test_expansion_follows_paths_also_through_lists(stripe_account: Account) -> None:
    charge = stripe_account.paid()
    stripe_account.client.v1.refunds.create({"charge": charge.id, "amount": 300})
    listed = stripe_account.client.v1.charges.list(
        {
            "expand": [
                "data.payment_intent.latest_charge",
                "data.balance_transaction",
                "data.refunds",
            ]
        }
    )
    [found] = listed.data
    intent, transaction, refunds = found.payment_intent, found.balance_transaction, found.refunds
    assert isinstance(intent, stripe.PaymentIntent)
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert isinstance(transaction, stripe.BalanceTransaction)
    assert refunds is not None
    assert [refund.amount for refund in refunds.data] == [300]
    plain = stripe_account.client.v1.charges.retrieve(charge.id)
    assert isinstance(plain.payment_intent, str)
    assert "refunds" not in plain
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        stripe_account.client.v1.charges.retrieve(charge.id, {"expand": ["colour"]})
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        path = ".".join(["payment_intent", "latest_charge"] * 3)
        stripe_account.client.v1.charges.retrieve(charge.id, {"expand": [path]})


def test_rate_limits_and_server_errors_come_on_command(stripe_account: Account) -> None:
    stripe_account.fault(kind="rate_limited")
    with pytest.raises(stripe.RateLimitError):
        stripe_account.client.v1.balance.retrieve()
    stripe_account.fault(kind="server_error")
    with pytest.raises(stripe.APIError) as failed:
        stripe_account.client.v1.balance.retrieve()
    assert failed.value.http_status == 500
    stripe_account.fault(kind="unavailable")
    with pytest.raises(stripe.APIError) as unavailable:
        stripe_account.client.v1.balance.retrieve()
    assert unavailable.value.http_status == 503
    stripe_account.fault(kind="server_error")
    assert stripe_account.client_with("sk_test_x", retries=1).v1.balance.retrieve().available
