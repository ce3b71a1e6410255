"""What M-Pesa's accounts hold: asked for, told later."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Payment
from gateway.providers.daraja.provider import shared_client
from gateway.providers.interface import ProviderUnavailable
from gateway.providers.models import RailBalance, ResultRequest
from gateway.webhooks.models import InboundEvent
from tests.integration.sandboxed import World, handle_events, home, hooks, later, today, world
from tests.integration.test_daraja_refunds import adapter, payment

__all__ = ["home", "hooks", "payment", "today", "world"]

pytestmark = pytest.mark.django_db


def test_it_is_asked_for_then_told(world: World, payment: Payment) -> None:
    world.ask("POST", "daraja/simulator/charge", amount="25")
    assert adapter().balance(at=timezone.now()) is None
    assert adapter().balance(at=timezone.now()) is None
    assert len(world.callbacks("balance")) == 1
    world.call_back("balance", times=2)
    told = RailBalance.objects.get()
    assert (told.told_minor, told.currency) == (137_500, "KES")
    amount = adapter().balance(at=timezone.now())
    assert amount is not None
    assert (amount.amount_minor, amount.told_at) == (137_500, told.told_at)
    assert adapter().balance(at=later(minutes=6)) is None


def test_an_answer_without_amounts_tells_nothing(world: World, payment: Payment) -> None:
    adapter().balance(at=timezone.now())
    path, body = world.callbacks("balance")[-1]
    result = json.loads(body)["Result"]
    world.hooks.json(path, {"Result": {**result, "ResultParameters": {}}})
    handle_events()
    assert InboundEvent.objects.latest("pk").outcome == "malformed"
    assert not RailBalance.objects.exists()
    with pytest.raises(ProviderUnavailable):
        adapter().balance(at=timezone.now())


def test_a_refused_question_is_unavailable(
    world: World, payment: Payment, settings: Settings
) -> None:
    settings.DARAJA_SHORT_CODE = "600000"
    shared_client.cache_clear()
    with pytest.raises(ProviderUnavailable, match="PartyA"):
        adapter().balance(at=timezone.now())
    assert ResultRequest.objects.get().state == "refused"
