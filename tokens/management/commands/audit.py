"""manage.py audit: every invariant of the design, looked for in the stored rows."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

import accounts.audit
import settlement.audit
import tokens.audit
from accounts.audit import Check, Result

CHECKS: tuple[Check, ...] = (
    *accounts.audit.CHECKS,
    *settlement.audit.CHECKS,
    *tokens.audit.CHECKS,
)


class Command(BaseCommand):
    """Runs every check on one snapshot; reads only."""

    help = "Check every invariant of the books; exits 1 with a list if one fails."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--json",
            action="store_true",
            dest="as_json",
            help='print one JSON object {"ok": bool, "checks": [{"name", "invariant", "findings",'
            ' "rows"}]}',
        )

    def handle(self, *args: Any, as_json: bool = False, **options: Any) -> None:
        results = self._run()
        failed = [result for result in results if result.findings]
        if as_json:
            self.stdout.write(
                json.dumps({"ok": not failed, "checks": [as_object(result) for result in results]})
            )
        else:
            for result in failed:
                for finding in result.findings:
                    self.stdout.write(
                        f"invariant {finding.invariant}, {finding.check}: {finding.detail}"
                    )
        if failed:
            names = ", ".join(result.check.name for result in failed)
            raise CommandError(f"{len(failed)} of {len(results)} checks failed: {names}")
        if not as_json:
            self.stdout.write(f"All {len(results)} checks hold.")

    def _run(self) -> list[Result]:
        results = []
        began = time.monotonic()
        for number, result in enumerate(accounts.audit.run(checks=CHECKS), start=1):
            now = time.monotonic()
            self.stderr.write(
                f"[{number}/{len(CHECKS)}] {result.check.name}: "
                f"{'FAILED' if result.findings else 'ok'}, {result.rows:,} rows,"
                f" {now - began:.1f} s"
            )
            began = now
            results.append(result)
        return results


def as_object(result: Result) -> dict[str, Any]:
    """Return a result as the JSON object says it."""
    return {
        "name": result.check.name,
        "invariant": result.check.invariant,
        "findings": [finding.detail for finding in result.findings],
        "rows": result.rows,
    }
