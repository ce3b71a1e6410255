"""Rounds: from proposals to reserved money, on the ledger; vetoes, awards, refusals."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.models import JournalEntry, User
from settlement import payout_sending, payouts
from settlement.models import Payee, ServiceToken
from settlement.service_tokens import NotEarned
from tests.integration.test_concurrency import run_together
from tests.voting_village import DAY, POOL_WEI, VotingVillage
from tokens import tasks
from tokens.models import Ballot, Proposal, Round
from tokens.voting import ballots, proposals, published, rounds
from tokens.voting.refusals import Refused

CENT = 10**16


@pytest.fixture
def voting(db: None, now: datetime) -> VotingVillage:
    return VotingVillage.found(at=now)


def state_of(proposal: Proposal) -> str:
    return Proposal.objects.get(pk=proposal.pk).state


def test_the_pool_holds_its_fifth(voting: VotingVillage) -> None:
    assert voting.pool_wei == POOL_WEI


def test_what_is_funded_is_set_aside_to_the_wei(voting: VotingVillage) -> None:
    round_ = voting.open(20 * CENT, 15 * CENT, 30 * CENT)
    for number in range(1, 6):
        voting.cast(round_, voting.home(number), 1)
    for number in range(6, 9):
        voting.cast(round_, voting.home(number), 2, 3)
    counted = voting.count(round_)

    states = {p.number: p.state for p in counted.proposals.all()}
    assert states == {1: "funded", 2: "funded", 3: "not_funded"}
    assert counted.reserved_wei == 35 * CENT
    assert (voting.pool_wei, voting.reserved_wei) == (POOL_WEI - 35 * CENT, 35 * CENT)
    entry = JournalEntry.objects.get(kind="grant_reserve")
    assert entry.key == "round:kisima:1"
    assert entry.postings.count() == 2


def test_the_published_bytes_give_the_result_again(voting: VotingVillage) -> None:
    round_ = voting.open(20 * CENT, 15 * CENT)
    voting.cast(round_, voting.home(1), 1)
    voting.cast(round_, voting.donor(), 2)
    counted = voting.count(round_)
    content = counted.result.encode()
    assert published.write(published.read(content)) == content
    assert published.hash_of(content) == counted.result_hash
    told = json.loads(content)
    assert told["grant_pool_wei"] == str(POOL_WEI)
    assert {b["receipt_code"] for b in told["ballots"]} == {
        ballot.receipt_code for ballot in Ballot.objects.all()
    }
    assert "KIS0001" not in counted.result


def test_counting_twice_counts_once(voting: VotingVillage) -> None:
    round_ = voting.open(20 * CENT)
    voting.cast(round_, voting.home(1), 1)
    first = voting.count(round_)
    again = rounds.count(round_=round_, at=round_.closes_at + DAY)
    assert (again.counted_at, again.result) == (first.counted_at, first.result)
    assert voting.reserved_wei == 20 * CENT


def test_a_round_is_not_counted_while_it_is_open(voting: VotingVillage) -> None:
    round_ = voting.open(20 * CENT)
    with pytest.raises(Refused, match="not to be counted"):
        rounds.count(round_=round_, at=round_.closes_at - timedelta(microseconds=1))
    assert Round.objects.get().state == Round.State.OPEN


def test_the_budget_is_no_more_than_the_pool_holds(voting: VotingVillage) -> None:
    round_ = voting.open(30 * CENT, 15 * CENT, budget_wei=10**18)
    for number in range(1, 9):
        voting.cast(round_, voting.home(number), 1, 2)
    counted = voting.count(round_)
    # Equally wanted: the cheaper one first, and then there is too little for the other.
    assert counted.reserved_wei == 15 * CENT
    assert json.loads(counted.result)["result"]["spendable_wei"] == str(POOL_WEI)


def test_the_next_round_has_what_the_first_left(voting: VotingVillage) -> None:
    first = voting.open(30 * CENT)
    voting.cast(first, voting.home(1), 1)
    voting.count(first)
    second = voting.open(15 * CENT, 10 * CENT)
    assert second.number == 2
    voting.cast(second, voting.home(1), 1, 2)
    voting.count(second)
    assert voting.reserved_wei == 40 * CENT
    assert voting.pool_wei == 0


def test_without_a_vote_nothing_is_funded_and_nothing_posted(voting: VotingVillage) -> None:
    counted = voting.count(voting.open(10 * CENT))
    assert counted.reserved_wei == 0
    assert not JournalEntry.objects.filter(kind="grant_reserve").exists()
    assert json.loads(counted.result)["ballots"] == []


def test_most_votes_is_an_option(voting: VotingVillage) -> None:
    """Five of eight would leave three with nothing; Equal Shares gives the three theirs."""
    for method, expected in (("most_votes", {1, 2}), ("equal_shares", {1, 3})):
        round_ = voting.open(10 * CENT, 10 * CENT, 7 * CENT, budget_wei=20 * CENT, method=method)
        for number in range(1, 6):
            voting.cast(round_, voting.home(number), 1, 2)
        for number in range(6, 9):
            voting.cast(round_, voting.home(number), 3)
        counted = voting.count(round_)
        funded = counted.proposals.filter(state=Proposal.State.FUNDED)
        assert {p.number for p in funded} == expected


# proposals


def test_a_proposal_is_vetted_and_its_household_told(voting: VotingVillage) -> None:
    round_ = voting.plan()
    made = voting.propose(round_, "Well pump", 10 * CENT)
    assert [n.params["title"] for n in voting.told("proposal_made")] == ["Well pump"]
    refused = proposals.refuse(
        proposal=made, reason="Costs twice as much elsewhere.", by=voting.user, at=voting.at
    )
    assert (refused.state, refused.decided_by) == (Proposal.State.REFUSED, voting.user)
    with pytest.raises(Refused, match="not put to the vote"):
        proposals.admit(proposal=made, by=voting.user, at=voting.at)


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_refusal_needs_a_reason(voting: VotingVillage, reason: str) -> None:
    made = voting.propose(voting.plan(), "Well pump", 10 * CENT)
    with pytest.raises(Refused, match="give one"):
        proposals.refuse(proposal=made, reason=reason, by=voting.user, at=voting.at)


def test_strangers_do_not_propose(voting: VotingVillage) -> None:
    round_ = voting.plan()
    stranger = voting.life.village.household("KIS0099", phone="+254711000099")
    stranger.closed_at = voting.at
    stranger.save()
    given_back = voting.life.donate()
    voting.life.withdraw(given_back)
    for who in ({"household": stranger}, {"donor": given_back.donor}):
        with pytest.raises(Refused) as refused:
            voting.propose(round_, "Mine", CENT, **who)
        assert refused.value.code == "not_of_site"


def test_nobody_floods_a_round_with_proposals(voting: VotingVillage) -> None:
    round_ = voting.plan()
    for title in ("One", "Two"):
        voting.propose(round_, title, CENT)
    with pytest.raises(Refused, match="wait already"):
        voting.propose(round_, "Three", CENT)
    voting.propose(round_, "Three", CENT, household=voting.home(2))


def test_a_ballot_holds_eight_projects(voting: VotingVillage) -> None:
    round_ = voting.plan()
    for number in range(1, 9):
        voting.admit(round_, f"Project {number}", CENT)
    with pytest.raises(Refused, match="8 projects"):
        voting.admit(round_, "Ninth", CENT)


@pytest.mark.parametrize("cost", [0, POOL_WEI + 1])
def test_what_costs_nothing_or_more_than_the_budget_is_not_proposed(
    voting: VotingVillage, cost: int
) -> None:
    with pytest.raises(Refused) as refused:
        voting.propose(voting.plan(), "Palace", cost)
    assert refused.value.code == "too_dear"


def test_an_open_round_takes_no_proposals_and_refuses_what_was_not_vetted(
    voting: VotingVillage,
) -> None:
    round_ = voting.plan()
    voting.admit(round_, "Pump", CENT)
    late = voting.propose(round_, "Not vetted", CENT)
    rounds.open_round(round_=round_, at=voting.at)
    late.refresh_from_db()
    assert (late.state, late.reason) == (Proposal.State.REFUSED, rounds.NOT_VETTED)
    with pytest.raises(Refused, match="no more proposals"):
        voting.propose(round_, "Too late", CENT)


# opening, cancelling


def test_everybody_is_told_of_an_opened_round_and_of_its_count(voting: VotingVillage) -> None:
    round_ = voting.open(10 * CENT)
    rounds.open_round(round_=round_, at=voting.at)
    assert len(voting.told("round_opened")) == 8
    voting.cast(round_, voting.home(1), 1)
    voting.count(round_)
    (*_, last) = voting.told("round_counted")
    assert last.params == {
        "round_number": 1,
        "titles": ["Project 1"],
        "titles_fr": ["Project 1"],
    }


def test_a_round_opens_only_with_a_project_in_its_time_and_alone(voting: VotingVillage) -> None:
    empty = voting.plan()
    with pytest.raises(Refused, match="no admitted project"):
        rounds.open_round(round_=empty, at=voting.at)
    voting.admit(empty, "Pump", CENT)
    for wrong in (empty.opens_at - DAY, empty.closes_at):
        with pytest.raises(Refused, match="not to be opened"):
            rounds.open_round(round_=empty, at=wrong)
    voting.open(CENT)
    with pytest.raises(Refused, match="another round"):
        rounds.open_round(round_=empty, at=voting.at)


def test_a_cancelled_round_says_why_and_is_never_counted(voting: VotingVillage) -> None:
    round_ = voting.open(10 * CENT)
    voting.cast(round_, voting.home(1), 1)
    with pytest.raises(Refused, match="give one"):
        rounds.cancel(round_=round_, reason="", at=voting.at)
    rounds.cancel(round_=round_, reason="The pump broke.", at=voting.at)
    assert [n.params["news"] for n in voting.told("round_cancelled")] == ["The pump broke."] * 8
    with pytest.raises(Refused):
        rounds.count(round_=round_, at=round_.closes_at)
    with pytest.raises(Refused):
        rounds.cancel(round_=round_, reason="Again.", at=voting.at)


def test_the_task_opens_and_counts_what_is_due(voting: VotingVillage) -> None:
    round_ = voting.plan()
    voting.admit(round_, "Pump", 10 * CENT)
    rounds.run_due(at=round_.opens_at - DAY)
    assert Round.objects.get().state == Round.State.DRAFT
    rounds.run_due(at=round_.opens_at)
    assert Round.objects.get().state == Round.State.OPEN
    rounds.run_due(at=round_.closes_at)
    assert Round.objects.get().state == Round.State.COUNTED
    tasks.run_rounds()


def test_a_draft_without_projects_is_cancelled_at_its_end(voting: VotingVillage) -> None:
    round_ = voting.plan()
    rounds.run_due(at=round_.closes_at - DAY)
    assert Round.objects.get().state == Round.State.DRAFT
    rounds.run_due(at=round_.closes_at)
    assert Round.objects.get().reason == rounds.NOTHING_TO_VOTE_ON


# vetoes, awards


def counted_round(voting: VotingVillage, **told: Payee) -> tuple[Round, Proposal]:
    round_ = voting.plan()
    project = voting.admit(round_, "Pump", 30 * CENT, **told)
    rounds.open_round(round_=round_, at=voting.at)
    voting.cast(round_, voting.home(3), 1)
    return voting.count(round_), Proposal.objects.get(pk=project.pk)


def test_a_veto_gives_the_money_back_and_tells_its_voters(voting: VotingVillage) -> None:
    _round, project = counted_round(voting)
    vetoed = proposals.veto(
        proposal=project, reason="The land is not ours.", by=voting.user, at=voting.at
    )
    assert vetoed.state == Proposal.State.VETOED
    assert (voting.pool_wei, voting.reserved_wei) == (POOL_WEI, 0)
    (told,) = voting.told("project_vetoed")
    assert (told.phone, told.params["news"]) == ("+254711000003", "The land is not ours.")
    with pytest.raises(Refused):
        proposals.veto(proposal=project, reason="Again", by=voting.user, at=voting.at)


def test_a_veto_needs_a_reason_and_a_funded_project(voting: VotingVillage) -> None:
    _round, project = counted_round(voting)
    with pytest.raises(Refused, match="give one"):
        proposals.veto(proposal=project, reason=" ", by=voting.user, at=voting.at)
    assert voting.reserved_wei == 30 * CENT
    other = voting.propose(voting.plan(), "Never voted on", CENT)
    with pytest.raises(Refused):
        proposals.veto(proposal=other, reason="No", by=voting.user, at=voting.at)


def test_the_payee_is_awarded_once_and_then_there_is_no_veto(voting: VotingVillage) -> None:
    _round, project = counted_round(voting)
    with pytest.raises(Refused, match="no payee"):
        proposals.award(proposal=project, by=voting.user, at=voting.at)
    payee = voting.payee()
    token = proposals.award(proposal=project, by=voting.user, at=voting.at, payee=payee)
    assert (token.amount_wei, token.payee, token.reason) == (30 * CENT, payee, "grant")
    assert proposals.award(proposal=project, at=voting.at) == token
    with pytest.raises(Refused, match="awarded"):
        proposals.veto(proposal=project, reason="Too late", by=voting.user, at=voting.at)


def test_who_is_no_grantee_is_awarded_nothing(voting: VotingVillage) -> None:
    _round, project = counted_round(voting)
    contractor = voting.payee("jua", role=Payee.Role.CONTRACTOR)
    with pytest.raises(Refused, match="no grantee"):
        proposals.award(proposal=project, at=voting.at, payee=contractor)
    closed = voting.payee("gone", closed_at=voting.at)
    with pytest.raises(NotEarned):
        proposals.award(proposal=project, at=voting.at, payee=closed)


def test_once_the_time_for_a_veto_is_over_the_payee_is_awarded(voting: VotingVillage) -> None:
    round_, project = counted_round(voting, payee=voting.payee())
    assert round_.counted_at is not None
    rounds.run_due(at=round_.counted_at + 3 * DAY - timedelta(seconds=1))
    assert not ServiceToken.objects.exists()
    for _ in range(2):
        rounds.run_due(at=round_.counted_at + 3 * DAY)
    token = ServiceToken.objects.get()
    assert (token.subject, token.accepted_by) == (f"proposal:{project.uid}", None)


def test_what_paying_left_of_the_reserve_goes_back_once(voting: VotingVillage) -> None:
    """38.775 shillings: 38 are sent, and what the rest is worth goes back to the grant pool."""
    round_, project = counted_round(voting, payee=voting.payee())
    token = proposals.award(proposal=project, by=voting.user, at=voting.at)
    assert proposals.give_back_rest(proposal=project, at=voting.at) == 0
    paid_wei = pay_out(voting, token)
    assert proposals.give_back_rest(proposal=project, at=voting.at) == 0
    payout_sending.seen(payout=token.payouts.get(), at=voting.at)
    assert 29 * CENT < paid_wei < 30 * CENT
    assert voting.reserved_wei == 30 * CENT - paid_wei
    for _ in range(2):
        rounds.run_due(at=round_.closes_at)
    assert voting.reserved_wei == 0
    assert voting.pool_wei == POOL_WEI - paid_wei


def pay_out(voting: VotingVillage, token: ServiceToken) -> int:
    """Propose, approve and send what a token is good for; return the wei that were taken."""
    second = User.objects.create_user("second", operator=voting.life.village.operator)
    voting.life.village.pay("KIS0001", amount_minor=100_000, at=voting.at)
    payout = payouts.propose(
        service_token=token, pool="grant", proposed_by=voting.user, at=voting.at
    )
    payouts.approve(payout=payout, approved_by=second, at=voting.at)
    sending = payout_sending.claim(payout_id=payout.pk, at=voting.at)
    assert sending is not None
    payout_sending.submitted(payout=sending, at=voting.at)
    payout_sending.paid(payout=sending, reference="RCPOUT1", paid_at=voting.at, at=voting.at)
    return payout.amount_wei


def test_what_became_of_a_project_is_told_to_who_voted_for_it(voting: VotingVillage) -> None:
    _round, project = counted_round(voting)
    with pytest.raises(Refused):
        proposals.tell(proposal=project, text="", at=voting.at)
    proposals.tell(proposal=project, text="The pump runs since Monday.", at=voting.at)
    (told,) = voting.told("project_news")
    assert told.household == voting.home(3)
    other = voting.propose(voting.plan(), "Never", CENT)
    with pytest.raises(Refused):
        proposals.tell(proposal=other, text="News", at=voting.at)


# what the database itself refuses


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tokens_round SET budget_wei = budget_wei + 1",
        "UPDATE tokens_round SET closes_at = closes_at + interval '1 day'",
        "UPDATE tokens_round SET state = 'draft'",
        "DELETE FROM tokens_round",
        "UPDATE tokens_proposal SET cost_wei = cost_wei + 1",
        "UPDATE tokens_proposal SET number = 7",
        "UPDATE tokens_proposal SET state = 'vetoed'",
        "DELETE FROM tokens_proposal",
        "UPDATE tokens_ballot SET household_id = (SELECT max(id) FROM accounts_household)",
        "UPDATE tokens_ballot SET receipt_code = 'X'",
        "DELETE FROM tokens_ballot",
        "UPDATE tokens_choice SET proposal_id = proposal_id",
        "DELETE FROM tokens_choice",
        "INSERT INTO tokens_choice (ballot_id, proposal_id)"
        " SELECT b.id, p.id FROM tokens_ballot b, tokens_proposal p WHERE p.number = 2",
    ],
)
def test_rules_and_ballots_of_an_open_round_do_not_change(
    voting: VotingVillage, change: str
) -> None:
    round_ = voting.open(CENT, CENT)
    voting.cast(round_, voting.home(1), 1)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tokens_round SET result = '{}'",
        "UPDATE tokens_round SET state = 'open'",
        "UPDATE tokens_ballot SET weight = weight + 1",
        "INSERT INTO tokens_ballot (uid, round_id, household_id, receipt_code, channel, key,"
        " signature, cast_at) SELECT gen_random_uuid(), round_id,"
        " (SELECT max(id) FROM accounts_household), 'LATE', 'ussd', 'late', '', cast_at"
        " FROM tokens_ballot",
    ],
)
def test_a_count_is_final(voting: VotingVillage, change: str) -> None:
    round_ = voting.open(CENT)
    voting.cast(round_, voting.home(1), 1)
    voting.count(round_)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(change)


# several at once


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_several_workers_count_once(transactional_db: None, now: datetime) -> None:
    voting = VotingVillage.found(at=now)
    round_ = voting.open(20 * CENT)
    voting.cast(round_, voting.home(1), 1)
    start = Barrier(4)

    def count() -> None:
        start.wait()
        rounds.run_due(at=round_.closes_at)

    run_together(*[count] * 4)
    assert JournalEntry.objects.filter(kind="grant_reserve").count() == 1
    assert voting.reserved_wei == 20 * CENT
    assert len(voting.told("round_counted")) == 8


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_a_ballot_cast_beside_the_count_is_in_it_or_refused(
    transactional_db: None, now: datetime
) -> None:
    voting = VotingVillage.found(at=now)
    round_ = voting.open(CENT)
    start = Barrier(9)
    late: list[str] = []

    def vote(number: int) -> None:
        start.wait()
        try:
            # By this worker's clock the round has a moment left.
            ballots.cast(
                round_=round_,
                numbers=[1],
                channel="ussd",
                key=f"k{number}",
                household=voting.home(number),
                at=round_.closes_at - timedelta(microseconds=1),
            )
        except Refused as error:
            late.append(error.code)

    def count() -> None:
        start.wait()
        rounds.count(round_=round_, at=round_.closes_at)

    run_together(count, *[lambda n=n: vote(n) for n in range(1, 9)])
    listed = json.loads(Round.objects.get().result)["ballots"]
    assert len(listed) == Ballot.objects.count()
    assert len(listed) + len(late) == 8
    assert set(late) <= {"closed"}
