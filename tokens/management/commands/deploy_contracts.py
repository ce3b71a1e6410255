"""manage.py deploy_contracts: forwarders of the chain, token and ledger of every open site."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import sites
from accounts.models import Site
from tokens.chain import client, deployment
from tokens.chain.client import ChainLies, ChainUnavailable
from tokens.chain.deployment import DeploymentRefused, Standing
from tokens.chain.signers import BadSigner, SignerLies, SignerUnavailable

_LOOK_SECONDS = 1.0


class Command(BaseCommand):
    """Deploy what is missing; running it again goes on where it stopped, and changes nothing."""

    help = (
        "Deploy our contracts on the chain of CHAIN_RPC_URL, each once, and note their addresses."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--site", action="append", metavar="SLUG", help="only this site's (may be repeated)"
        )
        parser.add_argument(
            "--patience", type=float, default=900.0, metavar="SECONDS", help="default 900"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        deploy(
            wanted=_sites(options["site"]), patience_seconds=options["patience"], tell=self._tell
        )
        self._tell("all contracts are there")

    def _tell(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def deploy(*, wanted: Sequence[Site], patience_seconds: float, tell: Callable[[str], None]) -> None:
    """Advance until everything stands in a final block. Raises CommandError with one sentence."""
    deadline = time.monotonic() + patience_seconds
    told: dict[str, str] = {}
    while True:
        standings = look(wanted=wanted, at=timezone.now())
        for standing in standings:
            line = _line(standing)
            if told.get(standing.name) != line:
                told[standing.name] = line
                tell(line)
        if all(standing.contracts for standing in standings):
            return
        if time.monotonic() > deadline:
            raise CommandError(
                f"Not done within {patience_seconds:.0f} s; run it again and it goes on from here."
            )
        time.sleep(_LOOK_SECONDS)


def look(*, wanted: Sequence[Site], at: datetime) -> list[Standing]:
    """Advance once. Raises CommandError with one sentence."""
    try:
        return deployment.advance(chain=client.connected(), sites=wanted, at=at)
    except DeploymentRefused as error:
        raise CommandError(str(error)) from error
    except ChainUnavailable as error:
        raise CommandError(f"The chain is not there: {error}; see CHAIN_RPC_URL.") from error
    except ChainLies as error:
        raise CommandError(
            f"This is not the chain that the database knows: {error}; set CHAIN_RPC_URL and"
            " CHAIN_ID to it, or, where a dev chain was wiped, wipe the database too"
            " (script/server --fresh)."
        ) from error
    except (BadSigner, SignerUnavailable, SignerLies) as error:
        raise CommandError(f"CHAIN_POSTER can't sign: {error}.") from error


def _line(standing: Standing) -> str:
    made = ", ".join(f"{contract.kind} {contract.address}" for contract in standing.contracts)
    return f"{standing.name}: {made or standing.words}"


def _sites(slugs: Sequence[str] | None) -> list[Site]:
    every = sites.open_sites()
    if not slugs:
        return every
    known = {site.slug: site for site in every}
    if unknown := [slug for slug in slugs if slug not in known]:
        raise CommandError(f"There is no open site {', '.join(unknown)}.")
    return [known[slug] for slug in slugs]
