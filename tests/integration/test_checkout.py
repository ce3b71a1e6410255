"""Pages on the way to a card payment, as a browser without scripts meets them."""

from __future__ import annotations

import re

import pytest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client

from accounts.models import Household, PaymentAttempt, Pledge, Rail, TopUp
from tests.integration.sandboxed import home, hooks, today

__all__ = ["home", "hooks", "today"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def cards(home: Household) -> Rail:
    """Cards in the household's own currency."""
    site = home.sites.get().site
    rail = Rail.objects.create(
        operator=site.operator,
        provider=Rail.Provider.STRIPE,
        code="cards-kes",
        merchant_account="acct_sandbox",
        currency="KES",
        min_top_up_minor=10_000,
        max_top_up_minor=10_000_000,
    )
    site.rails.add(rail)
    return rail


def text(answer: HttpResponseBase) -> str:
    assert isinstance(answer, HttpResponse)
    return answer.content.decode()


def nonce(page: str) -> str:
    """The hidden field that makes a form sent twice one payment."""
    found = re.search(r'name="nonce" value="([^"]+)"', page)
    assert found, page
    return found[1]


def filled(client: Client, path: str, **fields: str) -> HttpResponse:
    """Open a form and send it."""
    page = text(client.get(path))
    answer = client.post(path, {"nonce": nonce(page), **fields})
    assert isinstance(answer, HttpResponse)
    return answer


def test_a_relative_tops_up_a_household_by_its_code(client: Client, cards: Rail) -> None:
    answer = filled(client, "/top-up/", code=" kis 0001", amount="1 500,50")
    top_up = TopUp.objects.get()
    assert (top_up.household.code, top_up.amount_minor, top_up.phone) == ("KIS0001", 150_050, "")
    assert (top_up.rail, top_up.currency) == (cards, "KES")
    attempt = PaymentAttempt.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/pay/{attempt.token}/")


def test_a_comma_before_three_digits_is_one_of_thousands(client: Client, cards: Rail) -> None:
    filled(client, "/top-up/", code="KIS0001", amount="25,000")
    assert TopUp.objects.get().amount_minor == 2_500_000


def test_a_form_that_is_sent_twice_is_one_payment(client: Client, cards: Rail) -> None:
    fields = {"code": "KIS0001", "amount": "500", "nonce": nonce(text(client.get("/top-up/")))}
    first, second = (client.post("/top-up/", fields) for _ in range(2))
    assert first["Location"] == second["Location"]
    assert TopUp.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"code": "KIS9999", "amount": "500"}, "There is no household with the code KIS9999"),
        ({"code": "", "amount": "500"}, "This field is required"),
        ({"code": "KIS0001", "amount": "5"}, "Choose an amount from"),
        ({"code": "KIS0001", "amount": "five"}, "Write the amount in figures"),
        ({"code": "KIS0001", "amount": "1e9"}, "Write the amount in figures"),
        ({"code": "KIS0001", "amount": "-500"}, "Choose an amount from"),
    ],
)
def test_bad_input_says_what_to_do_and_stores_nothing(
    client: Client, cards: Rail, fields: dict[str, str], said: str
) -> None:
    answer = filled(client, "/top-up/", **fields)
    assert answer.status_code == 422
    assert said in text(answer)
    assert TopUp.objects.count() == 0


def test_a_household_whose_operator_takes_no_cards_is_told_so(
    client: Client, home: Household
) -> None:
    answer = filled(client, "/top-up/", code=home.code, amount="500")
    assert "takes no cards yet" in text(answer)


def test_a_donor_pledges_in_the_money_of_a_rail(client: Client, cards: Rail) -> None:
    answer = filled(
        client, "/donate/kisima/", amount="2500", rail="cards-kes", email="ada@example.org"
    )
    pledge = Pledge.objects.get()
    assert answer.status_code == 302
    assert (pledge.site.slug, pledge.amount_minor, pledge.currency) == ("kisima", 250_000, "KES")
    assert pledge.donor.contact.email == "ada@example.org"


def test_another_operators_rail_cannot_be_chosen(client: Client, cards: Rail) -> None:
    answer = filled(client, "/donate/kisima/", amount="2500", rail="mpesa")
    assert (answer.status_code, Pledge.objects.count()) == (422, 0)


def test_the_page_in_between_waits_then_leads_to_the_card_page(client: Client, cards: Rail) -> None:
    path = filled(client, "/top-up/", code="KIS0001", amount="500")["Location"]
    waiting = client.get(path)
    assert 'http-equiv="refresh" content="2"' in text(waiting)
    assert waiting["Cache-Control"].startswith("max-age=0")
    PaymentAttempt.objects.update(state="pending", pay_url="https://pay.example/cs_1")
    assert 'content="1;url=https://pay.example/cs_1"' in text(client.get(path))
    assert "Nothing was paid" in text(client.get(f"{path}?left=1"))
    back = text(client.get(f"{path}?back=1"))
    assert "Waiting for the bank" in back
    assert "url=https" not in back
    PaymentAttempt.objects.update(state="succeeded")
    assert "Thank you" in text(client.get(f"{path}?back=1"))


def test_a_phones_prompt_has_no_page(client: Client, cards: Rail) -> None:
    path = filled(client, "/top-up/", code="KIS0001", amount="500")["Location"]
    TopUp.objects.update(phone="+254711000001")
    assert client.get(path).status_code == 404
    assert client.get("/pay/unknown/").status_code == 404
