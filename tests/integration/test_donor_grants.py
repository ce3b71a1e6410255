"""What became of the projects that a donor voted for, from the ballot to the payee's phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from pytest_django import Settings

from accounts.models import Donor, User
from settlement import payout_sending, payouts
from settlement.models import Payout
from tests.integration.test_pages import Page
from tests.integration.voting_pages import CENT, some_while_ago
from tests.voting_village import VotingVillage
from tokens import donor_grants
from tokens.donor_grants import Became, Supported
from tokens.models import Round
from tokens.voting import proposals, rounds

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Iterator[None]:
    settings.CHAIN_ID = 31_337
    cache.clear()
    with translation.override("en"):
        yield


@pytest.fixture
def voting() -> VotingVillage:
    return VotingVillage.found(at=some_while_ago())


@pytest.fixture
def donor(voting: VotingVillage) -> Donor:
    """Has given and earned, so that the vote counts."""
    donor = voting.donor()
    voting.life.everybody_uses()
    return donor


@pytest.fixture
def round_(voting: VotingVillage, donor: Donor) -> Round:
    """Open: six households vote for the first project, the donor for the first two."""
    round_ = voting.open(20 * CENT, 15 * CENT, 10 * CENT, budget_wei=30 * CENT)
    for number in range(1, 7):
        voting.cast(round_, voting.home(number), 1)
    voting.cast(round_, donor, 1, 2)
    return round_


def supported(donor: Donor) -> list[Supported]:
    (vote,) = donor_grants.votes(donors=[donor])
    return list(vote.supported)


def page(donor: Donor, **headers: str) -> str:
    client = Client(headers=headers)
    session = client.session
    session["donor"] = str(donor.uid)
    session.save()
    return Page(client.get("/donor/").content.decode()).text


def paying(voting: VotingVillage) -> Payout:
    """The first project's payee is awarded and to be paid; nobody agreed yet."""
    project = voting.site.rounds.get().proposals.get(number=1)
    token = proposals.award(proposal=project, by=voting.user, at=voting.at, payee=voting.payee())
    return payouts.propose(service_token=token, pool="grant", proposed_by=voting.user, at=voting.at)


def approved(voting: VotingVillage, payout: Payout) -> Payout:
    voting.life.village.pay("KIS0001", amount_minor=100_000, at=voting.at)
    other = User.objects.create_user("second", operator=voting.life.village.operator)
    return payouts.approve(payout=payout, approved_by=other, at=voting.at)


def sent(voting: VotingVillage, payout: Payout) -> Payout:
    claimed = payout_sending.claim(payout_id=payout.pk, at=voting.at)
    assert claimed is not None
    payout_sending.submitted(payout=claimed, at=voting.at)
    return claimed


def test_who_did_not_vote_has_no_votes(donor: Donor) -> None:
    assert donor_grants.votes(donors=[donor]) == []
    assert donor_grants.votes(donors=[]) == []
    assert "Projects you voted for" not in page(donor)


def test_an_open_vote_says_until_when_and_nothing_of_its_count(round_: Round, donor: Donor) -> None:
    assert [each.became for each in supported(donor)] == [Became.VOTING, Became.VOTING]
    text = page(donor)
    assert "Project 1 : votes are taken until" in text
    assert "Project 3" not in text


def test_a_cancelled_vote_says_why(voting: VotingVillage, round_: Round, donor: Donor) -> None:
    rounds.cancel(round_=round_, reason="The well ran dry", at=voting.at)

    assert [each.became for each in supported(donor)] == [Became.CANCELLED] * 2
    assert "the vote ended without a count: The well ran dry" in page(donor)


def test_a_counted_vote_tells_what_is_funded_and_why_the_rest_is_not(
    voting: VotingVillage, round_: Round, donor: Donor
) -> None:
    voting.count(round_)
    first, second = supported(donor)

    assert (first.became, first.reason) == (Became.FUNDED, "")
    assert (second.became, second.reason) == (Became.NOT_FUNDED, "too_few_households")
    text = page(donor)
    assert "Project 1 : funded: its money is set aside" in text
    assert "Project 2 : not funded: too few of the voting households" in text
    french = page(donor, **{"accept-language": "fr"})
    assert "Les projets pour lesquels vous avez voté" in french
    assert "financé : l’argent est mis de côté" in french


def test_a_veto_is_told_with_its_reason(voting: VotingVillage, round_: Round, donor: Donor) -> None:
    voting.count(round_)
    project = round_.proposals.get(number=1)
    proposals.veto(proposal=project, reason="No land for it", by=voting.user, at=voting.at)

    assert supported(donor)[0].became == Became.VETOED
    assert "vetoed by the operator: No land for it" in page(donor)


def test_a_payment_is_followed_until_it_is_paid(
    voting: VotingVillage, round_: Round, donor: Donor
) -> None:
    voting.count(round_)
    payout = paying(voting)
    assert supported(donor)[0].became == Became.AWARDED
    assert "funded: its payee is to be paid" in page(donor)
    payout = approved(voting, payout)
    assert supported(donor)[0].became == Became.SENDING
    payout = sent(voting, payout)
    assert "funded: the payment is on its way" in page(donor)

    payout_sending.paid(payout=payout, reference="RCP1", paid_at=voting.at, at=voting.at)

    told = supported(donor)[0]
    assert told.became == Became.PAID
    assert (told.paid_at, told.paid_wei) == (voting.at, payout.amount_wei)
    assert "funded, and paid out on" in page(donor)


def test_a_payment_that_came_back_is_told_and_its_next_one_counts(
    voting: VotingVillage, round_: Round, donor: Donor
) -> None:
    voting.count(round_)
    payout = sent(voting, approved(voting, paying(voting)))
    payout_sending.failed(payout=payout, code="1", text="no such phone", at=voting.at)
    assert supported(donor)[0].became == Became.CAME_BACK
    assert "a payment came back" in page(donor)
    assert "no such phone" not in page(donor)

    payouts.propose(
        service_token=payout.service_token, pool="grant", proposed_by=voting.user, at=voting.at
    )
    assert supported(donor)[0].became == Became.AWARDED


def test_what_became_of_a_project_is_told_with_its_age(
    voting: VotingVillage, round_: Round, donor: Donor
) -> None:
    voting.count(round_)
    project = round_.proposals.get(number=1)
    proposals.tell(proposal=project, text="The pump runs.", at=voting.at)

    assert "The pump runs." in page(donor)


def test_nobody_sees_the_votes_of_others(
    voting: VotingVillage, round_: Round, donor: Donor
) -> None:
    assert "Projects you voted for" not in page(voting.donor())


def test_queries_do_not_grow_with_votes(voting: VotingVillage, round_: Round, donor: Donor) -> None:
    voting.count(round_)
    with CaptureQueriesContext(connection) as few:
        assert len(donor_grants.votes(donors=[donor])) == 1
    again = voting.open(5 * CENT, 4 * CENT, budget_wei=10 * CENT)
    voting.cast(again, donor, 1, 2, key="again")
    with CaptureQueriesContext(connection) as many:
        assert len(donor_grants.votes(donors=[donor])) == 2

    assert len(many) == len(few)
