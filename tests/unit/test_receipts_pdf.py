"""Receipts as PDF: the same bytes for the same letter, readable in French, within the page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import translation
from reportlab.pdfbase.pdfmetrics import stringWidth

from accounts.models import Letter
from gateway.mail import receipts
from gateway.mail.network import Attachment
from tests.pdf import texts

AT = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
GIFT: dict[str, Any] = {
    "site": "kisima",
    "site_name": "Kisima",
    "number": "KISIMA-000012",
    "name": "Zoé d’Arçonval",
    "operator": "Énergie du Désert SARL",
    "amount": "1250.50",
    "currency": "EUR",
    "amount_wei": str(1_375 * 10**18),
    "reference": "pi_3Q",
    "paid_at": AT.isoformat(),
}


def receipt(*, language: str = "fr", kind: str = "donation_received", **told: Any) -> Attachment:
    letter = Letter(kind=kind, language=language, params={**GIFT, **told}, created_at=AT)
    with translation.override(language):
        (found,) = receipts.of(letter=letter)
    return found


def test_the_same_letter_is_the_same_file() -> None:
    first = receipt()
    assert first == receipt()
    assert (first.name, first.media_type) == ("KISIMA-000012.pdf", "application/pdf")
    assert first.content.startswith(b"%PDF-1.")
    assert first != receipt(amount="1250.51")


def test_a_receipt_in_french_has_its_accents_and_its_figures() -> None:
    lines = texts(receipt().content)
    assert lines[:4] == [
        "Énergie du Désert SARL",
        "Reçu d’un don",
        "Numéro du reçu",
        "KISIMA-000012",
    ]
    said = dict(zip(lines[2:-3:2], lines[3:-3:2], strict=False))
    assert said["Donné par"] == "Zoé d’Arçonval"
    assert said["Payé le"] == "28 novembre 2026, 12:00 UTC"
    assert said["Montant payé"] == "1 250,50 EUR"
    assert said["Compté pour"] == "1 375,00 DAI"
    assert said["Référence du paiement"] == "pi_3Q"
    assert "ni prêt, ni dépôt, ni placement" in " ".join(lines)


def test_a_receipt_in_english_says_what_it_is() -> None:
    lines = " ".join(texts(receipt(language="en").content))
    assert "Receipt of a gift" in lines
    assert "Amount paid 1,250.50 EUR" in lines
    assert "no investment" in lines
    assert "The giver has no claim to money." in lines


def test_who_gave_no_name_leaves_no_empty_line() -> None:
    assert "Given by" not in texts(receipt(language="en", name="").content)


def test_a_credit_letter_names_its_receipt() -> None:
    told = {"of_number": "KISIMA-000012", "number": "KISIMA-000012-R3", "reason": "refund"}
    lines = texts(
        receipt(
            kind="donation_given_back",
            language="en",
            taken_at=AT.isoformat(),
            left_wei="0",
            **told,
        ).content
    )
    assert lines[1:6] == [
        "Credit letter of a gift",
        "Credit letter number",
        "KISIMA-000012-R3",
        "Takes back receipt",
        "KISIMA-000012",
    ]


@pytest.mark.parametrize(
    "name", ["x" * 120, "0x" + "ab" * 32, "Łukasz Żółć", "李小龍", "a\nb\t(c) \\d\x00", "🌞"]
)
def test_whatever_the_name_the_page_holds_it(name: str) -> None:
    file = receipt(name=name, reference=name)
    for left, line in placed(file.content):
        assert left + stringWidth(line, receipts.BOLD, 11) <= receipts.WIDTH_POINTS - 40


def test_letters_the_fonts_lack_are_written_as_near_as_they_allow() -> None:
    lines = texts(receipt(language="en", name="Łukasz Żółć 李").content)
    assert "Lukasz Zólc ?" in lines


def test_other_letters_have_no_receipt() -> None:
    assert receipts.of(letter=Letter(kind="plan_started", language="en", params={})) == ()


def placed(pdf: bytes) -> list[tuple[int, str]]:
    """Where each line of the figures begins, and what it says."""
    found = re.findall(rb"1 0 0 1 (\d+) \d+ Tm", pdf)
    return [
        (int(left), line)
        for left, line in zip(found, texts(pdf), strict=True)
        if int(left) > receipts.MARGIN_POINTS
    ]
