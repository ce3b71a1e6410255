"""What every provider of payments keeps to. A new adapter brings a rig and passes these.

A rig is the payer and the outside of one provider, over its sandbox.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Household, PaymentAttempt
from accounts.topups import ConfirmedPayment
from gateway.providers.daraja.provider import shared_client
from gateway.providers.interface import (
    Provider,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnreachable,
    StatementEntry,
)
from gateway.providers.registry import provider
from tests.integration.sandboxed import World, asked, home, hooks, later, today, world

__all__ = ["home", "hooks", "today", "world"]

pytestmark = pytest.mark.django_db


class Rig(Protocol):
    """One provider's payer and its troubles."""

    def adapter(self, attempt: PaymentAttempt) -> Provider:
        """The adapter of the attempt's rail."""

    def pay(self) -> None:
        """The payer says yes."""

    def decline(self) -> None:
        """The payer says no."""

    def pay_unasked(self, account: str, amount: str) -> str:
        """Somebody pays to an account without being asked; the reference."""

    def refuses(self, attempt: PaymentAttempt) -> None:
        """Make the provider refuse the attempt."""

    def is_slow(self) -> None:
        """The next request is carried out, and answered too late."""

    def is_down(self) -> None:
        """The next request is answered by an error of the server."""

    def is_unreachable(self) -> None:
        """Nobody listens any more."""


class DarajaRig:
    """M-Pesa by Daraja."""

    def __init__(self, *, world: World, settings: Settings) -> None:
        self.world = world
        self.settings = settings

    def adapter(self, attempt: PaymentAttempt) -> Provider:
        return provider(rail=attempt.intent.rail)

    def pay(self) -> None:
        assert self.world.pay()

    def decline(self) -> None:
        self.world.cancel()

    def pay_unasked(self, account: str, amount: str) -> str:
        return self.world.paybill(account, amount, silent=True)

    def refuses(self, attempt: PaymentAttempt) -> None:
        assert attempt.top_up is not None
        attempt.top_up.phone = "+15551234567"

    def is_slow(self) -> None:
        self.world.fault("slow_response", seconds=0.7)

    def is_down(self) -> None:
        self.world.fault("unavailable")

    def is_unreachable(self) -> None:
        self.settings.DARAJA_URL = "http://127.0.0.1:9/daraja"
        shared_client.cache_clear()


