"""manage.py import_places FILE --site SLUG: where households lie, for the map of cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import places
from accounts.models import Site
from accounts.places import BadPlaces


class Command(BaseCommand):
    help = (
        "Set where households of a site lie, from a CSV with the columns code, easting_metres and"
        " northing_metres (from the container). All lines or none; again, it changes the places."
        " They are personal data: the public sees squares of five households or more."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--site", required=True, metavar="SLUG")

    def handle(self, *_args: Any, **options: Any) -> None:
        site = Site.objects.filter(slug=options["site"]).first()
        if site is None:
            raise CommandError(f"There is no site {options['site']}.")
        try:
            with options["file"].open(encoding="utf-8-sig", newline="") as lines:
                count = places.take_in(site=site, placed=places.read(lines))
        except (BadPlaces, OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['file'].name}: {error}") from error
        self.stdout.write(f"{site.name}: {count} households have their place")
