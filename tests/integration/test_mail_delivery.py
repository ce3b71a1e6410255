"""Letters over SMTP to the sandbox: sent once, tried again with patience, not sent to nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.mail import get_connection
from django.utils import timezone
from pytest_django import Settings

from accounts import addresses, letters
from accounts.models import Alarm, Donor, DonorContact, DonorLink, Letter
from gateway.mail import delivery, network
from gateway.mail.network import Mail, Result
from gateway.mail.tasks import deliver_letters, watch_letters
from tests import mailbox as boxes
from tests.integration.sandboxed import everything_stored
from tests.integration.test_letters import NEWS, PLAN
from tests.mailbox import Mailbox, giver

pytestmark = pytest.mark.django_db

ASHA = "asha@example.org"


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    with boxes.serving(settings) as mailbox:
        yield mailbox


@pytest.fixture
def donor(db: None) -> Donor:
    return giver(at=timezone.now())


def written(donor: Donor, *, key: str = "k", at: datetime | None = None, **told: Any) -> Letter:
    what = {"kind": "plan_started", "params": PLAN, **told}
    letter = letters.write(donor=donor, key=key, at=at or timezone.now(), **what)
    assert letter is not None
    return letter


def deliver(*, at: datetime | None = None) -> int:
    return delivery.deliver_due(clock=lambda: at or timezone.now())


def of(letter: Letter) -> Letter:
    return Letter.objects.get(pk=letter.pk)


def later(**delta: float) -> datetime:
    return timezone.now() + timedelta(**delta)


class TestSending:
    """Once, as text and as HTML, under a name of its own."""

    def test_a_letter_leaves_with_its_name_in_both_forms(
        self, mailbox: Mailbox, donor: Donor
    ) -> None:
        letter = written(donor)
        deliver_letters()
        (message,) = mailbox.messages(ASHA)
        assert message["subject"] == "Your monthly gift to Kisima has begun"
        assert message["headers"]["Message-ID"] == f"<{letter.uid}@gateway.invalid>"
        assert message["headers"]["Auto-Submitted"] == "auto-generated"
        assert "List-Unsubscribe" not in message["headers"]
        for form in ("text", "html"):
            assert "25.00 EUR" in message[form]
            assert "http://127.0.0.1:1/donor/" in message[form]
        assert "<img" not in message["html"]
        assert (of(letter).state, of(letter).failure) == ("sent", "")
        assert deliver() == 0

    def test_a_letter_is_in_french_for_who_reads_french(self, mailbox: Mailbox) -> None:
        written(giver(at=timezone.now(), language="fr"))
        deliver()
        (message,) = mailbox.messages()
        assert message["subject"] == "Votre don mensuel à Kisima a commencé"
        assert "Chaque mois: 25,00 EUR" in message["text"]
        assert '<html lang="fr">' in message["html"]

    @pytest.mark.parametrize("language", letters.LANGUAGES)
    @pytest.mark.parametrize("kind", sorted(letters.KINDS))
    def test_every_kind_has_words(
        self, mailbox: Mailbox, donor: Donor, kind: str, language: str
    ) -> None:
        samples: dict[str, Any] = {
            **NEWS,
            **PLAN,
            **dict.fromkeys(("goal_wei", "raised_wei", "amount_wei", "left_wei"), str(10**18)),
            **dict.fromkeys(("paid_at", "taken_at"), "2026-11-28T12:00:00+00:00"),
            **{"amount": "25.00", "day": "2026-12-01", "reason": "refund", "name": "Asha"},
            **{"operator": "Jua Power", "reference": "pi_1", "of_number": "KISIMA-1"},
            "void_number": "KISIMA-1-R1",
            "round": "01890000-0000-7000-8000-000000000000",
        }
        if "reference" in letters.KINDS[kind]:
            samples["number"] = "KISIMA-000001"
        params = {name: samples[name] for name in letters.KINDS[kind]}
        letter = written(donor, kind=kind, params=params, language=language)
        deliver()
        assert of(letter).state == "sent", of(letter).failure
        (message,) = mailbox.messages()
        assert message["subject"]
        assert not re.search(r"%\(|\{|None", message["subject"] + message["text"])

    def test_two_workers_send_a_letter_once(self, mailbox: Mailbox, donor: Donor) -> None:
        letter, at = written(donor), timezone.now()
        for _ in range(2):
            delivery.deliver(letter_id=letter.pk, at=at)
        assert len(mailbox.messages()) == 1

    def test_a_claim_that_was_never_finished_comes_back(
        self, mailbox: Mailbox, donor: Donor
    ) -> None:
        letter = written(donor)
        Letter.objects.update(state="sending", attempts=1, next_attempt_at=later(minutes=5))
        assert deliver(at=later(minutes=4)) == 0
        assert deliver(at=later(minutes=5, seconds=1)) == 1
        assert (of(letter).state, of(letter).attempts) == ("sent", 2)

    def test_whose_claim_is_over_does_not_overwrite_the_next_ones(
        self, mailbox: Mailbox, donor: Donor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        letter = written(donor)

        def slow(*, mail: Mail) -> network.Outcome:
            Letter.objects.filter(pk=letter.pk).update(attempts=2)
            return network.Outcome(result=Result.REFUSED, text="late")

        with monkeypatch.context() as patched:
            patched.setattr(network, "send", slow)
            deliver()
        assert (of(letter).state, of(letter).failure) == ("sending", "")

    def test_who_waits_to_log_in_comes_before_the_news(
        self, mailbox: Mailbox, donor: Donor
    ) -> None:
        at = timezone.now()
        written(donor, at=at - timedelta(minutes=1))
        written(donor, key="login", kind="login_link", params={}, at=at)
        deliver(at=at)
        assert [m["subject"] for m in reversed(mailbox.messages())] == [
            "Your link to log in",
            "Your monthly gift to Kisima has begun",
        ]

    def test_an_address_that_was_corrected_gets_what_waits(
        self, mailbox: Mailbox, donor: Donor
    ) -> None:
        written(donor)
        DonorContact.objects.update(email="right@example.org")
        deliver()
        assert len(mailbox.messages("right@example.org")) == 1


class TestRefusals:
    """5xx of the address or the content is final; everything else is tried again."""

    @pytest.mark.parametrize(
        ("fault", "words"),
        [("refuse_permanently", "550 5.1.1 No such mailbox"), ("refuse_content", "554 5.7.1")],
    )
    def test_a_permanent_refusal_fails_the_letter_and_no_other(
        self, mailbox: Mailbox, donor: Donor, fault: str, words: str
    ) -> None:
        mailbox.fault(fault, topic=ASHA)
        letter = written(donor)
        other = written(giver(at=timezone.now(), email="other@example.org"), key="other")
        assert deliver() == 2
        assert (of(letter).state, of(letter).next_attempt_at) == ("failed", None)
        assert of(letter).failure.startswith(words)
        assert of(other).state == "sent"

    def test_a_temporary_refusal_is_tried_again_less_and_less_often(
        self, mailbox: Mailbox, donor: Donor
    ) -> None:
        mailbox.fault("refuse_temporarily", count=3)
        letter, at = written(donor), timezone.now()
        for wait in (30, 60, 120):
            assert deliver(at=at) == 1
            assert of(letter).state == "queued"
            assert of(letter).failure.startswith("451 4.2.1")
            assert of(letter).next_attempt_at == at + timedelta(seconds=wait)
            assert deliver(at=at + timedelta(seconds=wait - 1)) == 0
            at += timedelta(seconds=wait)
        deliver(at=at)
        assert (of(letter).state, of(letter).failure, of(letter).sent_at) == ("sent", "", at)

    def test_patience_ends_after_three_days(self, mailbox: Mailbox, donor: Donor) -> None:
        mailbox.fault("refuse_temporarily", count=1_000)
        letter, at = written(donor), timezone.now()
        began_at, tries = at, 0
        while of(letter).state == "queued" and tries < 100:
            deliver(at=at)
            at, tries = of(letter).next_attempt_at or at, tries + 1
        assert (of(letter).state, tries) == ("failed", delivery.MAX_ATTEMPTS)
        assert of(letter).failure.startswith("given up: 451")
        assert timedelta(days=2) < at - began_at < timedelta(days=4)

    def test_a_connection_that_ends_after_the_content_may_send_twice_under_one_name(
        self, mailbox: Mailbox, donor: Donor
    ) -> None:
        mailbox.fault("cut")
        letter = written(donor)
        deliver()
        assert (of(letter).state, len(mailbox.messages())) == ("queued", 1)
        deliver(at=later(seconds=31))
        names = {message["headers"]["Message-ID"] for message in mailbox.messages()}
        assert (of(letter).state, len(mailbox.messages()), len(names)) == ("sent", 2, 1)

    def test_a_wrong_log_in_and_a_server_that_is_away_keep_every_letter(
        self, mailbox: Mailbox, donor: Donor, settings: Settings
    ) -> None:
        letter = written(donor)
        settings.EMAIL_HOST_PASSWORD = "wrong"
        deliver()
        assert "SMTPAuthenticationError" in of(letter).failure
        boxes.use("smtp://127.0.0.1:9", settings=settings)
        deliver(at=later(seconds=31))
        assert "ConnectionRefusedError" in of(letter).failure
        assert of(letter).state == "queued"

    def test_what_is_no_address_fails_without_being_sent(
        self, mailbox: Mailbox, donor: Donor
    ) -> None:
        DonorContact.objects.update(email="asha@example.org\nBcc: evil@example.org")
        letter = written(donor)
        deliver()
        assert (of(letter).state, of(letter).failure) == ("failed", "not an address")
        assert mailbox.messages() == []

    def test_line_breaks_in_a_name_begin_no_header(self, mailbox: Mailbox, donor: Donor) -> None:
        written(donor, params={**PLAN, "site_name": "Kisima\r\nBcc: evil@example.org"})
        deliver()
        (message,) = mailbox.messages()
        assert "Bcc" not in message["headers"]
        assert "Kisima Bcc: evil@example.org" in message["subject"]
        assert mailbox.messages("evil@example.org") == []

    def test_names_are_text_and_no_html(self, mailbox: Mailbox, donor: Donor) -> None:
        written(donor, params={**PLAN, "site_name": "<script>alert(1)</script>"})
        deliver()
        assert "<script>" not in mailbox.messages()[0]["html"]

    def test_a_letter_without_words_fails_and_the_others_go_out(
        self, mailbox: Mailbox, donor: Donor
    ) -> None:
        bad, good = written(donor, key="bad"), written(donor, key="good")
        Letter.objects.filter(pk=bad.pk).update(params={})
        assert deliver() == 2
        assert (of(bad).state, of(good).state) == ("failed", "sent")
        assert "KeyError" in of(bad).failure

    def test_a_person_sends_a_failed_letter_again_and_no_other(
        self, mailbox: Mailbox, donor: Donor
    ) -> None:
        mailbox.fault("refuse_permanently")
        letter = written(donor)
        assert not letters.send_again(letter=letter, at=timezone.now())
        deliver()
        assert letters.send_again(letter=of(letter), at=timezone.now())
        deliver()
        assert of(letter).state == "sent"
        assert not letters.send_again(letter=of(letter), at=timezone.now())


class TestNotWanted:
    """What nobody wants any more is not sent."""

    def test_news_to_who_opted_out_meanwhile(self, mailbox: Mailbox, donor: Donor) -> None:
        letter = written(donor, kind="round_counted", params=NEWS)
        addresses.opt_out(email=ASHA, at=timezone.now())
        deliver()
        assert (of(letter).state, of(letter).failure) == ("dropped", "opted out")
        assert mailbox.messages() == []

    def test_a_log_in_link_that_was_asked_for_long_ago(
        self, mailbox: Mailbox, donor: Donor
    ) -> None:
        letter = written(donor, kind="login_link", params={})
        deliver(at=later(minutes=31))
        assert (of(letter).state, DonorLink.objects.count()) == ("dropped", 0)

    def test_a_donor_whose_address_was_taken_out(self, mailbox: Mailbox, donor: Donor) -> None:
        letter = written(donor)
        DonorContact.objects.update(email="")
        deliver()
        assert of(letter).state == "dropped"


class TestNews:
    """One click ends them."""

    def test_news_say_how_to_end_them_for_people_and_for_programs(
        self, mailbox: Mailbox, donor: Donor
    ) -> None:
        written(donor, kind="round_counted", params=NEWS)
        deliver()
        (message,) = mailbox.messages()
        assert message["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        url = message["headers"]["List-Unsubscribe"].strip(" <>")
        assert url.startswith("http://127.0.0.1:1/donor/news/")
        assert url in message["text"]
        assert url in message["html"]
        assert "– Mill" in message["text"]


class TestSecrets:
    """No log-in can be made from what we keep."""

    def test_the_token_of_a_link_is_stored_nowhere(self, mailbox: Mailbox, donor: Donor) -> None:
        written(donor, kind="login_link", params={})
        deliver()
        found = re.search(r"/donor/link/([\w-]+)/", mailbox.messages()[0]["text"])
        assert found
        assert len(found[1]) == 43
        assert found[1] not in everything_stored()

    def test_each_try_makes_a_link_of_its_own(self, mailbox: Mailbox, donor: Donor) -> None:
        mailbox.fault("cut")
        written(donor, kind="login_link", params={})
        deliver()
        deliver(at=later(seconds=31))
        tokens = {re.search(r"/link/([\w-]+)/", m["text"])[1] for m in mailbox.messages()}  # type: ignore[index]
        assert len(tokens) == 2


class TestAlarm:
    """Somebody is told when mail is stuck, and why."""

    def test_letters_that_wait_raise_an_alarm_until_they_leave(
        self, mailbox: Mailbox, donor: Donor
    ) -> None:
        mailbox.fault("refuse_temporarily", count=1)
        at = timezone.now()
        letter = written(donor, at=at - timedelta(minutes=14))
        deliver(at=at)
        delivery.watch(at=at)
        assert not Alarm.objects.exists()
        delivery.watch(at=at + timedelta(minutes=1))
        alarm = Alarm.objects.get(kind="mail")
        assert alarm.text.startswith("1 letters wait, the oldest since")
        assert "451 4.2.1 Mailbox busy" in alarm.text
        deliver(at=at + timedelta(minutes=1))
        assert of(letter).state == "sent"
        delivery.watch(at=at + timedelta(minutes=2))
        assert Alarm.objects.get().cleared_at is not None

    def test_without_a_mail_server_letters_wait_and_the_alarm_names_the_setting(
        self, donor: Donor, settings: Settings
    ) -> None:
        settings.EMAIL_HOST = ""
        letter = written(donor, at=timezone.now() - timedelta(hours=1))
        assert deliver() == 0
        watch_letters()
        assert "EMAIL_URL is not set" in Alarm.objects.get().text
        assert (of(letter).state, of(letter).attempts) == ("queued", 0)


def test_the_backend_is_djangos_own_whatever_the_settings_say(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert type(get_connection(network.BACKEND)).__module__ == "django.core.mail.backends.smtp"
