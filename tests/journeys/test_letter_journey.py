"""A donor gives by card, reads the receipt that came by mail, and logs in by the link in a letter.

Over real HTTP and SMTP, with a worker, as a browser without scripts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import pytest
import requests
from celery import Task
from django.core.cache import cache
from django.utils import timezone

from accounts.models import Donation, DonorLink, Letter, PaymentAttempt, Rail
from gateway.donors.tasks import answer_links
from gateway.mail.tasks import deliver_letters
from tests.mailbox import Mailbox
from tests.over_http import Outside, eventually
from tests.paybacks import quote
from tests.pdf import texts
from tests.village import Village

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.usefixtures("worker"),
]

TIMEOUT_SECONDS = 20
ZOE = "zoe@example.org"
BEAT: list[Task] = [answer_links, deliver_letters]


@dataclass(kw_only=True)
class Browser:
    """Somebody's browser, without scripts, that prefers French."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.headers["Accept-Language"] = "fr"

    def get(self, path: str) -> str:
        answer = self.session.get(self.url + path, timeout=TIMEOUT_SECONDS)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return unescape(answer.text)

    def send(self, path: str, *, to: str = "", **fields: str) -> requests.Response:
        """Send the form of a page with what the page gave out."""
        page = self.get(path)
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
        return self.session.post(
            self.url + (to or path),
            data={**hidden, **fields},
            headers={"Referer": self.url + path},
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )


@pytest.fixture
def cards(kisima: Village) -> Rail:
    cache.clear()
    kisima.price(ticks=2_500, starts_at=kisima.founded_at)
    quote(at=timezone.now(), currency="USD", local_per_dai="1")
    return Rail.objects.create(
        operator=kisima.operator,
        provider=Rail.Provider.STRIPE,
        code="cards-usd",
        merchant_account="acct_sandbox",
        currency="USD",
        min_top_up_minor=100,
        max_top_up_minor=10_000_00,
    )


@pytest.fixture
def mailbox(outside: Outside) -> Mailbox:
    return Mailbox(url=outside.url)


def come(mailbox: Mailbox, subject: str) -> dict[str, Any]:
    """Wait for a letter to Zoé."""
    found = eventually(
        lambda: [m for m in mailbox.messages(ZOE) if m["subject"].startswith(subject)], beat=BEAT
    )
    return found[0]


def give(browser: Browser, outside: Outside) -> None:
    """Zoé gives 50 USD on the sandbox's card page."""
    answer = browser.send(
        "/donate/kisima/", amount="50", rail="cards-usd", name="Zoé d’Arçonval", email=ZOE
    )
    assert answer.status_code == 302, answer.text
    attempt = eventually(
        lambda: PaymentAttempt.objects.exclude(provider_request="").filter(state="pending").first()
    )
    paid = requests.post(
        f"{outside.url}/stripe/simulator/checkout/{attempt.provider_request}",
        json={"card": "4242424242424242", "expiry": "12/34", "cvc": "123"},
        timeout=TIMEOUT_SECONDS,
    )
    assert paid.ok, paid.text
    eventually(Donation.objects.first)


def test_a_gift_is_receipted_by_mail_and_shown_to_who_logs_in_by_a_link(
    cards: Rail, outside: Outside, mailbox: Mailbox
) -> None:
    browser = Browser(url=outside.product_url)
    give(browser, outside)
    donation = Donation.objects.get()

    letter = come(mailbox, f"Reçu KISIMA-{donation.pk:06d} : votre don à Kisima")
    assert "Vous avez payé: 50,00 USD" in letter["text"]
    assert "Compté pour: 50,0000 DAI" in letter["text"]
    (file,) = letter["attachments"]
    assert file["name"] == f"KISIMA-{donation.pk:06d}.pdf"
    lines = texts(mailbox.file(letter))
    assert lines[:2] == ["Jua Power", "Reçu d’un don"]
    assert "Zoé d’Arçonval" in lines
    assert "50,00 USD" in lines
    assert eventually(lambda: Letter.objects.filter(state="sent").first()).attempts == 1

    asked = browser.send("/donor/", to="/donor/link/", email=ZOE.upper())
    assert asked.headers["Location"] == "/donor/link/?asked=1"
    link = come(mailbox, "Votre lien de connexion")
    found = re.search(r"(/donor/link/[\w-]+/)", link["text"])
    assert found
    assert f"{outside.product_url}{found[1]}" in link["html"]

    scanner = requests.get(outside.product_url + found[1], timeout=TIMEOUT_SECONDS)
    assert scanner.status_code == 200
    entered = browser.send(found[1])
    assert (entered.status_code, entered.headers["Location"]) == (302, "/donor/")
    shown = browser.get("/donor/")
    assert "Kisima" in shown
    assert "50,00" in shown
    assert DonorLink.objects.get().used_at is not None

    stolen = Browser(url=outside.product_url)
    again = stolen.session.get(stolen.url + found[1], timeout=TIMEOUT_SECONDS)
    assert again.status_code == 410

    browser.send("/donor/", to="/donor/leave/")
    assert 'action="/donor/link/"' in browser.get("/donor/")


def test_mail_that_is_refused_for_now_comes_later_and_nothing_of_the_gift_waits_for_it(
    cards: Rail, outside: Outside, mailbox: Mailbox
) -> None:
    mailbox.fault("refuse_temporarily", topic=ZOE)
    give(Browser(url=outside.product_url), outside)
    eventually(lambda: Letter.objects.exclude(failure="").first(), beat=BEAT)
    assert mailbox.messages(ZOE) == []
    Letter.objects.update(next_attempt_at=timezone.now())
    assert come(mailbox, "Reçu")["attachments"]
