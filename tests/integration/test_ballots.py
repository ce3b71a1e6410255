"""Ballots: once per voter over all channels, what they weigh, and who may cast one."""

from __future__ import annotations

import json
from datetime import datetime
from math import isqrt
from threading import Barrier
from typing import Any

import pytest

from accounts import donors_index
from accounts.ledger import IMPACT_TOKEN
from accounts.models import Donor, Household, HouseholdSite, LedgerAccount
from tests.integration.test_concurrency import run_together
from tests.voting_village import DAY, VotingVillage
from tokens.models import Ballot, Round, WalletLink
from tokens.voting import ballots, weights
from tokens.voting.refusals import AlreadyVoted, Refused

CENT = 10**16
WALLET = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.fixture
def voting(db: None, now: datetime) -> VotingVillage:
    return VotingVillage.found(at=now)


def weights_of(round_: Round) -> dict[str, int]:
    """By receipt code, as published."""
    told = json.loads(Round.objects.get(pk=round_.pk).result)
    return {each["receipt_code"]: int(each["weight"]) for each in told["ballots"]}


def tokens_of(household: Household) -> int:
    account = LedgerAccount.objects.get(
        household=household, kind="household_tokens", asset=IMPACT_TOKEN
    )
    return account.amount


def link(donor: Donor, address: str, at: datetime) -> None:
    WalletLink.objects.create(
        donor=donor,
        chain_id=100,
        address=address,
        message="m",
        signature="0x",
        linked_at=at,
        takes_effect_at=at,
        took_effect_at=at,
    )


def test_a_ballot_keeps_its_choices_and_tells_its_receipt(voting: VotingVillage) -> None:
    round_ = voting.open(CENT, CENT, CENT)
    ballot = voting.cast(round_, voting.home(1), 3, 1, 3)
    assert sorted(c.proposal.number or 0 for c in ballot.choices.all()) == [1, 3]
    assert len(ballot.receipt_code) == ballots.RECEIPT_CHARACTERS
    assert set(ballot.receipt_code) <= set(ballots.RECEIPT_ALPHABET)
    (told,) = voting.told("vote_received")
    assert told.params == {
        "household_code": "KIS0001",
        "round_number": 1,
        "receipt_code": ballot.receipt_code,
    }


def test_the_same_request_again_casts_nothing_more(voting: VotingVillage) -> None:
    round_ = voting.open(CENT, CENT)
    first = voting.cast(round_, voting.home(1), 1, key="ussd:1")
    again = voting.cast(round_, voting.home(1), 1, key="ussd:1")
    assert again == first
    assert len(voting.told("vote_received")) == 1
    with pytest.raises(ValueError, match="another voter's"):
        voting.cast(round_, voting.home(2), 1, key="ussd:1")


def test_a_second_vote_is_refused_with_the_first_receipt(voting: VotingVillage) -> None:
    round_ = voting.open(CENT, CENT)
    first = voting.cast(round_, voting.home(1), 1)
    with pytest.raises(AlreadyVoted) as refused:
        voting.cast(round_, voting.home(1), 2, channel="sms", key="other")
    assert refused.value.receipt_code == first.receipt_code
    assert Ballot.objects.count() == 1


@pytest.mark.parametrize(
    ("numbers", "code"), [([], "nothing_chosen"), ([3], "no_project"), ([1, 9], "no_project")]
)
def test_what_is_not_on_the_ballot_is_not_chosen(
    voting: VotingVillage, numbers: list[int], code: str
) -> None:
    round_ = voting.open(CENT, CENT)
    with pytest.raises(Refused) as refused:
        voting.cast(round_, voting.home(1), *numbers)
    assert refused.value.code == code
    assert not Ballot.objects.exists()


def test_only_who_belongs_to_the_site_votes(voting: VotingVillage, now: datetime) -> None:
    round_ = voting.open(CENT)
    moved, closed = voting.home(1), voting.home(2)
    HouseholdSite.objects.filter(household=moved).update(
        validity=(voting.life.village.founded_at, now)
    )
    closed.closed_at = now
    closed.save()
    given_back = voting.life.donate()
    voting.life.withdraw(given_back)
    nobody = Donor.objects.create(created_at=now)
    for voter in (moved, closed, given_back.donor, nobody):
        with pytest.raises(Refused) as refused:
            voting.cast(round_, voter, 1)
        assert refused.value.code == "not_of_site"
    with pytest.raises(ValueError, match="household or a donor"):
        ballots.cast(round_=round_, numbers=[1], channel="web", key="k", at=voting.at)


def test_before_and_after_its_time_a_round_takes_no_vote(voting: VotingVillage) -> None:
    draft = voting.plan()
    round_ = voting.open(CENT)
    for which, at in ((draft, voting.at), (round_, round_.closes_at)):
        with pytest.raises(Refused) as refused:
            voting.cast(which, voting.home(1), 1, at=at)
        assert refused.value.code == "closed"


# weights


def test_each_household_weighs_one_unless_told_otherwise(voting: VotingVillage) -> None:
    round_ = voting.open(CENT)
    ballot = voting.cast(round_, voting.home(1), 1)
    voting.life.use(KIS0001=1_000_000)
    voting.count(round_)
    assert weights_of(round_) == {ballot.receipt_code: 1}


