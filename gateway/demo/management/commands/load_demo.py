"""manage.py load_demo: the villages of script/server, with 48 h of history."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway.demo import (
    agents,
    campaigns,
    cards,
    chain,
    crypto,
    history,
    payees,
    places,
    villages,
    votes,
)
from gateway.demo.kisima import KISIMA
from gateway.demo.lofe import LOFE

VILLAGES = (KISIMA, LOFE)


class Command(BaseCommand):
    """Make the demo; making it again adds the villages that are missing, and changes nothing."""

    help = "Make the demo villages and their history (only under script/server)."

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
        made = []
        for village in VILLAGES:
            site = villages.found(
                village=village, at=at - history.SPAN * 2, pepper=settings.PIN_PEPPER
            )
            self._tell(f"{site.name}: {villages.HOUSEHOLDS} households")
            made.append((village, site))
        sites = [site for _, site in made]
        cards.accept(sites=sites)
        campaigns.collect(sites=sites, at=at)
        agents.employ(sites=sites, at=at, pepper=settings.PIN_PEPPER)
        payees.appoint(sites=sites, at=at)
        places.lay_out(villages=made)
        chain.begin(sites=sites, tell=self._tell)
        history.make(villages=made, at=at, tell=self._tell)
        chain.finish(sites=sites, tell=self._tell)
        if settings.CHAIN_ID == chain.DEV_CHAIN_ID:
            crypto.give(site=sites[0], tell=self._tell)
        votes.hold(village=made[0][0], site=sites[0], at=at, tell=self._tell)
        self._tell("ready")

    def _tell(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
