"""manage.py deposits_resume: what a person says when a finalized block did change for good."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tokens.chain import client, reorgs
from tokens.chain.client import ChainLies, ChainUnavailable


class Command(BaseCommand):
    """Shows the last final block as we know it and as the node tells it; accepts on request."""

    help = (
        "Deposits rest when a block that was final is another one: show both, and with --accept go "
        "on from what the node tells. What was credited stays credited: look at it first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--accept", action="store_true", help="go on from the node's block")

    def handle(self, *args: Any, accept: bool = False, **options: Any) -> None:
        try:
            known, told = reorgs.final_blocks(chain=client.connected())
        except (ChainUnavailable, ChainLies) as error:
            raise CommandError(f"The chain can't be asked: {error}.") from error
        if known is None or told is None:
            self.stdout.write("Nothing was final yet, or the node has not got so far.")
            return
        self.stdout.write(f"Block {known.block_number} was {known.block_hash}, is {told.hash}.")
        if known.block_hash == told.hash:
            self.stdout.write("They agree: nothing to accept.")
        elif accept:
            reorgs.accept_final(known=known, told=told)
            self.stdout.write("Accepted. Compare with manage.py audit.")
        else:
            self.stdout.write("With --accept deposits go on from there.")
