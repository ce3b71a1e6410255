"""A donor gives every month: begins, two months pass, one fails, another card heals it, it ends.

Over real HTTP with a worker; Stripe's signed events come by themselves, the pages are stepped
through as a browser without scripts does. To the wei.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape

import pytest
import requests
from django.utils import timezone

from accounts.models import (
    Donation,
    GivingPlan,
    LedgerAccount,
    Payment,
    Pledge,
    Rail,
    RateQuote,
)
from gateway.mail.tasks import deliver_letters
from gateway.providers.stripe.client import shared_client
from gateway.providers.tasks import poll_attempts, poll_plans
from gateway.webhooks.tasks import sweep_events
from tests.giving import findings
from tests.over_http import Outside, eventually
from tests.village import Village

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.slow,
]

TIMEOUT_SECONDS = 20
PATIENCE_SECONDS = 60
EMAIL = "ada@example.org"
DOLLARS = 25
GIFT_WEI = DOLLARS * 10**18 * 100 // 99
"""25 USD at 0.99 USD a DAI."""
BEAT = [sweep_events, poll_attempts, poll_plans, deliver_letters]


@dataclass(kw_only=True)
class Browser:
    """Ada's browser, without scripts."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str) -> str:
        answer = self.session.get(self.url + path, timeout=TIMEOUT_SECONDS)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return unescape(answer.text)

    def send(self, path: str, **fields: str) -> str:
        """Send a form, with the token that pages give out; the path it leads to."""
        answer = self.session.post(
            self.url + path,
            data={"csrfmiddlewaretoken": self.session.cookies["csrftoken"], **fields},
            headers={"Referer": self.url + path},
            allow_redirects=False,
            timeout=TIMEOUT_SECONDS,
        )
        assert answer.status_code == 302, answer.text[:500]
        return str(answer.headers["Location"])


@pytest.fixture
def dollars(kisima: Village) -> Rail:
    """Cards in dollars; a dollar is worth a little more than a DAI."""
    now = timezone.now()
    RateQuote.objects.create(
        source="test",
        currency="USD",
        local_per_dai="0.99",
        quoted_at=now - timedelta(minutes=1),
        expires_at=now + timedelta(hours=1),
    )
    return Rail.objects.create(
        operator=kisima.operator,
        provider=Rail.Provider.STRIPE,
        code="cards-usd",
        merchant_account="acct_sandbox",
        currency="USD",
        min_top_up_minor=100,
        max_top_up_minor=1_000_000,
    )


@dataclass(kw_only=True)
class Stripe:
    """What happens at Stripe."""

    url: str

    def pay(self, page: str) -> None:
        card = {"email": EMAIL, "card": "4242424242424242", "expiry": "12/34", "cvc": "123"}
        answer = requests.post(page, data=card, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        assert answer.status_code == requests.codes.see_other, answer.text

    def month(self, plan: GivingPlan) -> None:
        self._do(f"subscriptions/{plan.provider_plan}/month", now=True)

    def card(self, plan: GivingPlan, number: str) -> None:
        self._do(f"subscriptions/{plan.provider_plan}/card", card=number, pay=True)

    def _do(self, path: str, **body: object) -> None:
        url = f"{self.url}/stripe/simulator/{path}"
        answer = requests.post(url, json=body, timeout=TIMEOUT_SECONDS)
        assert answer.ok, answer.text


def until(state: str, *, months: int) -> GivingPlan:
    """Wait until the plan stands so, with so many months credited."""

    def look() -> GivingPlan | None:
        credited = Payment.objects.filter(state="credited", pledge__plan__isnull=False)
        done = Pledge.objects.filter(plan__isnull=False, state="succeeded")
        is_there = credited.count() == done.count() == months
        return GivingPlan.objects.filter(state=state).first() if is_there else None

    return eventually(look, beat=BEAT, seconds=PATIENCE_SECONDS)


def letters(outside: Outside) -> list[str]:
    """Subjects of what came to Ada, oldest first."""
    found = requests.get(
        f"{outside.url}/mail/messages", params={"to": EMAIL}, timeout=TIMEOUT_SECONDS
    ).json()
    return [str(message["subject"]) for message in reversed(found)]


def test_a_donor_gives_every_month_until_she_ends_it(
    outside: Outside, worker: None, kisima: Village, dollars: Rail
) -> None:
    ada, stripe = Browser(url=outside.product_url), Stripe(url=outside.url)
    page = ada.get("/donate/kisima/")
    [nonce] = re.findall(r'name="nonce" value="([^"]+)"', page)
    pay = ada.send(
        "/donate/kisima/",
        nonce=nonce,
        amount=str(DOLLARS),
        rail="cards-usd",
        rhythm="monthly",
        email=EMAIL,
    )
    card_page = eventually(
        lambda: re.findall(r'class="button" href="([^"]+/stripe/checkout/[^"]+)"', ada.get(pay))
    )[0]
    assert "per month" in requests.get(card_page, timeout=TIMEOUT_SECONDS).text
    stripe.pay(card_page)
    plan = until("active", months=1)
    assert "counts from now on" in ada.get(pay)

    for month in (2, 3):
        stripe.month(plan)
        until("active", months=month)

    stripe.card(plan, "4000000000000341")
    stripe.month(plan)
    until("past_due", months=3)
    gift = pay.replace("/pay/", "/donor/gift/")
    assert "your card refused it" in ada.get(gift)
    stripe.card(plan, "4242424242424242")
    until("active", months=4)

    shown = ada.get(gift)
    [end] = re.findall(r'action="(/donor/gift/[^"]+/end/)"', shown)
    assert ada.send(end) == gift
    until("cancelled", months=4)
    assert "Ended on" in ada.get(gift)

    _check_the_books(plan)
    told = eventually(lambda: found if len(found := letters(outside)) >= 7 else None, beat=BEAT)
    # Receipts of four months, and that the plan began, failed once and ended.
    assert len(told) == 7, told


def _check_the_books(plan: GivingPlan) -> None:
    """Four gifts, each what 25 USD are in DAI; Stripe and we name the same charges."""
    assert list(Donation.objects.values_list("amount_wei", flat=True)) == [GIFT_WEI] * 4
    assert LedgerAccount.objects.get(kind="donations").amount == 4 * GIFT_WEI
    paid = Payment.objects.filter(pledge__plan=plan)
    kept = sum(payment.amount_minor - payment.fee_minor for payment in paid)
    assert LedgerAccount.objects.get(kind="float", name="cards-usd").amount == -kept
    charges = shared_client().v1.charges.list({"limit": 100}).data
    assert sorted(paid.values_list("reference", flat=True)) == sorted(
        charge.id for charge in charges if charge.paid
    )
    balance = shared_client().v1.balance.retrieve().to_dict()
    there = sum(row["amount"] for part in ("available", "pending") for row in balance[part])
    assert there == kept
    assert findings() == []
