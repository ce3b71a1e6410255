"""Compiled contracts: what script/compile-contracts wrote beside their sources."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_DIRECTORY = Path(__file__).with_name("artifacts")


@dataclass(frozen=True)
class Artifact:
    """A contract's interface, and the code that deploys it ("0x" and hexadecimal)."""

    abi: list[dict[str, Any]]
    bytecode: str


@cache
def artifact(name: str) -> Artifact:
    """Return a contract of ours by its name, such as "ImpactLedger"; the result is shared."""
    found = json.loads((_DIRECTORY / f"{name}.json").read_text())
    return Artifact(abi=found["abi"], bytecode=found["bytecode"])
