"""manage.py register_paybill: run once a short code, and after each change of the hook secret."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway.providers.daraja.registration import register
from gateway.providers.interface import ProviderRefused, ProviderUnavailable


class Command(BaseCommand):
    """Register the paybill with Daraja."""

    help = "Tell Daraja where to announce paybill payments and that we pull its statement."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--phone", required=True, help="the nominated number, 2547...")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            base = register(phone=options["phone"], at=timezone.now())
        except (ProviderRefused, ProviderUnavailable) as error:
            raise CommandError(f"Daraja did not register the paybill: {error}") from error
        self.stdout.write(f"registered: Daraja announces payments under {base}")
