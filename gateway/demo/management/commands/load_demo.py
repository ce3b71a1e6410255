"""manage.py load_demo: the village of script/server, with 48 h of history."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway.demo import history, kisima


class Command(BaseCommand):
    """Make the demo; making it again changes nothing."""

    help = "Make the demo village and its history (only under script/server)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--migrate", action="store_true", help="bring the database up to date first"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("The demo is made only under script/server, which sets DEMO=1.")
        if options["migrate"]:
            self._tell("migrating the database")
            call_command("migrate", database="owner", verbosity=0)
        at = timezone.now()
        site = kisima.found(at=at - history.SPAN * 2)
        self._tell(f"{site.name}: {kisima.HOUSEHOLDS} households")
        history.make(site=site, at=at, tell=self._tell)
        self._tell("ready")

    def _tell(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
