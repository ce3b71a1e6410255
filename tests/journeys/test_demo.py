"""The demo that script/server loads: a village with a past that the ordinary jobs made."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts import amounts
from accounts.models import Household, JournalEntry, Payment, Site
from gateway.demo import history
from settlement.models import Price, QuarantinedReading, Reading
from tests.over_http import Outside

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

    site = Site.objects.get(slug="kisima")
    assert Payment.objects.filter(state="credited").count() == 30
    assert Reading.objects.filter(site=site).count() >= 30 * 110
    assert Price.objects.filter(site=site).count() >= 120
    assert not QuarantinedReading.objects.filter(reason="no_price").exists()
    assert sum(amounts.pools(site=site).values()) > 0
    for code in ("KIS0001", "KIS0009"):
        stood = amounts.of_household(household=Household.objects.get(code=code))
        assert stood.funds_wei > 0
        assert stood.arrears_wei == 0
        assert stood.impact_tokens_wei > 0
    report = StringIO()
    call_command("audit", "--json", stdout=report, stderr=StringIO())
    assert json.loads(report.getvalue())["ok"] is True


def test_loading_the_demo_again_changes_nothing(outside: Outside, short_past: None) -> None:
    call_command("load_demo", stdout=StringIO())
    before = JournalEntry.objects.count()

    call_command("load_demo", stdout=StringIO())

    assert JournalEntry.objects.count() == before
    assert Household.objects.count() == 30


def test_the_demo_is_refused_outside_of_script_server(db: None, settings: Settings) -> None:
    settings.DEMO = False
    with pytest.raises(CommandError, match="only under script/server"):
        call_command("load_demo")
    assert not Site.objects.exists()
