"""Agents by phone, over the real hooks: cash taken once, PINs counted and never kept, FLOAT."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
import redis
from django.core.cache import cache
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from accounts import agents
from accounts.models import Agent, Household, Notice, Payment
from gateway.sms.wording import words
from gateway.ussd import agent_actions, sessions
from gateway.webhooks.models import InboundEvent
from tests.cash_village import AGENT_PHONE, AGENT_PIN, hire
from tests.integration.sandboxed import (
    PHONE,
    Hooks,
    everything_stored,
    handle_events,
    home,
    hooks,
    today,
)
from tests.integration.test_concurrency import run_together
from tests.integration.test_ussd_hook import MENU, TRY_LATER
from tests.village import Village

__all__ = ["home", "hooks", "today"]

pytestmark = pytest.mark.django_db

TAKE = f"6*KIS0001*250*1*{AGENT_PIN}"
LOCKED = "END Too many wrong PINs. Try again later or see your operator."
WRONG_PIN = "END Wrong PIN. Nothing was booked."


@pytest.fixture
def agent(home: Household, today: Village) -> Agent:
    """AG01 with a float of KES 1,000; KIS0001 lives there."""
    return hire(today, at=timezone.now())


@pytest.fixture
def no_valkey(hooks: Hooks, settings: Settings, tmp_path: Path) -> Iterator[None]:
    """The cache is a socket nobody listens on."""
    settings.CACHE_URL = f"unix://{tmp_path}/nobody.sock?db=1"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": settings.CACHE_URL}}
    sessions._cache.cache_clear()
    yield
    sessions._cache.cache_clear()


def float_of(agent: Agent) -> int:
    return agents.float_minor(agent=agent)


class TestCash:
    """Taking cash by phone."""

    def test_an_agent_takes_cash_hop_by_hop(self, hooks: Hooks, agent: Agent) -> None:
        assert hooks.dial("", phone=AGENT_PHONE) == "CON 6 Take cash\n7 Float\n0 Exit"
        assert "Your float is KES 1,000." in hooks.dial("7", phone=AGENT_PHONE)
        receipt = hooks.dial(TAKE, phone=AGENT_PHONE)
        payment = Payment.objects.get()
        assert receipt == (
            f"END KES 250 booked for KIS0001. Receipt {payment.reference}.\nYour float is KES 750."
        )
        assert (payment.household, payment.amount_minor) == (Household.objects.get(), 25_000)
        assert (payment.state, payment.agent, payment.payer_phone) == ("credited", agent, "")
        assert float_of(agent) == 75_000

    def test_both_are_told_by_sms(self, hooks: Hooks, agent: Agent) -> None:
        hooks.dial(TAKE, phone=AGENT_PHONE)
        told = {each.kind: each for each in Notice.objects.all()}
        assert told["top_up_credited"].phone == PHONE
        assert told["agent_took_cash"].phone == AGENT_PHONE
        reference = Payment.objects.get().reference
        assert words(notice=told["agent_took_cash"], at=timezone.now()) == (
            f"You took KES 250 in cash for KIS0001. Receipt {reference}. Your float is KES 750."
        )

    @pytest.mark.parametrize("is_cache_lost", [False, True])
    def test_the_last_hop_again_gets_the_same_receipt_and_takes_once(
        self, hooks: Hooks, agent: Agent, is_cache_lost: bool
    ) -> None:
        answers = set()
        for _ in range(3):
            answers.add(hooks.hop(TAKE, phone=AGENT_PHONE))
            if is_cache_lost:
                cache.clear()
        assert len(answers) == 1
        assert Payment.objects.count() == 1
        assert float_of(agent) == 75_000
        assert hooks.hop(TAKE, session="another", phone=AGENT_PHONE) not in answers
        assert Payment.objects.count() == 2

    def test_a_session_lost_before_its_last_hop_goes_on(self, hooks: Hooks, agent: Agent) -> None:
        for text in ("", "6", "6*KIS0001", "6*KIS0001*250", "6*KIS0001*250*1"):
            hooks.hop(text, phone=AGENT_PHONE)
        cache.clear()
        assert "booked for KIS0001" in hooks.hop(TAKE, phone=AGENT_PHONE)

    def test_a_session_that_names_something_else_later_takes_nothing_more(
        self, hooks: Hooks, agent: Agent
    ) -> None:
        hooks.hop(TAKE, phone=AGENT_PHONE)
        cache.clear()
        other = hooks.hop(f"6*KIS0001*300*1*{AGENT_PIN}", phone=AGENT_PHONE)
        assert other.startswith("END Nothing was booked.")
        assert Payment.objects.get().amount_minor == 25_000

    def test_a_float_that_went_meanwhile_books_nothing_and_says_how_much_is_left(
        self, hooks: Hooks, agent: Agent
    ) -> None:
        hooks.hop("6*KIS0001*900*1", phone=AGENT_PHONE)
        agents.take_cash(
            agent=agent,
            household_code="KIS0001",
            amount_minor=30_000,
            idempotency_key="elsewhere",
            at=timezone.now(),
        )
        answer = hooks.hop(f"6*KIS0001*900*1*{AGENT_PIN}", phone=AGENT_PHONE)
        assert answer == "END Nothing was booked. Your float is only KES 700."
        assert float_of(agent) == 70_000

    def test_a_household_closed_meanwhile_gets_nothing(
        self, hooks: Hooks, agent: Agent, home: Household
    ) -> None:
        hooks.hop("6*KIS0001*250*1", phone=AGENT_PHONE)
        home.closed_at = timezone.now()
        home.save()
        answer = hooks.hop(TAKE, phone=AGENT_PHONE)
        assert answer == "END Nothing was booked. Check the account code and dial again."
        assert float_of(agent) == 100_000

    def test_an_agent_closed_meanwhile_is_asked_to_dial_again(
        self, hooks: Hooks, agent: Agent
    ) -> None:
        hooks.hop("6*KIS0001", phone=AGENT_PHONE)
        Agent.objects.update(closed_at=timezone.now())
        assert hooks.hop("6*KIS0001*250", phone=AGENT_PHONE) == TRY_LATER
        assert "no solar account" in hooks.hop(TAKE, session="new", phone=AGENT_PHONE)
        assert not Payment.objects.exists()

    def test_another_site_has_other_codes(self, hooks: Hooks, agent: Agent, today: Village) -> None:
        beside = Village.found(at=timezone.now(), slug="mlima", beside=today)
        beside.household("MLI0001", phone="+254711000002")
        screen = hooks.dial("6*MLI0001", phone=AGENT_PHONE)
        assert screen.startswith("CON Your site has no such account.")

    @pytest.mark.usefixtures("agent")
    def test_households_have_no_such_choice(self, hooks: Hooks) -> None:
        assert hooks.dial("") == MENU
        assert hooks.dial("6").startswith("CON Choose a number from the list.\n1 Balance")
        hooks.dial(TAKE)
        assert not Payment.objects.exists()

    def test_an_agent_with_a_household_has_both_menus_and_the_code_decides(
        self, hooks: Hooks, agent: Agent, today: Village
    ) -> None:
        own = today.household("KIS0002", phone=AGENT_PHONE, language="sw")
        assert hooks.dial("", phone=AGENT_PHONE).startswith("CON 1 Salio\n")
        assert "6 Pokea pesa" in hooks.dial("", phone=AGENT_PHONE)
        assert hooks.dial("1", phone=AGENT_PHONE).startswith("END Salio KES 0")
        hooks.dial(TAKE, phone=AGENT_PHONE)
        assert Payment.objects.get().household != own
        assert "zimeingia kwa KIS0002" in hooks.dial(
            f"6*kis0002*250*1*{AGENT_PIN}", phone=AGENT_PHONE
        )


class TestPins:
    """An agent's PIN."""

    def test_after_three_wrong_pins_even_the_right_one_is_refused_for_an_hour(
        self, hooks: Hooks, agent: Agent, settings: Settings
    ) -> None:
        for wrong in ("7391", "7392", "7393"):
            assert hooks.dial(f"6*KIS0001*250*1*{wrong}", phone=AGENT_PHONE) == WRONG_PIN
        assert hooks.dial(TAKE, phone=AGENT_PHONE) == LOCKED
        with redis.Redis.from_url(settings.CACHE_URL) as valkey:
            (key,) = valkey.keys("*wrong-pins*")
            assert 3_500 < valkey.ttl(key) <= 3_600
        assert not Payment.objects.exists()
        cache.clear()
        assert "booked for KIS0001" in hooks.dial(TAKE, phone=AGENT_PHONE)

    def test_a_right_pin_forgets_the_wrong_ones(self, hooks: Hooks, agent: Agent) -> None:
        for _ in range(2):
            for _ in range(2):
                hooks.dial("6*KIS0001*250*1*7391", phone=AGENT_PHONE)
            assert "booked for KIS0001" in hooks.dial(TAKE, phone=AGENT_PHONE)

    @pytest.mark.usefixtures("agent", "no_valkey")
    def test_while_tries_cannot_be_counted_nothing_is_taken(self, hooks: Hooks) -> None:
        assert hooks.dial(TAKE, phone=AGENT_PHONE) == TRY_LATER
        assert not Payment.objects.exists()

    def test_a_wrong_pin_cannot_be_mended_in_the_same_session(
        self, hooks: Hooks, agent: Agent
    ) -> None:
        assert hooks.hop("6*KIS0001*250*1*7391", phone=AGENT_PHONE) == WRONG_PIN
        hooks.hop(f"6*KIS0001*250*1*7391*{AGENT_PIN}", phone=AGENT_PHONE)
        assert not Payment.objects.exists()

    def test_a_pin_is_kept_nowhere(self, hooks: Hooks, agent: Agent, settings: Settings) -> None:
        end = {
            "sessionId": "ATUid_dial_1",
            "phoneNumber": AGENT_PHONE,
            "status": "Success",
            "input": f"*384*4826*{TAKE}#",
            "lastAppResponse": "END KES 250 booked.",
        }
        hooks.dial(TAKE, phone=AGENT_PHONE)
        hooks.dial("6*KIS0001*250*1*7391", phone=AGENT_PHONE)
        hooks.form("ussd/end", **end)
        hooks.form("ussd/end", text=TAKE, sessionId="s")
        handle_events()
        stored = everything_stored()
        client = redis.Redis.from_url(settings.CACHE_URL)
        cached = "\n".join(
            f"{key!r}: {client.get(key)!r}"
            for key in client.keys("*")
            if client.type(key) == b"string"
        )
        for pin in (AGENT_PIN, "7391"):
            assert pin not in stored
            assert pin not in cached
        assert "****" in InboundEvent.objects.order_by("pk")[0].body