@pytest.mark.parametrize("rule", ["tokens", "root"])
def test_earned_tokens_weigh_as_they_stand_at_the_count(voting: VotingVillage, rule: str) -> None:
    round_ = voting.open(CENT, household_weight=rule)
    more, less = (voting.cast(round_, voting.home(number), 1) for number in (1, 2))
    for _ in range(2):
        voting.life.use(KIS0001=1_000_000)
    voting.count(round_)
    # One kWh mints one token, half of it the household's.
    assert tokens_of(voting.home(1)) == 150 * CENT
    assert tokens_of(voting.home(2)) == 50 * CENT
    held = {more.receipt_code: 150 * CENT, less.receipt_code: 50 * CENT}
    if rule == "root":
        held = {code: isqrt(tokens) for code, tokens in held.items()}
    assert weights_of(round_) == held


def test_a_household_that_moved_or_closed_after_voting_weighs_nothing(
    voting: VotingVillage,
) -> None:
    round_ = voting.open(CENT, 2 * CENT)
    gone = [voting.cast(round_, voting.home(number), 1) for number in (1, 2)]
    stays = voting.cast(round_, voting.home(3), 2)
    HouseholdSite.objects.filter(household=voting.home(1)).update(
        validity=(voting.life.village.founded_at, voting.at + DAY)
    )
    Household.objects.filter(pk=voting.home(2).pk).update(closed_at=voting.at + DAY)
    counted = voting.count(round_)
    assert weights_of(round_) == {
        gone[0].receipt_code: 0,
        gone[1].receipt_code: 0,
        stays.receipt_code: 1,
    }
    told = json.loads(counted.result)["result"]
    assert told["voting_households"] == "1"
    assert [p["number"] for p in told["projects"] if p["is_funded"]] == ["2"]


def test_donors_weigh_their_vested_tokens(voting: VotingVillage) -> None:
    """A third of the donors' half each; the card's donation has not vested by the count."""
    crypto, twice, card = voting.donor(), voting.donor(), voting.donor(days=120)
    round_ = voting.open(CENT)
    cast = {voting.cast(round_, donor, 1).receipt_code: donor for donor in (crypto, twice, card)}
    voting.life.everybody_uses()
    voting.count(round_)
    index = donors_index.touch(donation=voting.donation_of(crypto))
    assert index.claimed_wei == 4 * 10**18 // 3
    by_donor = {cast[code]: weight for code, weight in weights_of(round_).items()}
    assert by_donor == {crypto: 4 * 10**18 // 3, twice: 4 * 10**18 // 3, card: 0}


def test_a_donation_given_back_after_voting_weighs_nothing(voting: VotingVillage) -> None:
    stays, leaves = voting.donor(), voting.donor()
    voting.life.everybody_uses()
    for rule in ("tokens", "root", "one"):
        assert weights.donor_weight(site=voting.site, rule=rule, donor_id=leaves.pk, at=voting.at)
    round_ = voting.open(CENT, CENT, donor_weight="one")
    first, second = voting.cast(round_, stays, 1), voting.cast(round_, leaves, 2)
    voting.life.withdraw(voting.donation_of(leaves))
    for rule in ("tokens", "root", "one"):
        assert not weights.donor_weight(
            site=voting.site, rule=rule, donor_id=leaves.pk, at=voting.at
        )
    voting.count(round_)
    assert weights_of(round_) == {first.receipt_code: 1, second.receipt_code: 0}


def test_donors_of_one_wallet_are_one_voter(voting: VotingVillage) -> None:
    """Each donation without a log-in makes a donor; whoever holds them all votes once for all."""
    first, second, other = (voting.donor() for _ in range(3))
    for donor in (first, second):
        link(donor, WALLET, voting.at)
    voting.life.everybody_uses()
    round_ = voting.open(CENT)
    ballot = voting.cast(round_, first, 1)
    with pytest.raises(AlreadyVoted) as refused:
        voting.cast(round_, second, 1)
    assert refused.value.receipt_code == ballot.receipt_code
    alone = voting.cast(round_, other, 1)
    voting.count(round_)
    weighed = weights_of(round_)
    assert weighed[ballot.receipt_code] == 2 * weighed[alone.receipt_code]


def test_a_wallets_balance_is_never_looked_at(voting: VotingVillage) -> None:
    """Tokens claimed to a wallet still count for who earned them; bought ones count for nobody."""
    donor = voting.donor()
    voting.life.everybody_uses()
    before = weights.donor_weight(site=voting.site, rule="tokens", donor_id=donor.pk, at=voting.at)
    link(donor, WALLET, voting.at)
    after = weights.donor_weight(site=voting.site, rule="tokens", donor_id=donor.pk, at=voting.at)
    assert before == after > 0


# at once


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_votes_over_every_channel_at_once_leave_one_ballot(
    transactional_db: None, now: datetime
) -> None:
    voting = VotingVillage.found(at=now)
    round_ = voting.open(CENT, CENT)
    start = Barrier(6)
    receipts: list[str] = []
    refused: list[str] = []

    def vote(number: int) -> None:
        start.wait()
        try:
            ballot = voting.cast(
                round_,
                voting.home(1),
                1 + number % 2,
                channel=("ussd", "sms")[number % 2],
                key=f"request {number}",
            )
        except AlreadyVoted as error:
            refused.append(error.receipt_code)
        else:
            receipts.append(ballot.receipt_code)

    run_together(*[lambda n=n: vote(n) for n in range(6)])
    assert len(receipts) == 1
    assert refused == receipts * 5
    assert Ballot.objects.count() == 1
    assert len(voting.told("vote_received")) == 1


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_the_same_request_at_once_is_one_ballot_for_all(
    transactional_db: None, now: datetime
) -> None:
    voting = VotingVillage.found(at=now)
    round_ = voting.open(CENT)
    start = Barrier(4)
    seen: list[Any] = []

    def vote() -> None:
        start.wait()
        seen.append(voting.cast(round_, voting.home(1), 1, key="one").pk)

    run_together(*[vote] * 4)
    assert len(set(seen)) == 1
