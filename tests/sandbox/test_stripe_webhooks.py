"""Webhooks under real signatures: repeated, late, doubled, forged; endpoints and events."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import requests
import stripe

from sandbox.stripe.api import API_VERSION
from tests.sandbox.conftest import MovableClock, StartSandbox
from tests.sandbox.stripe_account import SECRET, Account, Hooks, metadata, wait_until

PAYMENT = {
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
}


def completed(account: Account) -> str:
    """The id of the event of a session just paid, delivered."""
    account.pay(account.session().id)
    account.hooks.wait_for("charge.updated")
    [event] = account.hooks.of_type("checkout.session.completed")
    return event.event().id


def test_every_delivery_is_signed_with_the_endpoints_secret(stripe_account: Account) -> None:
    completed(stripe_account)
    assert set(stripe_account.hooks.types()) == {*PAYMENT, "charge.updated"}
    for delivery in stripe_account.hooks.deliveries:
        assert delivery.path == "/hooks/stripe"
        assert delivery.headers["Content-Type"] == "application/json; charset=utf-8"
        event = delivery.event()
        assert (event.object, event.livemode, event.api_version) == ("event", False, API_VERSION)
        with pytest.raises(stripe.SignatureVerificationError):
            delivery.event(secret="whsec_another")
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(delivery.body + b" ", delivery.signature, SECRET)


def test_an_event_names_the_request_that_caused_it(stripe_account: Account) -> None:
    charge = stripe_account.paid()
    refund = stripe_account.client.v1.refunds.create(
        {"charge": charge.id}, {"idempotency_key": "refund-1"}
    )
    [event] = stripe_account.hooks.wait_for("refund.created")
    assert refund.last_response is not None and event.request is not None
    assert event.request.id == refund.last_response.headers["Request-Id"]
    assert event.request.idempotency_key == "refund-1"


def test_an_event_shows_its_object_as_it_was(stripe_account: Account) -> None:
    charge = stripe_account.paid()
    for amount in (100, 200):
        stripe_account.client.v1.refunds.create({"charge": charge.id, "amount": amount})
    events = stripe_account.client.v1.events.list({"type": "charge.refunded"}).data
    assert [event.data.object["amount_refunded"] for event in events] == [300, 100]


def test_events_are_listed_by_type_and_retrieved(stripe_account: Account) -> None:
    reference = completed(stripe_account)
    events = stripe_account.client.v1.events
    assert {event.type for event in events.list().data} == {*PAYMENT, "charge.updated"}
    charges = events.list({"type": "charge.*"}).data
    assert [event.type for event in charges] == ["charge.updated", "charge.succeeded"]
    kinds = ["payment_intent.created", "checkout.session.completed"]
    assert {event.type for event in events.list({"types": kinds}).data} == set(kinds)
    assert events.retrieve(reference).type == "checkout.session.completed"
    with pytest.raises(stripe.InvalidRequestError, match="not both"):
        events.list({"types": kinds, "type": "charge.*"})


def test_a_failed_delivery_is_repeated_under_a_fresh_signature(stripe_account: Account) -> None:
    stripe_account.hooks.status = 500
    stripe_account.simulate("events", type="first.try")
    wait_until(lambda: len(stripe_account.hooks.of_type("first.try")) == 1)
    stripe_account.hooks.status = 200
    wait_until(lambda: len(stripe_account.hooks.of_type("first.try")) == 2)
    first, second = stripe_account.hooks.of_type("first.try")
    assert first.body == second.body
    assert first.signature != second.signature
    assert second.event().id == first.event().id
    time.sleep(0.2)
    assert len(stripe_account.hooks.of_type("first.try")) == 2


def test_deliveries_are_lost_doubled_and_late_on_command(stripe_account: Account) -> None:
    stripe_account.fault(kind="never", topic="checkout.session.completed")
    stripe_account.fault(kind="twice", topic="charge.succeeded")
    stripe_account.fault(kind="out_of_order", topic="payment_intent.created")
    stripe_account.pay(stripe_account.session().id)
    stripe_account.hooks.wait_for("charge.succeeded", count=2)
    stripe_account.hooks.wait_for("payment_intent.created")
    stripe_account.hooks.wait_for("charge.updated")
    kinds = stripe_account.hooks.types()
    assert kinds.index("charge.succeeded") < kinds.index("payment_intent.created")
    assert "checkout.session.completed" not in kinds


def test_a_delivery_may_come_before_the_answer(stripe_account: Account) -> None:
    charge = stripe_account.paid()
    stripe_account.fault(kind="before_response", topic="refund.created")
    stripe_account.client.v1.refunds.create({"charge": charge.id})
    assert len(stripe_account.hooks.of_type("refund.created")) == 1


def test_an_event_is_sent_again_on_demand(stripe_account: Account) -> None:
    reference = completed(stripe_account)
    stripe_account.simulate(f"events/{reference}/resend")
    first, second = stripe_account.hooks.wait_for("checkout.session.completed", count=2)
    assert first.id == second.id == reference
    assert stripe_account.simulate("events/evt_nobody/resend").status_code == 404


def test_events_of_unheard_of_types_come_too(stripe_account: Account) -> None:
    stripe_account.simulate("events", type="crystal_ball.cracked", object={"id": "cb_1"})
    [event] = stripe_account.hooks.wait_for("crystal_ball.cracked")
    assert event.data.object["id"] == "cb_1"
    assert stripe_account.simulate("events", type="a", object="b").status_code == 400


@pytest.mark.parametrize(
    "kind", ["bad_signature", "old_timestamp", "no_signature", "wrong_scheme", "truncated"]
)
def test_forged_deliveries_do_not_verify_and_are_not_repeated(
    stripe_account: Account, kind: str
) -> None:
    reference = completed(stripe_account)
    stripe_account.hooks.status = 400
    before = len(stripe_account.hooks.deliveries)
    stripe_account.simulate(f"events/{reference}/forge", kind=kind, changes={"amount_total": 1})
    wait_until(lambda: len(stripe_account.hooks.deliveries) == before + 1)
    forged = stripe_account.hooks.deliveries[-1]
    with pytest.raises(stripe.SignatureVerificationError):
        forged.event()
    assert b'"amount_total": 1,' in forged.body
    assert forged.body.endswith(b"}") == (kind != "truncated")
    time.sleep(0.2)
    [latest, *_] = requests_of(stripe_account)
    assert latest["state"] == "failed"


def requests_of(account: Account) -> list[dict[str, Any]]:
    """What the courier did, newest first."""
    listed: list[dict[str, Any]] = requests.get(
        f"{account.url}/simulator/callbacks", timeout=5
    ).json()
    return listed


def test_a_malformed_delivery_verifies_but_is_no_event(stripe_account: Account) -> None:
    reference = completed(stripe_account)
    before = len(stripe_account.hooks.deliveries)
    stripe_account.simulate(f"events/{reference}/forge", kind="malformed")
    wait_until(lambda: len(stripe_account.hooks.deliveries) == before + 1)
    with pytest.raises(json.JSONDecodeError):
        stripe_account.hooks.deliveries[-1].event()
    assert stripe_account.simulate(f"events/{reference}/forge", kind="nice").status_code == 400


def test_endpoints_made_by_the_api_get_what_they_asked_for(stripe_account: Account) -> None:
    endpoints = stripe_account.client.v1.webhook_endpoints
    created = endpoints.create(
        {
            "url": f"{stripe_account.hooks.base_url}/elsewhere",
            "enabled_events": ["refund.created", "charge.refunded"],
            "metadata": {"a": "b"},
        }
    )
    assert created.secret is not None
    assert created.secret.startswith("whsec_")
    assert metadata(created) == {"a": "b"}
    assert "secret" not in endpoints.retrieve(created.id)
    assert [item.id for item in endpoints.list().data] == [created.id, "we_sandbox"]
    stripe_account.client.v1.refunds.create({"charge": stripe_account.paid().id})

    def elsewhere() -> list[Any]:
        found = stripe_account.hooks.deliveries
        return [delivery for delivery in found if delivery.path == "/elsewhere"]

    wait_until(lambda: len(elsewhere()) == 2)
    kinds = {delivery.event(secret=str(created.secret)).type for delivery in elsewhere()}
    assert kinds == {"refund.created", "charge.refunded"}
    endpoints.update(created.id, {"disabled": True})
    assert endpoints.retrieve(created.id).status == "disabled"
    endpoints.update(created.id, {"disabled": False, "enabled_events": ["payout.paid"]})
    deleted = endpoints.delete(created.id)
    assert deleted.deleted
    assert [item.id for item in endpoints.list().data] == ["we_sandbox"]
    with pytest.raises(stripe.InvalidRequestError):
        endpoints.create({"url": "nowhere", "enabled_events": ["*"]})


def test_a_restart_keeps_money_sessions_and_what_is_due(
    stripe_hooks: Hooks, start_sandbox: StartSandbox, clock: MovableClock
) -> None:
    sandbox, url = start_sandbox(product_url=stripe_hooks.base_url)
    account = Account(url=f"{url}/stripe", hooks=stripe_hooks, clock=clock)
    waiting, paid = account.session(), account.session()
    account.pay(paid.id)
    sandbox.stop()
    clock.move(seconds=24 * 3600)
    url = start_sandbox(product_url=stripe_hooks.base_url)[1]
    account = Account(url=f"{url}/stripe", hooks=stripe_hooks, clock=clock)
    assert account.movements() == [("charge", "charge", 2500, 103)]
    sessions = account.client.v1.checkout.sessions
    assert sessions.retrieve(waiting.id).status == "expired"
    assert sessions.retrieve(paid.id).status == "complete"
    stripe_hooks.wait_for("checkout.session.expired")
