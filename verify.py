#!/usr/bin/env python3
"""Checks a site's impact tokens against the chain, and takes nobody's word for them.

    verify.py --api URL --rpc URL --site SLUG [--epoch N | --epoch all] [--proof FILE]
    verify.py --rpc URL --site SLUG --dataset FILE [--dataset FILE ...] [--proof FILE]

Needs Python 3.11 or newer and web3 (`pip install web3`), and nothing of the service that it checks.
--rpc is any node of the chain: take one that you trust. The rest may lie; then a check fails.
The exit code is 0 if every check holds, 1 if one does not, 2 if something could not be checked.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

_recursion_limit = sys.getrecursionlimit()
import requests  # noqa: E402  (web3 brings it along)
from eth_abi.exceptions import DecodingError  # noqa: E402
from web3 import HTTPProvider, Web3  # noqa: E402
from web3.exceptions import (  # noqa: E402
    BadFunctionCallOutput,
    ContractLogicError,
    Web3Exception,
)

# web3 raises the limit so far that a deeply nested answer would crash instead of failing a check.
sys.setrecursionlimit(_recursion_limit)

OK, FAILED, UNKNOWN = "ok", "failed", "unknown"
EXIT_CODES = {OK: 0, FAILED: 1, UNKNOWN: 2}
FEWEST_HOUSEHOLDS = 5
TOLERANCE_PERCENT = 2
MOST_BYTES = 256 * 1024 * 1024
MOST_STEPS = 40
TIMEOUT_SECONDS = 30
LEAST_SPAN_BLOCKS = 16
ZERO_ADDRESS = "0x" + "0" * 40
HALVED_KINDS = ("donation", "reserve", "unallocated")
TERMINAL = {OK: "[ ok ]", FAILED: "[FAIL]", UNKNOWN: "[ ?? ]"}

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,77})")
_HASH = re.compile(r"0x[0-9a-f]{64}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_SLUG = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Untrue(Exception):
    """What was claimed does not hold; says what and how."""


class CannotCheck(Exception):
    """Something that a check needs is not to be had."""


# What the contracts answer and tell


def _view(name: str, kind: str, *inputs: str) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "stateMutability": "view",
        "inputs": [{"name": "", "type": each} for each in inputs],
        "outputs": [{"name": "", "type": kind}],
    }


def _event(name: str, *fields: str) -> dict[str, Any]:
    told = [each.split() for each in fields]
    return {
        "type": "event",
        "name": name,
        "anonymous": False,
        "inputs": [{"name": each[1], "type": each[0], "indexed": len(each) == 3} for each in told],
    }


TOKEN_ABI = [
    _view("minter", "address"),
    _view("totalSupply", "uint256"),
    _view("balanceOf", "uint256", "address"),
]
LEDGER_ABI = [
    _view("token", "address"),
    _view("wei_per_milliwatt_hour", "uint256"),
    _view("last_epoch", "uint256"),
    _view("root", "bytes32"),
    _view("milliwatt_hours", "uint256"),
    _view("tokens", "uint256"),
    _view("claimed", "uint256", "bytes32"),
    _event(
        "Proposed",
        "uint256 n indexed",
        "bytes32 root",
        "uint256 milliwatt_hours",
        "uint256 tokens",
        "bytes32 dataset_hash",
        "uint256 activates_at",
    ),
    _event("Activated", "uint256 n indexed", "bytes32 root", "uint256 minted"),
    _event("Claimed", "bytes32 key indexed", "address wallet indexed", "uint256 tokens"),
]


# The sum tree: both children's hashes and both their sums are hashed


@dataclass(frozen=True, kw_only=True)
class Node:
    """A hash and the sums below it."""

    hash: bytes
    milliwatt_hours: int
    tokens: int


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def leaf(*, key: bytes, wallet: str | None, milliwatt_hours: int, tokens: int) -> Node:
    """Return one holder's node."""
    address = bytes(12) + bytes.fromhex((wallet or ZERO_ADDRESS)[2:])
    sealed = hashlib.sha256(b"\x00" + key + address + _word(milliwatt_hours) + _word(tokens))
    return Node(hash=sealed.digest(), milliwatt_hours=milliwatt_hours, tokens=tokens)


