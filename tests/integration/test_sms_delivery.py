"""Notices through the africastalking SDK to the sandbox: sent once, and what becomes of them."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from pytest_django import Settings
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from accounts import notices
from accounts.models import Household, Notice, SmsOptOut
from gateway.sms import delivery, network
from gateway.sms.network import Result
from gateway.sms.tasks import deliver_notices as deliver_task
from gateway.webhooks import events
from gateway.webhooks.models import InboundEvent
from sandbox.app import QuietHandler
from settlement import settle
from tests.integration.sandboxed import (
    PHONE,
    World,
    deliver_notices,
    handle_events,
    home,
    hooks,
    later,
    today,
    world,
)
from tests.village import TICK, Village

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["home", "hooks", "today", "world"]

pytestmark = pytest.mark.django_db

KWH = 10**6


def tell(*, key: str = "key", kind: str = "help_reply", phone: str = PHONE) -> Notice:
    notices.tell_phone(phone=phone, kind=kind, key=key, params={}, at=timezone.now())
    return Notice.objects.get(key=key)


def of(notice: Notice) -> Notice:
    return Notice.objects.get(pk=notice.pk)


def report(world: World, notice: Notice, status: str, **more: str) -> None:
    world.hooks.form(
        "sms/delivery",
        id=of(notice).provider_id,
        status=status,
        phoneNumber=PHONE,
        networkCode="63902",
        **more,
    )
    handle_events()


class TestSending:
    """Once, in words, through the SDK."""

    def test_a_receipt_goes_out_after_a_credit_and_its_report_comes_back(
        self, world: World, today: Village, home: Household
    ) -> None:
        today.pay("KIS0001", amount_minor=50_000, at=timezone.now(), reference="RKTQDM7W6S")
        deliver_task()
        (text,) = world.inbox()
        assert text.startswith("KES 500 received for KIS0001. Receipt RKTQDM7W6S. Balance KES 500.")
        notice = Notice.objects.get()
        assert (notice.state, notice.text) == ("sent", text)
        assert notice.provider_id.startswith("ATXid_")
        assert deliver_notices() == 0

        world.call_back("delivery", service="africastalking")
        assert (of(notice).state, of(notice).delivery_status) == ("delivered", "Success")

    def test_two_workers_send_a_notice_once(self, world: World) -> None:
        notice = tell()
        at = timezone.now()
        delivery.deliver(notice_id=notice.pk, at=at)
        delivery.deliver(notice_id=notice.pk, at=at)
        assert len(world.inbox()) == 1

    def test_a_claim_that_was_never_finished_comes_back_after_two_minutes(
        self, world: World
    ) -> None:
        notice = tell()
        Notice.objects.update(
            state="sending", attempts=1, next_attempt_at=later(minutes=2), text="As it was worded."
        )
        assert deliver_notices(at=later(minutes=1)) == 0
        assert deliver_notices(at=later(minutes=2, seconds=1)) == 1
        assert world.inbox() == ["As it was worded."]
        assert of(notice).state == "sent"

    def test_each_claim_of_a_slow_round_is_of_its_own_instant(self, world: World) -> None:
        first, second = tell(key="1"), tell(key="2")
        begin = timezone.now() + timedelta(seconds=1)
        instants = iter([begin, begin, begin + timedelta(seconds=61)])
        claimed: list[Any] = []
        original = network.send

        def send(*, phone: str, message: str) -> network.Outcome:
            claimed.append(Notice.objects.get(state="sending").next_attempt_at)
            return original(phone=phone, message=message)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(network, "send", send)
            assert delivery.deliver_due(clock=lambda: next(instants)) == 1
            assert delivery.deliver_due(clock=lambda: begin + timedelta(minutes=9)) == 1
        assert claimed == [
            begin + delivery.CLAIM_LIFE,
            begin + timedelta(minutes=9) + delivery.CLAIM_LIFE,
        ]
        assert (of(first).state, of(second).state) == ("sent", "sent")

    def test_a_notice_without_words_fails_and_the_others_go_out(self, world: World) -> None:
        bad, worse, good = (
            tell(key="1", kind="no_such_kind"),
            tell(key="2", kind="low_funds"),
            tell(key="3"),
        )
        assert deliver_notices() == 3
        assert [of(notice).state for notice in (bad, worse, good)] == ["failed", "failed", "sent"]
        assert "no_such_kind" in of(bad).failure

    def test_the_same_event_tells_a_phone_once(self, world: World) -> None:
        tell()
        tell()
        assert Notice.objects.count() == 1


class TestReports:
    """Never a step back from Success; what is not known yet is asked again."""

    def test_a_report_before_the_send_commits_is_tried_again(self, world: World) -> None:
        notice = tell()
        world.hooks.form("sms/delivery", id="ATXid_early", status="Success", phoneNumber=PHONE)
        handle_events()
        event = InboundEvent.objects.get()
        assert event.outcome == "failed"
        Notice.objects.update(provider_id="ATXid_early", state="sent")
        events.handle(event_id=event.pk, at=later(minutes=1))
        assert (of(notice).state, InboundEvent.objects.get().outcome) == ("delivered", "done")

    @pytest.mark.parametrize("status", ["Sent", "Buffered", "Failed", "Rejected", "Expired", "¿?"])
    def test_nothing_takes_a_success_back(self, world: World, status: str) -> None:
        notice = tell()
        deliver_notices()
        report(world, notice, "Success")
        report(world, notice, status, failureReason="AbsentSubscriber")
        assert (of(notice).state, of(notice).delivery_status) == ("delivered", "Success")

    def test_a_failure_is_kept_with_its_reason_until_a_success(self, world: World) -> None:
        world.fault("undelivered", service="africastalking", topic="delivery")
        notice = tell()
        deliver_notices()
        world.call_back("delivery", service="africastalking")
        assert (of(notice).state, of(notice).failure) == ("failed", "AbsentSubscriber")
        report(world, notice, "Success")
        assert of(notice).state == "delivered"

    def test_words_the_network_invents_are_kept(self, world: World) -> None:
        notice = tell()
        deliver_notices()
        report(world, notice, "DeliveredToMoon" * 10)
        assert of(notice).state == "sent"
        assert of(notice).delivery_status == ("DeliveredToMoon" * 10)[:40]

    def test_a_report_without_an_id_names_no_message(self, world: World) -> None:
        notice = tell()
        world.hooks.form("sms/delivery", id="", status="Success")
        handle_events()
        assert (of(notice).state, InboundEvent.objects.get().outcome) == ("queued", "malformed")


class TestOptOut:
    """Who wants no messages gets none."""

    def test_a_phone_that_opted_out_gets_nothing_any_more(
        self, world: World, today: Village, home: Household
    ) -> None:
        world.hooks.form("sms/optout", senderId="38426", phoneNumber=PHONE)
        world.hooks.form("sms/optout", senderId="38426", phoneNumber=PHONE.lstrip("+"))
        handle_events()
        assert SmsOptOut.objects.get().phone == PHONE
        payment = today.pay("KIS0001", amount_minor=50_000, at=timezone.now())
        deliver_notices()
        assert (Notice.objects.get().state, world.inbox()) == ("suppressed", [])
        assert payment.state == "credited"

    def test_the_networks_own_blacklist_is_an_opt_out(self, world: World) -> None:
        world.ask("POST", f"africastalking/simulator/phones/{PHONE}/sms", text="STOP")
        notice = tell()
        deliver_notices()
        assert (of(notice).state, of(notice).failure) == ("suppressed", "UserInBlacklist")
        assert SmsOptOut.objects.get().phone == PHONE

    def test_stop_and_start_by_the_phone(self, world: World, home: Household) -> None:
        path = f"africastalking/simulator/phones/{PHONE}/sms"
        world.ask("POST", path, text="STOP")
        world.call_back("inbound", service="africastalking")
        world.call_back("optout", service="africastalking")
        tell(key="while-stopped")
        deliver_notices()
        assert world.inbox() == []

        world.ask("POST", path, text="START")
        world.call_back("inbound", service="africastalking")
        tell(key="again")
        deliver_notices()
        assert not SmsOptOut.objects.exists()
        assert len(world.inbox()) == 2
        assert Notice.objects.get(key="while-stopped").state == "suppressed"


def test_low_funds_are_told_once_per_crossing(
    world: World, today: Village, home: Household
) -> None:
    """0.3 DAI is the threshold; a kWh costs 0.25 DAI."""
    today.fund(home, amount_wei=4 * TICK * 1_000, at=later(days=-1))
    begin = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)

    def use(slot: int, milliwatt_hours: int) -> list[str]:
        starts_at = begin + timedelta(minutes=15 * slot)
        today.read("SM0001", starts_at=starts_at, energy_milliwatt_hours=milliwatt_hours, at=begin)
        settle.run_all(site_id=today.site.pk, at=timezone.now())
        deliver_notices()
        return world.inbox()

    assert use(0, KWH // 5) == []
    (first,) = use(1, KWH // 2)
    assert first.startswith("KIS0001: only KES ")
    assert "*384*4826#" in first
    assert len(use(2, KWH // 10)) == 1
    today.pay("KIS0001", amount_minor=10_000, at=timezone.now())
    assert len(use(3, KWH // 10)) == 2
    assert len(use(4, 1_200_000)) == 2
    assert len(use(5, 1_200_000)) == 2
    assert len(use(6, KWH // 2)) == 3
    assert sum(text.startswith("KIS0001: only KES ") for text in world.inbox()) == 2
    for _ in range(2):
        settle.run_all(site_id=today.site.pk, at=timezone.now())
        deliver_notices()
    assert len(world.inbox()) == 3


Answer = Callable[[Request], Response]


@pytest.fixture
def network_double(settings: Settings) -> Iterator[list[Answer]]:
    """A network that answers as told, once per answer; it breaks the line where told None."""
    answers: list[Answer] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        return answers.pop(0)(Request(environ))(environ, start_response)

    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    settings.AFRICASTALKING_URL = f"http://127.0.0.1:{server.server_port}"
    yield answers
    server.shutdown()
    server.server_close()
    thread.join(timeout=3)


def told(body: Any, *, status: int = 201, content_type: str = "application/json") -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    return lambda request: Response(text, status=status, content_type=content_type)


def recipient(code: Any, **more: Any) -> dict[str, Any]:
    one = {"statusCode": code, "number": PHONE, "status": "Word", "messageId": "ATXid_1", **more}
    return {"SMSMessageData": {"Message": "Sent", "Recipients": [one]}}


def broken(request: Request) -> Response:
    """The line breaks after the request was read."""
    request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError


class TestWhatTheNetworkAnswers:
    """Every way the SDK's call can end. Tried again only where surely nothing was sent."""

    @pytest.mark.parametrize(
        ("code", "result"),
        [
            (100, Result.SENT),
            (101, Result.SENT),
            ("102", Result.SENT),
            (401, Result.REFUSED),
            (402, Result.REFUSED),
            (403, Result.REFUSED),
            (405, Result.REFUSED),
            (406, Result.OPTED_OUT),
            (409, Result.REFUSED),
            (500, Result.TRY_AGAIN),
            (501, Result.TRY_AGAIN),
            (777, Result.REFUSED),
            (None, Result.UNKNOWN),
            ("queued", Result.UNKNOWN),
        ],
    )
    def test_codes(self, network_double: list[Answer], code: Any, result: Result) -> None:
        network_double.append(told(recipient(code)))
        assert network.send(phone=PHONE, message="hello").result is result

    @pytest.mark.parametrize(
        ("body", "result"),
        [
            (
                {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}},
                Result.REFUSED,
            ),
            ({"SMSMessageData": {"Message": "x"}}, Result.UNKNOWN),
            ({"SMSMessageData": "x"}, Result.UNKNOWN),
            ({"SMSMessageData": {"Recipients": ["x"]}}, Result.UNKNOWN),
            ([], Result.UNKNOWN),
            ("<html>", Result.UNKNOWN),
            ("", Result.UNKNOWN),
        ],
    )
    def test_odd_bodies(self, network_double: list[Answer], body: Any, result: Result) -> None:
        for content_type in ("application/json", "application/json; charset=utf-8"):
            network_double.append(told(body, content_type=content_type))
            assert network.send(phone=PHONE, message="hello").result is result

    def test_a_charset_in_the_content_type_is_no_trap(self, network_double: list[Answer]) -> None:
        network_double.append(told(recipient(101), content_type="application/json; charset=utf-8"))
        outcome = network.send(phone=PHONE, message="hello")
        assert (outcome.result, outcome.provider_id) == (Result.SENT, "ATXid_1")

    def test_an_error_status_is_tried_again(self, network_double: list[Answer]) -> None:
        network_double.append(told("The service is down", status=503))
        outcome = network.send(phone=PHONE, message="hello")
        assert (outcome.result, outcome.text) == (Result.TRY_AGAIN, "The service is down")

    def test_a_broken_line_may_have_sent_it(self, network_double: list[Answer]) -> None:
        network_double.append(broken)
        assert network.send(phone=PHONE, message="hello").result is Result.UNKNOWN

    def test_a_number_that_is_none_is_refused_by_the_sdk(self) -> None:
        assert network.send(phone="nobody", message="hello").result is Result.REFUSED

    def test_no_connection_is_tried_again(self, settings: Settings) -> None:
        settings.AFRICASTALKING_URL = "http://127.0.0.1:9"
        assert network.send(phone=PHONE, message="hello").result is Result.TRY_AGAIN

    def test_a_time_out_is_unknown_and_never_sent_twice(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(network, "TIMEOUT_SECONDS", (1, 0.2))
        world.fault("slow_response", service="africastalking", seconds=0.6)
        notice = tell()
        deliver_notices()
        assert of(notice).state == "unknown"
        assert deliver_notices(at=later(hours=1)) == 0
        assert len(world.inbox()) == 1

    def test_it_is_tried_eight_times_with_growing_waits(self, db: None, settings: Settings) -> None:
        settings.AFRICASTALKING_URL = "http://127.0.0.1:9"
        notice = tell()
        at, waits = timezone.now(), []
        while of(notice).state == "queued":
            delivery.deliver(notice_id=notice.pk, at=at)
            next_at = of(notice).next_attempt_at
            if next_at is not None:
                waits.append((next_at - at).total_seconds())
                at = next_at
        assert waits == [15, 30, 60, 120, 240, 480, 960]
        assert (of(notice).state, of(notice).attempts) == ("failed", 8)