class TestFloatBySms:
    """`FLOAT`."""

    @pytest.mark.usefixtures("agent")
    def test_an_agent_asks_for_the_float(self, hooks: Hooks) -> None:
        hooks.sms("Float", phone=AGENT_PHONE)
        handle_events()
        notice = Notice.objects.get()
        assert (notice.phone, notice.kind) == (AGENT_PHONE, "float_reply")
        assert words(notice=notice, at=timezone.now()) == "AG01: your float is KES 1,000."

    @pytest.mark.usefixtures("agent")
    def test_nobody_else_learns_it(self, hooks: Hooks) -> None:
        hooks.sms("FLOAT")
        handle_events()
        assert Notice.objects.get().kind == "unknown_word"

    def test_an_agent_is_answered_in_its_own_language(self, hooks: Hooks, agent: Agent) -> None:
        agent.language = "fr"
        agent.save()
        hooks.sms("AVANCE", phone=AGENT_PHONE)
        handle_events()
        assert words(notice=Notice.objects.get(), at=timezone.now()) == (
            "AG01 : votre avance est de 1 000 KES."
        )


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
class TestBusyBook:
    """A site's book that somebody holds for long."""

    @pytest.fixture
    def agent(self, transactional_db: None) -> Agent:
        village = Village.found(at=timezone.now())
        village.household("KIS0001")
        return hire(village, at=timezone.now())

    def test_the_agent_is_told_in_time_and_nothing_is_booked(
        self, hooks: Hooks, agent: Agent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(agent_actions, "LONGEST_WAIT", "200ms")
        held, tried = Event(), Event()

        def settle() -> None:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("SELECT ledger_lock(%s)", [agent.site.book.pk])
                held.set()
                assert tried.wait(20)
                cursor.execute("ROLLBACK")

        def take() -> None:
            assert held.wait(20)
            try:
                assert hooks.hop(TAKE, phone=AGENT_PHONE) == TRY_LATER
            finally:
                tried.set()

        run_together(settle, take)
        assert not Payment.objects.exists()
        assert "booked for KIS0001" in hooks.hop(TAKE, session="again", phone=AGENT_PHONE)
