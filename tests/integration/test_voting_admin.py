"""Votes in the admin: planned, vetted with reasons, vetoed, awarded; nobody sees who chose what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import sites
from accounts.models import User
from settlement.models import ServiceToken
from tests.integration.voting_pages import CENT, round_, voting
from tests.voting_village import POOL_WEI, VotingVillage
from tokens.models import Ballot, Proposal, Round

__all__ = ["round_", "voting"]

pytestmark = pytest.mark.django_db

RIGHTS = ("add_round", "change_round", "add_proposal", "change_proposal", "view_ballot")


def log_in(user: User, *rights: str) -> Client:
    user.user_permissions.add(
        *Permission.objects.filter(content_type__app_label="tokens", codename__in=rights)
    )
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def clerk(voting: VotingVillage) -> Client:
    """The vetter, with every right that voting needs."""
    return log_in(voting.user, *RIGHTS)


def page(row: Any, action: str = "change") -> str:
    name = f"admin:tokens_{row._meta.model_name}_{action}"
    return reverse(name, args=[row.pk])


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def counted(voting: VotingVillage) -> tuple[Round, Proposal]:
    round_ = voting.open(30 * CENT)
    voting.cast(round_, voting.home(1), 1)
    return voting.count(round_), Proposal.objects.get(round=round_)


def test_a_round_is_planned_under_the_next_number(clerk: Client, voting: VotingVillage) -> None:
    now = timezone.now()
    form = {
        "site": voting.site.pk,
        "title": "Dry season",
        "title_fr": "",
        "budget_wei": "0.4",
        "opens_at_0": f"{now:%Y-%m-%d}",
        "opens_at_1": f"{now:%H:%M:%S}",
        "closes_at_0": f"{now + timedelta(days=7):%Y-%m-%d}",
        "closes_at_1": f"{now:%H:%M:%S}",
        "household_share_basis_points": "8000",
        "support_basis_points": "2500",
        "household_weight": "one",
        "donor_weight": "tokens",
        "method": "equal_shares",
        "proposals-TOTAL_FORMS": "0",
        "proposals-INITIAL_FORMS": "0",
    }
    for number in (1, 2):
        answer = clerk.post(reverse("admin:tokens_round_add"), form)
        assert answer.status_code == 302, answer.context["errors"]
        planned = Round.objects.get(number=number)
        assert (planned.budget_wei, planned.state) == (POOL_WEI, Round.State.DRAFT)


def test_a_draft_may_be_changed_an_open_round_only_be_ended(
    clerk: Client, voting: VotingVillage
) -> None:
    draft = voting.plan()
    assert 'name="budget_wei"' in clerk.get(page(draft)).content.decode()
    round_ = voting.open(CENT)
    shown = clerk.get(page(round_)).content.decode()
    assert 'name="budget_wei"' not in shown
    answer = clerk.post(page(round_, "cancel_round"), {"reason": "The pump broke."})
    assert "ended without a count" in said(answer)
    assert Round.objects.get(pk=round_.pk).reason == "The pump broke."
    again = clerk.post(page(round_, "cancel_round"), {"reason": "Again."})
    assert again.status_code == 200


def test_a_household_s_proposal_is_written_down_for_it(
    clerk: Client, voting: VotingVillage
) -> None:
    draft = voting.plan()
    form = {
        "round": draft.pk,
        "code": "kis 0001",
        "title": "Well pump",
        "title_fr": "Pompe",
        "cost_wei": "0.2",
        "text": "For the school.",
    }
    path = reverse("admin:tokens_proposal_add")
    assert clerk.post(path, {**form, "code": "KIS9999"}).status_code == 200
    assert not Proposal.objects.exists()
    assert clerk.post(path, form).status_code == 302
    made = Proposal.objects.get()
    assert (made.household, made.cost_wei, made.state) == (
        voting.home(1),
        20 * CENT,
        Proposal.State.PROPOSED,
    )
    assert len(voting.told("proposal_made")) == 1


def test_proposals_are_admitted_or_refused_with_a_reason(
    clerk: Client, voting: VotingVillage
) -> None:
    draft = voting.plan()
    pump, palace = (voting.propose(draft, title, CENT) for title in ("Well pump", "Palace"))
    payee = voting.payee()
    done = clerk.post(page(pump, "admit"), {"title_fr": "Pompe du puits", "payee": payee.pk})
    assert "on the ballot" in said(done)
    pump.refresh_from_db()
    assert (pump.state, pump.number, pump.title_fr, pump.payee, pump.decided_by) == (
        Proposal.State.ADMITTED,
        1,
        "Pompe du puits",
        payee,
        voting.user,
    )
    assert clerk.post(page(palace, "refuse"), {"reason": ""}).status_code == 200
    clerk.post(page(palace, "refuse"), {"reason": "Nobody needs it."})
    palace.refresh_from_db()
    assert (palace.state, palace.reason) == (Proposal.State.REFUSED, "Nobody needs it.")
    refused = clerk.post(page(palace, "admit"), {"title_fr": "", "payee": ""})
    assert "not put to the vote" in refused.content.decode()
    logged = LogEntry.objects.order_by("id").values_list("change_message", flat=True)
    assert list(logged) == ["Well pump is on the ballot.", "Palace was refused."]


def test_a_veto_needs_a_reason_and_gives_the_money_back(
    clerk: Client, voting: VotingVillage
) -> None:
    _round, project = counted(voting)
    assert voting.reserved_wei == 30 * CENT
    assert clerk.post(page(project, "veto"), {"reason": " "}).status_code == 200
    assert voting.reserved_wei == 30 * CENT
    clerk.post(page(project, "veto"), {"reason": "The land is not ours."})
    assert (voting.reserved_wei, voting.pool_wei) == (0, POOL_WEI)
    clerk.post(page(project, "tell_voters"), {"text": "We ask the county."})
    project.refresh_from_db()
    assert project.what_became == "We ask the county."


def test_an_award_names_a_payee_and_ends_the_time_for_a_veto(
    clerk: Client, voting: VotingVillage
) -> None:
    _round, project = counted(voting)
    assert "no payee" in clerk.post(page(project, "award"), {"payee": ""}).content.decode()
    payee = voting.payee()
    assert "awarded" in said(clerk.post(page(project, "award"), {"payee": payee.pk}))
    token = ServiceToken.objects.get()
    assert (token.payee, token.amount_wei, token.accepted_by) == (payee, 30 * CENT, voting.user)
    refused = clerk.post(page(project, "veto"), {"reason": "Too late."})
    assert "awarded to" in refused.content.decode()


def test_nobody_sees_there_who_chose_what(
    clerk: Client, voting: VotingVillage, round_: Round
) -> None:
    ballot = voting.cast(round_, voting.home(1), 2)
    voting.count(round_)
    for path in (reverse("admin:tokens_ballot_changelist"), page(ballot)):
        shown = clerk.get(path).content.decode()
        assert "KIS0001" in shown
        assert ballot.receipt_code not in shown
        assert "Project 2" not in shown
    assert clerk.post(page(ballot), {"weight": "7"}).status_code == 403
    assert Ballot.objects.get().weight == 1


@pytest.mark.parametrize("action", ["admit", "refuse", "award", "veto", "tell_voters"])
def test_who_may_only_look_decides_nothing(voting: VotingVillage, action: str) -> None:
    made = voting.propose(voting.plan(), "Well pump", CENT)
    looking = log_in(voting.user, "view_proposal")
    assert looking.get(page(made)).status_code == 200
    assert looking.post(page(made, action), {"reason": "x", "text": "x"}).status_code == 403
    made.refresh_from_db()
    assert made.state == Proposal.State.PROPOSED


def test_another_operator_s_votes_do_not_exist(voting: VotingVillage, round_: Round) -> None:
    other = sites.open_operator(slug="other", name="Other Power", at=voting.at)
    stranger = User.objects.create_user("stranger", is_staff=True, operator=other)
    client = log_in(stranger, *RIGHTS)
    project = Proposal.objects.first()
    for row, action in ((round_, "cancel_round"), (project, "veto"), (round_, "change")):
        assert client.post(page(row, action), {"reason": "Mine"}).status_code in (302, 403, 404)
    round_.refresh_from_db()
    assert round_.state == Round.State.OPEN
