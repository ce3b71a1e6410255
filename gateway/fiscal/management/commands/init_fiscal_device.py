"""manage.py init_fiscal_device: run once a device of eTIMS; it tells the device's key."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.fiscal.etims.account import read_account
from gateway.fiscal.etims.client import Etims
from gateway.fiscal.interface import DeviceRefused, DeviceUnavailable


class Command(BaseCommand):
    """Install an approved eTIMS device and print what the settings and the site need."""

    help = "Initialise an OSCU device that KRA approved. Its key is told only this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", required=True, help="PIN/branch, e.g. P000000001A/00")
        parser.add_argument("--serial", required=True, help="the device's serial number at KRA")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.ETIMS_URL:
            raise CommandError("ETIMS_URL is not set.")
        try:
            account = read_account(options["account"])
            client = Etims(
                base_url=settings.ETIMS_URL,
                tin=account.tin,
                branch=account.branch,
                key="",
                lookup_path="",
            )
            told = client.initialise(serial=options["serial"])
        except (DeviceRefused, DeviceUnavailable, ValueError) as error:
            raise CommandError(f"The device was not initialised: {error}") from error
        device = f"{account.tin}/{account.branch}"
        self.stdout.write(f"ETIMS_API_KEY: {device}={told['cmcKey']}")
        self.stdout.write(f"fiscal account of the site: {device}/{told.get('sdcId', '')}")
