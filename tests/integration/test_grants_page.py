"""The public page of grants: the pool, its votes, refusals and vetoes with their reasons."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.utils import translation
from pytest_django import DjangoAssertNumQueries, Settings

from tests.integration.test_pages import Page
from tests.integration.voting_pages import CENT, some_while_ago
from tests.voting_village import VotingVillage
from tokens.models import Proposal
from tokens.voting import proposals

pytestmark = pytest.mark.django_db

PATH = "/sites/kisima/grants/"
BUDGET_BYTES = 100_000


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Iterator[None]:
    settings.CHAIN_ID = 31_337
    with translation.override("en"):
        yield


@pytest.fixture
def voting() -> VotingVillage:
    return VotingVillage.found(at=some_while_ago())


def _text(**headers: str) -> str:
    answer = Client(headers=headers).get(PATH)
    assert answer.status_code == 200
    return Page(answer.content.decode()).text


def _counted(voting: VotingVillage) -> None:
    round_ = voting.open(20 * CENT, 15 * CENT, budget_wei=30 * CENT)
    for number in range(1, 7):
        voting.cast(round_, voting.home(number), 1)
    voting.count(round_)


def test_a_site_without_votes_tells_its_pool_and_how_votes_will_go(voting: VotingVillage) -> None:
    text = _text()

    assert "Free for votes 0.4000 DAI 51.70 KES" in text  # at 129.25
    assert "Reserved for funded projects 0.0000 DAI" in text
    assert "Paid out so far 0.0000 DAI" in text
    assert "There was no vote yet." in text
    assert "No vote is open now." in text


def test_an_open_round_tells_costs_and_how_to_vote_by_phone(voting: VotingVillage) -> None:
    voting.open(20 * CENT, 15 * CENT)
    answer = Client().get(PATH).content.decode()
    page = Page(answer)

    assert "VOTE 1" in page.text
    assert "Votes are taken until" in page.text
    assert "1. Project 1 : 0.2000 DAI (25.85 KES), on the ballot" in page.text
    assert "/sites/kisima/rounds/1/" in page.addresses


def test_a_count_moves_money_to_the_reserve_and_names_what_was_funded(
    voting: VotingVillage,
) -> None:
    _counted(voting)
    text = _text()

    assert voting.reserved_wei == 20 * CENT
    assert "Reserved for funded projects 0.2000 DAI" in text
    assert "Free for votes 0.2000 DAI" in text
    assert re.search(r"Project 1 : 0\.2000 DAI \(25\.85 KES\), funded", text)
    assert re.search(r"Project 2 : 0\.1500 DAI \(19\.39 KES\), not funded", text)


def test_a_veto_and_a_refusal_are_published_with_their_reasons(voting: VotingVillage) -> None:
    round_ = voting.plan(budget_wei=30 * CENT)
    refused = voting.propose(round_, "Fireworks", 10 * CENT)
    proposals.refuse(proposal=refused, reason="too dangerous", by=voting.user, at=voting.at)
    _counted(voting)
    funded = Proposal.objects.get(state=Proposal.State.FUNDED)
    proposals.veto(proposal=funded, reason="the well is dry", by=voting.user, at=voting.at)
    text = _text()

    assert "Fireworks : 0.1000 DAI (12.93 KES), not put to the vote" in text
    assert "too dangerous" in text
    assert "vetoed after the vote" in text
    assert "the well is dry" in text
    assert "Free for votes 0.4000 DAI" in text


def test_what_became_of_a_project_is_told(voting: VotingVillage) -> None:
    _counted(voting)
    Proposal.objects.filter(state=Proposal.State.FUNDED).update(
        what_became="Water since <b>May</b>", what_became_at=voting.at
    )
    answer = Client().get(PATH).content.decode()

    assert "Water since &lt;b&gt;May&lt;/b&gt;" in answer


def test_what_waits_to_be_vetted_and_who_proposed_are_not_shown(voting: VotingVillage) -> None:
    voting.propose(voting.plan(), "Secret wish", 10 * CENT)
    _counted(voting)
    text = _text()

    assert "Secret wish" not in text
    assert not re.search(r"KIS00|\+2547", text)


def test_the_page_is_kept_until_it_changes_and_is_small(voting: VotingVillage) -> None:
    _counted(voting)
    answer = Client(headers={"Accept-Encoding": "gzip"}).get(PATH)

    assert answer["Cache-Control"] == "public, no-cache"
    assert answer["ETag"]
    assert answer["Content-Encoding"] == "gzip"
    assert len(answer.content) < BUDGET_BYTES
    assert b"grant" in gzip.decompress(answer.content)


def test_the_number_of_queries_does_not_grow_with_rounds(
    voting: VotingVillage, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    _counted(voting)
    voting.plan()
    voting.open(5 * CENT, 6 * CENT)

    with django_assert_max_num_queries(14):
        Client().get(PATH)


def test_the_page_speaks_french(voting: VotingVillage) -> None:
    _counted(voting)
    text = _text(**{"Accept-Language": "fr"})

    for words in ("Subventions de Kisima", "Le fonds de subventions", "Saison sèche", "financé"):
        assert words in text
    assert "Reserved" not in text


def test_an_unknown_site_is_not_found(voting: VotingVillage) -> None:
    assert Client().get("/sites/nowhere/grants/").status_code == 404
