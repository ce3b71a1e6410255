"""Where the benchmarks run: a migrated database that belongs to nobody."""

from __future__ import annotations

import os
import sys
from typing import Any

import django
from django.core.management import call_command
from django.db import connection, connections

SLUG = "bench"
"""Every site, operator and scratch schema of ours begins with it."""


class NotOurs(SystemExit):
    """The database holds somebody's sites."""


def prepare() -> None:
    """Load Django, migrate, and refuse a database with sites that no benchmark made.

    Raises NotOurs: figures are not worth anybody's books.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    django.setup()
    say("migrating")
    call_command("migrate", database="owner", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_site WHERE slug NOT LIKE %s", [f"{SLUG}-%"])
        if cursor.fetchone()[0]:
            raise NotOurs("This database has sites of its own: benchmarks need one without.")


def as_owner(statement: str, parameters: dict[str, Any] | None = None) -> None:
    """Run statements as the owner role, outside any transaction (VACUUM may be one of them)."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement, parameters)


def say(text: str) -> None:
    """Tell the person who waits, on standard error."""
    print(f"  {text}", file=sys.stderr, flush=True)
