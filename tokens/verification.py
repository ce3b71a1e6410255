"""Our own run of verify.py: the program that strangers run, the same bytes, over the public API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings

from accounts import sites
from accounts.locks import singleton
from accounts.models import Site
from tokens import queries
from tokens.models import Contract, Verification

log = structlog.get_logger(__name__)

EVERY = timedelta(minutes=10)
LONGEST_SECONDS = 200
COULD_NOT_CHECK = 2
_LONGEST_TEXT = 600
_MOST_CHECKS = 40


def run_due(*, at: datetime) -> list[Verification]:
    """Run it for every site with a new active epoch, or whose last run is ten minutes old.

    One worker at a time; the others leave it to that one.
    """
    done = []
    for site in sites.open_sites():
        with singleton(f"verify:{site.pk}") as is_alone:
            if is_alone and _is_due(site, at=at):
                done.append(run(site=site, at=at))
    return done


def run(*, site: Site, at: datetime) -> Verification:
    """Run it for a site and keep what it says; what goes wrong is a run that could not check."""
    told = _told(site)
    kept, _ = Verification.objects.update_or_create(
        site=site,
        defaults={
            "epoch_number": told["epoch"],
            "exit_code": told["exit_code"],
            "checks": told["checks"],
            "ran_at": at,
        },
    )
    log.info("verified", site=site.slug, epoch=told["epoch"], exit_code=told["exit_code"])
    return kept


def _is_due(site: Site, *, at: datetime) -> bool:
    active = queries.active_epoch(site=site)
    if active is None:
        return False
    last = Verification.objects.filter(site=site).first()
    return last is None or last.epoch_number != active.number or last.ran_at <= at - EVERY


def _told(site: Site) -> dict[str, Any]:
    ledger = Contract.objects.filter(
        site=site, chain_id=settings.CHAIN_ID, kind=Contract.Kind.LEDGER
    ).first()
    command = [
        *(sys.executable, str(settings.BASE_DIR / "verify.py"), "--json"),
        *("--api", settings.PUBLIC_URL, "--site", site.slug),
        *("--since-block", str(0 if ledger is None else ledger.block_number)),
    ]
    # The node's address may hold a key: not where everybody on the machine reads arguments.
    environment = {"PATH": os.environ.get("PATH", ""), "VERIFY_RPC": settings.CHAIN_RPC_URL}
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
        told = json.loads(done.stdout)
        return {
            "epoch": told["epoch"],
            "exit_code": done.returncode,
            "checks": [
                {name: str(check[name])[:_LONGEST_TEXT] for name in ("name", "state", "text")}
                for check in told["checks"][:_MOST_CHECKS]
            ],
        }
    except (subprocess.TimeoutExpired, OSError, ValueError, KeyError, TypeError) as error:
        log.warning("verify.py told nothing", site=site.slug, error=type(error).__name__)
        check = {"name": "start", "state": "unknown", "text": f"no word ({type(error).__name__})"}
        return {"epoch": None, "exit_code": COULD_NOT_CHECK, "checks": [check]}
