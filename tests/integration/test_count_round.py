"""count_round: the result again from published ballots alone, or from the stored ones."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from tests.epoch_village import EpochVillage
from tests.voting_village import VotingVillage
from tokens import dataset, epochs
from tokens.models import Epoch, Round

CENT = 10**16


@pytest.fixture
def counted(db: None, now: datetime) -> Round:
    """Three projects, five household ballots and a donor's; two are funded."""
    voting = VotingVillage.found(at=now)
    donor = voting.donor()
    voting.life.everybody_uses()
    round_ = voting.open(20 * CENT, 10 * CENT, 25 * CENT)
    for number in range(1, 5):
        voting.cast(round_, voting.home(number), 1)
    voting.cast(round_, voting.home(5), 2, 3)
    voting.cast(round_, donor, 2)
    return voting.count(round_)


def count(**options: Any) -> str:
    out = io.StringIO()
    call_command("count_round", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def file(counted: Round, tmp_path: Path) -> Path:
    """What the API published."""
    path = tmp_path / "published.json"
    path.write_bytes(Client().get("/api/v1/sites/kisima/rounds/1/ballots/").content)
    return path


def test_the_published_file_gives_the_result_step_by_step(counted: Round, file: Path) -> None:
    told = count(file=file)
    assert "households: 5 votes that count" in told
    assert "donors: 1 votes that count" in told
    assert "project 3: 1 households, too few" in told
    assert "1. project 1 for 0.200000000000000000 DAI: 4 voters pay" in told
    assert "FUNDED, bought by its supporters' shares" in told
    assert f"SHA-256 {counted.result_hash}" in told
    assert told.endswith("The published result is reproduced, byte for byte.\n")


def test_the_stored_ballots_give_the_same(counted: Round, file: Path) -> None:
    assert count(round=counted.uid) == count(file=file)


def changed(file: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    told = json.loads(file.read_bytes())
    change(told)
    file.write_bytes(json.dumps(told, sort_keys=True, separators=(",", ":")).encode())
    return file


def of_household(told: dict[str, Any]) -> dict[str, Any]:
    """A household's ballot for project 1; receipt codes are random, and order the ballots."""
    return next(
        ballot
        for ballot in told["ballots"]
        if ballot["house"] == "households" and ballot["options"] == ["1"]
    )


CHANGES: list[Callable[[dict[str, Any]], object]] = [
    lambda told: told["result"].update(spent_wei="1"),
    lambda told: told["result"]["projects"].reverse(),
    lambda told: told["ballots"].remove(of_household(told)),
    lambda told: of_household(told).update(weight="3"),
    lambda told: of_household(told).update(options=["3"]),
    lambda told: told.update(grant_pool_wei="1"),
    lambda told: told.update(support_basis_points="10000"),
    lambda told: told["projects"][0].update(cost_wei="5"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_was_changed_the_result_no_longer_follows(
    file: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    with pytest.raises(CommandError) as error:
        count(file=changed(file, change))
    assert error.value.returncode == 1
    assert "DIFFERS" in str(error.value)


def test_the_same_result_in_other_bytes_is_not_what_was_published(file: Path) -> None:
    file.write_text(json.dumps(json.loads(file.read_bytes()), indent=2))
    with pytest.raises(CommandError, match="other bytes"):
        count(file=file)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda told: told.update(format="another"), "not a voting-round/1"),
        (lambda told: told.pop("ballots"), "can't be read"),
        (lambda told: told.update(method="lottery"), "no method"),
        (lambda told: told["ballots"][0].update(weight="-1"), "no whole number"),
        (lambda told: told["ballots"][0].update(weight=1), "no whole number"),
        (lambda told: told["ballots"].append(told["ballots"][0]), "stands there twice"),
        (lambda told: told["ballots"][0].update(options=["9"]), "no project 9"),
        (lambda told: told["ballots"][0].update(house="guests"), "no house"),
    ],
)
def test_what_is_no_count_is_refused(
    file: Path, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    with pytest.raises(CommandError, match=told):
        count(file=changed(file, change))


def test_what_is_no_json_and_what_there_is_not_is_said(tmp_path: Path, db: None) -> None:
    broken = tmp_path / "broken.json"
    broken.write_bytes(b"\xff{")
    for options in ({"file": broken}, {"file": tmp_path / "none.json"}, {"round": uuid4()}):
        with pytest.raises(CommandError):
            count(**options)


def test_an_open_round_is_not_counted_by_it(db: None, now: datetime) -> None:
    voting = VotingVillage.found(at=now)
    with pytest.raises(CommandError, match="not counted yet"):
        count(round=voting.open(CENT).uid)


def test_the_next_epoch_anchors_the_hash(counted: Round, now: datetime) -> None:
    """Cumulative, so that a vetoed epoch loses none; and the data set is written again the same."""
    life = EpochVillage(village=_village(counted), at=counted.closes_at)
    life.deploy()
    epoch = life.must_close()
    told = json.loads(epoch.dataset)
    assert told["anchors"] == [{"kind": "round", "number": "1", "hash": counted.result_hash}]
    content, _root = epochs.rewritten(epoch=Epoch.objects.get(pk=epoch.pk))
    assert content == epoch.dataset.encode()
    assert dataset.rebuild(content)


def _village(counted: Round) -> Any:
    class Founded:
        site = counted.site

    return Founded()
