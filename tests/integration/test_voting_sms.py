"""VOTE by SMS over the real hook: from the household's phones, several projects, no PIN."""

from __future__ import annotations

import pytest
from django.utils import timezone

from accounts.models import Notice
from tests.integration.sandboxed import Hooks, handle_events, hooks
from tests.integration.voting_pages import round_, voting
from tests.voting_village import PIN, VotingVillage
from tokens.models import Ballot, Round
from tokens.voting import rounds

__all__ = ["hooks", "round_", "voting"]

pytestmark = pytest.mark.django_db

PHONE = "+254711000001"


def said(hooks: Hooks, text: str, *, phone: str = PHONE) -> Notice:
    """Send a message; its answer."""
    before = set(Notice.objects.values_list("pk", flat=True))
    hooks.sms(text, phone=phone)
    handle_events()
    return Notice.objects.exclude(pk__in=before).get(phone=phone)


def choices(ballot: Ballot) -> set[int]:
    return {choice.proposal.number or 0 for choice in ballot.choices.all()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("VOTE 1 2", {2}),
        ("vote 1 1 3", {1, 3}),
        ("Kura 1 1, 3", {1, 3}),
        ("VOTER 1 13", {1, 3}),
        ("vote 1 2 KIS0001", {2}),
        (f"VOTE 1 2 {PIN}", {2}),
    ],
)
def test_a_listed_phone_votes_for_one_or_several(
    hooks: Hooks, round_: Round, text: str, expected: set[int]
) -> None:
    answer = said(hooks, text)
    ballot = Ballot.objects.get()
    assert (answer.kind, answer.params["receipt_code"]) == ("vote_received", ballot.receipt_code)
    assert (ballot.channel, choices(ballot)) == ("sms", expected)


def test_a_second_message_gets_the_receipt_of_the_first(hooks: Hooks, round_: Round) -> None:
    first = said(hooks, "VOTE 1 2")
    second = said(hooks, "VOTE 1 1")
    assert second.kind == "vote_again"
    assert second.params == first.params
    assert choices(Ballot.objects.get()) == {2}


def test_who_voted_by_ussd_cannot_vote_by_sms_and_the_other_way_round(
    hooks: Hooks, round_: Round
) -> None:
    hooks.hop(f"4*1*{PIN}", session="s", phone=PHONE)
    receipt = Ballot.objects.get().receipt_code
    answer = said(hooks, "VOTE 1 2")
    assert (answer.kind, answer.params["receipt_code"]) == ("vote_again", receipt)
    other = said(hooks, "VOTE 1 2", phone="+254711000002")
    assert other.kind == "vote_received"
    screen = hooks.hop(f"4*1*{PIN}", session="t", phone="+254711000002")
    assert other.params["receipt_code"] in screen
    assert Ballot.objects.count() == 2


def test_the_household_s_other_phones_are_told(
    hooks: Hooks, round_: Round, voting: VotingVillage
) -> None:
    voting.home(1).phones.create(phone="+254711000077", created_at=voting.at)
    said(hooks, "VOTE 1 2")
    told = Notice.objects.filter(kind="vote_received").values_list("phone", flat=True)
    assert sorted(told) == [PHONE, "+254711000077"]


@pytest.mark.parametrize("text", ["VOTE", "VOTE 1", "VOTE 7 1", "VOTE 1 9", "VOTE 1 4", "VOTE 2"])
def test_what_is_incomplete_or_not_on_the_ballot_is_told_how(
    hooks: Hooks, round_: Round, text: str
) -> None:
    answer = said(hooks, text)
    assert answer.kind == "vote_how"
    assert [each["number"] for each in answer.params["projects"]] == [1, 2, 3]
    assert not Ballot.objects.exists()


def test_a_shared_phone_adds_the_code(hooks: Hooks, round_: Round, voting: VotingVillage) -> None:
    voting.home(2).phones.create(phone=PHONE, created_at=voting.at)
    assert said(hooks, "VOTE 1 2").kind == "which_account"
    assert said(hooks, "VOTE 1 2 KIS0002").kind == "vote_received"
    assert Ballot.objects.get().household == voting.home(2)


def test_a_phone_votes_for_no_household_that_does_not_list_it(hooks: Hooks, round_: Round) -> None:
    assert said(hooks, "VOTE 1 2 KIS0002").kind == "which_account"
    assert said(hooks, "VOTE 1 2", phone="+254799999999").kind == "not_registered"
    assert not Ballot.objects.exists()


def test_before_and_after_the_round_nothing_is_taken(hooks: Hooks, voting: VotingVillage) -> None:
    assert said(hooks, "VOTE 1 2").kind == "vote_not_open"
    round_ = voting.open(10**16)
    rounds.cancel(round_=round_, reason="The pump broke.", at=timezone.now())
    assert said(hooks, "VOTE 1 1").kind == "vote_not_open"
    assert not Ballot.objects.exists()


def test_a_message_delivered_twice_is_one_vote_and_one_answer(hooks: Hooks, round_: Round) -> None:
    for _ in range(2):
        hooks.sms("VOTE 1 2", phone=PHONE, message_id="ATXid_1")
        handle_events()
    assert Ballot.objects.count() == 1
    assert Notice.objects.filter(phone=PHONE, kind="vote_received").count() == 1
