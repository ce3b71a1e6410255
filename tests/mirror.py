"""What a site publishes, on real contracts and over real HTTP, for verify.py to check.

Data sets are the product's own (`tokens.dataset`); the mirror that serves them lies when told to.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import verify
from tests.chain.deployed import WEI_PER_MILLIWATT_HOUR, Site, deploy_site
from tests.chain_node import ChainNode
from tokens import dataset, energy
from tokens.dataset import Claim, CohortSums, Heading, Leaves
from tokens.sum_tree import Step

HALF = WEI_PER_MILLIWATT_HOUR // 2
BALANCED = energy.Balance(
    generation_milliwatt_hours=1_000,
    battery_in_milliwatt_hours=300,
    battery_out_milliwatt_hours=200,
    feeder_milliwatt_hours=890,
    households_milliwatt_hours=800,
    paid_milliwatt_hours=700,
    solar_share_basis_points=10_000,
    slots=96,
    slots_reported=96,
)
WALLET = "0x976EA74026E726554dB657fA54763abd0C3a0aa9"


def key(number: int) -> str:
    """A leaf's key, told apart by its number."""
    return "0x" + f"{number:02x}" * 32


@dataclass(frozen=True, kw_only=True)
class Story:
    """One epoch: energies of households by cohort, tokens of donations by key, and what is told."""

    cohorts: tuple[tuple[int, ...], ...] = ((1_000, 0, 30, 7, 5), (400, 300, 200, 100, 50, 10))
    donations: dict[int, int] = field(default_factory=lambda: {1: 700 * HALF, 2: 0})
    unallocated: int = 11
    balance: energy.Balance = BALANCED
    told_households: dict[int, int] = field(default_factory=dict)
    wallets: dict[int, str] = field(default_factory=lambda: {1: WALLET})
    change: Callable[[dict[str, Any]], Any] = lambda told: None

    def members(self, cohort: int) -> list[Claim]:
        """Households of a cohort, counted from 1; their keys are 101, 102 and so on."""
        before = sum(len(each) for each in self.cohorts[: cohort - 1])
        return [
            Claim(
                key=key(101 + before + place),
                wallet=self.wallets.get(101 + before + place, ""),
                milliwatt_hours=used,
                tokens_wei=used * HALF,
            )
            for place, used in enumerate(self.cohorts[cohort - 1])
        ]

    def leaves(self) -> Leaves:
        half = sum(map(sum, self.cohorts)) * HALF
        rest = half - sum(self.donations.values()) - self.unallocated
        return Leaves(
            cohorts=tuple(
                CohortSums(
                    number=number,
                    households=self.told_households.get(number, len(members)),
                    node=dataset.cohort_tree(self.members(number)).root,
                )
                for number, members in enumerate(self.cohorts, start=1)
            ),
            donations=tuple(
                Claim(
                    key=key(number),
                    wallet=self.wallets.get(number, ""),
                    milliwatt_hours=0,
                    tokens_wei=tokens,
                )
                for number, tokens in self.donations.items()
            ),
            reserve=Claim(key=key(251), milliwatt_hours=0, tokens_wei=rest),
            unallocated=Claim(key=key(252), milliwatt_hours=0, tokens_wei=self.unallocated),
        )

    def path(self, household: int) -> tuple[Claim, list[Step]]:
        """A household's leaf, by the number of its key, and its path to the root."""
        for number in range(1, len(self.cohorts) + 1):
            members = dataset.by_key(self.members(number))
            for place, claim in enumerate(members):
                if claim.key == key(household):
                    inside = dataset.cohort_tree(members).path(place)
                    return claim, inside + self.leaves().tree.path(number - 1)
        raise LookupError(household)


FIRST = Story()
SECOND = replace(
    FIRST,
    cohorts=((1_500, 0, 30, 8, 5), (400, 300, 200, 100, 50, 10, 4)),
    donations={1: 900 * HALF, 2: 5, 3: 0},
)


