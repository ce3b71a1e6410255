"""A stranger checks a site with verify.py: true where it is, and each lie by its own check."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import verify
from launcher.places import ROOT
from tests.chain.deployed import Site
from tests.chain_node import ChainNode, chain_node
from tests.mirror import (
    BALANCED,
    FIRST,
    HALF,
    SECOND,
    Mirror,
    Publication,
    Story,
    check,
    key,
    node_of,
    saved,
)
from tokens import sum_tree

__all__ = ["chain_node"]

EVERY_CHECK = {
    "chain",
    "contracts",
    "data set of epoch 2",
    "root of epoch 2",
    "sums of epoch 2",
    "growth of epoch 2",
    "cohorts of epoch 2",
    "energy of epoch 2",
    "supply",
    "claims",
}


@pytest.fixture(scope="module")
def honest(chain_node: ChainNode) -> Publication:
    """Two epochs of a site that tells the truth."""
    return Publication.of(chain_node, FIRST, SECOND)


@pytest.fixture
def mirror(honest: Publication) -> Iterator[Mirror]:
    """The honest site's API, until a test alters it."""
    mirror = Mirror()
    mirror.answers.update(honest.answers())
    yield mirror
    mirror.close()


@pytest.fixture
def rpc(chain_node: ChainNode) -> str:
    return chain_node.url


def _against(chain_node: ChainNode, mirror: Mirror, *stories: Story) -> Publication:
    """Publish other stories on a ledger of their own, behind the mirror."""
    made = Publication.of(chain_node, *stories)
    mirror.answers = dict(made.answers())
    return made


# The truth


def test_an_honest_site_passes_every_check(mirror: Mirror, rpc: str) -> None:
    verdict = check(api=mirror.url, rpc=rpc)

    assert verdict.exit_code == 0, verdict.texts
    assert set(verdict.states) == EVERY_CHECK
    assert set(verdict.states.values()) == {"ok"}


def test_its_figures_are_those_that_were_settled(mirror: Mirror, rpc: str) -> None:
    assert sum(map(sum, SECOND.cohorts)) == 2_607
    verdict = check(api=mirror.url, rpc=rpc)

    assert verdict.texts["sums of epoch 2"].startswith("0.002 kWh settled, 1000000000000 wei")
    assert "are 0.0026 IT" in verdict.texts["sums of epoch 2"]
    assert "12 households in 2 cohorts" in verdict.texts["cohorts of epoch 2"]
    assert "minted in 2 epochs" in verdict.texts["supply"]


def test_every_epoch_is_checked_all_the_way_back(mirror: Mirror, rpc: str) -> None:
    verdict = check(api=mirror.url, rpc=rpc, more=("--epoch", "all"))

    assert verdict.exit_code == 0, verdict.texts
    assert {"root of epoch 1", "growth of epoch 1", "energy of epoch 1"} < set(verdict.states)


def test_an_older_epoch_is_checked_by_its_number(mirror: Mirror, rpc: str) -> None:
    verdict = check(api=mirror.url, rpc=rpc, more=("--epoch", "1"))

    assert verdict.exit_code == 0, verdict.texts
    assert "root of epoch 1" in verdict.states
    assert "root of epoch 2" not in verdict.states


def test_downloaded_data_sets_are_enough(honest: Publication, rpc: str, tmp_path: Path) -> None:
    more: list[str] = []
    for n, content in honest.datasets.items():
        (tmp_path / f"{n}.json").write_bytes(content)
        more += ["--dataset", str(tmp_path / f"{n}.json")]

    assert check(rpc=rpc, more=tuple(more)).exit_code == 0
    alone = check(rpc=rpc, more=tuple(more[2:]))
    assert alone.exit_code == 2
    assert alone.states["growth of epoch 2"] == "unknown"


