"""manage.py outbox_resume: a person has looked into nonces that are not ours, and goes on."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from tokens.chain import client, outbox_resuming
from tokens.chain.client import ChainLies, ChainUnavailable
from tokens.chain.outbox_resuming import NotOurs


class Command(BaseCommand):
    """Tells what holds a sender up; with --yes it is accepted."""

    help = (
        "Tell why nothing is signed for a sender. Look each of them up first. --adopt takes in a"
        " transfer that we signed and lost (this database is older than the chain), the lowest"
        " nonce first. With --yes, transfers whose nonce another took end without effect, later"
        " nonces follow those on chain, and a finalized block that changed is taken as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sender", help="address, as the alarm tells it")
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--yes", action="store_true", help="accept what is told")
        choice.add_argument("--adopt", metavar="HASH", help="a transfer on chain that is ours")

    def handle(
        self, *args: Any, sender: str, yes: bool = False, adopt: str | None = None, **options: Any
    ) -> None:
        try:
            chain = client.connected()
            if adopt:
                row = outbox_resuming.adopt(chain=chain, transfer_hash=adopt, at=timezone.now())
                self.stdout.write(f"{adopt} is {row.intent}, nonce {row.nonce}.")
                return
            held = (
                outbox_resuming.accept(chain=chain, sender=sender, at=timezone.now())
                if yes
                else outbox_resuming.held_up(chain=chain, sender=sender)
            )
        except (ChainUnavailable, ChainLies, NotOurs) as error:
            raise CommandError(str(error)) from error
        for reason in held:
            self.stdout.write(reason)
        if not held:
            self.stdout.write(f"Nothing holds {sender} up.")
        elif yes:
            self.stdout.write("Accepted: the outbox goes on.")
