"""A phone in the terminal: dials the service through the sandbox and its real hook."""

from __future__ import annotations

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.phones import BadPhone, normalise
from gateway.handset.client import Body, Handset, SandboxAway, dial_body


class Command(BaseCommand):
    """`manage.py ussd` asks for inputs until the session ends; with TEXT it dials once."""

    help = "Dial the service from a phone of the sandbox. Ctrl-D hangs up."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.formatter_class = argparse.ArgumentDefaultsHelpFormatter
        parser.add_argument("--phone", default="+254711000001", help="who dials")
        parser.add_argument("--code", default=settings.USSD_CODE, help="what is dialled")
        parser.add_argument(
            "text", nargs="?", default=None, help="inputs of a session, like 3*500*1: dial once"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            handset = Handset(phone=normalise(text=options["phone"]))
        except BadPhone as error:
            raise CommandError(str(error)) from error
        first = dial_body(options["code"])
        if first is None:
            raise CommandError(f"{options['code']} is not this service: dial {settings.USSD_CODE}.")
        if options["text"] is not None:
            self._hop(handset, {"text": options["text"]})
            return
        self._session(handset, first)

    def _session(self, handset: Handset, first: dict[str, object]) -> None:
        text = str(first["text"])
        is_open = self._hop(handset, first)
        while is_open:
            try:
                entered = input("> ").strip()
            except (EOFError, KeyboardInterrupt):
                self.stdout.write("")
                return
            if entered:
                text = f"{text}*{entered}" if text else entered
                is_open = self._hop(handset, {"text": text})

    def _hop(self, handset: Handset, body: Body) -> bool:
        """Send one text, print the screen; return whether the session goes on."""
        try:
            answer = handset.dial(body)
        except SandboxAway as error:
            raise CommandError(str(error)) from error
        if answer.refusal:
            raise CommandError(answer.refusal)
        self.stdout.write(answer.body["screen"])
        return bool(answer.body["open"])