@dataclass(kw_only=True)
class Publication:
    """A site's contracts and the data sets of its epochs."""

    contracts: Site
    stories: list[Story] = field(default_factory=list)
    datasets: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, node: ChainNode, *stories: Story) -> Publication:
        """Deploy contracts and make each story an active epoch."""
        made = cls(contracts=deploy_site(node))
        for story in stories:
            made.add(story)
        return made

    def add(self, story: Story) -> None:
        self.stories.append(story)
        n = len(self.stories)
        content = self.write(n, story)
        self.datasets[n] = content
        left, right = story.leaves().tree.children
        self.contracts.ledger.send(
            *("propose", n, left, right, bytes.fromhex(dataset.hash_of(content)[2:])),
            sender=self.contracts.poster,
        )
        self.contracts.activate(n)

    def write(self, n: int, story: Story) -> bytes:
        instant = datetime(2026, 3, n, tzinfo=UTC)
        heading = Heading(
            site="kisima",
            chain_id=self.contracts.node.chain_id,
            ledger=self.contracts.ledger.address,
            token=self.contracts.token.address,
            number=n,
            attempt=1,
            starts_at=instant,
            ends_at=instant,
            closed_at=instant,
            wei_per_milliwatt_hour=WEI_PER_MILLIWATT_HOUR,
            book_height=1,
            book_hash=key(7),
            carry_milliwatt_hours=0,
            carry_wei=0,
            energy=story.balance.as_published(),
        )
        told = json.loads(dataset.write(heading=heading, leaves=story.leaves()))
        story.change(told)
        return canonical(told)

    def answers(self) -> dict[str, bytes]:
        """What the API answers, by path."""
        found = {
            f"/api/v1/sites/kisima/epochs/{n}/dataset/": content
            for n, content in self.datasets.items()
        }
        contracts = {
            "chain_id": self.contracts.node.chain_id,
            "ledger": self.contracts.ledger.address,
            "token": self.contracts.token.address,
        }
        return found | {"/api/v1/sites/kisima/contracts/": json.dumps(contracts).encode()}

    def proof(self, household: int, *, epoch: int) -> dict[str, Any]:
        """What the API tells a household."""
        claim, path = self.stories[epoch - 1].path(household)
        return {
            "site": "kisima",
            "epoch": epoch,
            "key": claim.key,
            "wallet": claim.wallet or None,
            "milliwatt_hours": str(claim.milliwatt_hours),
            "tokens": str(claim.tokens_wei),
            "path": [
                {
                    "hash": dataset.hexed(step.hash),
                    "milliwatt_hours": str(step.milliwatt_hours),
                    "tokens": str(step.tokens),
                    "is_left": step.is_left,
                }
                for step in path
            ],
        }


class Mirror:
    """A web server on loopback that answers what it is told to; all else is 404."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes | int] = {}
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = mirror.answers.get(self.path, 404)
                self.send_response(answer if isinstance(answer, int) else 200)
                body = b"" if isinstance(answer, int) else answer
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def alter(self, n: int, change: Callable[[dict[str, Any]], Any]) -> None:
        """Change what is served as the data set of an epoch; it stays canonical."""
        path = f"/api/v1/sites/kisima/epochs/{n}/dataset/"
        content = self.answers[path]
        assert isinstance(content, bytes)
        told = json.loads(content)
        change(told)
        self.answers[path] = canonical(told)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What verify.py said: its exit code, and state and text by the name of the check."""

    exit_code: int
    states: dict[str, str]
    texts: dict[str, str]

    @property
    def failed(self) -> set[str]:
        return {name for name, state in self.states.items() if state == "failed"}


def check(*, rpc: str, api: str = "", more: tuple[str, ...] = ()) -> Verdict:
    """Run verify.py's main on kisima, as its command line would."""
    output = StringIO()
    given = [*(("--api", api) if api else ()), "--rpc", rpc, "--site", "kisima", "--json", *more]
    with redirect_stdout(output):
        exit_code = verify.main(given)
    told = json.loads(output.getvalue())
    assert told["exit_code"] == exit_code
    return Verdict(
        exit_code=exit_code,
        states={line["name"]: line["state"] for line in told["checks"]},
        texts={line["name"]: line["text"] for line in told["checks"]},
    )


def canonical(told: dict[str, Any]) -> bytes:
    """The bytes of a data set that somebody changed."""
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def saved(directory: Path, told: dict[str, Any]) -> str:
    """Where a proof was stored."""
    path = directory / "proof.json"
    path.write_text(json.dumps(told))
    return str(path)


def node_of(told: dict[str, Any], kind: str) -> dict[str, Any]:
    """The first published node of a kind."""
    found: dict[str, Any] = next(each for each in told["nodes"] if each["kind"] == kind)
    return found
