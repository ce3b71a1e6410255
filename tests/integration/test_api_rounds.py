"""Rounds at the API: projects and rules for everybody, ballots once they are counted."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from tests.calling import problem_of
from tests.integration.voting_pages import CENT, round_, voting
from tests.voting_village import VotingVillage
from tokens.models import Round
from tokens.voting import proposals, published

__all__ = ["round_", "voting"]

pytestmark = pytest.mark.django_db

ROOT = "/api/v1/sites/kisima/rounds/"


def test_rounds_are_listed_newest_first(voting: VotingVillage, round_: Round) -> None:
    voting.plan()
    body = Client().get(ROOT).json()
    assert (body["count"], body["next"], body["previous"]) == (2, None, None)
    assert [(each["number"], each["state"]) for each in body["results"]] == [
        (2, "draft"),
        (1, "open"),
    ]
    assert body["results"][1]["budget"] == {"amount": "0.400000000000000000", "asset": "DAI"}
    assert Client().get(f"{ROOT}?limit=1").json()["next"]


def test_a_round_tells_its_projects_and_nothing_of_how_it_stands(
    voting: VotingVillage, round_: Round
) -> None:
    before = Client().get(f"{ROOT}1/").json()
    assert [each["number"] for each in before["projects"]] == [1, 2, 3]
    assert before["projects"][0]["cost"] == {"amount": "0.200000000000000000", "asset": "DAI"}
    for number in range(1, 6):
        voting.cast(round_, voting.home(number), 1)
    assert Client().get(f"{ROOT}1/").json() == before
    problem_of(Client().get(f"{ROOT}1/ballots/"), status=404, kind="not-found")


def test_what_waits_to_be_vetted_is_not_published(voting: VotingVillage) -> None:
    draft = voting.plan()
    voting.propose(draft, "Not vetted", CENT, household=voting.home(1))
    refused = voting.propose(draft, "A palace", CENT, household=voting.home(2))
    proposals.refuse(proposal=refused, reason="Nobody needs it.", by=voting.user, at=voting.at)
    listed = Client().get(f"{ROOT}1/").json()["projects"]
    assert [(p["title"], p["state"], p["reason"], p["number"]) for p in listed] == [
        ("A palace", "refused", "Nobody needs it.", None)
    ]


def test_a_counted_round_publishes_its_bytes_for_ever(voting: VotingVillage, round_: Round) -> None:
    ballot = voting.cast(round_, voting.home(1), 1)
    counted = voting.count(round_)
    body = Client().get(f"{ROOT}1/").json()
    assert (body["state"], body["result_hash"]) == ("counted", counted.result_hash)
    assert body["reserved"]["amount"] == "0.200000000000000000"
    answer = Client().get(f"{ROOT}1/ballots/")
    assert published.hash_of(answer.content) == counted.result_hash
    assert "immutable" in answer["Cache-Control"]
    assert answer["ETag"] == f'"{counted.result_hash}"'
    (told,) = json.loads(answer.content)["ballots"]
    assert told == {
        "receipt_code": ballot.receipt_code,
        "house": "households",
        "weight": "1",
        "options": ["1"],
    }


@pytest.mark.parametrize("path", ["9/", "9/ballots/", "x/"])
def test_what_there_is_not_is_a_problem(round_: Round, path: str) -> None:
    problem_of(Client().get(f"{ROOT}{path}"), status=404, kind="not-found")
