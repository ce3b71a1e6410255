"""Reconciliations, differences and alarms in the admin: what a bookkeeper sees and clicks."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import sites
from accounts.admin.columns import list_of, page_of
from accounts.models import (
    Alarm,
    Household,
    JournalEntry,
    Operator,
    Payment,
    User,
)
from gateway.providers.floats import told
from gateway.providers.models import Difference, RailBalance, Reconciliation, StatementRow
from gateway.providers.tasks import reconcile_day
from tests.integration.reconciling import (
    clerk,
    counts,
    funds,
    noon,
    reconcile,
    row,
    silent,
)
from tests.integration.sandboxed import World, home, hooks, later, today, world
from tests.village import Village

__all__ = ["home", "hooks", "today", "world"]

pytestmark = pytest.mark.django_db


class TestAdmin:
    """What a bookkeeper sees and clicks."""

    def test_one_click_on_the_page_takes_in_and_is_logged(
        self, world: World, home: Household, today: Village
    ) -> None:
        receipt = silent(world, "KIS0001", "80")
        reconcile(today)
        client = logged_in(today, "change_difference")
        page = client.get(page_of(Difference.objects.get())).content.decode()
        for words in ("Take in", "Accept", "Look again", "80.00 KES", "account KIS0001", receipt):
            assert words in page
        assert "Take back our credit" not in page
        assert "Correct" not in page

        assert click(client, "take_in", note="seen").status_code == 302
        difference = Difference.objects.get()
        assert (difference.state, difference.resolved_by) == ("taken_in", user_of(client))
        logged = LogEntry.objects.get()
        assert (logged.user, logged.object_id) == (user_of(client), str(difference.pk))
        assert "taken into our books. seen" in logged.get_change_message()
        assert funds(home) > 0
        resolved = client.get(page_of(difference)).content.decode()
        assert "What is to be done" not in resolved
        assert (
            client.get(
                reverse("admin:gateway_providers_difference_history", args=[difference.pk])
            ).status_code
            == 200
        )

    def test_a_click_on_what_is_resolved_says_so_and_does_nothing(
        self, world: World, home: Household, today: Village
    ) -> None:
        silent(world, "KIS0001", "80")
        reconcile(today)
        client = logged_in(today, "change_difference")
        click(client, "take_in")
        answer = click(client, "accept", note="again")
        assert "can&#x27;t be done about it" in client.get(answer["location"]).content.decode()
        assert JournalEntry.objects.count() == 1

    def test_list_actions_resolve_what_they_fit(
        self, world: World, home: Household, today: Village
    ) -> None:
        silent(world, "KIS0001", "80")
        silent(world, "KIS0001", "90")
        today.pay("KIS0001", amount_minor=7_000, at=noon())
        reconcile(today)
        client = logged_in(today, "change_difference")
        page = choose(client, "take_in")
        assert "Resolved 2." in page
        assert "can&#x27;t be done about it" in page
        assert Payment.objects.count() == 3
        choose(client, "take_back")
        assert not Difference.objects.filter(state="open").exists()

    def test_accepting_from_the_list_asks_for_a_note_first(
        self, world: World, home: Household, today: Village
    ) -> None:
        silent(world, "KIS0001", "80")
        reconcile(today)
        client = logged_in(today, "change_difference")
        assert "Why they are accepted" in choose(client, "accept")
        assert Difference.objects.filter(state="open").count() == 1
        assert "Resolved 1." in choose(client, "accept", note="agreed with Safaricom")
        assert Difference.objects.get().note == "agreed with Safaricom"

    def test_who_may_only_look_cannot_resolve(
        self, world: World, home: Household, today: Village
    ) -> None:
        silent(world, "KIS0001", "80")
        reconcile(today)
        client = logged_in(today)
        page = client.get(page_of(Difference.objects.get()))
        assert page.status_code == 200
        assert "Take in" not in page.content.decode()
        assert click(client, "take_in").status_code == 403
        assert 'value="take_in"' not in client.get(list_of(Difference)).content.decode()

    def test_another_operator_sees_and_resolves_nothing(
        self, world: World, home: Household, today: Village
    ) -> None:
        silent(world, "KIS0001", "80")
        made = reconcile(today)
        rival = sites.open_operator(slug="rival", name="Rival", at=timezone.now())
        client = logged_in(today, "change_difference", operator=rival)
        for model in (Difference, Reconciliation, Alarm, StatementRow):
            assert client.get(list_of(model)).context["cl"].result_count == 0, model
        assert client.get(page_of(made)).status_code == 302
        assert click(client, "take_in").status_code == 404
        assert not Payment.objects.exists()

    def test_the_first_page_counts_alarms_and_differences(
        self, world: World, home: Household, today: Village
    ) -> None:
        silent(world, "KIS0001", "80")
        reconcile(today)
        counted = logged_in(today).get(reverse("admin:index")).context["needs_a_person"]
        by_words = {item["words"]: item["count"] for item in counted}
        assert by_words["alarms"] == by_words["differences to statements"] == 1

    def test_every_page_of_these_opens(self, world: World, home: Household, today: Village) -> None:
        receipt = silent(world, "KIS0001", "80")
        today.pay("KIS0001", amount_minor=9_000, at=noon(), reference=receipt)
        reconcile(today)
        for minutes in (2, 1):
            at = later(minutes=-minutes)
            told(rail=today.rail, amount_minor=1, currency="KES", told_at=at, at=at)
        client = logged_in(today, "change_difference")
        for model in (Alarm, Reconciliation, Difference, StatementRow, RailBalance):
            rows = model._default_manager.all()
            assert rows, model
            for path in (list_of(model), list_of(model, q="x"), *map(page_of, rows)):
                assert client.get(path).status_code == 200, path
        assert client.get(list_of(Alarm)).context["cl"].result_count == 2
        assert client.get(list_of(Alarm, lasting="over")).context["cl"].result_count == 0
        assert client.get(list_of(Difference, state="gone")).context["cl"].result_count == 0

    def test_days_are_listed_with_their_outcome_and_balance(
        self, world: World, home: Household, today: Village
    ) -> None:
        silent(world, "KIS0001", "80")
        made = reconcile(today)
        RailBalance.objects.create(
            rail=today.rail,
            told_minor=8_000,
            float_minor=0,
            currency="KES",
            told_at=noon(),
        )
        page = logged_in(today).get(list_of(Reconciliation)).content.decode()
        for words in (str(made.day), "M-Pesa 174379", "differs", "80.00 KES", "0.00 KES (differs)"):
            assert words in page

    def test_a_day_is_compared_in_the_background(
        self,
        world: World,
        home: Household,
        today: Village,
        django_capture_on_commit_callbacks: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        silent(world, "KIS0001", "80")
        sent: list[tuple[int, str]] = []
        monkeypatch.setattr(reconcile_day, "delay", lambda *given: sent.append(given))
        client = logged_in(today, "add_reconciliation")
        path = reverse("admin:gateway_providers_reconciliation_add")
        day = noon().date()
        with django_capture_on_commit_callbacks(execute=True):
            answer = client.post(path, {"rail": today.rail.pk, "day": day.isoformat()})
        assert answer.status_code == 302
        assert sent == [(today.rail.pk, day.isoformat())]
        assert "not compared yet" in client.get(list_of(Reconciliation)).content.decode()

        reconcile_day(*sent[0])
        made = Reconciliation.objects.get()
        assert counts(made) == (0, 1, 0, 0)
        with django_capture_on_commit_callbacks(execute=True):
            client.get(
                reverse("admin:gateway_providers_reconciliation_compare_again", args=[made.pk])
            )
        assert len(sent) == 2

    def test_a_payout_leads_to_the_form_of_the_treasury(
        self, world: World, home: Household, today: Village
    ) -> None:
        row(today, "PAYOUT0001", 40_050, kind="payout")
        reconcile(today)
        client = logged_in(today, "change_difference", "add_treasuryconversion")
        page = client.get(page_of(Difference.objects.get())).content.decode()
        query = f"?rail={today.rail.pk}&amp;reference=PAYOUT0001&amp;sold=400.50"
        path = reverse("admin:accounts_treasuryconversion_add") + query
        assert path in page
        form = client.get(path.replace("&amp;", "&")).content.decode()
        assert 'value="PAYOUT0001"' in form
        assert 'value="400.50"' in form


def logged_in(village: Village, *rights: str, operator: Operator | None = None) -> Client:
    user = clerk(village)
    if operator is not None:
        user.operator = operator
        user.save()
    for right in rights:
        user.user_permissions.add(Permission.objects.get(codename=right))
    client = Client()
    client.force_login(user)
    return client


def user_of(client: Client) -> User:
    return User.objects.get(pk=client.session["_auth_user_id"])


def click(client: Client, name: str, *, note: str = "") -> Any:
    """Press a button on the page of the only difference."""
    path = reverse("admin:gateway_providers_difference_resolve", args=[Difference.objects.get().pk])
    return client.post(path, {"resolution": name, "note": note})


def choose(client: Client, action: str, **fields: str) -> str:
    """Choose an action for every open difference in the list; the page that follows."""
    chosen = [str(each.pk) for each in Difference.objects.filter(state="open")]
    form = {"action": action, "_selected_action": chosen, **fields}
    answer = client.post(list_of(Difference), form, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()
