"""USSD over the real hook: hops that repeat, sessions that are lost, input that is rotten, PINs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.core.cache import cache
from django.utils import timezone
from kombu.exceptions import OperationalError
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from accounts import pins
from accounts.models import Household, HouseholdSite, PaymentAttempt, TopUp
from gateway.providers.tasks import submit_attempt
from gateway.ussd import sessions
from gateway.webhooks.models import InboundEvent
from tests.integration.sandboxed import (
    PHONE,
    Hooks,
    everything_stored,
    handle_events,
    home,
    hooks,
    later,
    today,
)
from tests.village import Village

__all__ = ["home", "hooks", "today"]

pytestmark = pytest.mark.django_db

MENU = "CON 1 Balance\n2 Usage\n3 Top up\n4 Vote\n5 My account\n0 Exit"
OLD_PIN, NEW_PIN = "2580", "1479"
CHANGE_PIN = f"5*2*{OLD_PIN}*{NEW_PIN}*{NEW_PIN}"
CHANGED = "END Your PIN is changed."
TRY_LATER = "END This does not work right now. Please dial again in a few minutes."


@pytest.fixture
def with_pin(home: Household, settings: Settings) -> Household:
    home.pin_hash = pins.hash_pin(pin=OLD_PIN, pepper=settings.PIN_PEPPER)
    home.save()
    return home


@pytest.fixture
def no_valkey(hooks: Hooks, settings: Settings, tmp_path: Path) -> Iterator[None]:
    """The cache is a socket nobody listens on."""
    settings.CACHE_URL = f"unix://{tmp_path}/nobody.sock?db=1"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": settings.CACHE_URL}}
    sessions._cache.cache_clear()
    yield
    sessions._cache.cache_clear()


def is_pin(household: Household, pin: str, settings: Settings) -> bool:
    household.refresh_from_db()
    return pins.is_right(pin=pin, stored=household.pin_hash, pepper=settings.PIN_PEPPER)


class TestSessions:
    """One hop a request."""

    def test_the_menu_and_what_lies_behind_it(self, hooks: Hooks, home: Household) -> None:
        assert hooks.dial("") == MENU
        assert hooks.dial("1").startswith("END Balance KES 0")
        assert hooks.dial("2").startswith("END Today")
        assert hooks.dial("0").startswith("END")

    def test_a_phone_nobody_knows_is_told_how_to_register(
        self, hooks: Hooks, today: Village
    ) -> None:
        for text in ("", "3*500*1", "nonsense"):
            screen = hooks.hop(text, phone="+254799999999")
            assert screen.startswith("END This phone has no solar account yet.")
        assert hooks.hop("", session="fr", phone="+221779999999").startswith("END")
        assert not TopUp.objects.exists()

    def test_a_closed_household_is_nobody(self, hooks: Hooks, home: Household) -> None:
        home.closed_at = timezone.now()
        home.save()
        assert hooks.dial("1").startswith("END This phone has no solar account yet.")

    def test_a_household_that_belongs_to_no_site_is_asked_to_try_later(
        self, hooks: Hooks, home: Household
    ) -> None:
        HouseholdSite.objects.all().delete()
        assert hooks.dial("1") == TRY_LATER
        assert hooks.dial("3*500*1").startswith("END")

    def test_a_shared_phone_chooses_an_account(
        self, hooks: Hooks, home: Household, today: Village
    ) -> None:
        today.household("KIS0002")
        assert "2 KIS0002" in hooks.dial("")
        assert "KIS0002" in hooks.dial("2")
        hooks.dial("2*3*500*1")
        assert TopUp.objects.get().household.code == "KIS0002"

    def test_a_top_up_is_stored_and_its_task_started_after_the_commit(
        self,
        hooks: Hooks,
        home: Household,
        monkeypatch: pytest.MonkeyPatch,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        started: list[int] = []
        monkeypatch.setattr(submit_attempt, "delay", started.append)
        with django_capture_on_commit_callbacks(execute=True):
            assert "payment prompt for KES 500" in hooks.dial("3*500*1")
            assert started == []
        top_up = TopUp.objects.get()
        assert (top_up.amount_minor, top_up.phone, top_up.state) == (50_000, PHONE, "created")
        assert started == [top_up.attempts.get().pk]

    def test_a_broker_that_is_away_leaves_the_prompt_to_the_janitor(
        self,
        hooks: Hooks,
        home: Household,
        monkeypatch: pytest.MonkeyPatch,
        django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    ) -> None:
        def delay(attempt_id: int) -> None:
            raise OperationalError("no broker")

        monkeypatch.setattr(submit_attempt, "delay", delay)
        with django_capture_on_commit_callbacks(execute=True):
            assert "payment prompt for KES 500" in hooks.dial("3*500*1")
        attempt = PaymentAttempt.objects.get()
        assert attempt.next_poll_at is not None
        assert attempt.next_poll_at <= timezone.now()

    def test_while_a_prompt_is_open_there_is_no_second_one(
        self, hooks: Hooks, home: Household
    ) -> None:
        hooks.dial("3*500*1")
        assert "payment prompt for" not in hooks.dial("3*600*1")
        assert TopUp.objects.count() == 1
        PaymentAttempt.objects.update(created_at=later(seconds=-61))
        assert "payment prompt for KES 600" in hooks.dial("3*600*1")

    def test_direct_dialling_needs_one_hop(self, hooks: Hooks, home: Household) -> None:
        assert "payment prompt for KES 500" in hooks.hop("3*500*1")
        assert TopUp.objects.count() == 1


class TestRepeats:
    """The network sends a hop again when it lost the answer."""

    @pytest.mark.parametrize("is_cache_lost", [False, True])
    def test_the_same_text_gets_the_same_answer_and_one_top_up(
        self, hooks: Hooks, home: Household, is_cache_lost: bool
    ) -> None:
        for text in ("", "3", "3*500", "3*500*1"):
            answers = set()
            for _ in range(3):
                answers.add(hooks.hop(text))
                if is_cache_lost:
                    cache.clear()
            assert len(answers) == 1, text
        assert TopUp.objects.count() == PaymentAttempt.objects.count() == 1

    def test_a_session_lost_before_its_last_hop_goes_on(
        self, hooks: Hooks, home: Household
    ) -> None:
        hooks.hop("")
        hooks.hop("3")
        hooks.hop("3*500")
        cache.clear()
        assert "payment prompt for KES 500" in hooks.hop("3*500*1")

    def test_a_session_of_another_version_is_rebuilt(self, hooks: Hooks, home: Household) -> None:
        hooks.hop("3*500")
        stored = sessions._cache()
        (key,) = stored.keys("ussd:*")
        for rubbish in (b"{", b"[]", b'{"state": 1}', b"\xff"):
            stored.set(key, rubbish)
            assert "payment prompt for KES 500" in hooks.hop("3*500*1")
        assert TopUp.objects.count() == 1

    @pytest.mark.usefixtures("no_valkey")
    def test_without_valkey_a_session_still_works(self, hooks: Hooks, home: Household) -> None:
        assert hooks.hop("") == MENU
        assert "payment prompt for KES 500" in hooks.dial("3*500*1")
        assert hooks.hop("3*700*1", session="again") == hooks.hop("3*700*1", session="again")
        assert TopUp.objects.count() == 1

    def test_another_phone_cannot_go_on_in_a_session(
        self, hooks: Hooks, home: Household, today: Village
    ) -> None:
        other = "+254711000002"
        today.household("KIS0002", phone=other)
        hooks.hop("")
        hooks.hop("3")
        hooks.hop("3*500")
        assert hooks.hop("", phone=other) == MENU
        assert "payment prompt for KES 900" in hooks.hop("3*900*1", phone=other)
        assert "payment prompt for KES 500" in hooks.hop("3*500*1")
        paid = {(t.phone, t.household.code, t.amount_minor) for t in TopUp.objects.all()}
        assert paid == {(PHONE, "KIS0001", 50_000), (other, "KIS0002", 90_000)}


class TestRottenInput:
    """A clear answer each time, never a 500."""

    @pytest.mark.parametrize(
        ("amount", "said"),
        [
            ("0", "The least is"),
            ("9", "The least is"),
            ("150001", "The most is"),
            ("999999999999999999", "The most is"),
            ("9" * 40, "digits only"),
            ("-5", "digits only"),
            ("abc", "digits only"),
            ("5e3", "digits only"),
            ("1.000", "digits only"),
            ("500.50", "digits only"),
            ("٥٠٠", "digits only"),
            ("", "digits only"),
        ],
    )
    def test_an_amount_that_is_none_is_asked_for_again(
        self, hooks: Hooks, home: Household, amount: str, said: str
    ) -> None:
        screen = hooks.dial(f"3*{amount}")
        assert screen.startswith("CON ")
        assert "KES" in screen
        assert not TopUp.objects.exists()
        assert said in screen

    @pytest.mark.parametrize(
        "text",
        [
            "x" * 501,
            "1*" * 30,
            "9" * 1_000_000,
            "3*" + "5" * 5_000,
            "3*500*1*" * 500,
        ],
    )
    def test_over_long_input_ends_the_session(
        self, hooks: Hooks, home: Household, text: str
    ) -> None:
        assert hooks.hop(text).startswith("END ")
        assert not TopUp.objects.exists()

    @pytest.mark.parametrize(
        "text",
        [
            "*",
            "***",
            "#",
            "¡",
            "\x00",
            "3*\x00",
            "\U0001f600",
            "ç",
            "7",
            "01",
            "1 ",
            "-1",
        ],
    )
    def test_odd_input_gets_a_screen(self, hooks: Hooks, home: Household, text: str) -> None:
        assert hooks.hop(text)[:4] in {"CON ", "END "}

    def test_three_wrong_choices_end_the_session(self, hooks: Hooks, home: Household) -> None:
        assert hooks.dial("7").startswith("CON ")
        assert hooks.dial("7*7*7").startswith("END ")

    @pytest.mark.parametrize(
        ("session", "phone"),
        [
            ("", PHONE),
            ("s" * 81, PHONE),
            ("s", ""),
            ("s", "nobody"),
            ("s", "+"),
            ("s", "+254 711 CALL ME"),
            ("s", "9" * 5_000),
            ("s", "\x00"),
        ],
    )
    def test_a_request_without_session_or_phone_is_told_so(
        self, hooks: Hooks, session: str, phone: str
    ) -> None:
        answer = hooks.hop("", session=session, phone=phone)
        assert answer == "END This request names no session or no phone."

    def test_a_session_id_as_long_as_we_take_can_pay(self, hooks: Hooks, home: Household) -> None:
        assert "payment prompt" in hooks.hop("3*500*1", session="s" * 80)

    def test_phones_are_known_however_the_network_writes_them(
        self, hooks: Hooks, home: Household
    ) -> None:
        for number, phone in enumerate(("254711000001", "+254 711 000 001", "0711000001")):
            assert hooks.hop("", session=f"s{number}", phone=phone) == MENU


class TestPins:
    """A PIN is never kept, and few are tried."""

    def test_a_pin_is_changed_and_kept_nowhere(
        self, hooks: Hooks, with_pin: Household, settings: Settings
    ) -> None:
        end = {
            "sessionId": "ATUid_dial_1",
            "phoneNumber": PHONE,
            "status": "Success",
            "input": CHANGE_PIN,
            "lastAppResponse": "END Your PIN is changed.",
        }
        assert hooks.dial(CHANGE_PIN).startswith(CHANGED)
        hooks.form("ussd/end", **end)
        hooks.form("ussd/end", **{**end, "input": f"*384*4826*{CHANGE_PIN}#"})
        hooks.form("ussd/end", text=f"5*2*{OLD_PIN}", sessionId="s")
        hooks.post("ussd/end", f"{{'input': '{CHANGE_PIN}'}}")
        handle_events()

        assert is_pin(with_pin, NEW_PIN, settings)
        stored = everything_stored()
        for pin in (OLD_PIN, NEW_PIN):
            assert pin not in stored
            assert pin not in _everything_cached(settings)
        assert "****" in InboundEvent.objects.order_by("pk")[0].body

    @pytest.mark.parametrize("is_cache_lost", [False, True])
    def test_the_last_hop_again_gets_the_same_answer(
        self, hooks: Hooks, with_pin: Household, is_cache_lost: bool
    ) -> None:
        first = hooks.hop(CHANGE_PIN)
        if is_cache_lost:
            cache.clear()
        assert hooks.hop(CHANGE_PIN) == first
        assert first.startswith(CHANGED)

    def test_after_three_wrong_pins_even_the_right_one_is_refused_for_an_hour(
        self, hooks: Hooks, with_pin: Household, settings: Settings
    ) -> None:
        for wrong in ("7391", "7392", "7393"):
            refused = hooks.dial(f"5*2*{wrong}*{NEW_PIN}*{NEW_PIN}")
            assert refused.startswith("END ")
            assert not refused.startswith(CHANGED)
        locked = hooks.dial(CHANGE_PIN)
        assert locked.startswith("END ")
        assert locked != refused
        assert is_pin(with_pin, OLD_PIN, settings)
        with redis.Redis.from_url(settings.CACHE_URL) as valkey:
            (key,) = valkey.keys("*wrong-pins*")
            assert 3_500 < valkey.ttl(key) <= 3_600

        cache.clear()
        assert hooks.dial(CHANGE_PIN).startswith(CHANGED)

    def test_a_right_pin_forgets_the_wrong_ones(self, hooks: Hooks, with_pin: Household) -> None:
        for _ in range(2):
            hooks.dial(f"5*2*7391*{NEW_PIN}*{NEW_PIN}")
        assert hooks.dial(CHANGE_PIN).startswith(CHANGED)
        back = f"5*2*{NEW_PIN}*{OLD_PIN}*{OLD_PIN}"
        for _ in range(2):
            hooks.dial(f"5*2*7391*{OLD_PIN}*{OLD_PIN}")
        assert hooks.dial(back).startswith(CHANGED)

    @pytest.mark.usefixtures("no_valkey")
    def test_while_tries_cannot_be_counted_no_pin_is_tried(
        self, hooks: Hooks, with_pin: Household, settings: Settings
    ) -> None:
        assert hooks.dial(CHANGE_PIN) == TRY_LATER
        assert is_pin(with_pin, OLD_PIN, settings)

    def test_a_household_without_a_pin_has_no_right_one(
        self, hooks: Hooks, home: Household
    ) -> None:
        assert not hooks.dial(CHANGE_PIN).startswith(CHANGED)
        home.refresh_from_db()
        assert home.pin_hash == ""


class TestLanguages:
    """A household is spoken to as it chose."""

    def test_a_language_is_kept_for_the_next_session(self, hooks: Hooks, home: Household) -> None:
        hooks.dial("5*1*2")
        home.refresh_from_db()
        assert home.language == "fr"
        assert hooks.dial("").startswith("CON 1 Solde")


def _everything_cached(settings: Settings) -> str:
    client = redis.Redis.from_url(settings.CACHE_URL)
    return "\n".join(
        f"{key!r}: {client.get(key)!r}" for key in client.keys("*") if client.type(key) == b"string"
    )
