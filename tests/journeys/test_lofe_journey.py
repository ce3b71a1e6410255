"""A household of Lofé tops up in francs over pawaPay, in French, with signed callbacks."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts import amounts, sites
from accounts.models import Payment
from gateway.providers.tasks import poll_attempts
from gateway.webhooks.models import InboundEvent
from tests.integration.pawapay_rail import PAYER, open_rail
from tests.over_http import MPESA_PIN, Outside, Phone, eventually
from tests.village import Village

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.usefixtures("worker"),
]


@pytest.fixture
def phone(outside: Outside) -> Phone:
    """The phone of LOF0001."""
    village = Village.found(at=timezone.now())
    site, _ = open_rail(village)
    sites.open_household(
        site=site, code="LOF0001", at=village.founded_at, phones=(PAYER,), language="fr"
    )
    return outside.phone(PAYER)


def credited() -> Payment:
    return eventually(
        lambda: Payment.objects.filter(household__code="LOF0001", state="credited").first(),
        beat=[poll_attempts],
    )


def test_a_household_tops_up_in_francs(phone: Phone) -> None:
    screen, is_open = phone.dial("3*5000*1")
    assert not is_open
    assert "5 000" in screen
    prompt = phone.wait_for_prompt()
    assert (prompt["amount"], prompt["currency"]) == ("5000", "XOF")
    assert phone.answer(prompt, pin=MPESA_PIN)["result_code"] == "COMPLETED"

    text = phone.wait_for_message("enregistré pour LOF0001")
    payment = credited()
    assert payment.reference == prompt["id"]
    assert payment.reference[:8] in text
    assert payment.reference not in text
    assert payment.credited_wei == 5_000 * 10**18 // 600
    assert payment.household is not None
    assert amounts.of_household(household=payment.household).funds_wei == payment.credited_wei
    assert InboundEvent.objects.get(route="pawapay").outcome == "done"
    assert phone.prompts() == []


def test_what_is_badly_signed_tells_nobody_anything_and_the_janitor_asks(
    phone: Phone, outside: Outside
) -> None:
    phone.dial("3*2000*1")
    prompt = phone.wait_for_prompt()
    outside.fault("pawapay", "forged_signature")
    phone.answer(prompt, pin=MPESA_PIN)
    eventually(lambda: InboundEvent.objects.filter(route="pawapay", outcome="forged").first())
    assert not Payment.objects.exists()
    assert credited().amount_minor == 2_000


def test_who_refuses_the_prompt_is_told_and_pays_nothing(phone: Phone) -> None:
    phone.dial("3*2000*1")
    phone.answer(phone.wait_for_prompt(), cancel=True)
    assert "LOF0001" in phone.wait_for_message("refusé")
    assert not Payment.objects.exists()
