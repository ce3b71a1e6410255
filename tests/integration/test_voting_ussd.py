"""Voting over the real USSD hook: with the PIN, once, and the same again when a hop repeats."""

from __future__ import annotations

import pytest
from django.utils import timezone

from gateway.ussd import sessions
from gateway.webhooks.models import InboundEvent
from tests.integration.sandboxed import Hooks, hooks
from tests.integration.voting_pages import round_, voting
from tests.voting_village import PIN, VotingVillage
from tokens.models import Ballot, Round
from tokens.voting import rounds

__all__ = ["hooks", "round_", "voting"]

pytestmark = pytest.mark.django_db

PHONE = "+254711000001"
NOT_OPEN = "END No vote is open now. We will send you an SMS when one opens."


def choices(ballot: Ballot) -> set[int]:
    return {choice.proposal.number or 0 for choice in ballot.choices.all()}


def forget_sessions() -> None:
    """As if the cache had lost them."""
    kept = sessions._cache()
    for key in kept.scan_iter("ussd:*"):
        kept.delete(key)


def test_a_household_votes_with_its_pin(hooks: Hooks, round_: Round) -> None:
    assert hooks.dial("4", phone=PHONE).startswith("CON Vote 1. Type your choices")
    assert hooks.dial("4*13", phone=PHONE).startswith("CON You vote for:\n1 Project 1")
    screen = hooks.dial(f"4*13*{PIN}", phone=PHONE)
    ballot = Ballot.objects.get()
    assert screen == (
        f"END KIS0001 has voted in vote 1. Receipt {ballot.receipt_code}. "
        "It is published without a name. A vote can't be changed."
    )
    assert (ballot.household.code, ballot.channel) == ("KIS0001", "ussd")  # type: ignore[union-attr]
    assert choices(ballot) == {1, 3}


def test_the_receipt_comes_by_sms_as_well(
    hooks: Hooks, round_: Round, voting: VotingVillage
) -> None:
    hooks.dial(f"4*2*{PIN}", phone=PHONE)
    (told,) = voting.told("vote_received")
    assert (told.phone, told.params["receipt_code"]) == (PHONE, Ballot.objects.get().receipt_code)


def test_the_same_hop_again_gets_the_same_answer_and_casts_nothing(
    hooks: Hooks, round_: Round
) -> None:
    first = hooks.hop(f"4*2*{PIN}", session="one", phone=PHONE)
    assert hooks.hop(f"4*2*{PIN}", session="one", phone=PHONE) == first
    forget_sessions()
    assert hooks.hop(f"4*2*{PIN}", session="one", phone=PHONE) == first
    assert Ballot.objects.count() == 1


def test_a_second_vote_gets_the_receipt_of_the_first(hooks: Hooks, round_: Round) -> None:
    first = hooks.dial(f"4*2*{PIN}", phone=PHONE)
    assert hooks.hop("4", session="later", phone=PHONE) == first
    assert hooks.hop(f"4*1*{PIN}", session="again", phone=PHONE) == first
    assert choices(Ballot.objects.get()) == {2}


def test_a_wrong_pin_casts_nothing_and_three_lock(hooks: Hooks, round_: Round) -> None:
    for number in range(3):
        screen = hooks.hop("4*1*1111", session=f"s{number}", phone=PHONE)
        assert screen == "END Wrong PIN. Your vote was not taken."
    screen = hooks.hop(f"4*1*{PIN}", session="right", phone=PHONE)
    assert screen.startswith("END Too many wrong PINs.")
    assert not Ballot.objects.exists()


def test_the_pin_is_kept_nowhere(hooks: Hooks, round_: Round) -> None:
    hooks.dial(f"4*1*{PIN}", phone=PHONE)
    hooks.form(
        "ussd/end",
        sessionId="ATUid_dial_1",
        phoneNumber=PHONE,
        input=f"4*1*{PIN}",
        status="Success",
    )
    cache = sessions._cache()
    stored = [cache.get(key) for key in cache.scan_iter("ussd:*")]
    assert stored
    assert PIN not in repr(stored)
    assert InboundEvent.objects.exists()
    assert not any(PIN in event.body for event in InboundEvent.objects.all())


def test_a_household_of_another_language_reads_its_own(
    hooks: Hooks, round_: Round, voting: VotingVillage
) -> None:
    home = voting.home(2)
    home.language = "fr"
    home.save()
    screen = hooks.dial("4", phone="+254711000002")
    assert screen.startswith("CON Vote 1. Tapez vos choix, ex. 13 :\n1 Project 1, 25,85 KES")


def test_without_an_open_round_there_is_nothing_to_vote_on(
    hooks: Hooks, voting: VotingVillage
) -> None:
    assert hooks.dial("4", phone=PHONE) == NOT_OPEN
    round_ = voting.open(10**16)
    rounds.cancel(round_=round_, reason="The pump broke.", at=timezone.now())
    assert hooks.hop("4", session="cancelled", phone=PHONE) == NOT_OPEN


def test_a_round_that_ends_while_somebody_types_takes_no_vote(hooks: Hooks, round_: Round) -> None:
    for text in ("", "4", "4*1"):
        hooks.hop(text, session="slow", phone=PHONE)
    rounds.cancel(round_=round_, reason="The pump broke.", at=timezone.now())
    screen = hooks.hop(f"4*1*{PIN}", session="slow", phone=PHONE)
    assert screen.startswith("END Your vote was not taken")
    assert not Ballot.objects.exists()


def test_a_shared_phone_votes_for_each_household_once(
    hooks: Hooks, round_: Round, voting: VotingVillage
) -> None:
    voting.home(2).phones.create(phone=PHONE, created_at=voting.at)
    for chosen in (1, 2):
        hooks.hop(f"{chosen}*4*{chosen}*{PIN}", session=f"of {chosen}", phone=PHONE)
    assert {b.household.code: choices(b) for b in Ballot.objects.all()} == {  # type: ignore[union-attr]
        "KIS0001": {1},
        "KIS0002": {2},
    }
