"""The demo that script/server loads: a village with a past that the ordinary jobs made."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from accounts import agents, amounts
from accounts.models import (
    Agent,
    AgentFloatChange,
    Household,
    JournalEntry,
    Payment,
    PaymentAttempt,
    Site,
)
from gateway.demo import history
from gateway.demo.kisima import KISIMA
from gateway.demo.management.commands import load_demo
from settlement.models import Payee, Price, QuarantinedReading, Reading, ServiceToken
from tests.over_http import Outside
from tokens.models import Round

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture
def short_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hours instead of 48: the same jobs, fewer slots."""
    monkeypatch.setattr(history, "SPAN", timedelta(hours=2))
    monkeypatch.setattr(history, "STEP", timedelta(hours=1))


def test_the_demo_lives_its_past_and_every_invariant_holds(
    outside: Outside, short_past: None
) -> None:
    call_command("load_demo", stdout=StringIO())

    assert not QuarantinedReading.objects.filter(reason="no_price").exists()
    for slug, currency, language in (("kisima", "KES", "en"), ("lofe", "XOF", "fr")):
        site = Site.objects.get(slug=slug)
        payments = Payment.objects.filter(state="credited", site=site, currency=currency)
        assert payments.count() == 30
        assert all(payment.paid_at < timezone.now() - history.SPAN for payment in payments)
        assert Reading.objects.filter(site=site).count() >= 30 * 110
        assert Price.objects.filter(site=site).count() >= 120
        assert sum(amounts.pools(site=site).values()) > 0
        homes = Household.objects.filter(sites__site=site).order_by("code")
        assert homes[0].language == language
        for household in (*homes[:9],):
            stood = amounts.of_household(household=household)
            assert stood.funds_wei > 0
            assert stood.arrears_wei == 0
            assert stood.impact_tokens_wei > 0
    assert not PaymentAttempt.objects.exclude(state="succeeded").exists()
    assert outside.callbacks("pawapay") == []
    report = StringIO()
    call_command("audit", "--json", stdout=report, stderr=StringIO())
    assert json.loads(report.getvalue())["ok"] is True


def test_an_agent_of_the_demo_takes_cash(outside: Outside, short_past: None) -> None:
    call_command("load_demo", stdout=StringIO())
    agent = Agent.objects.get()
    assert (agent.code, agent.name, agent.site.slug) == ("AG01", "Duka la Amina", "kisima")
    assert agents.float_minor(agent=agent) == 2_000_000
    phone = outside.phone("+254711000091")
    assert phone.dial("") == ("6 Take cash\n7 Float\n0 Exit", True)
    screen, is_open = phone.dial("6*KIS0011*300*1*4826")
    assert not is_open
    assert screen.endswith("Your float is KES 19,700.")

    call_command("load_demo", stdout=StringIO())
    assert agents.float_minor(agent=agent) == 1_970_000
    assert AgentFloatChange.objects.count() == 1


def test_a_payee_of_the_demo_waits_for_a_proposal(outside: Outside, short_past: None) -> None:
    call_command("load_demo", stdout=StringIO())
    token = ServiceToken.objects.get()
    assert (token.state, token.payee.code, token.site.slug) == ("earned", "jua-works", "kisima")
    assert not token.payouts.exists()
    assert Payee.objects.get(code="jua-power").role == "operator"


def test_one_vote_of_the_demo_is_counted_and_one_is_open(
    outside: Outside, short_past: None
) -> None:
    call_command("load_demo", stdout=StringIO())
    counted, open_now = Round.objects.order_by("number")
    assert (counted.state, open_now.state) == ("counted", "open")
    assert counted.ballots.count() == 12
    assert 0 < counted.reserved_wei <= counted.budget_wei
    assert open_now.proposals.filter(state="admitted").count() == 4
    # 0001 to 0009 are left to whoever tries the demo.
    assert not open_now.ballots.filter(household__code__lt="KIS0010").exists()
    screen, is_open = outside.phone("+254711000001").dial("4*1*4826")
    assert not is_open
    assert open_now.ballots.get(household__code="KIS0001").receipt_code in screen


def test_loading_the_demo_again_changes_nothing(outside: Outside, short_past: None) -> None:
    call_command("load_demo", stdout=StringIO())
    before = JournalEntry.objects.count()

    call_command("load_demo", stdout=StringIO())

    assert JournalEntry.objects.count() == before
    assert Household.objects.count() == 60


def test_a_demo_of_an_earlier_release_gets_the_villages_it_lacks(
    outside: Outside, short_past: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_demo, "VILLAGES", (KISIMA,))
    call_command("load_demo", stdout=StringIO())
    assert [site.slug for site in Site.objects.all()] == ["kisima"]
    kisima = Reading.objects.count()

    monkeypatch.undo()
    monkeypatch.setattr(history, "SPAN", timedelta(hours=2))
    call_command("load_demo", stdout=StringIO())

    lofe = Site.objects.get(slug="lofe")
    assert Reading.objects.exclude(site=lofe).count() == kisima
    assert Payment.objects.filter(site=lofe, state="credited").count() == 30
    assert {site.operator.slug for site in Site.objects.all()} == {"jua"}


def test_the_demo_is_refused_outside_of_script_server(db: None, settings: Settings) -> None:
    settings.DEMO = False
    with pytest.raises(CommandError, match="only under script/server"):
        call_command("load_demo")
    assert not Site.objects.exists()
