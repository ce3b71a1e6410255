"""The door of every hook: who may knock, and what becomes of whatever is thrown at it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone
from kombu.exceptions import OperationalError
from pytest_django import Settings

from accounts.models import Household, LedgerAccount, Notice, Payment, TopUp
from gateway import logs
from gateway.webhooks import events
from gateway.webhooks.models import InboundEvent
from gateway.webhooks.tasks import handle_event, sweep_events
from tests.integration.sandboxed import (
    FORM,
    PHONE,
    Hooks,
    asked,
    everything_stored,
    handle_events,
    home,
    hooks,
    later,
    payload,
    today,
)

__all__ = ["home", "hooks", "today"]

pytestmark = pytest.mark.django_db

TOKEN = "a" * 64
STORING = (
    "ussd/end",
    "sms",
    "sms/delivery",
    "sms/optout",
    f"daraja/stk/{TOKEN}",
    "daraja/validation",
    "daraja/confirmation",
    f"daraja/result/{TOKEN}",
)
EVERY = ("ussd", *STORING)
DEEP = "[" * 5_000
ROTTEN: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"{",
    "a list": b"[1, 2]",
    "null": b"null",
    "not UTF-8": b"\xff\xfe\x80 text=\xff&id=\xff&phoneNumber=\xff",
    "NULs": b"\x00id=\x00&text=\x00BAL\x00&from=\x00%00&status=%00",
    "NULs in JSON": b'{"TransID": "\\u0000", "TransTime": "20261120100000", "TransAmount": "1"}',
    "half a character": (
        b'{"TransID": "\\ud800", "TransTime": "20261120100000", "TransAmount": "1",'
        b' "BillRefNumber": "\\ud800"}'
    ),
    "deep": DEEP.encode(),
    "a number of ten thousand digits": b'{"Body": ' + b"9" * 10_000 + b"}",
    "an amount that would fill the memory": (
        b'{"TransID": "ABCDEFGHIJ", "TransTime": "20261120100000",'
        b' "TransAmount": "1e999999999", "BillRefNumber": "KIS0001"}'
    ),
    "many fields": b"&".join(b"a%d=1" % number for number in range(5_000)),
    "broken multipart": b"--x\r\nContent-Disposition: form-data; na",
    "an inner list": b'{"Body": {"stkCallback": ["ResultCode"]}}',
    "a list as a name": (
        b'{"Body": {"stkCallback": {"CheckoutRequestID": "ws_1", "ResultCode": 0,'
        b' "CallbackMetadata": {"Item": [{"Name": ["Amount"], "Value": 1}]}}}}'
    ),
    "one megabyte": b"text=" + b"9" * 1_000_000,
    "five megabytes": b"text=" + b"9" * 5_000_000,
}
TYPES = (
    FORM,
    "application/json",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded; charset=latin-1",
    "text/plain; charset=no-such-charset",
)


class TestWhoMayCall:
    """The secret in the path, the method, the addresses."""

    @pytest.mark.parametrize("secret", ["wrong", "test-secre", "test-secret%00", "é", "%ff"])
    def test_a_wrong_secret_is_404_and_stores_nothing(self, hooks: Hooks, secret: str) -> None:
        hooks.secret = secret
        answers = {path: hooks.post(path, b"text=BAL").status_code for path in EVERY}
        assert answers == dict.fromkeys(EVERY, 404)
        assert not InboundEvent.objects.exists()

    @pytest.mark.parametrize("secret", ["test-secret", "old-secret"])
    def test_during_rotation_both_secrets_work(self, hooks: Hooks, secret: str) -> None:
        hooks.secret = secret
        answers = {path: hooks.post(path).status_code for path in EVERY}
        assert answers == dict.fromkeys(EVERY, 200)

    def test_without_any_secret_no_hook_is_there(self, hooks: Hooks, settings: Settings) -> None:
        settings.HOOK_SECRETS = []
        assert hooks.post("sms").status_code == 404

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
    def test_other_methods_are_405_only_for_those_who_know_the_secret(
        self, hooks: Hooks, method: str
    ) -> None:
        for path in EVERY:
            assert hooks.client.generic(method, f"/hooks/test-secret/{path}").status_code == 405
        assert hooks.client.generic(method, "/hooks/wrong/sms").status_code == 404
        assert not InboundEvent.objects.exists()

    def test_an_address_off_the_list_finds_nothing(self, hooks: Hooks, settings: Settings) -> None:
        settings.HOOK_ALLOWED_IPS = ["196.201.214.200", "196.201.214.206"]
        assert hooks.post("sms").status_code == 404
        assert hooks.post("sms", REMOTE_ADDR="196.201.214.206").status_code == 200
        assert InboundEvent.objects.get().remote_address == "196.201.214.206"
        # A header that anybody can write is no address.
        assert hooks.post("sms", HTTP_X_FORWARDED_FOR="196.201.214.206").status_code == 404

    def test_hooks_need_no_csrf_token(self, db: None) -> None:
        strict = Hooks(client=Client(enforce_csrf_checks=True))
        assert strict.post("sms", b"x=1").status_code == 200


class TestRottenBodies:
    """A malformed callback is stored and answered, without a trace of it in the money."""

    @pytest.mark.parametrize("path", STORING)
    def test_it_is_stored_and_answered_200(self, hooks: Hooks, home: Household, path: str) -> None:
        attempt = asked(home)
        path = path.replace(TOKEN, attempt.token)
        for number, (name, body) in enumerate(ROTTEN.items()):
            answer = hooks.post(path, body, content_type=TYPES[number % len(TYPES)])
            assert answer.status_code == 200, name
            assert InboundEvent.objects.count() == number + 1
            event = InboundEvent.objects.latest("pk")
            assert event.body or not body, name
            handle_events()
            event.refresh_from_db()
            assert event.outcome in {"malformed", "ignored", "done"}, (name, event.outcome_text)
        attempt.refresh_from_db()
        assert (attempt.state, attempt.claimed_reference) == ("created", "")
        assert not Payment.objects.exists()
        assert TopUp.objects.get().pk == attempt.top_up_id
        assert not LedgerAccount.objects.exclude(amount=0).exists()

    @pytest.mark.parametrize("content_type", TYPES)
    def test_whatever_content_type_it_claims(self, hooks: Hooks, content_type: str) -> None:
        body = b"sessionId=s&phoneNumber=%2B254711000001&x=\xff"
        for path in EVERY:
            assert hooks.post(path, body, content_type=content_type).status_code == 200, path
        screen = hooks.post("ussd", body, content_type=content_type).content
        assert screen.startswith(b"END This phone has no solar account yet.")

    @pytest.mark.parametrize("name", ROTTEN)
    def test_the_ussd_hook_ends_the_session(self, hooks: Hooks, name: str) -> None:
        answer = hooks.post("ussd", ROTTEN[name])
        assert (answer.status_code, answer.content[:4]) == (200, b"END ")

    def test_a_large_body_is_kept_from_its_beginning_up_to_64_kib(self, hooks: Hooks) -> None:
        hooks.post("sms/delivery", b"id=first&status=Success&rest=" + b"x" * 1_000_000)
        event = InboundEvent.objects.get()
        assert event.subject == "first"
        assert event.body.startswith("id=first&status=Success")
        assert len(event.body) == 64 * 1024

    def test_bytes_outside_utf8_and_nuls_are_escaped(self, hooks: Hooks) -> None:
        hooks.post("daraja/result/t", b"a\x00b\xff")
        assert InboundEvent.objects.get().body == "a\\x00b\\xff"

    def test_an_over_long_subject_is_cut(self, hooks: Hooks) -> None:
        hooks.form("sms/delivery", id="x" * 500, status="Success")
        hooks.post(f"daraja/stk/{'t' * 500}", b"{}")
        assert {len(event.subject) for event in InboundEvent.objects.all()} == {80}

    def test_an_event_is_never_changed(self, hooks: Hooks) -> None:
        hooks.post("sms", b"text=BAL")
        with pytest.raises(DatabaseError, match="permission denied"):
            InboundEvent.objects.update(body="other")


class TestDarajaHooks:
    """What Daraja is answered at once."""

    def test_a_confirmation_is_stored_raw_and_accepted(self, hooks: Hooks) -> None:
        body = payload("daraja/c2b_confirmation.json")
        answer = hooks.json("daraja/confirmation", body)
        assert json.loads(answer.content) == {"ResultCode": "0", "ResultDesc": "Accepted"}
        event = InboundEvent.objects.get()
        assert (event.body, event.subject, event.outcome) == (body, "RKTQDM7W6S", "")

    def test_a_callback_for_a_token_nobody_has_is_kept(self, hooks: Hooks) -> None:
        hooks.json(f"daraja/stk/{TOKEN}", payload("daraja/stk_paid.json"))
        handle_events()
        event = InboundEvent.objects.get()
        assert (event.outcome, event.outcome_text) == ("ignored", "no attempt has this token")

    def test_a_reversals_result_is_kept(self, hooks: Hooks) -> None:
        hooks.json("daraja/result/x", payload("daraja/reversal_result.json"))
        handle_events()
        assert InboundEvent.objects.get().outcome == "ignored"

    @pytest.mark.parametrize(
        ("account", "amount", "code"),
        [
            ("KIS0001", "10", "0"),
            ("kis 0001", "10.50", "0"),
            ("KIS0777", "10", "0"),
            ("KIS0009", "10", "C2B00012"),
            ("", "10", "C2B00012"),
            ("?!", "10", "C2B00012"),
            ("A" * 64, "10", "C2B00012"),
            ("KIS0001", "0", "C2B00013"),
            ("KIS0001", "-10", "C2B00013"),
            ("KIS0001", "ten", "C2B00012"),
            ("KIS0001", "1e999999999", "C2B00012"),
        ],
    )
    def test_validation_refuses_only_what_could_be_nobodys(
        self, hooks: Hooks, home: Household, account: str, amount: str, code: str
    ) -> None:
        Household.objects.create(
            code="KIS0009", created_at=timezone.now(), closed_at=timezone.now()
        )
        body = json.loads(payload("daraja/c2b_validation.json"))
        body |= {"BillRefNumber": account, "TransAmount": amount}
        answer = hooks.json("daraja/validation", body)
        assert json.loads(answer.content)["ResultCode"] == code
        assert InboundEvent.objects.get().outcome == "done"
        assert not Payment.objects.exists()


@pytest.fixture
def sms_event(hooks: Hooks) -> InboundEvent:
    """An event that waits to be handled."""
    hooks.sms("HELP")
    return InboundEvent.objects.get()


class TestHandling:
    """Claimed once, tried again with patience, never lost."""

    def test_the_hook_starts_the_task_and_answers_without_it(
        self, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started: list[int] = []
        monkeypatch.setattr(handle_event, "delay", started.append)
        hooks.sms("HELP")
        assert started == [InboundEvent.objects.get().pk]
        assert not Notice.objects.exists()

    def test_a_broker_that_is_away_leaves_the_event_to_the_sweeper(
        self, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def delay(event_id: int) -> None:
            raise OperationalError("no broker")

        monkeypatch.setattr(handle_event, "delay", delay)
        assert hooks.sms("HELP").status_code == 200
        event = InboundEvent.objects.get()
        assert events.due(at=later(seconds=11)) == [event.pk]

    def test_the_sweeper_starts_what_is_due(
        self, sms_event: InboundEvent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started: list[int] = []
        monkeypatch.setattr(handle_event, "delay", started.append)
        sweep_events()
        assert started == []
        monkeypatch.setattr(events, "FIRST_WAIT", timedelta())
        sweep_events()
        assert started == [sms_event.pk]

    def test_an_event_is_handled_once(self, sms_event: InboundEvent) -> None:
        handle_event(sms_event.pk)
        handle_event(sms_event.pk)
        sms_event.refresh_from_db()
        assert (sms_event.outcome, sms_event.attempts) == ("done", 1)
        assert Notice.objects.count() == 1

    def test_a_handler_that_breaks_is_tried_again_by_the_sweep(
        self, sms_event: InboundEvent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaks(event: InboundEvent, at: Any) -> tuple[str, str]:
            raise RuntimeError("the disk is full")

        with monkeypatch.context() as broken:
            broken.setitem(events.HANDLERS, "sms.inbound", breaks)
            with pytest.raises(RuntimeError):
                handle_event(sms_event.pk)
        sms_event.refresh_from_db()
        assert (sms_event.outcome, sms_event.claimed_at) == ("failed", None)
        assert "disk" not in sms_event.outcome_text
        assert events.due(at=later(seconds=19)) == []
        assert events.due(at=later(seconds=21)) == [sms_event.pk]

        events.handle(event_id=sms_event.pk, at=later(seconds=21))
        sms_event.refresh_from_db()
        assert (sms_event.outcome, sms_event.attempts) == ("done", 2)

    def test_a_worker_that_died_holds_an_event_for_five_minutes(
        self, sms_event: InboundEvent
    ) -> None:
        InboundEvent.objects.update(claimed_at=timezone.now(), attempts=1)
        events.handle(event_id=sms_event.pk, at=later(minutes=4))
        assert not Notice.objects.exists()
        events.handle(event_id=sms_event.pk, at=later(minutes=6))
        assert Notice.objects.exists()

    def test_what_cannot_be_handled_is_given_up_after_twelve_tries(self, hooks: Hooks) -> None:
        hooks.form("sms/delivery", id="ATXid_unknown", status="Success")
        event = InboundEvent.objects.get()
        at, tries = timezone.now(), 0
        while due := events.due(at=at):
            events.handle(event_id=due[0], at=at)
            tries += 1
            at += timedelta(hours=3)
        for _ in range(20):
            at += timedelta(hours=3)
            for event_id in events.due(at=at):
                events.handle(event_id=event_id, at=at)
                tries += 1
        event.refresh_from_db()
        assert (event.outcome, event.attempts, tries) == ("ignored", 12, 12)

    def test_events_that_have_to_wait_keep_no_other_waiting(self, hooks: Hooks) -> None:
        for number in range(5):
            hooks.form("sms/delivery", id=f"ATXid_{number}", status="Success")
        handle_events()
        hooks.sms("HELP")
        newest = InboundEvent.objects.latest("pk")
        assert events.due(at=later(seconds=12), limit=3) == [newest.pk]

    @pytest.mark.django_db(transaction=True, databases=["default", "owner"])
    def test_two_workers_at_once_handle_an_event_once(
        self, sms_event: InboundEvent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        barrier, handled = Barrier(4), []
        may_end = Event()

        def slow(event: InboundEvent, at: Any) -> tuple[str, str]:
            handled.append(event.pk)
            may_end.wait(timeout=10)
            return "done", ""

        def work() -> None:
            barrier.wait(timeout=10)
            try:
                handle_event(sms_event.pk)
            finally:
                connection.close()

        monkeypatch.setitem(events.HANDLERS, "sms.inbound", slow)
        with ThreadPoolExecutor(4) as pool:
            works = [pool.submit(work) for _ in range(4)]
            while sum(each.done() for each in works) < 3:
                may_end.wait(timeout=0.01)
            may_end.set()
            for each in works:
                each.result(timeout=10)
        assert handled == [sms_event.pk]


@pytest.fixture
def log_lines() -> Iterator[io.StringIO]:
    """What the console would show, of every logger."""
    stream = io.StringIO()
    made = logging.getLogger().handlers
    console = next(
        handler
        for handler in made
        if type(handler) is logging.StreamHandler and handler.get_name() == "console"
    )
    before = console.setStream(stream)
    yield stream
    if before is not None:
        console.setStream(before)


class TestLogs:
    """No line carries a hook's secret, whoever writes it."""

    def test_paths_that_django_logs_are_masked(self, hooks: Hooks, log_lines: io.StringIO) -> None:
        hooks.secret = "nearly-right"
        hooks.post("sms")
        hooks.secret = "test-secret"
        hooks.client.get("/hooks/test-secret/sms")
        hooks.client.get("/hooks/test-secret")
        lines = log_lines.getvalue()
        assert "/hooks/***/sms" in lines
        assert "nearly-right" not in lines
        assert "test-secret" not in lines

    def test_a_broken_hook_logs_its_traceback_without_the_secret(
        self, hooks: Hooks, log_lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def store(**_: object) -> int:
            raise RuntimeError("could not serve http://pay.test/hooks/test-secret/sms")

        monkeypatch.setattr("gateway.webhooks.intake.store", store)
        assert hooks.post("sms", b"text=BAL").status_code == 500
        lines = log_lines.getvalue()
        assert "Traceback" in lines
        assert "http://pay.test/hooks/***/sms" in lines
        assert "test-secret" not in lines

    @pytest.mark.parametrize("name", ["django.request", "gateway.any", "urllib3", "celery.worker"])
    def test_messages_and_arguments_of_every_logger_are_masked(
        self, log_lines: io.StringIO, name: str
    ) -> None:
        logger = logging.getLogger(name)
        path = "/hooks/test-secret/daraja/stk/t"
        logger.error("at " + path)
        logger.error("at %s, %d times, %r", path, 2, [path])
        logger.error("at %(path)s", {"path": path})
        logger.error("because of %s", ValueError(f"GET {path}?a=1"))
        lines = log_lines.getvalue().splitlines()
        assert len(lines) == 4
        assert all("/hooks/***/daraja" in line for line in lines)
        assert "test-secret" not in log_lines.getvalue()
        assert "2 times" in lines[1]

    def test_every_handler_has_the_filter(self) -> None:
        handlers: dict[str, Any] = dict(django_settings.LOGGING)["handlers"]  # type: ignore[assignment]
        assert all("hook secrets" in handler["filters"] for handler in handlers.values())

    @pytest.mark.parametrize(
        ("text", "masked"),
        [
            ("/hooks/abc/ussd", "/hooks/***/ussd"),
            ("https://pay.test/hooks/abc", "https://pay.test/hooks/***"),
            ("'/hooks/abc' /hooks/d-e_f?x", "'/hooks/***' /hooks/***?x"),
            ("next=%2Fhooks%2Fabc%2Fsms", "next=%2Fhooks%2F***%2Fsms"),
            ("/hooks/stripe", "/hooks/stripe"),
            ("/hooks/stripes/x", "/hooks/***/x"),
            ("/hooks/", "/hooks/"),
            ("nothing of it", "nothing of it"),
        ],
    )
    def test_only_the_secret_is_masked(self, text: str, masked: str) -> None:
        assert logs.mask(text) == masked


def test_no_pin_that_came_by_sms_is_kept(hooks: Hooks, home: Household) -> None:
    for text in ("BAL 9173", "my pin is 9173", "9173", "PIN9173", "TOPUP 500 9173", "9173*1"):
        hooks.sms(text, phone=PHONE)
    hooks.post("sms", b"pin=9173&x=%209173")
    handle_events()
    assert "9173" not in everything_stored()
    top_up = TopUp.objects.get()
    assert top_up.amount_minor == 50_000


def test_an_amount_and_a_code_stay_readable(hooks: Hooks, home: Household) -> None:
    hooks.sms("TOPUP 5000 KIS 0001", message_id="one")
    handle_events()
    assert TopUp.objects.get().amount_minor == 500_000
    assert "TOPUP+5000+KIS+0001" in InboundEvent.objects.get().body
