"""The hosted Checkout page, as a browser without scripts uses it."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import requests

from tests.sandbox.stripe_account import DECLINED, OK, Account

CARD = {"email": "ada@example.org", "expiry": "12/34", "cvc": "123", "name": "Ada"}


class Labels(HTMLParser):
    """The inputs of a page and those that have a label."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inputs: set[str] = set()
        self.labelled: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input":
            self.inputs.add(str(found["id"]))
        if tag == "label":
            self.labelled.add(str(found["for"]))


def test_the_page_shows_amount_and_currency_and_labels_every_field(
    stripe_account: Account,
) -> None:
    for currency, amount, shown in (
        ("usd", 2500, "USD 25.00"),
        ("xof", 5000, "XOF 5,000"),
        ("ugx", 500_000, "UGX 5,000"),
    ):
        session = stripe_account.session(currency=currency, amount=amount)
        page = requests.get(str(session.url), timeout=5)
        assert page.status_code == 200
        assert f'<p class="amount">{shown}</p>' in page.text
        assert f"Pay {shown}</button>" in page.text
        assert "Light for Kisima" in page.text
        assert '<html lang="en">' in page.text
        labels = Labels(page.text)
        assert labels.inputs >= {"card", "expiry", "cvc", "email", "name"}
        assert labels.inputs == labels.labelled


def test_paying_goes_on_to_the_success_url(stripe_account: Account) -> None:
    session = stripe_account.session()
    paid = requests.post(
        str(session.url), data={**CARD, "card": OK}, timeout=5, allow_redirects=False
    )
    assert paid.status_code == 303
    assert paid.headers["Location"] == f"https://example.org/thanks?session={session.id}"
    after = stripe_account.client.v1.checkout.sessions.retrieve(session.id)
    assert after.payment_status == "paid"
    assert after.customer_details is not None
    assert after.customer_details.email == "ada@example.org"
    done = requests.get(f"{stripe_account.url}/checkout/{session.id}", timeout=5)
    assert "This payment is complete." in done.text
    assert "<form" not in done.text


def test_a_refusal_is_said_on_the_page_and_can_be_mended(stripe_account: Account) -> None:
    session = stripe_account.session()
    declined = requests.post(str(session.url), data={**CARD, "card": DECLINED}, timeout=5)
    assert declined.status_code == 402
    assert 'role="alert" id="error">Your card was declined.</p>' in declined.text
    assert DECLINED not in declined.text
    assert 'value="ada@example.org"' in declined.text
    stale = requests.post(str(session.url), data={**CARD, "card": OK, "expiry": "01/20"}, timeout=5)
    assert stale.status_code == 400
    assert "expiration date is in the past" in unescape(stale.text)
    paid = requests.post(
        str(session.url), data={**CARD, "card": OK}, timeout=5, allow_redirects=False
    )
    assert paid.status_code == 303


def test_cancelling_is_a_link_back_to_the_merchant(stripe_account: Account) -> None:
    session = stripe_account.session(cancel_url="https://example.org/b?a=1&s={CHECKOUT_SESSION_ID}")
    page = requests.get(str(session.url), timeout=5).text
    match = re.search(r'<a class="cancel" href="([^"]+)"', page)
    assert match is not None
    assert unescape(match[1]) == f"https://example.org/b?a=1&s={session.id}"
    bare = stripe_account.session(cancel_url=None)
    assert 'class="cancel"' not in requests.get(str(bare.url), timeout=5).text


def test_a_bank_debit_has_a_form_of_its_own(stripe_account: Account) -> None:
    session = stripe_account.session(currency="eur")
    page = requests.get(str(session.url), timeout=5).text
    assert "IBAN" in page
    paid = requests.post(
        str(session.url),
        data={"account": "AT611904300234573201"},
        timeout=5,
        allow_redirects=False,
    )
    assert paid.status_code == 303
    after = stripe_account.client.v1.checkout.sessions.retrieve(session.id)
    assert (after.status, after.payment_status) == ("complete", "unpaid")


def test_expired_and_unknown_pages_take_no_payment(stripe_account: Account) -> None:
    session = stripe_account.session()
    stripe_account.client.v1.checkout.sessions.expire(session.id)
    for answer in (
        requests.get(str(session.url), timeout=5),
        requests.post(str(session.url), data={**CARD, "card": OK}, timeout=5),
    ):
        assert answer.status_code == 410
        assert "This page has expired." in answer.text
    unknown = requests.get(f"{stripe_account.url}/checkout/cs_test_nobody", timeout=5)
    assert unknown.status_code == 404


def test_what_the_merchant_writes_is_escaped(stripe_account: Account) -> None:
    price = {"currency": "usd", "unit_amount": 500, "product_data": {"name": "<b>&\"'</b>"}}
    session = stripe_account.session(line_items=[{"price_data": price}])
    page = requests.get(str(session.url), timeout=5).text
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
