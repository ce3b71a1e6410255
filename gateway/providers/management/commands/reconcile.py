"""manage.py reconcile: compare one day of a rail with its provider's statement, now."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.models import Rail
from gateway.providers import reconciliation


class Command(BaseCommand):
    """Compare one day, as often as one likes; it moves no money."""

    help = "Compare a rail's statement of one day with our books; exits 1 where it can't be read."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rail", required=True, help="the rail's code, e.g. mpesa")
        parser.add_argument(
            "--day", required=True, type=date.fromisoformat, help="where its sites are: 2026-03-02"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        rail = Rail.objects.filter(code=options["rail"]).first()
        if rail is None or not reconciliation.is_reconciled(rail=rail):
            raise CommandError(f"there is no rail {options['rail']!r} with a provider to ask")
        try:
            made = reconciliation.run(rail=rail, day=options["day"], at=timezone.now())
        except ValueError as error:
            raise CommandError(str(error)) from error
        if made.failure:
            raise CommandError(f"{made}: {made.failure}")
        self.stdout.write(
            f"{made}: {made.matched} matched, {made.missing_here} missing here, "
            f"{made.missing_there} missing there, {made.amount_differs} differ in amount"
            + ("; the day is still young" if made.is_young else "")
        )
