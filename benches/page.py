"""docs/benchmarks.md: the table between its two marks, refreshed by a run."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from datetime import date
from os import cpu_count
from pathlib import Path

from benches.outcome import Outcome
from launcher.places import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: script/bench --write -->", "<!-- end of figures -->"


def write(*, outcomes: Sequence[Outcome], on: date) -> None:
    """Replace what stands between the marks by the outcomes."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [
        f"{on.isoformat()}, commit {commit()}, {machine()}. Command: `script/bench --write`.",
        "",
        "| bench | what | value | budget |",
        "| --- | --- | ---: | --- |",
    ]
    lines += [
        f"| {bench} | `{what}` | {value} | {budget} |"
        for outcome in outcomes
        for bench, what, value, budget in outcome.rows()
    ]
    table = "\n".join(lines)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def machine() -> str:
    """Return the processor, how many of it, and Python's version."""
    model = platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{cpu_count()} x {model}, {platform.system()}, Python {platform.python_version()}"


def commit() -> str:
    """Return the short commit, and whether the tree differs from it."""
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"