@pytest.fixture(params=["daraja"])
def rig(world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr("gateway.providers.daraja.client.TIMEOUT_SECONDS", (1, 0.3))
    yield DarajaRig(world=world, settings=settings)
    shared_client.cache_clear()


@pytest.fixture
def attempt(rig: Rig, home: Household) -> PaymentAttempt:
    """An attempt at 500 of the household's currency, not submitted."""
    return asked(home)


def initiate(rig: Rig, attempt: PaymentAttempt) -> None:
    """Submit, and remember what the provider calls it."""
    initiated = rig.adapter(attempt).initiate(
        attempt=attempt, hooks_url="http://product.test/hooks/s", at=later()
    )
    attempt.provider_request = initiated.provider_request


def statement(
    rig: Rig, attempt: PaymentAttempt, *, since: datetime | None = None
) -> list[StatementEntry]:
    now = timezone.now()
    return list(
        rig.adapter(attempt).list_transactions(since=since or now - timedelta(hours=1), until=now)
    )


def test_initiate_returns_what_the_provider_calls_it(rig: Rig, attempt: PaymentAttempt) -> None:
    initiate(rig, attempt)
    assert 0 < len(attempt.provider_request) <= 80


def test_a_query_before_the_payer_answers_is_not_final(rig: Rig, attempt: PaymentAttempt) -> None:
    initiate(rig, attempt)
    answer = rig.adapter(attempt).query(attempt=attempt, at=timezone.now())
    assert (answer.is_final, answer.is_paid) == (False, False)


def test_a_query_after_a_payment_says_paid_every_time(rig: Rig, attempt: PaymentAttempt) -> None:
    initiate(rig, attempt)
    rig.pay()
    answers = [rig.adapter(attempt).query(attempt=attempt, at=later()) for _ in range(2)]
    assert [(answer.is_final, answer.is_paid) for answer in answers] == [(True, True)] * 2


def test_a_query_after_a_refusal_is_final_with_a_code(rig: Rig, attempt: PaymentAttempt) -> None:
    initiate(rig, attempt)
    rig.decline()
    answer = rig.adapter(attempt).query(attempt=attempt, at=timezone.now())
    assert (answer.is_final, answer.is_paid) == (True, False)
    assert answer.code
    assert answer.text


def test_a_refusal_has_the_providers_code_and_does_nothing(
    rig: Rig, attempt: PaymentAttempt
) -> None:
    rig.refuses(attempt)
    with pytest.raises(ProviderRefused) as refusal:
        initiate(rig, attempt)
    assert refusal.value.code
    assert statement(rig, attempt) == []


def test_an_amount_the_rail_cannot_carry_is_refused(rig: Rig, attempt: PaymentAttempt) -> None:
    attempt.intent.amount_minor += 1
    with pytest.raises(ProviderRefused):
        initiate(rig, attempt)


def test_the_statement_shows_what_was_asked_for_and_what_was_not(
    rig: Rig, attempt: PaymentAttempt
) -> None:
    initiate(rig, attempt)
    rig.pay()
    unasked = rig.pay_unasked("kis 0001", "250.50")
    rows = statement(rig, attempt)
    assert rows == statement(rig, attempt)
    told = {}
    for row in rows:
        assert isinstance(row, ConfirmedPayment)
        assert (row.rail, row.currency) == (attempt.intent.rail, attempt.intent.currency)
        assert row.paid_at.utcoffset() is not None
        assert abs(row.paid_at - timezone.now()) < timedelta(minutes=1)
        assert row.top_up is None
        told[row.reference] = (row.amount_minor, row.account_text)
    assert told.pop(unasked) == (25_050, "kis 0001")
    assert list(told.values()) == [(attempt.intent.amount_minor, "KIS0001")]


def test_the_statement_is_read_over_any_span(rig: Rig, attempt: PaymentAttempt) -> None:
    reference = rig.pay_unasked("KIS0001", "80")
    rows = statement(rig, attempt, since=timezone.now() - timedelta(days=9))
    assert [row.reference for row in rows] == [reference]
    assert (
        list(
            rig.adapter(attempt).list_transactions(
                since=datetime(2026, 1, 1, tzinfo=UTC), until=datetime(2026, 1, 2, tzinfo=UTC)
            )
        )
        == []
    )


def test_an_answer_that_comes_too_late_leaves_it_unknown(rig: Rig, attempt: PaymentAttempt) -> None:
    rig.is_slow()
    with pytest.raises(ProviderUnavailable) as unknown:
        initiate(rig, attempt)
    assert not isinstance(unknown.value, ProviderUnreachable)


def test_an_error_of_the_server_leaves_it_unknown(rig: Rig, attempt: PaymentAttempt) -> None:
    rig.is_down()
    with pytest.raises(ProviderUnavailable) as unknown:
        initiate(rig, attempt)
    assert not isinstance(unknown.value, ProviderUnreachable)


def test_a_provider_nobody_reaches_did_nothing(rig: Rig, attempt: PaymentAttempt) -> None:
    rig.is_unreachable()
    with pytest.raises(ProviderUnreachable):
        initiate(rig, attempt)


def test_questions_that_are_not_answered_say_so(rig: Rig, attempt: PaymentAttempt) -> None:
    initiate(rig, attempt)
    rig.is_down()
    with pytest.raises(ProviderUnavailable):
        rig.adapter(attempt).query(attempt=attempt, at=timezone.now())
    rig.is_slow()
    with pytest.raises(ProviderUnavailable):
        statement(rig, attempt)
    rig.is_unreachable()
    with pytest.raises(ProviderUnavailable):
        statement(rig, attempt)
