"""Run benchmarks: python -m benches [NAME ...] [--json] [--write] [--small]."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from datetime import UTC, datetime

from benches import ground, page
from benches.outcome import Outcome
from benches.village_record import DataMissing

NAMES = ("villages", "settle", "ussd", "hooks", "chain", "dashboard")
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
    if options.write and options.name:
        parser.error("--write takes no names: the page shows all of one run")
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
        print(outcome.as_json() if options.json else _table(outcome), flush=True)
    if options.write:
        page.write(outcomes=outcomes, on=datetime.now(UTC).date())
    return 0


def _table(outcome: Outcome) -> str:
    rows = outcome.rows()
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        f"{bench:{widths[0]}}  {what:{widths[1]}}  {value:>{widths[2]}}  {budget}".rstrip()
        for bench, what, value, budget in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