def test_it_runs_alone_and_prints_words_for_people(
    mirror: Mirror, rpc: str, tmp_path: Path
) -> None:
    copy = tmp_path / "verify.py"
    copy.write_bytes((ROOT / "verify.py").read_bytes())
    command = [sys.executable, str(copy), "--api", mirror.url, "--rpc", rpc, "--site", "kisima"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "[ ok ] supply: " in done.stdout
    assert done.stdout.endswith("10 of 10 checks hold.\n")
    assert done.stderr == ""


def test_a_households_own_proof_is_checked(
    honest: Publication, mirror: Mirror, rpc: str, tmp_path: Path
) -> None:
    proof = honest.proof(101, epoch=2)
    verdict = check(api=mirror.url, rpc=rpc, more=("--proof", saved(tmp_path, proof)))

    assert verdict.exit_code == 0, verdict.texts
    assert "0.0007 IT are in the root of epoch 2" in verdict.texts["proof"]
    proof["tokens"] = str(int(proof["tokens"]) + 1)
    more = check(api=mirror.url, rpc=rpc, more=("--proof", saved(tmp_path, proof)))
    assert more.failed == {"proof"}


def test_what_was_claimed_is_told(chain_node: ChainNode, mirror: Mirror, tmp_path: Path) -> None:
    made = _against(chain_node, mirror, replace(SECOND, wallets={101: "0x" + "aa" * 20}))
    claim, path = made.stories[0].path(101)
    made.contracts.ledger.send(
        "claim",
        *(bytes.fromhex(claim.key[2:]), claim.wallet, claim.milliwatt_hours, claim.tokens_wei),
        path,
        sender=made.contracts.stranger,
    )
    proof = saved(tmp_path, made.proof(101, epoch=1))

    verdict = check(api=mirror.url, rpc=chain_node.url, more=("--proof", proof))

    assert verdict.exit_code == 0, verdict.texts
    assert "claimed by 1 holders" in verdict.texts["claims"]
    assert verdict.texts["proof"].endswith("0.0007 IT were claimed")


# What the API may lie about


def test_an_altered_leaf_fails_data_set_and_root(mirror: Mirror, rpc: str) -> None:
    def more_for_a_donor(told: dict[str, Any]) -> None:
        node_of(told, "donation")["tokens"] = str(800 * HALF)

    mirror.alter(2, more_for_a_donor)
    verdict = check(api=mirror.url, rpc=rpc)

    assert verdict.exit_code == 1
    assert {"data set of epoch 2", "root of epoch 2"} <= verdict.failed


def test_an_altered_wallet_fails_data_set_and_root(mirror: Mirror, rpc: str) -> None:
    mirror.alter(2, lambda told: node_of(told, "donation").update(wallet="0x" + "bb" * 20))

    assert check(api=mirror.url, rpc=rpc).failed == {"data set of epoch 2", "root of epoch 2"}


def test_an_altered_data_set_fails_though_its_tree_is_right(mirror: Mirror, rpc: str) -> None:
    mirror.alter(2, lambda told: told.update(closed_at="2027-01-01T00:00:00Z"))

    assert check(api=mirror.url, rpc=rpc).failed == {"data set of epoch 2"}


def test_an_altered_root_fails(mirror: Mirror, rpc: str) -> None:
    mirror.alter(2, lambda told: told.update(root=key(9)))

    assert check(api=mirror.url, rpc=rpc).failed == {"data set of epoch 2", "root of epoch 2"}


def test_a_data_set_of_another_epoch_fails(mirror: Mirror, honest: Publication, rpc: str) -> None:
    mirror.answers["/api/v1/sites/kisima/epochs/2/dataset/"] = honest.datasets[1]

    assert "data set of epoch 2" in check(api=mirror.url, rpc=rpc).failed


def test_the_data_set_before_has_to_be_the_one_told_on_chain(mirror: Mirror, rpc: str) -> None:
    def less_before(told: dict[str, Any]) -> None:
        node_of(told, "unallocated")["tokens"] = "10"

    mirror.alter(1, less_before)

    assert check(api=mirror.url, rpc=rpc).failed == {"growth of epoch 2"}


def test_a_missing_data_set_is_a_failed_check(mirror: Mirror, rpc: str) -> None:
    del mirror.answers["/api/v1/sites/kisima/epochs/2/dataset/"]
    verdict = check(api=mirror.url, rpc=rpc)

    assert verdict.exit_code == 1
    assert verdict.failed == {"data set of epoch 2"}
    assert verdict.states["root of epoch 2"] == "unknown"


def test_an_api_that_is_down_could_not_be_checked(mirror: Mirror, rpc: str) -> None:
    mirror.answers = dict.fromkeys(mirror.answers, 503)

    assert check(api=mirror.url, rpc=rpc).exit_code == 2
    assert check(api="http://127.0.0.1:1", rpc=rpc).exit_code == 2


def test_a_node_that_is_down_could_not_be_asked(mirror: Mirror) -> None:
    assert check(api=mirror.url, rpc="http://127.0.0.1:1").exit_code == 2
    assert check(api=mirror.url, rpc=mirror.url).exit_code == 2


def test_another_chain_fails(mirror: Mirror, rpc: str) -> None:
    path = "/api/v1/sites/kisima/contracts/"
    told = json.loads(mirror.answers[path])  # type: ignore[arg-type]
    mirror.answers[path] = json.dumps({**told, "chain_id": 100}).encode()

    assert check(api=mirror.url, rpc=rpc).failed == {"chain"}


@pytest.mark.parametrize("name", ["ledger", "token"])
def test_an_address_without_a_contract_fails(mirror: Mirror, rpc: str, name: str) -> None:
    path = "/api/v1/sites/kisima/contracts/"
    told = json.loads(mirror.answers[path])  # type: ignore[arg-type]
    mirror.answers[path] = json.dumps({**told, name: "0x" + "77" * 20}).encode()

    assert check(api=mirror.url, rpc=rpc).failed == {"contracts"}


def test_a_token_that_another_ledger_mints_fails(
    chain_node: ChainNode, mirror: Mirror, rpc: str
) -> None:
    other = Publication.of(chain_node, FIRST)
    path = "/api/v1/sites/kisima/contracts/"
    told = json.loads(mirror.answers[path])  # type: ignore[arg-type]
    mirror.answers[path] = json.dumps({**told, "token": other.contracts.token.address}).encode()

    assert check(api=mirror.url, rpc=rpc).failed == {"contracts"}


def test_a_ledger_known_from_elsewhere_is_not_to_be_talked_out_of(
    chain_node: ChainNode, mirror: Mirror, honest: Publication, rpc: str
) -> None:
    address = honest.contracts.ledger.address
    assert check(api=mirror.url, rpc=rpc, more=("--ledger", address)).exit_code == 0
    _against(chain_node, mirror, FIRST)

    assert check(api=mirror.url, rpc=rpc, more=("--ledger", address)).failed == {"contracts"}


DEEP = b"[" * 200_000
HOSTILE: list[tuple[str, bytes]] = [
    ("nothing", b""),
    ("html", b"<!doctype html><p>hello"),
    ("a list", b"[]"),
    ("null", b"null"),
    ("deep", DEEP),
    ("deep and closed", b'{"a":' * 900 + b"1" + b"}" * 900),
    ("a fraction", b'{"format":1.5}'),
    ("no number", b'{"format":NaN}'),
    ("no text", b"\xff\xfe\x00"),
    ("an empty object", b"{}"),
    ("half of it", b'{"format":"impact-epoch/1"}'),
    ("a number of 10,000 digits", b'{"format":' + b"9" * 10_000 + b"}"),
    ("escapes of a terminal", b'{"format":"\\u001b[2J"}'),
]


@pytest.mark.parametrize("body", [body for _, body in HOSTILE], ids=[name for name, _ in HOSTILE])
def test_an_api_that_tells_rubbish_fails_without_a_traceback(
    mirror: Mirror, rpc: str, body: bytes
) -> None:
    for path in mirror.answers:
        told = dict(mirror.answers)
        mirror.answers[path] = body
        verdict = check(api=mirror.url, rpc=rpc)
        mirror.answers = told

        assert verdict.exit_code in (1, 2)
        assert "failed" in verdict.states.values()
        assert not any("\x1b" in text for text in verdict.texts.values())


def _drop(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda told: told.pop(name)


def _in_nodes(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda told: [node.update(changes) for node in told["nodes"]]


@pytest.mark.parametrize(
    "change",
    [
        *(_drop(name) for name in ("nodes", "energy", "root", "ledger", "chain_id", "epoch")),
        _in_nodes(tokens=str(2**256)),
        _in_nodes(tokens=str(2**256 - 1)),
        _in_nodes(tokens="-1"),
        _in_nodes(tokens=True),
        _in_nodes(tokens=None),
        _in_nodes(tokens="1e18"),
        _in_nodes(tokens="٣"),
        _in_nodes(milliwatt_hours=[]),
        _in_nodes(kind="friend"),
        _in_nodes(kind="cohort"),
        _in_nodes(hash="0x12"),
        _in_nodes(key="\x1b[31m"),
        lambda told: told.update(nodes=[]),
        lambda told: told.update(nodes=[None]),
        lambda told: told.update(nodes={}),
        lambda told: told.update(nodes=told["nodes"][:1]),
        lambda told: told.update(energy=[]),
        lambda told: told["energy"].update(is_balanced="true"),
        lambda told: told["energy"].update(feeder_milliwatt_hours="9" * 78),
    ],
)
def test_a_data_set_with_a_malformed_field_fails_without_a_traceback(
    mirror: Mirror, rpc: str, change: Callable[[dict[str, Any]], Any]
) -> None:
    mirror.alter(2, change)
    verdict = check(api=mirror.url, rpc=rpc)

    assert "data set of epoch 2" in verdict.failed
    assert verdict.exit_code == 1


def test_a_data_set_that_says_a_thing_twice_fails(
    mirror: Mirror, honest: Publication, rpc: str
) -> None:
    twice = honest.datasets[2].replace(b'"attempt":"1"', b'"attempt":"1","attempt":"1"')
    mirror.answers["/api/v1/sites/kisima/epochs/2/dataset/"] = twice

    assert check(api=mirror.url, rpc=rpc).texts["data set of epoch 2"] == (
        "the data set is not in its canonical form"
    )


@pytest.mark.parametrize(
    "change",
    [
        _drop("path"),
        _drop("key"),
        lambda proof: proof.update(epoch=1),
        lambda proof: proof.update(path=[]),
        lambda proof: proof.update(path=proof["path"] * 20),
        lambda proof: proof["path"][0].update(tokens=str(2**256 - 1)),
        lambda proof: proof["path"][0].update(is_left=not proof["path"][0]["is_left"]),
        lambda proof: proof["path"].pop(),
        lambda proof: proof.update(wallet="0x" + "01" * 20),
        lambda proof: proof.update(milliwatt_hours="1"),
    ],
)
def test_a_false_proof_fails(
    honest: Publication,
    mirror: Mirror,
    rpc: str,
    tmp_path: Path,
    change: Callable[[dict[str, Any]], Any],
) -> None:
    proof = honest.proof(103, epoch=2)
    change(proof)

    more = ("--proof", saved(tmp_path, proof))
    assert check(api=mirror.url, rpc=rpc, more=more).failed == {"proof"}


# What the chain itself may hold


def test_a_poster_who_moves_tokens_between_leaves_is_found_by_growth(
    chain_node: ChainNode, mirror: Mirror, rpc: str
) -> None:
    # The sums stay what they were: the contract accepts it, root and data set agree.
    _against(chain_node, mirror, FIRST, replace(FIRST, donations={1: 699 * HALF, 2: HALF}))

    verdict = check(api=mirror.url, rpc=rpc)
    assert verdict.failed == {"growth of epoch 2"}
    assert "has less than in epoch 1" in verdict.texts["growth of epoch 2"]


def test_a_cohort_that_shrank_is_found_by_growth(
    chain_node: ChainNode, mirror: Mirror, rpc: str
) -> None:
    shrunk = replace(FIRST, cohorts=((1_000, 0, 30, 7, 4), (*FIRST.cohorts[1], 1)))
    _against(chain_node, mirror, FIRST, shrunk)

    assert check(api=mirror.url, rpc=rpc).failed == {"growth of epoch 2"}


def test_a_leaf_that_vanished_is_found_by_growth(
    chain_node: ChainNode, mirror: Mirror, rpc: str
) -> None:
    _against(chain_node, mirror, FIRST, replace(FIRST, donations={1: 700 * HALF}))

    verdict = check(api=mirror.url, rpc=rpc)
    assert verdict.failed == {"growth of epoch 2"}
    assert "is gone" in verdict.texts["growth of epoch 2"]


def test_the_reserve_may_fall_by_what_vests(
    chain_node: ChainNode, mirror: Mirror, rpc: str
) -> None:
    _against(chain_node, mirror, FIRST, replace(FIRST, donations={1: 710 * HALF, 2: 0}))

    assert check(api=mirror.url, rpc=rpc).exit_code == 0


def test_a_cohort_of_four_fails(chain_node: ChainNode, mirror: Mirror, rpc: str) -> None:
    _against(chain_node, mirror, replace(FIRST, cohorts=((1_000, 30, 7, 5), FIRST.cohorts[1])))

    assert check(api=mirror.url, rpc=rpc).failed == {"cohorts of epoch 1"}


def test_an_energy_balance_that_is_none_fails(
    chain_node: ChainNode, mirror: Mirror, rpc: str
) -> None:
    false = replace(BALANCED, feeder_milliwatt_hours=950)
    assert not false.is_balanced

    def call_it_balanced(told: dict[str, Any]) -> None:
        told["energy"]["is_balanced"] = True

    _against(chain_node, mirror, replace(FIRST, balance=false, change=call_it_balanced))
    verdict = check(api=mirror.url, rpc=rpc)
    assert verdict.failed == {"energy of epoch 1"}
    assert "called balanced, and is not" in verdict.texts["energy of epoch 1"]


def test_an_unbalanced_epoch_that_says_so_is_honest(
    chain_node: ChainNode, mirror: Mirror, rpc: str
) -> None:
    _against(
        chain_node,
        mirror,
        replace(FIRST, balance=replace(BALANCED, feeder_milliwatt_hours=950)),
    )

    assert check(api=mirror.url, rpc=rpc).exit_code == 0


def test_losses_that_do_not_add_up_fail(chain_node: ChainNode, mirror: Mirror, rpc: str) -> None:
    def lose_less(told: dict[str, Any]) -> None:
        told["energy"]["losses_milliwatt_hours"] = "0"

    _against(chain_node, mirror, replace(FIRST, change=lose_less))

    assert check(api=mirror.url, rpc=rpc).failed == {"energy of epoch 1"}


def test_a_false_data_set_that_was_told_on_chain_fails_by_root(
    chain_node: ChainNode, mirror: Mirror, rpc: str
) -> None:
    def more_for_a_donor(told: dict[str, Any]) -> None:
        node_of(told, "donation")["tokens"] = str(701 * HALF)
        node_of(told, "reserve")["tokens"] = str(int(node_of(told, "reserve")["tokens"]) - HALF)

    _against(chain_node, mirror, replace(FIRST, change=more_for_a_donor))

    assert check(api=mirror.url, rpc=rpc).failed == {"root of epoch 1"}


def test_households_that_do_not_hold_half_fail_by_sums(
    chain_node: ChainNode, mirror: Mirror, rpc: str
) -> None:
    class Skewed(Story):
        def leaves(self) -> Any:
            whole = super().leaves()
            node = whole.cohorts[0].node
            poorer = sum_tree.Node(node.hash, node.milliwatt_hours, node.tokens - 2)
            cohorts = (replace(whole.cohorts[0], node=poorer), *whole.cohorts[1:])
            reserve = replace(whole.reserve, tokens_wei=whole.reserve.tokens_wei + 2)
            return replace(whole, cohorts=cohorts, reserve=reserve)

    _against(chain_node, mirror, Skewed())

    assert check(api=mirror.url, rpc=rpc).failed == {"sums of epoch 1"}


def test_a_supply_that_nobody_activated_fails(
    chain_node: ChainNode, mirror: Mirror, rpc: str
) -> None:
    made = _against(chain_node, mirror, FIRST)
    site: Site = made.contracts
    with chain_node.impersonate(site.ledger.address) as ledger:
        site.token.send("mint", site.stranger, 1, sender=ledger)

    verdict = check(api=mirror.url, rpc=rpc)
    assert verdict.exit_code == 1
    assert "supply" in verdict.failed


def test_a_ledger_that_paid_what_nobody_claimed_fails(
    chain_node: ChainNode, mirror: Mirror, rpc: str
) -> None:
    made = _against(chain_node, mirror, FIRST)
    site: Site = made.contracts
    with chain_node.impersonate(site.ledger.address) as ledger:
        site.token.send("transfer", site.stranger, 1, sender=ledger)

    assert check(api=mirror.url, rpc=rpc).failed == {"claims"}


def test_a_site_without_an_epoch_could_not_be_checked(
    chain_node: ChainNode, mirror: Mirror, rpc: str
) -> None:
    _against(chain_node, mirror)

    verdict = check(api=mirror.url, rpc=rpc)
    assert verdict.exit_code == 2
    assert verdict.texts["start"] == "no epoch is active yet"


def test_a_vetoed_proposal_is_no_epoch(chain_node: ChainNode, mirror: Mirror, rpc: str) -> None:
    made = _against(chain_node, mirror)
    left, right = SECOND.leaves().tree.children
    ledger = made.contracts.ledger
    ledger.send("propose", 1, left, right, b"\x01" * 32, sender=made.contracts.poster)
    ledger.send("veto", 1, sender=made.contracts.guardian)
    made.add(FIRST)
    mirror.answers = dict(made.answers())

    assert check(api=mirror.url, rpc=rpc).exit_code == 0


@pytest.mark.parametrize(
    "given",
    [
        ["--rpc", "http://127.0.0.1:1", "--site", "kisima"],
        ["--api", "http://127.0.0.1:1", "--site", "kisima"],
        ["--api", "a", "--rpc", "b", "--site", "../x"],
        ["--api", "a", "--rpc", "b", "--site", "x", "--epoch", "0"],
        ["--api", "a", "--rpc", "b", "--site", "x", "--ledger", "0x1"],
    ],
)
def test_a_wrong_command_line_is_explained(
    given: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VERIFY_RPC", raising=False)
    with pytest.raises(SystemExit) as ended:
        verify.main(given)
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_the_program_and_the_product_build_the_same_tree() -> None:
    for count in range(2, 12):
        claims = Story(cohorts=(tuple(range(count)),)).members(1)
        nodes = [
            verify.leaf(
                key=bytes.fromhex(claim.key[2:]),
                wallet=None,
                milliwatt_hours=claim.milliwatt_hours,
                tokens=claim.tokens_wei,
            )
            for claim in claims
        ]
        expected = sum_tree.Tree(claim.node for claim in claims).root
        assert verify.rebuild(nodes).hash == expected.hash
