"""A household asks for its fiscal receipt: by message, by USSD, on a page without its name."""

from __future__ import annotations

import pytest
import requests
from django.utils import timezone

from accounts.models import FiscalReceipt, Household
from gateway.fiscal import delivery
from gateway.ussd.household_facts import PhoneFacts
from tests.integration.fiscal_village import noted, paid, receipts, sign, tax, taxed
from tests.integration.sandboxed import (
    PHONE,
    Hooks,
    World,
    deliver_notices,
    handle_events,
    home,
    hooks,
    texts,
    today,
    world,
)
from tests.village import Village

__all__ = ["home", "hooks", "taxed", "today", "world"]

pytestmark = pytest.mark.django_db


def asked(hooks: Hooks, text: str) -> str:
    """Send a message; the text of its answer."""
    hooks.sms(text)
    handle_events()
    deliver_notices()
    return texts("fiscal_receipt_reply")[-1]


def test_a_receipt_is_told_with_its_signature_and_the_authoritys_page(
    world: World, taxed: Village, home: Household
) -> None:
    receipt = paid(taxed, home, amount_minor=50_000)
    waiting = asked(world.hooks, "RECEIPT")
    assert "The tax office has not signed it yet." in waiting
    sign()
    receipt.refresh_from_db()
    text = asked(world.hooks, "receipt")
    assert text.startswith("KIS0001: receipt kisima/1 of ")
    assert "KES 500. Tax in it: VAT 16% KES 68.97." in text
    assert receipt.verification_url in text
    assert text.endswith(f"Signed KRACU0000000001 1/1 NS {receipt.signature}.")
    assert world.inbox()[0] == text
    assert requests.get(receipt.verification_url, timeout=5).ok


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("fr Reçu", "KIS0001 : ticket kisima/1 du "),
        ("sw RISITI", "KIS0001: risiti kisima/1 ya "),
    ],
)
def test_it_is_told_in_the_households_language(
    hooks: Hooks, today: Village, home: Household, word: str, said: str
) -> None:
    tax(today.site)
    language, _, word = word.partition(" ")
    Household.objects.update(language=language)
    paid(today, home)
    assert asked(hooks, word).startswith(said)


def test_a_credit_note_is_the_last_receipt_once_there_is_one(
    hooks: Hooks, today: Village, home: Household
) -> None:
    tax(today.site)
    noted(paid(today, home), amount_minor=20_000)
    text = asked(hooks, "RECEIPT")
    assert "credit note kisima/2" in text
    assert "KES 200 given back." in text


def test_without_a_receipt_the_answer_says_so(hooks: Hooks, home: Household) -> None:
    assert asked(hooks, "RECEIPT") == "KIS0001: no tax receipt yet. Send LAST for your payments."


def test_on_a_shared_phone_the_code_decides_and_only_among_its_own(
    hooks: Hooks, today: Village, home: Household
) -> None:
    tax(today.site)
    second = today.household("KIS0002", phone=PHONE)
    stranger = today.household("KIS0003", phone="+254711000003")
    for amount, household in ((10_000, home), (20_000, second), (30_000, stranger)):
        paid(today, household, amount_minor=amount)
    for text in ("RECEIPT", "RECEIPT KIS0003"):
        hooks.sms(text)
        handle_events()
        deliver_notices()
        assert "Several accounts use this phone: KIS0001, KIS0002." in texts("which_account")[-1]
    assert texts("fiscal_receipt_reply") == []
    assert "KES 200." in asked(hooks, "RECEIPT KIS0002")
    assert "KES 100." in asked(hooks, "risiti kis0001")


def test_the_ussd_menu_tells_it_too(hooks: Hooks, today: Village, home: Household) -> None:
    tax(today.site)
    assert hooks.dial("5*5") == "END No tax receipt yet."
    paid(today, home, amount_minor=50_000)
    screen = hooks.dial("5*5")
    assert screen.startswith("END Receipt kisima/1\n")
    assert "VAT 16% KES 68.97" in screen


def page(hooks: Hooks, receipt: FiscalReceipt) -> str:
    answer = hooks.client.get(f"/receipts/{receipt.uid}/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_public_page_tells_the_receipt_and_nobodys_name(
    hooks: Hooks, today: Village, home: Household
) -> None:
    tax(today.site)
    receipt = paid(today, home, amount_minor=50_000)
    facts = PhoneFacts(phone=PHONE, at=timezone.now()).last_receipt("KIS0001")
    assert facts is not None
    assert facts.url.endswith(f"/receipts/{receipt.uid}/")
    text = page(hooks, receipt)
    for told in ("Kisima", "kisima/1", "500.00 KES", "431.03 KES", "68.97 KES", "VAT"):
        assert told in text
    for secret in ("KIS0001", PHONE, PHONE[1:], receipt.payment.reference):
        assert secret not in text
    note = noted(receipt, amount_minor=10_000)
    assert "kisima/2" in page(hooks, receipt)
    assert "kisima/1" in page(hooks, note)


def test_the_public_page_of_a_signed_receipt_leads_to_the_authority(
    world: World, taxed: Village, home: Household
) -> None:
    receipt = paid(taxed, home)
    sign()
    receipt.refresh_from_db()
    text = page(world.hooks, receipt)
    assert receipt.signature in text
    assert receipt.verification_url.replace("&", "&amp;") in text
    assert receipt.device_number in text


def test_an_unknown_receipt_is_404(hooks: Hooks) -> None:
    path = "/receipts/0198f3f0-0000-7000-8000-000000000000/"
    assert hooks.client.get(path).status_code == 404
    assert hooks.client.get("/receipts/nonsense/").status_code == 404


def test_the_beat_signs_nothing_where_nothing_waits(hooks: Hooks, home: Household) -> None:
    assert delivery.sign_due(clock=timezone.now) == 0
    assert receipts() == []
