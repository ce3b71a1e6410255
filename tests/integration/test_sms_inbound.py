"""What phones send: words in three languages, and what nobody can read."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Household, HouseholdSite, Notice, SmsOptOut, TopUp
from gateway.sms.redaction import redact_message, redact_text
from gateway.sms.words import Start, parse
from gateway.texts.languages import Language
from gateway.texts.sms import SMS
from gateway.webhooks.models import InboundEvent
from settlement import settle
from tests.integration.sandboxed import (
    PHONE,
    Hooks,
    World,
    deliver_notices,
    handle_events,
    home,
    hooks,
    later,
    today,
    world,
)
from tests.village import Village

__all__ = ["home", "hooks", "today", "world"]

pytestmark = pytest.mark.django_db

OTHER = "+254711000002"


def said(hooks: Hooks, text: str, *, phone: str = PHONE) -> tuple[str, str]:
    """Send a message; the kind and text of its answer."""
    before = set(Notice.objects.values_list("pk", flat=True))
    assert hooks.sms(text, phone=phone).status_code == 200
    handle_events()
    assert InboundEvent.objects.latest("pk").outcome == "done"
    notice = Notice.objects.exclude(pk__in=before).get(phone=phone)
    deliver_notices()
    notice.refresh_from_db()
    return notice.kind, notice.text


def test_a_balance_is_answered_through_the_sdk(
    world: World, today: Village, home: Household
) -> None:
    today.fund(home, amount_wei=4 * 10**18, at=later(days=-1))
    kind, text = said(world.hooks, "bal")
    assert kind == "balance_reply"
    assert text.startswith("KIS0001: balance KES 517.")
    assert world.inbox() == [text]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("BAL", "balance_reply"),
        ("Solde", "balance_reply"),
        ("SALIO", "balance_reply"),
        ("use 7", "usage_reply"),
        ("LAST", "last_payments_reply"),
        ("HELP", "help_reply"),
        ("Aide", "help_reply"),
        ("VOTE 1 2", "vote_not_open"),
        ("STOP", "stopped"),
        ("START", "started"),
        ("LANG SW", "language_set"),
        ("LANG XX", "unknown_word"),
        ("hello", "unknown_word"),
        ("", "unknown_word"),
        ("\x00\x00", "unknown_word"),
        ("¡¡¡", "unknown_word"),
        ("9" * 5_000, "unknown_word"),
        ("TOPUP", "amount_wrong"),
        ("TOPUP 0", "amount_wrong"),
        ("TOPUP -5", "amount_wrong"),
        ("TOPUP 9", "amount_wrong"),
        ("TOPUP 150001", "amount_wrong"),
        ("TOPUP 999999999999999999", "amount_wrong"),
        ("TOPUP 1e9", "amount_wrong"),
        ("TOPUP 500 USD", "amount_wrong"),
        ("TOPUP five hundred", "amount_wrong"),
    ],
)
def test_every_message_gets_a_clear_answer(
    hooks: Hooks, home: Household, text: str, kind: str
) -> None:
    hooks.sms(text)
    handle_events()
    assert InboundEvent.objects.get().outcome == "done"
    assert Notice.objects.get().kind == kind
    assert not TopUp.objects.exists()


def test_a_usage_reply_tells_what_was_used(world: World, today: Village, home: Household) -> None:
    begin = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    today.read("SM0001", starts_at=begin, energy_milliwatt_hours=250_000, at=begin)
    settle.run_all(site_id=today.site.pk, at=timezone.now())
    _, text = said(world.hooks, "USE")
    assert "0.25 kWh" in text


def test_a_top_up_by_message_starts_one_prompt(hooks: Hooks, home: Household) -> None:
    hooks.sms("TOPUP 500", message_id="one")
    hooks.sms("TOPUP 500", message_id="one")
    handle_events()
    top_up = TopUp.objects.get()
    assert (top_up.amount_minor, top_up.household) == (50_000, home)
    assert Notice.objects.get().kind == "top_up_prompt_sent"


def test_another_phones_message_of_the_same_id_is_another_message(
    hooks: Hooks, home: Household, today: Village
) -> None:
    today.household("KIS0002", phone=OTHER)
    hooks.sms("TOPUP 500", message_id="one")
    hooks.sms("TOPUP 700", message_id="one", phone=OTHER)
    handle_events()
    assert set(TopUp.objects.values_list("household__code", "amount_minor")) == {
        ("KIS0001", 50_000),
        ("KIS0002", 70_000),
    }


def test_where_prompts_cannot_be_sent_the_paybill_is_told(hooks: Hooks, home: Household) -> None:
    hooks.sms("TOPUP 500")
    hooks.sms("TOPUP 600")
    handle_events()
    assert TopUp.objects.count() == 1
    assert set(Notice.objects.values_list("kind", flat=True)) == {
        "top_up_prompt_sent",
        "pay_by_paybill",
    }


def test_a_phone_of_two_households_is_asked_which(
    world: World, home: Household, today: Village
) -> None:
    today.household("KIS0002")
    kind, text = said(world.hooks, "BAL")
    assert kind == "which_account"
    assert "KIS0001" in text
    assert "KIS0002" in text
    assert said(world.hooks, "BAL kis 0002")[1].startswith("KIS0002: balance")
    assert said(world.hooks, "BAL KIS0099")[0] == "which_account"
    kind, _ = said(world.hooks, "TOPUP 500")
    assert (kind, TopUp.objects.count()) == ("which_account", 0)
    said(world.hooks, "TOPUP 500 KIS0002")
    assert TopUp.objects.get().household.code == "KIS0002"


@pytest.mark.parametrize("text", ["BAL", "TOPUP 500", "USE", "LAST", "LANG FR", "BAL KIS0001"])
def test_a_phone_nobody_knows_is_told_how_to_register(
    hooks: Hooks, home: Household, text: str
) -> None:
    hooks.sms(text, phone="+254799999999")
    handle_events()
    assert Notice.objects.get().kind == "not_registered"
    home.refresh_from_db()
    assert home.language == "en"


def test_an_unknown_phone_is_answered_in_its_countrys_language(
    hooks: Hooks, home: Household
) -> None:
    hooks.sms("HELP", phone="+221779999999")
    handle_events()
    assert Notice.objects.get().language == "fr"


def test_a_household_without_a_site_is_asked_to_try_later(world: World, home: Household) -> None:
    HouseholdSite.objects.all().delete()
    for text in ("BAL", "USE", "TOPUP 500"):
        kind, answer = said(world.hooks, text)
        assert (kind, answer[:29]) == ("try_later", "This does not work right now.")


def test_the_language_of_the_answers_follows_the_household(world: World, home: Household) -> None:
    assert said(world.hooks, "LANG SW")[1].endswith("kwa Kiswahili.")
    assert said(world.hooks, "BAL")[1].startswith("KIS0001: salio")


def test_stop_and_start_are_kept(hooks: Hooks, home: Household) -> None:
    for text, is_out in (("stop", True), ("STOP", True), ("anza", False), ("ANZA", False)):
        hooks.sms(text)
        handle_events()
        assert SmsOptOut.objects.filter(phone=PHONE).exists() == is_out


@pytest.mark.parametrize("language", ["en", "fr", "sw"])
def test_the_word_that_stop_names_is_understood(language: Language) -> None:
    words = set(re.findall(r"[A-Z]{4,}", SMS.say(language, "stopped")))
    assert {parse(word) for word in words} == {Start()}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"text": "BAL"},
        {"from": PHONE},
        {"from": "nobody", "text": "BAL"},
        {"from": "", "text": "BAL"},
        {"from": "9" * 500, "text": "BAL"},
    ],
)
def test_a_message_of_nobody_is_malformed(hooks: Hooks, fields: dict[str, str]) -> None:
    assert hooks.form("sms", **fields).status_code == 200
    handle_events()
    assert InboundEvent.objects.get().outcome == "malformed"
    assert not Notice.objects.exists()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("BAL", "BAL"),
        ("BAL 4826", "BAL ****"),
        ("4826", "****"),
        ("pin 482619 please", "pin **** please"),
        ("BAL KIS0001 4826", "BAL KIS0001 ****"),
        ("BAL KIS 0001", "BAL KIS 0001"),
        ("TOPUP 5000", "TOPUP 5000"),
        ("TOPUP 500 4826", "TOPUP 500 ****"),
        ("TOPUP 12 500", "TOPUP 12 500"),
        ("call 0711000001", "call 0711000001"),
        ("", ""),
    ],
)
def test_numbers_a_command_has_no_use_for_are_masked(text: str, kept: str) -> None:
    assert redact_text(text) == kept
    assert redact_text(kept) == kept
    assert parse(kept) == parse(text)


def test_a_body_without_a_pin_is_kept_byte_for_byte() -> None:
    body = "from=%2B254711000001&text=BAL%20&date=2026-11-22%2012%3A00%3A00&id=7312-a&x"
    assert redact_message(body) == body
    assert redact_message("from=%2B254711000001&text=My+PIN%3A4826") == (
        "from=%2B254711000001&text=My+PIN%3A%2A%2A%2A%2A"
    )
    assert redact_message('{"text": "4826", "from": "+254711000001"}') == (
        '{"text": "****", "from": "+254711000001"}'
    )
