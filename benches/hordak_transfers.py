"""Baseline of settlement: django-hordak's transfer_to, once a reading. Runs as a peer."""

from __future__ import annotations

import os
from time import perf_counter

import django
import psycopg
from django.core.management import call_command
from psycopg import sql

from benches.peer import Message, serve
from gateway import environment

HOUSEHOLDS = 100


def main() -> None:
    """Make the scratch database, migrate it, then answer `transfers` with the seconds taken."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benches.hordak_settings"
    _make_database()
    django.setup()
    call_command("migrate", verbosity=0)

    from django.db import transaction  # noqa: PLC0415 - models load after the set-up
    from hordak.models import Account, AccountType  # noqa: PLC0415
    from moneyed import Money  # noqa: PLC0415

    funds = [
        Account.objects.create(
            name=f"household {n}", type=AccountType.liability, currencies=["EUR"], code=f"{n:03d}"
        )
        for n in range(HOUSEHOLDS)
    ]
    revenue = Account.objects.create(
        name="revenue", type=AccountType.income, currencies=["EUR"], code="999"
    )

    def answer(message: Message) -> Message:
        began = perf_counter()
        for number in range(message["transfers"]):
            with transaction.atomic():
                funds[number % HOUSEHOLDS].transfer_to(revenue, Money("0.01", "EUR"))
        return {"seconds": perf_counter() - began}

    serve(answer)


def _make_database() -> None:
    from benches.hordak_settings import SCRATCH_DATABASE  # noqa: PLC0415 - reads the environment

    with psycopg.connect(environment.text("DATABASE_OWNER_URL"), autocommit=True) as link:
        name = sql.Identifier(SCRATCH_DATABASE)
        link.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))
        link.execute(sql.SQL("CREATE DATABASE {}").format(name))


if __name__ == "__main__":
    main()