def combine(left: Node, right: Node) -> Node:
    """Return the node above two. Raises Untrue where a sum does not fit a word of the chain."""
    milliwatt_hours = left.milliwatt_hours + right.milliwatt_hours
    tokens = left.tokens + right.tokens
    if max(milliwatt_hours, tokens) >= 2**256:
        raise Untrue("a sum is larger than the chain can hold")
    sealed = hashlib.sha256(b"\x01")
    for child in (left, right):
        sealed.update(child.hash + _word(child.milliwatt_hours) + _word(child.tokens))
    return Node(hash=sealed.digest(), milliwatt_hours=milliwatt_hours, tokens=tokens)


def rebuild(nodes: list[Node]) -> Node:
    """Return the root over nodes; an odd last one of a level is carried up as it is."""
    if len(nodes) < 2:
        raise Untrue(f"a tree has two nodes at least, this data set has {len(nodes)}")
    level = nodes
    while len(level) > 1:
        pairs = [combine(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


# Reading what others wrote


def _refuse(text: str) -> None:
    raise ValueError(f"{text[:20]} is not a whole number")


def read_object(raw: bytes, *, what: str) -> dict[str, Any]:
    """Return a JSON object. Raises Untrue for anything else, however large or deep."""
    try:
        told = json.loads(raw, parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Untrue(f"{what} is not JSON without fractions") from None
    if not isinstance(told, dict):
        raise Untrue(f"{what} is not a JSON object")
    return told


def canonical(told: dict[str, Any]) -> bytes:
    """The one way in which a data set is written: keys sorted, no blanks, none of them twice."""
    try:
        return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    except RecursionError:
        raise Untrue("the data set is nested too deeply") from None


def take(told: Any, name: str, kind: type | tuple[type, ...]) -> Any:
    """Return a field of the kind that it should have. Raises Untrue."""
    if not isinstance(told, dict) or name not in told:
        raise Untrue(f"the field {name} is missing")
    if not isinstance(told[name], kind):
        raise Untrue(f"the field {name} is of another kind than it should be")
    return told[name]


def whole(told: Any, name: str, *, least: int = 0) -> int:
    """Return a whole number, written as one or as a string. Raises Untrue."""
    value = take(told, name, (int, str))
    if isinstance(value, bool) or (isinstance(value, str) and not _WHOLE.fullmatch(value)):
        raise Untrue(f"the field {name} is not a whole number")
    number = int(value)
    if not least <= number < 2**256:
        raise Untrue(f"the field {name} is too large or below {least}")
    return number


def hexadecimal(told: Any, name: str, pattern: re.Pattern[str]) -> str:
    """Return a hash or an address as it is written. Raises Untrue."""
    value: str = take(told, name, str)
    if not pattern.fullmatch(value):
        raise Untrue(f"the field {name} is neither a hash nor an address")
    return value


def tokens_text(wei: int) -> str:
    """Tokens with four decimals, cut off: a figure to read, not to compute with."""
    return f"{wei // 10**18:,}.{wei % 10**18 // 10**14:04d} IT"


def energy_text(milliwatt_hours: int) -> str:
    """Energy as kWh with three decimals, cut off."""
    sign = "-" if milliwatt_hours < 0 else ""
    kwh, rest = divmod(abs(milliwatt_hours), 10**6)
    return f"{sign}{kwh:,}.{rest // 10**3:03d} kWh"


@dataclass(frozen=True, kw_only=True)
class Published:
    """One node of the top tree: a cohort's sum, or a leaf in the open."""

    kind: str
    name: str
    node: Node
    households: int = 0


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """One epoch as it is published."""

    sha256: str
    site: str
    chain_id: int
    epoch: int
    ledger: str
    token: str
    wei_per_milliwatt_hour: int
    nodes: list[Published]
    energy: dict[str, Any]
    root: str

    @classmethod
    def read(cls, raw: bytes) -> Dataset:
        """Read the published bytes. Raises Untrue for what is missing, malformed or too large."""
        told = read_object(raw, what="the data set")
        if take(told, "format", str) != "impact-epoch/1":
            raise Untrue("the data set is not of the form impact-epoch/1")
        if canonical(told) != raw:
            raise Untrue("the data set is not in its canonical form")
        return cls(
            sha256="0x" + hashlib.sha256(raw).hexdigest(),
            site=take(told, "site", str),
            chain_id=whole(told, "chain_id"),
            epoch=whole(told, "epoch", least=1),
            ledger=hexadecimal(told, "ledger", _ADDRESS),
            token=hexadecimal(told, "token", _ADDRESS),
            wei_per_milliwatt_hour=whole(told, "wei_per_milliwatt_hour", least=1),
            nodes=[_published(each) for each in take(told, "nodes", list)],
            energy=take(told, "energy", dict),
            root=hexadecimal(told, "root", _HASH),
        )

    @cached_property
    def tree(self) -> Node:
        return rebuild([each.node for each in self.nodes])

    def by_name(self) -> dict[str, Published]:
        """Return the nodes by name. Raises Untrue if one stands there twice."""
        named = {each.name: each for each in self.nodes}
        if len(named) != len(self.nodes):
            raise Untrue(f"a node stands twice in the data set of epoch {self.epoch}")
        return named


def _published(told: Any) -> Published:
    kind = take(told, "kind", str)
    sums = {
        "milliwatt_hours": whole(told, "milliwatt_hours"),
        "tokens": whole(told, "tokens"),
    }
    if kind == "cohort":
        number = whole(told, "number", least=1)
        sealed = bytes.fromhex(hexadecimal(told, "hash", _HASH)[2:])
        return Published(
            kind=kind,
            name=f"cohort {number}",
            node=Node(hash=sealed, **sums),
            households=whole(told, "households"),
        )
    if kind not in HALVED_KINDS:
        raise Untrue("a node is neither a cohort, a donation, the reserve nor unallocated")
    key = hexadecimal(told, "key", _HASH)
    node = leaf(key=bytes.fromhex(key[2:]), wallet=_wallet(told), **sums)
    return Published(kind=kind, name=f"donation {key}" if kind == "donation" else kind, node=node)


def _covers(source: int, use: int) -> bool:
    return source * (100 + TOLERANCE_PERCENT) >= use * 100


def _wallet(told: Any) -> str | None:
    if not isinstance(told, dict) or told.get("wallet") is None:
        return None
    return hexadecimal(told, "wallet", _ADDRESS)


class Api:
    """The service that is checked."""

    def __init__(self, *, url: str, site: str) -> None:
        root = url.rstrip("/")
        self._url = root if root.endswith("/api/v1") else f"{root}/api/v1"
        self._site = site

    def dataset(self, epoch: int) -> bytes:
        return self._get(f"sites/{self._site}/epochs/{epoch}/dataset/")

    def contracts(self) -> dict[str, Any]:
        return read_object(self._get(f"sites/{self._site}/contracts/"), what="the API's answer")

    def _get(self, path: str) -> bytes:
        try:
            with requests.get(
                f"{self._url}/{path}", stream=True, timeout=TIMEOUT_SECONDS
            ) as answer:
                if answer.status_code == 404:
                    raise Untrue(f"the API has no {path}")
                if answer.status_code != 200:
                    raise CannotCheck(f"the API answers HTTP {answer.status_code} to {path}")
                raw = bytearray()
                for part in answer.iter_content(65_536):
                    raw += part
                    if len(raw) > MOST_BYTES:
                        raise Untrue(f"the API's answer to {path} does not end")
                return bytes(raw)
        except (requests.RequestException, OSError, ValueError) as error:
            raise CannotCheck(f"the API cannot be read ({type(error).__name__})") from error


class Files:
    """Data sets that were downloaded."""

    def __init__(self, *, paths: list[Path]) -> None:
        self._by_epoch: dict[int, bytes] = {}
        for path in paths:
            try:
                raw = path.read_bytes()
            except OSError as error:
                raise CannotCheck(f"{path} cannot be read ({type(error).__name__})") from error
            told = read_object(raw, what=path.name)
            self._by_epoch[whole(told, "epoch", least=1)] = raw

    @property
    def newest(self) -> int:
        return max(self._by_epoch)

    def dataset(self, epoch: int) -> bytes:
        if epoch not in self._by_epoch:
            raise CannotCheck(f"no file holds the data set of epoch {epoch}")
        return self._by_epoch[epoch]

    def contracts(self) -> dict[str, Any]:
        told = read_object(self._by_epoch[self.newest], what="the data set")
        return {name: told.get(name) for name in ("chain_id", "ledger", "token")}


# The chain


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the ledger contract told of one epoch: as proposed, and what activating it minted."""

    root: str
    milliwatt_hours: int
    tokens: int
    dataset_hash: str
    minted: int


@contextmanager
def _asked(what: str) -> Iterator[None]:
    try:
        yield
    except (BadFunctionCallOutput, ContractLogicError) as error:
        raise Untrue(f"the contract does not answer {what}") from error
    except (
        Web3Exception,
        requests.RequestException,
        DecodingError,
        OSError,
        ValueError,
        TypeError,
        KeyError,
        OverflowError,
        RecursionError,
    ) as error:
        raise CannotCheck(f"the node does not answer {what} ({type(error).__name__})") from error


class Chain:
    """The two contracts of a site as they stand in one block."""

    def __init__(self, *, url: str) -> None:
        self._web3 = Web3(HTTPProvider(url, request_kwargs={"timeout": TIMEOUT_SECONDS}))
        with _asked("for its newest block"):
            self.chain_id = int(self._web3.eth.chain_id)
            self.block = int(self._web3.eth.block_number)

    def use(self, *, ledger: str, token: str, since: int) -> None:
        """Say where the contracts stand, and before which block nothing of them lies."""
        self.ledger = Web3.to_checksum_address(ledger)
        self.token = Web3.to_checksum_address(token)
        self._since = since
        self._contracts = {
            "ledger": self._web3.eth.contract(address=self.ledger, abi=LEDGER_ABI),
            "token": self._web3.eth.contract(address=self.token, abi=TOKEN_ABI),
        }

    def has_code(self, address: str) -> bool:
        with _asked("for a contract's code"):
            return bool(self._web3.eth.get_code(Web3.to_checksum_address(address), self.block))

    def view(self, contract: str, name: str, *arguments: Any) -> Any:
        """Return what a view of the ledger or the token says; bytes as 0x and hexadecimal."""
        with _asked(f"{contract}.{name}()"):
            function = self._contracts[contract].functions[name](*arguments)
            answer = function.call(block_identifier=self.block)
        return "0x" + answer.hex() if isinstance(answer, bytes) else answer

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the events of one name since the contracts stand, in their order."""
        event = self._contracts["ledger"].events[name]()
        found: list[dict[str, Any]] = []
        since, span = self._since, max(self.block - self._since + 1, 1)
        while since <= self.block:
            until = min(since + span - 1, self.block)
            try:
                with _asked(f"for events from block {since} to {until}"):
                    found += [dict(log) for log in event.get_logs(from_block=since, to_block=until)]
            except CannotCheck:
                # Nodes give only so many blocks at once.
                if span <= LEAST_SPAN_BLOCKS:
                    raise
                span //= 4
                continue
            since = until + 1
        return sorted(found, key=lambda log: (log["blockNumber"], log["logIndex"]))

    @cached_property
    def told(self) -> dict[int, Told]:
        """Return by epoch what was activated, and the proposal that it was."""
        proposed: dict[int, list[dict[str, Any]]] = {}
        for log in self.events("Proposed"):
            proposed.setdefault(int(log["args"]["n"]), []).append(log)
        told = {}
        for log in self.events("Activated"):
            n = int(log["args"]["n"])
            place = (log["blockNumber"], log["logIndex"])
            before = [
                each["args"]
                for each in proposed.get(n, [])
                if (each["blockNumber"], each["logIndex"]) < place
            ]
            if not before:
                raise Untrue(f"epoch {n} was activated without having been proposed")
            told[n] = Told(
                root="0x" + bytes(before[-1]["root"]).hex(),
                milliwatt_hours=int(before[-1]["milliwatt_hours"]),
                tokens=int(before[-1]["tokens"]),
                dataset_hash="0x" + bytes(before[-1]["dataset_hash"]).hex(),
                minted=int(log["args"]["minted"]),
            )
        return told

    @cached_property
    def claimed(self) -> dict[str, int]:
        """Return the tokens claimed by key."""
        sums: dict[str, int] = {}
        for log in self.events("Claimed"):
            key = "0x" + bytes(log["args"]["key"]).hex()
            sums[key] = sums.get(key, 0) + int(log["args"]["tokens"])
        return sums


# The checks


@dataclass
class Report:
    """What was checked, in order; printed as it comes."""

    is_json: bool = False
    lines: list[dict[str, str]] = field(default_factory=list)
    epoch: int | None = None

    def check(self, name: str, look: Callable[[], str]) -> bool:
        """Make one check, note its outcome, and return whether it holds."""
        try:
            return self.note(name, OK, look())
        except Untrue as error:
            return self.note(name, FAILED, str(error))
        except CannotCheck as error:
            return self.note(name, UNKNOWN, f"not checked: {error}")

    def note(self, name: str, state: str, text: str) -> bool:
        """Take down one outcome and return whether it is good."""
        self.lines.append({"name": name, "state": state, "text": text})
        if not self.is_json:
            sys.stdout.write(f"{TERMINAL[state]} {name}: {text}\n")
        return state == OK

    @property
    def exit_code(self) -> int:
        states = {line["state"] for line in self.lines}
        worst = next((state for state in (FAILED, UNKNOWN) if state in states), OK)
        return EXIT_CODES[worst if states else UNKNOWN]

    def end(self) -> int:
        """Print the sum of it and return the exit code."""
        if self.is_json:
            told = {"exit_code": self.exit_code, "epoch": self.epoch, "checks": self.lines}
            sys.stdout.write(json.dumps(told) + "\n")
        else:
            held = sum(line["state"] == OK for line in self.lines)
            sys.stdout.write(f"{held} of {len(self.lines)} checks hold.\n")
        return self.exit_code


class Audit:
    """The checks of one site."""

    def __init__(self, *, site: str, source: Api | Files, chain: Chain) -> None:
        self._site = site
        self._source = source
        self._chain = chain
        self._datasets: dict[int, Dataset] = {}

    # Of the site

    def chain_is_the_one(self, contracts: dict[str, Any]) -> str:
        told = whole(contracts, "chain_id")
        if told != self._chain.chain_id:
            raise Untrue(f"the node is of chain {self._chain.chain_id}, the site of chain {told}")
        return f"the node is of chain {told}, at block {self._chain.block:,}"

    def contracts_belong_together(self) -> str:
        chain = self._chain
        for name, address in (("ledger", chain.ledger), ("token", chain.token)):
            if not chain.has_code(address):
                raise Untrue(f"at {address} stands no contract, the {name} should")
        minter = chain.view("token", "minter")
        if minter != chain.ledger:
            raise Untrue(f"{minter} may mint the token, not the ledger {chain.ledger}")
        token = chain.view("ledger", "token")
        if token != chain.token:
            raise Untrue(f"the ledger mints the token {token}, not {chain.token}")
        return f"the ledger {chain.ledger} is the only minter of the token {chain.token}"

    def newest(self) -> int:
        """Return the newest active epoch, as the chain has it."""
        newest = int(self._chain.view("ledger", "last_epoch"))
        if newest == 0:
            raise CannotCheck("no epoch is active yet")
        return newest

    def supply_is_what_was_activated(self, newest: int) -> str:
        chain, told = self._chain, self._chain.told
        if sorted(told) != list(range(1, newest + 1)):
            raise Untrue(f"{newest} epochs are active, but {len(told)} activations were told")
        before = 0
        for n in range(1, newest + 1):
            if told[n].minted != told[n].tokens - before:
                raise Untrue(
                    f"epoch {n} minted {tokens_text(told[n].minted)}, its sum grew by "
                    f"{tokens_text(max(told[n].tokens - before, 0))}"
                )
            before = told[n].tokens
        supply, owed = chain.view("token", "totalSupply"), chain.view("ledger", "tokens")
        if not supply == owed == before:
            raise Untrue(
                f"the supply is {tokens_text(supply)}, the ledger's sum {tokens_text(owed)}, "
                f"{newest} epochs minted {tokens_text(before)}"
            )
        return f"{tokens_text(supply)} were minted in {newest} epochs, and no more exist"

    def claims_are_covered(self, newest: int, *, is_newest: bool) -> str:
        chain = self._chain
        claimed = sum(chain.claimed.values())
        supply = chain.view("token", "totalSupply")
        held = chain.view("token", "balanceOf", chain.ledger)
        if claimed > supply or held < supply - claimed:
            raise Untrue(
                f"{tokens_text(claimed)} of {tokens_text(supply)} were claimed, but the ledger "
                f"holds {tokens_text(held)}"
            )
        for each in self._dataset(newest).nodes if is_newest else ():
            key = each.name.removeprefix("donation ")
            if each.kind == "donation" and chain.claimed.get(key, 0) > each.node.tokens:
                raise Untrue(f"more was claimed for the donation {key} than it has")
        return (
            f"{tokens_text(claimed)} were claimed by {len(chain.claimed)} holders, "
            f"the ledger holds {tokens_text(held)} for the others"
        )

    # Of one epoch

    def dataset_is_the_one(self, n: int) -> str:
        dataset = self._read(n)
        told = self._told(n)
        if dataset.sha256 != told.dataset_hash:
            raise Untrue(f"its SHA-256 is {dataset.sha256}, told on chain: {told.dataset_hash}")
        if (dataset.site, dataset.epoch, dataset.chain_id) != (self._site, n, self._chain.chain_id):
            raise Untrue("it is of another site, epoch or chain")
        addresses = (dataset.ledger.lower(), dataset.token.lower())
        if addresses != (self._chain.ledger.lower(), self._chain.token.lower()):
            raise Untrue("it names other contracts")
        self._datasets[n] = dataset
        return f"its SHA-256 {dataset.sha256} was told on chain when it was proposed"

    def root_is_rebuilt(self, n: int, *, is_newest: bool) -> str:
        dataset, told = self._dataset(n), self._told(n)
        rebuilt = "0x" + dataset.tree.hash.hex()
        roots = {"the data set": dataset.root, "the proposal": told.root}
        if is_newest:
            roots["the ledger"] = self._chain.view("ledger", "root")
        for who, root in roots.items():
            if root != rebuilt:
                raise Untrue(
                    f"the tree of {len(dataset.nodes)} nodes gives {rebuilt}, {who} {root}"
                )
        active = ", the active one" if is_newest else ""
        return f"{len(dataset.nodes)} published nodes give the root {rebuilt}{active}"

    def sums_are_energy_times_w(self, n: int, *, is_newest: bool) -> str:
        dataset, told = self._dataset(n), self._told(n)
        tree, w = dataset.tree, dataset.wei_per_milliwatt_hour
        if w != self._chain.view("ledger", "wei_per_milliwatt_hour"):
            raise Untrue(f"the data set reckons {w} wei for a milliwatt-hour, the ledger does not")
        if tree.tokens != tree.milliwatt_hours * w:
            raise Untrue(f"{energy_text(tree.milliwatt_hours)} are not {tokens_text(tree.tokens)}")
        sums = [(told.milliwatt_hours, told.tokens)]
        if is_newest:
            views = ("milliwatt_hours", "tokens")
            sums.append((*(self._chain.view("ledger", each) for each in views),))
        if any(each != (tree.milliwatt_hours, tree.tokens) for each in sums):
            raise Untrue("the chain holds other sums than the data set's nodes have")
        households = sum(each.node.tokens for each in dataset.nodes if each.kind == "cohort")
        if households * 2 != tree.tokens:
            raise Untrue(
                f"households hold {tokens_text(households)} of {tokens_text(tree.tokens)}, not half"
            )
        return (
            f"{energy_text(tree.milliwatt_hours)} settled, {w} wei for each milliwatt-hour, are "
            f"{tokens_text(tree.tokens)}: half for households, half for donors"
        )

    def nobody_lost(self, n: int) -> str:
        if n == 1:
            return "it is the first epoch, there is none before it"
        now, before = self._dataset(n).by_name(), self._before(n).by_name()
        for name, was in before.items():
            if name not in now:
                raise Untrue(f"{name} of epoch {n - 1} is gone")
            is_less = (
                now[name].node.tokens < was.node.tokens
                or now[name].node.milliwatt_hours < was.node.milliwatt_hours
                or now[name].households < was.households
            )
            if is_less and was.kind != "reserve":
                raise Untrue(f"{name} has less than in epoch {n - 1}")
        donors = [
            sum(each.node.tokens for each in nodes.values() if each.kind in HALVED_KINDS)
            for nodes in (before, now)
        ]
        if donors[1] < donors[0]:
            raise Untrue(f"donors together have less than in epoch {n - 1}")
        return f"{len(before)} nodes of epoch {n - 1} are all there, and none has less"

    def cohorts_are_large_enough(self, n: int) -> str:
        cohorts = [each for each in self._dataset(n).nodes if each.kind == "cohort"]
        if not cohorts:
            raise Untrue("there is no cohort")
        for each in cohorts:
            if each.households < FEWEST_HOUSEHOLDS:
                raise Untrue(
                    f"{each.name} has {each.households} households, fewer than {FEWEST_HOUSEHOLDS}"
                )
        households = sum(each.households for each in cohorts)
        return f"{households} households in {len(cohorts)} cohorts, none of fewer than 5"

    def energy_is_balanced(self, n: int) -> str:
        told = self._dataset(n).energy
        names = ("generation", "battery_in", "battery_out", "feeder", "households")
        figures = {name: whole(told, f"{name}_milliwatt_hours") for name in names}
        slots, reported = whole(told, "slots"), whole(told, "slots_reported")
        losses = whole(told, "losses_milliwatt_hours", least=-(2**255))
        supply = figures["generation"] + figures["battery_out"] - figures["battery_in"]
        text = (
            f"{energy_text(supply)} from sun and battery, {energy_text(figures['feeder'])} through "
            f"the feeder, {energy_text(figures['households'])} at households, "
            f"{reported} of {slots} slots told"
        )
        if losses != supply - figures["households"] or reported > slots:
            raise Untrue(f"the figures contradict each other: {text}")
        is_balanced = (
            reported > 0
            and _covers(supply, figures["feeder"])
            and _covers(figures["feeder"], figures["households"])
        )
        if take(told, "is_balanced", bool) != is_balanced:
            called = "not balanced, and is" if is_balanced else "balanced, and is not"
            raise Untrue(f"called {called}: {text}")
        return f"{text}: {'balanced' if is_balanced else 'not balanced, and not called so'}"

    def proof_holds(self, n: int, raw: bytes) -> str:
        proof = read_object(raw, what="the proof")
        path = take(proof, "path", list)
        if whole(proof, "epoch", least=1) != n:
            raise Untrue(f"the proof is of another epoch than {n}")
        if not 0 < len(path) <= MOST_STEPS:
            raise Untrue(f"a path has 1 to {MOST_STEPS} steps, this one has {len(path)}")
        key = hexadecimal(proof, "key", _HASH)
        node = leaf(
            key=bytes.fromhex(key[2:]),
            wallet=_wallet(proof),
            milliwatt_hours=whole(proof, "milliwatt_hours"),
            tokens=whole(proof, "tokens"),
        )
        mine = node.tokens
        for step in path:
            sibling = Node(
                hash=bytes.fromhex(hexadecimal(step, "hash", _HASH)[2:]),
                milliwatt_hours=whole(step, "milliwatt_hours"),
                tokens=whole(step, "tokens"),
            )
            pair = (sibling, node) if take(step, "is_left", bool) else (node, sibling)
            node = combine(*pair)
        told = self._told(n)
        if ("0x" + node.hash.hex(), node.milliwatt_hours, node.tokens) != (
            told.root,
            told.milliwatt_hours,
            told.tokens,
        ):
            raise Untrue("the path does not lead to the root on chain")
        claimed = self._chain.view("ledger", "claimed", bytes.fromhex(key[2:]))
        return (
            f"{tokens_text(mine)} are in the root of epoch {n}; {tokens_text(claimed)} were claimed"
        )

    # What the checks stand on

    def _told(self, n: int) -> Told:
        if n not in self._chain.told:
            raise Untrue(f"epoch {n} was never activated on chain")
        return self._chain.told[n]

    def _read(self, n: int) -> Dataset:
        return Dataset.read(self._source.dataset(n))

    def _dataset(self, n: int) -> Dataset:
        """Return the data set that this run found, true or not, so that every check names its own.

        Raises CannotCheck if there is none to read.
        """
        if n not in self._datasets:
            try:
                self._datasets[n] = self._read(n)
            except Untrue as error:
                raise CannotCheck(f"the data set of epoch {n} cannot be read") from error
        return self._datasets[n]

    def _before(self, n: int) -> Dataset:
        """Return the data set of the epoch before, which has to be the one told on chain."""
        if n - 1 not in self._datasets:
            self._datasets[n - 1] = self._read(n - 1)
        before = self._datasets[n - 1]
        if before.sha256 != self._told(n - 1).dataset_hash:
            raise Untrue(f"the data set of epoch {n - 1} is not the one told on chain")
        if "0x" + before.tree.hash.hex() != self._told(n - 1).root:
            raise Untrue(f"the data set of epoch {n - 1} does not give its root")
        return before


def run(arguments: argparse.Namespace, report: Report) -> None:
    """Make every check that was asked for."""
    site, files = arguments.site, [Path(each) for each in arguments.dataset]
    source = Files(paths=files) if files else Api(url=arguments.api, site=site)
    chain = Chain(url=arguments.rpc)
    contracts = source.contracts()
    audit = Audit(site=site, source=source, chain=chain)
    if not report.check("chain", lambda: audit.chain_is_the_one(contracts)):
        return
    chain.use(
        ledger=arguments.ledger or hexadecimal(contracts, "ledger", _ADDRESS),
        token=hexadecimal(contracts, "token", _ADDRESS),
        since=_since(arguments.since_block, contracts),
    )
    if not report.check("contracts", audit.contracts_belong_together):
        return
    newest = audit.newest()
    wanted = source.newest if isinstance(source, Files) else newest
    last = newest if arguments.epoch == "all" else int(arguments.epoch or wanted)
    report.epoch = last
    for n in range(last, 0, -1) if arguments.epoch == "all" else [last]:
        _epoch(audit, report, n, is_newest=n == newest)
    report.check("supply", lambda: audit.supply_is_what_was_activated(newest))
    report.check("claims", lambda: audit.claims_are_covered(newest, is_newest=last == newest))
    if arguments.proof:
        report.check("proof", lambda: audit.proof_holds(last, _file(Path(arguments.proof))))


def _since(asked: int | None, contracts: dict[str, Any]) -> int:
    """Before which block nothing is looked for; where that is told too late, events are missing."""
    if asked is not None or contracts.get("deployed_in_block") is None:
        return asked or 0
    return whole(contracts, "deployed_in_block")


def _epoch(audit: Audit, report: Report, n: int, *, is_newest: bool) -> None:
    checks: list[tuple[str, Callable[[], str]]] = [
        ("data set", lambda: audit.dataset_is_the_one(n)),
        ("root", lambda: audit.root_is_rebuilt(n, is_newest=is_newest)),
        ("sums", lambda: audit.sums_are_energy_times_w(n, is_newest=is_newest)),
        ("growth", lambda: audit.nobody_lost(n)),
        ("cohorts", lambda: audit.cohorts_are_large_enough(n)),
        ("energy", lambda: audit.energy_is_balanced(n)),
    ]
    for name, look in checks:
        report.check(f"{name} of epoch {n}", look)


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotCheck(f"{path} cannot be read ({type(error).__name__})") from error


def _arguments(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--api", help="where the service is, e.g. https://solar.example.org")
    parser.add_argument(
        "--rpc",
        default=os.environ.get("VERIFY_RPC"),
        help="a node of the chain; or the environment's VERIFY_RPC",
    )
    parser.add_argument("--site", required=True, help="short name of the site, e.g. kisima")
    parser.add_argument("--epoch", help="number of the epoch, or all; default: the newest active")
    parser.add_argument("--dataset", action="append", default=[], help="a downloaded data set")
    parser.add_argument("--proof", help="a holder's proof, as the API gives it")
    parser.add_argument("--ledger", help="where you know the ledger contract to stand")
    parser.add_argument(
        "--since-block", type=int, help="the block in which the ledger was deployed"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args(given)
    if not arguments.rpc or not (arguments.api or arguments.dataset):
        parser.error("give --rpc, and --api or --dataset")
    if not _SLUG.fullmatch(arguments.site):
        parser.error("--site is a short name of letters, digits, - and _")
    if arguments.epoch not in (None, "all") and not re.fullmatch(
        r"[1-9][0-9]{0,8}", arguments.epoch
    ):
        parser.error("--epoch is a number from 1, or all")
    if arguments.ledger and not _ADDRESS.fullmatch(arguments.ledger):
        parser.error("--ledger is an address: 0x and 40 hexadecimal digits")
    return arguments


def main(given: list[str] | None = None) -> int:
    """Check and return the exit code."""
    arguments = _arguments(given)
    report = Report(is_json=arguments.json)

    try:
        run(arguments, report)
    except Untrue as error:
        report.note("start", FAILED, str(error))
    except CannotCheck as error:
        report.note("start", UNKNOWN, str(error))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
