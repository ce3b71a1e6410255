"""A household pays, eTIMS signs, and the household asks for its receipt by message; HTTP only."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
import requests
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from accounts.models import FiscalReceipt, Site
from gateway.demo import history
from gateway.demo.kisima import KISIMA
from gateway.demo.management.commands import load_demo
from gateway.fiscal import delivery
from gateway.fiscal.tasks import sign_receipts
from gateway.providers.tasks import pull_payments
from launcher.stack import provider_environment
from tests.integration.fiscal_village import ACCOUNT, tax
from tests.over_http import Outside, eventually
from tests.village import Village

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.usefixtures("worker"),
]


@pytest.fixture
def etims(outside: Outside, settings: Settings) -> None:
    """The sandbox's eTIMS, as the demo knows it."""
    told = provider_environment(outside.url)
    for name in ("ETIMS_URL", "ETIMS_API_KEY", "ETIMS_RECEIPT_URL"):
        setattr(settings, name, told[name])


@pytest.fixture
def taxed(kisima: Village, etims: None) -> Village:
    """Kisima with 16 % VAT and a control unit of eTIMS."""
    tax(kisima.site)
    kisima.site.fiscal_device = Site.FiscalDevice.ETIMS
    kisima.site.fiscal_account = ACCOUNT
    kisima.site.save()
    kisima.price(ticks=2_500, starts_at=timezone.now() - timedelta(hours=1))
    return kisima


def signed(number: int) -> FiscalReceipt:
    """Wait until the receipt of a number is signed."""
    return eventually(
        lambda: FiscalReceipt.objects.filter(number=number, state="signed").first(),
        beat=[pull_payments, sign_receipts],
    )


def test_a_household_asks_for_its_receipt_by_message(taxed: Village, outside: Outside) -> None:
    taxed.household("KIS0001", language="sw")
    phone = outside.phone()
    phone.send_sms("RISITI")
    assert "bado hakuna risiti ya kodi" in phone.wait_for_message("KIS0001")

    phone.paybill(account="KIS0001", amount="580")
    receipt = signed(1)
    phone.send_sms("Risiti")
    text = phone.wait_for_message("risiti kisima/1")
    # 580 = 500 net + 16 %
    assert "KES 580. Kodi ndani yake: VAT 16% KES 80." in text
    assert text.endswith(f"Sahihi KRACU0000000001 1/1 NS {receipt.signature}.")
    link = next(word for word in text.split() if word.startswith("http"))
    authority = requests.get(link, timeout=5)
    assert "Total KES 580.00" in authority.text
    assert "Tax KES 80.00" in authority.text
    public = requests.get(f"{outside.product_url}/receipts/{receipt.uid}/", timeout=5)
    assert public.status_code == 200
    assert "KIS0001" not in public.text
    screen, is_open = phone.dial("5*5")
    assert not is_open
    assert screen.startswith("Risiti kisima/1")


def test_an_outage_at_the_authority_delays_the_signature_and_nothing_else(
    taxed: Village, outside: Outside
) -> None:
    taxed.household("KIS0001", language="fr")
    outside.fault("etims", "offline", count=1, topic="sales")
    phone = outside.phone()
    phone.paybill(account="KIS0001", amount="500")
    phone.wait_for_message("Paiement de 500 KES")
    eventually(
        lambda: FiscalReceipt.objects.filter(attempts=1).exclude(failure="").first(),
        beat=[sign_receipts],
    )
    phone.send_sms("Reçu")
    assert "Pas encore signé par le fisc." in phone.wait_for_message("ticket kisima/1")
    FiscalReceipt.objects.update(next_attempt_at=timezone.now())
    assert signed(1).signature


def test_the_demos_payments_have_receipts_that_etims_signs(
    outside: Outside, etims: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The village begins two spans ago: before its first payments, whatever the minute of the hour.
    monkeypatch.setattr(history, "SPAN", timedelta(hours=3))
    monkeypatch.setattr(load_demo, "VILLAGES", (KISIMA,))
    call_command("load_demo", stdout=StringIO())
    assert delivery.sign_due(clock=timezone.now) == 30
    states = FiscalReceipt.objects.values_list("state", flat=True)
    assert set(states) == {"signed"}
    report = StringIO()
    call_command("audit", "--json", stdout=report, stderr=StringIO())
    assert json.loads(report.getvalue())["ok"] is True
