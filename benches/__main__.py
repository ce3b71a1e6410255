"""Run benchmarks: python -m benches [NAME ...] [--json] [--write] [--small]."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from benches import ground, page
from benches.outcome import Outcome
from benches.village_record import DataMissing

NAMES = ("villages", "settle", "ussd", "hooks")
"""The villages come first: they audit the whole database, and others store what was never settled
to have something in it."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/bench", description="Benchmarks and baselines.")
    parser.add_argument("name", nargs="*", help=f"of {', '.join(NAMES)}; default: all of them")
    parser.add_argument("--json", action="store_true", help="one JSON object a benchmark")
    parser.add_argument("--write", action="store_true", help="refresh docs/benchmarks.md")
    parser.add_argument("--small", action="store_true", help="a few readings: shows that it works")
    options = parser.parse_args(arguments)
    if unknown := set(options.name) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    outcomes = []
    # The benchmarks of the web load the project with their own paths beside it.
    os.environ["DJANGO_SETTINGS_MODULE"] = "benches.settings"
    ground.prepare()
    for name in options.name or NAMES:
        ground.say(f"-- {name}")
        try:
            outcome: Outcome = importlib.import_module(f"benches.{name}").run(
                is_small=options.small
            )
        except DataMissing as missing:
            if options.name:
                raise
            ground.say(f"left out: {missing}")
            continue
        outcomes.append(outcome)
        if options.json:
            print(outcome.as_json(), flush=True)
    if not options.json:
        print(_table(outcomes))
    if options.write:
        page.write(outcomes=outcomes, on=datetime.now(UTC).date())
    return 0


def _table(outcomes: Sequence[Outcome]) -> str:
    rows = [row for outcome in outcomes for row in outcome.rows()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}".rstrip()
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
