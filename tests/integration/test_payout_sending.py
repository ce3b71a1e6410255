"""Payouts over M-Pesa and pawaPay, with the real sandbox on the other side of HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts import ledger
from accounts.ledger import Leg
from gateway.providers import collection, floats, paying, reconciliation
from gateway.providers.daraja import client as daraja_client
from gateway.providers.models import ResultRequest, StatementRow
from gateway.providers.pawapay.client import shared_client as pawapay_client
from settlement import payout_sending
from settlement.models import Payout
from tests.integration.pawapay_rail import open_rail, point_at
from tests.integration.sandboxed import World, handle_events, hooks, later, today, world
from tests.paying_out import (
    WEI,
    approved,
    assert_all_books_hold,
    earn_revenue,
    earned,
    fresh,
    payee,
    person,
    pool,
    proposed,
    stands,
)
from tests.village import Village

__all__ = ["hooks", "today", "world"]

pytestmark = pytest.mark.django_db

State = Payout.State
RECEIVER = "+254711000009"


@pytest.fixture
def kisima(world: World, today: Village) -> Village:
    """Kisima with 200 DAI of revenue, and as many shillings on its paybill."""
    earn_revenue(today)
    # What is nobody's account is not credited; it only lies at the provider.
    world.paybill("SEED", "25850", silent=True)
    return today


def send(payout: Payout, *, at: datetime | None = None) -> Payout:
    paying.submit(payout_id=payout.pk, at=at or timezone.now())
    return fresh(payout)


def told(world: World, topic: str = "b2c", *, times: int = 1) -> None:
    """Hand over the newest result, then the answer to the status that it makes us ask for."""
    world.call_back(topic, times=times)


def statement(world: World) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = world.ask("GET", "daraja/simulator/statement")["transactions"]
    return [row for row in rows if row["origin"] == "b2c"]


class TestMpesa:
    """B2C: asked for once, believed only from a status or the statement."""

    def test_an_approved_payout_reaches_the_phone(self, kisima: Village, world: World) -> None:
        payout = send(approved(kisima))
        assert payout.state == State.SENT
        [row] = statement(world)
        assert (row["phone"], row["amount"]) == (RECEIVER, "-1292")

        told(world)
        # The result alone is not believed: it made us ask.
        assert fresh(payout).state == State.SENT
        told(world, "status")
        payout = fresh(payout)
        assert (payout.state, payout.reference) == (State.PAID, row["receipt"])
        assert payout.service_token.state == "burned"
        assert pool(kisima) == 50 * WEI - payout.amount_wei
        assert_all_books_hold()

    def test_a_forged_result_pays_nothing(self, kisima: Village, world: World) -> None:
        world.fault("never", topic="b2c")
        payout = send(approved(kisima))
        asked = ResultRequest.objects.get(payout=payout)
        body = {
            "Result": {
                "ResultType": 0,
                "ResultCode": 1,
                "ResultDesc": "The balance is insufficient for the transaction.",
                "OriginatorConversationID": str(payout.request_id),
                "ConversationID": "AG_1",
                "TransactionID": "XX00000000",
            }
        }
        world.hooks.post(
            f"daraja/result/{asked.token}", json.dumps(body), content_type="application/json"
        )
        handle_events()
        assert fresh(payout).state == State.SENT
        # What Daraja itself answers to our question counts: the money has arrived.
        told(world, "status")
        assert fresh(payout).state == State.PAID

    def test_a_result_of_another_conversation_is_no_reason_to_ask(
        self, kisima: Village, world: World
    ) -> None:
        payout = send(approved(kisima))
        asked = ResultRequest.objects.get(payout=payout)
        body = {"Result": {"ResultCode": 0, "OriginatorConversationID": "1-2-3"}}
        world.hooks.post(
            f"daraja/result/{asked.token}", json.dumps(body), content_type="application/json"
        )
        handle_events()
        assert not ResultRequest.objects.filter(payout=payout, kind="status").exists()

    @pytest.mark.parametrize("code", ["string_codes", None])
    def test_a_wrong_number_fails_and_the_money_is_in_the_pool(
        self, kisima: Village, world: World, code: str | None
    ) -> None:
        world.fault("unregistered", topic="b2c")
        if code:
            world.fault(code, topic="b2c")
        payout = send(approved(kisima))
        told(world)
        told(world, "status")
        payout = fresh(payout)
        assert (payout.state, payout.failure_code) == (State.FAILED, "2040")
        assert (pool(kisima), stands(kisima, "payout_due")) == (50 * WEI, 0)
        assert statement(world) == []
        assert_all_books_hold()

    def test_an_empty_paybill_pays_nothing(self, kisima: Village, world: World) -> None:
        world.ask("POST", "daraja/simulator/payout", amount="25000")
        payout = send(approved(kisima))
        told(world)
        told(world, "status")
        assert (fresh(payout).state, fresh(payout).failure_code) == (State.FAILED, "1")

    def test_a_result_that_never_comes_is_asked_after(self, kisima: Village, world: World) -> None:
        payout = send(approved(kisima))
        assert paying.poll_due(clock=lambda: later(seconds=15)) == 1
        # Not yet: Daraja has a minute for its result.
        assert world.callbacks("status") == []
        paying.ask(payout_id=payout.pk, at=later(seconds=90))
        told(world, "status")
        assert fresh(payout).state == State.PAID

    def test_results_that_come_twice_and_late_pay_once(self, kisima: Village, world: World) -> None:
        payout = send(approved(kisima))
        told(world, times=2)
        told(world, "status", times=2)
        paid = fresh(payout)
        told(world, times=2)
        assert fresh(payout).paid_entry_id == paid.paid_entry_id
        assert len(statement(world)) == 1
        assert_all_books_hold()

    def test_an_unanswered_request_is_unknown_and_never_sent_again(
        self, kisima: Village, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        payout = approved(kisima)
        # The token is fetched first, so that the lost answer is the payout's own.
        daraja_client_balance(kisima)
        monkeypatch.setattr(daraja_client, "TIMEOUT_SECONDS", (1.0, 0.3))
        world.fault("slow_response", seconds=1.5)
        payout = send(payout)
        assert payout.state == State.UNKNOWN
        assert stands(kisima, "payout_due") == payout.amount_wei
        monkeypatch.undo()
        paying.submit(payout_id=payout.pk, at=timezone.now())
        paying.ask(payout_id=payout.pk, at=later(minutes=2))
        told(world, "status")
        assert fresh(payout).state == State.PAID
        assert len(statement(world)) == 1

    def test_what_daraja_never_heard_of_fails_after_ten_minutes(
        self, kisima: Village, world: World, settings: Settings
    ) -> None:
        payout = payout_sending.claim(payout_id=approved(kisima).pk, at=timezone.now())
        assert payout is not None
        paying.ask(payout_id=payout.pk, at=later(minutes=2))
        assert fresh(payout).state == State.UNKNOWN
        paying.ask(payout_id=payout.pk, at=later(minutes=11))
        assert (fresh(payout).state, fresh(payout).failure_code) == (State.FAILED, "unsent")

    def test_an_unreachable_daraja_paid_nothing(
        self, kisima: Village, world: World, settings: Settings
    ) -> None:
        from gateway.providers.daraja.provider import shared_client  # noqa: PLC0415

        payout = approved(kisima)
        settings.DARAJA_URL = "http://127.0.0.1:9"
        shared_client.cache_clear()
        payout = send(payout)
        shared_client.cache_clear()
        assert (payout.state, payout.failure_code) == (State.FAILED, "unreachable")
        assert pool(kisima) == 50 * WEI

    def test_an_approved_payout_is_sent_by_the_task(self, kisima: Village, world: World) -> None:
        payout = approved(kisima)
        assert paying.poll_due(clock=lambda: later(seconds=1)) == 1
        assert fresh(payout).state == State.SENT
        assert len(statement(world)) == 1


class TestStatement:
    """What the rail shows of payouts is compared with what we know of them."""

    def test_the_statement_alone_settles_a_payout(self, kisima: Village, world: World) -> None:
        payout = send(approved(kisima))
        collection.pull(rail=kisima.rail, at=later(minutes=1))
        payout = fresh(payout)
        assert payout.state == State.PAID
        assert payout.reconciled_at is not None
        row = StatementRow.objects.get(kind="payout")
        assert (row.reference, row.payment_reference) == (
            payout.reference,
            str(payout.request_id),
        )
        assert_all_books_hold()

    def test_a_late_success_after_a_failure_is_taken_again(
        self, kisima: Village, world: World
    ) -> None:
        payout = send(approved(kisima))
        payout_sending.failed(payout=payout, code="x", text="told so", at=timezone.now())
        assert pool(kisima) == 50 * WEI
        collection.pull(rail=kisima.rail, at=later(minutes=1))
        payout = fresh(payout)
        assert payout.state == State.PAID
        assert pool(kisima) == 50 * WEI - payout.amount_wei
        assert_all_books_hold()

    def test_a_day_with_a_payout_agrees(self, kisima: Village, world: World) -> None:
        send(approved(kisima))
        at = later(days=2)
        made = reconcile(kisima, at=at)
        # The seed of the paybill, which is nobody's, and the payout that nobody told of yet.
        assert made.missing_here == 2
        collection.pull(rail=kisima.rail, at=later(minutes=1))
        made = reconcile(kisima, at=at)
        kinds = set(kisima.rail.differences.filter(state="open").values_list("movement", flat=True))
        assert "payout" not in kinds

    def test_a_payout_that_we_do_not_know_is_a_difference(
        self, kisima: Village, world: World
    ) -> None:
        send(approved(kisima))
        # Somebody else's: sent from the same paybill under another conversation.
        StatementRow.objects.create(
            rail=kisima.rail,
            kind="payout",
            reference="SK00000001",
            payment_reference="somebody-else",
            amount_minor=99_900,
            currency="KES",
            happened_at=timezone.now(),
            first_seen_at=timezone.now(),
        )
        collection.pull(rail=kisima.rail, at=later(minutes=1))
        reconcile(kisima, at=later(days=2))
        [difference] = kisima.rail.differences.filter(movement="payout", state="open")
        assert (difference.kind, difference.reference) == ("missing_here", "SK00000001")

    def test_what_is_under_way_is_no_difference_of_the_float(
        self, kisima: Village, world: World
    ) -> None:
        payout = send(approved(kisima))
        told_minor = 2_585_000 - 129_200
        for minute in (1, 2):
            floats.told(
                rail=kisima.rail,
                amount_minor=told_minor,
                currency="KES",
                told_at=later(minutes=minute),
                at=later(minutes=minute),
            )
        assert not kisima.rail.operator.alarms.filter(cleared_at=None).exists()
        told(world)
        told(world, "status")
        assert fresh(payout).state == State.PAID
        balance = floats.told(
            rail=kisima.rail,
            amount_minor=told_minor,
            currency="KES",
            told_at=later(minutes=3),
            at=later(minutes=3),
        )
        assert balance is not None
        assert balance.difference_minor == 0


class TestPawapay:
    """Payouts in francs, under our own id."""

    @pytest.fixture
    def lofe(self, world: World, today: Village, settings: Settings) -> Iterator[Village]:
        """Lofé with a contractor's pool of 50 DAI and 30,000 francs in its wallet."""
        point_at(world.url, settings)
        world.fault("never", service="pawapay", count=100_000)
        site, rail = open_rail(today)
        world.ask("POST", "pawapay/simulator/adjustment", amount="30000", currency="XOF")
        ledger.post(
            book_id=site.book.pk,
            kind="opening",
            key="opening:lofe",
            legs=[
                Leg(kind="float", name="pawapay", asset="XOF", amount=-30_000),
                Leg(kind="fx_position", asset="XOF", amount=30_000),
                Leg(kind="fx_position", amount=-50 * WEI),
                Leg(kind="pool", name="contractor", amount=50 * WEI),
            ],
            occurred_at=timezone.now(),
            at=timezone.now(),
        )
        yield Village(
            operator=today.operator,
            site=site,
            rail=rail,
            tariff=today.tariff,
            founded_at=today.founded_at,
        )
        pawapay_client.cache_clear()

    def agreed(self, lofe: Village, *, phone: str = "+221770000009") -> Payout:
        jua = payee(lofe, phone=phone)
        payout = proposed(lofe, earned(lofe, jua, amount_wei=10 * WEI + 7))
        from settlement import payouts  # noqa: PLC0415

        return payouts.approve(
            payout=payout, approved_by=person(lofe, "approver"), at=timezone.now()
        )

    def test_francs_reach_the_phone(self, lofe: Village, world: World) -> None:
        payout = self.agreed(lofe)
        # 600 francs a DAI, and no centimes.
        assert (payout.amount_minor, payout.amount_wei) == (6_000, 10 * WEI)
        payout = send(payout)
        assert payout.state == State.SENT
        world.ask("GET", "pawapay/simulator/statement")
        import time  # noqa: PLC0415

        time.sleep(1.1)
        payout = paying.ask(payout_id=payout.pk, at=later(seconds=2))
        assert (payout.state, payout.reference) == (State.PAID, str(payout.request_id))
        world.call_back("payout", service="pawapay", times=2)
        assert_all_books_hold()
        assert stands(lofe, "float", "pawapay", "XOF") == -24_000
        collection.pull(rail=lofe.rail, at=later(seconds=5))
        assert fresh(payout).reconciled_at is not None

    def test_a_callback_makes_us_ask(self, lofe: Village, world: World) -> None:
        world.fault("before_response", service="pawapay", topic="payout")
        payout = send(self.agreed(lofe))
        world.hooks.json("pawapay", world.callbacks("payout", service="pawapay")[-1][1])
        handle_events()
        assert fresh(payout).state == State.PAID

    def test_a_failed_one_gives_back(self, lofe: Village, world: World) -> None:
        world.fault("payout_fails", service="pawapay")
        world.fault("before_response", service="pawapay", topic="payout")
        payout = send(self.agreed(lofe))
        paying.ask(payout_id=payout.pk, at=later(seconds=2))
        assert (fresh(payout).state, fresh(payout).failure_code) == (State.FAILED, "OTHER_ERROR")
        assert pool(lofe) == 50 * WEI

    def test_a_number_of_no_operator_is_refused_at_once(self, lofe: Village) -> None:
        payout = send(self.agreed(lofe, phone="+221700000009"))
        assert (payout.state, payout.failure_code) == (State.FAILED, "operator")

    def test_the_same_id_is_paid_once(self, lofe: Village, world: World) -> None:
        payout = self.agreed(lofe)
        adapter = paying._payer(payout)
        for _ in range(2):
            adapter.pay_out(payout=payout, hooks_url="", at=timezone.now())
        world.ask("POST", "pawapay/simulator/adjustment", amount="1", currency="XOF")
        import time  # noqa: PLC0415

        time.sleep(1.1)
        adapter.query_payout(payout=payout, at=later(seconds=2))
        rows = world.ask("GET", "pawapay/simulator/statement")["transactions"]
        assert [row["amount"] for row in rows if row["type"] == "PAYOUT"] == ["-6000"]


def daraja_client_balance(village: Village) -> None:
    """Sign in."""
    from gateway.providers.registry import provider  # noqa: PLC0415

    provider(rail=village.rail).balance(at=timezone.now())


def reconcile(village: Village, *, at: datetime) -> Any:
    return reconciliation.run(rail=village.rail, day=timezone.now().date(), at=at)
