"""An agent's day, over HTTP only: cash by phone and at the counter, and what people are told."""

from __future__ import annotations

import json
import re
from io import StringIO

import pytest
import requests
from django.core.management import call_command
from django.utils import timezone

from accounts import amounts
from accounts.models import Household, Payment, User
from tests.cash_village import AGENT_PHONE, AGENT_PIN, hire
from tests.over_http import TIMEOUT_SECONDS, Outside
from tests.village import Village

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.usefixtures("worker"),
]

# 129.25 KES per DAI, in whole numbers.
RATE_NUMERATOR = 12_925
DAI = 10**18


def funds_of(code: str) -> int:
    return amounts.of_household(household=Household.objects.get(code=code)).funds_wei


def test_an_agent_takes_cash_until_the_float_is_used_up(kisima: Village, outside: Outside) -> None:
    now = timezone.now()
    for number in (1, 2):
        kisima.household(f"KIS000{number}", phone=f"+25471100000{number}")
    kisima.price(ticks=2_500, starts_at=kisima.founded_at)
    hire(kisima, at=now)
    agent, customer = outside.phone(AGENT_PHONE), outside.phone("+254711000001")

    assert agent.dial("") == ("6 Take cash\n7 Float\n0 Exit", True)
    screen, is_open = agent.dial("6*kis0001*600*1")
    assert (screen, is_open) == (
        "KES 600 for KIS0001\nType your agent PIN (4 digits):\n0 Cancel",
        True,
    )
    screen, is_open = agent.dial(f"6*kis0001*600*1*{AGENT_PIN}")
    assert not is_open
    found = re.fullmatch(
        r"KES 600 booked for KIS0001\. Receipt (CASH\w{12})\.\nYour float is KES 400\.", screen
    )
    assert found is not None, screen

    told = customer.wait_for_message(found[1])
    assert told.startswith(f"KES 600 received for KIS0001. Receipt {found[1]}. Balance KES 600.")
    assert agent.wait_for_message(found[1]) == (
        f"You took KES 600 in cash for KIS0001. Receipt {found[1]}. Your float is KES 400."
    )
    assert customer.dial("1")[0].startswith("Balance KES 600")
    assert f"KES 600 {found[1]}" in customer.dial("5*3")[0]

    assert agent.dial("6*KIS0002*400*1*0000")[0] == "Wrong PIN. Nothing was booked."
    assert "Your float is only KES 400." in agent.dial("6*KIS0002*401")[0]
    assert agent.dial(f"6*KIS0002*400*1*{AGENT_PIN}")[0].endswith("Your float is KES 0.")
    agent.send_sms("FLOAT")
    assert agent.wait_for_message("AG01:") == "AG01: your float is KES 0."

    assert funds_of("KIS0001") == 600 * 100 * DAI // RATE_NUMERATOR
    assert funds_of("KIS0002") == 400 * 100 * DAI // RATE_NUMERATOR
    stood = amounts.of_site(site=kisima.site)
    assert stood["float", "cash", "KES"] == -100_000
    assert stood["agent_float", "AG01", "KES"] == 0
    report = StringIO()
    call_command("audit", "--json", stdout=report, stderr=StringIO())
    assert json.loads(report.getvalue())["ok"] is True


def test_an_agent_at_the_counter_books_once_though_the_form_is_sent_twice(
    kisima: Village, outside: Outside
) -> None:
    kisima.household("KIS0001")
    user = User.objects.create_user(
        "counter", password="counter-word", is_staff=True, operator=kisima.operator
    )
    agent = hire(kisima, at=timezone.now(), phone="", user=user)
    base = f"{outside.product_url}/admin"
    browser = requests.Session()
    log_in = browser.get(f"{base}/login/", timeout=TIMEOUT_SECONDS)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', log_in.text)
    assert token is not None
    words = {"username": "counter", "password": "counter-word", "csrfmiddlewaretoken": token[1]}
    answer = browser.post(f"{base}/login/?next=/admin/", data=words, timeout=TIMEOUT_SECONDS)
    assert answer.url == f"{base}/"

    path = f"{base}/accounts/agent/{agent.pk}/take_cash/"
    page = browser.get(path, timeout=TIMEOUT_SECONDS).text
    form = dict(re.findall(r'name="(csrfmiddlewaretoken|nonce)" value="([^"]+)"', page))
    form |= {"code": "KIS0001", "amount": "250"}
    for _ in range(2):
        answer = browser.post(path, data=form, timeout=TIMEOUT_SECONDS)
        assert answer.status_code == 200
        assert "250.00 KES booked for KIS0001" in answer.text
        assert "750.00 KES" in answer.text
    payment = Payment.objects.get()
    assert (payment.state, payment.agent, payment.amount_minor) == ("credited", agent, 25_000)
    assert outside.phone().wait_for_message(payment.reference).startswith("KES 250 received")
    assert browser.get(f"{base}/accounts/household/", timeout=TIMEOUT_SECONDS).status_code == 403
