"""Every object the sandbox gives fits the classes of the official library."""

from __future__ import annotations

import inspect
import types
import typing
from typing import Any

import pytest
import stripe

from tests.sandbox.stripe_account import DISPUTED, Account

CLASSES = {
    "checkout.session": stripe.checkout.Session,
    "item": stripe.LineItem,
    "price": stripe.Price,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "charge": stripe.Charge,
    "refund": stripe.Refund,
    "dispute": stripe.Dispute,
    "balance": stripe.Balance,
    "balance_transaction": stripe.BalanceTransaction,
    "payout": stripe.Payout,
    "event": stripe.Event,
    "webhook_endpoint": stripe.WebhookEndpoint,
}


def misfits(value: Any, cls: type, path: str) -> list[str]:
    """Keys the class does not declare, and declared ones that are wrongly null or left out."""
    declared = {name: kind for name, kind in cls.__annotations__.items() if name != "OBJECT_NAME"}
    found = [f"{path}.{key} is unheard of" for key in value if key not in declared]
    for name, kind in declared.items():
        if value.get(name) is not None:
            found += misfits_of_field(value[name], kind, f"{path}.{name}")
        elif types.NoneType not in typing.get_args(kind):
            found.append(f"{path}.{name} is missing")
    return found


def misfits_of_field(value: Any, kind: Any, path: str) -> list[str]:
    """As `misfits`, for one field that is declared as a class, a list of them or a scalar."""
    if typing.get_origin(kind) is typing.Union:
        kinds = [item for item in typing.get_args(kind) if item is not types.NoneType]
    else:
        kinds = [kind]
    if len(kinds) == 1 and typing.get_origin(kinds[0]) is list:
        [inner] = typing.get_args(kinds[0])
        return [found for item in value for found in misfits_of_field(item, inner, path)]
    if len(kinds) == 1 and inspect.isclass(kinds[0]) and issubclass(kinds[0], stripe.StripeObject):
        return misfits(value, kinds[0], path)
    return wrong_scalar(value, kinds, path)


def wrong_scalar(value: Any, kinds: list[Any], path: str) -> list[str]:
    """Whether a field that is `int`, `str` or `bool` and nothing else holds something else."""
    if not all(kind in (int, str, bool) for kind in kinds) or type(value) in kinds:
        return []
    return [f"{path} is {value!r}"]


def nested_objects(value: Any) -> list[dict[str, Any]]:
    """Every API object within a value, itself included."""
    if isinstance(value, list):
        return [found for item in value for found in nested_objects(item)]
    if not isinstance(value, dict):
        return []
    found = [value] if str(value.get("object")) in CLASSES else []
    return found + [item for inner in value.values() for item in nested_objects(inner)]


@pytest.fixture
def seen(stripe_account: Account) -> list[dict[str, Any]]:
    """Objects of every kind, in many states, as JSON."""
    v1, account = stripe_account.client.v1, stripe_account
    bank = account.session(currency="eur")
    account.simulate(f"checkout/{bank.id}", account="AT861904300235473202")
    account.simulate(f"checkout/{account.session().id}", card="4000000000000127")
    account.simulate(f"checkout/{account.session().id}", account="000123456789")
    disputed = account.paid(card=DISPUTED)
    asked = account.paid(card="4000000000001976")
    v1.refunds.create({"charge": account.paid(card="4000000000005126").id, "amount": 500})
    v1.refunds.create({"charge": account.paid(card="4000000000007726").id})
    v1.refunds.create({"charge": account.paid(card="5555555555554444").id})
    account.clock.move(seconds=5)
    [dispute] = v1.disputes.list({"charge": disputed.id}).data
    account.simulate(f"disputes/{dispute.id}/close", status="won")
    assert v1.disputes.list({"charge": asked.id}).data[0].status == "warning_needs_response"
    account.simulate("payout", amount="1.00", currency="USD")
    created = v1.webhook_endpoints.create({"url": "https://example.org", "enabled_events": ["*"]})
    answers: list[Any] = [
        v1.balance.retrieve(),
        created,
        v1.events.list({"limit": 100}),
        v1.payouts.list(),
        v1.balance_transactions.list({"limit": 100}),
        v1.checkout.sessions.list({"expand": ["data.line_items"]}),
        v1.charges.list({"limit": 100, "expand": ["data.payment_intent.payment_method"]}),
        v1.disputes.list(),
        v1.refunds.list(),
    ]
    return nested_objects([answer.to_dict() for answer in answers])


def test_every_object_fits_the_librarys_class(seen: list[dict[str, Any]]) -> None:
    assert {item["object"] for item in seen} == set(CLASSES)
    assert len(seen) > 100
    found = {
        misfit for item in seen for misfit in misfits(item, CLASSES[item["object"]], item["object"])
    }
    assert sorted(found) == []


def test_the_check_notices_what_does_not_fit() -> None:
    assert misfits({"object": "charge", "colour": 1}, stripe.Charge, "charge") != []
    transaction = dict.fromkeys(stripe.BalanceTransaction.__annotations__)
    assert "txn.amount is missing" in misfits(transaction, stripe.BalanceTransaction, "txn")
    assert wrong_scalar("12", [int], "amount") == ["amount is '12'"]
