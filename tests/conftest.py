"""Fixtures of every test: databases of both roles, and a village to test with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.backends.postgresql.operations import DatabaseOperations
from hypothesis import settings
from pytest_django.plugin import DjangoDbBlocker

from tests.chain_node import chain_node, chained, own_chain_node
from tests.twin import Twin
from tests.village import Village

__all__ = ["chain_node", "chained", "own_chain_node"]

# The same examples every time; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("explore", max_examples=2_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[None]:
    """Create the test database as the owner; tests then run on it as the app role."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    owner = connections["owner"]
    app = connections["default"]
    before = app.settings_dict["NAME"]
    owner.settings_dict["TEST"]["NAME"] = f"test_gateway_{worker}"
    with django_db_blocker.unblock():
        name = owner.creation.create_test_db(verbosity=0, autoclobber=True)
        app.close()
        app.settings_dict["NAME"] = name
    yield
    with django_db_blocker.unblock():
        app.close()
        app.settings_dict["NAME"] = before
        owner.creation.destroy_test_db(before, verbosity=0)


@pytest.fixture(scope="session", autouse=True)
def flush_as_owner() -> Iterator[None]:
    """The app role can't truncate: the flush after transactional tests goes through the owner."""
    original = DatabaseOperations.execute_sql_flush

    def execute_sql_flush(self: DatabaseOperations, sql_list: Any) -> None:
        owner = connections["owner"]
        owner.settings_dict["NAME"] = connections["default"].settings_dict["NAME"]
        with owner.cursor() as cursor:
            cursor.execute(
                "SELECT string_agg(quote_ident(c.relname), ', ') FROM pg_class c"
                " JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
                " AND c.relname NOT IN ('django_migrations', 'django_content_type',"
                " 'auth_permission')"
            )
            tables = cursor.fetchone()[0]
            # Both connections are flushed; emptying empty tables takes as long as full ones.
            any_row = " OR ".join(f"EXISTS (SELECT FROM {table})" for table in tables.split(", "))
            cursor.execute(f"SELECT {any_row}")
            if cursor.fetchone()[0]:
                cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        owner.close()

    DatabaseOperations.execute_sql_flush = execute_sql_flush  # type: ignore[method-assign, assignment]
    yield
    DatabaseOperations.execute_sql_flush = original  # type: ignore[method-assign]


@pytest.fixture
def now() -> datetime:
    """A fixed instant: a Monday at noon in Nairobi."""
    return datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def village(db: None, now: datetime) -> Village:
    """Kisima: a site with prices, a split, a rail and no household yet."""
    return Village.found(at=now)


@pytest.fixture
def twin(db: None, now: datetime) -> Twin:
    """Kisima beside its model: a price and KIS0001 with meter SM0001, which has no funds."""
    twin = Twin.found(at=now)
    twin.price(ticks=3_000, starts_at=twin.village.founded_at)
    twin.household("KIS0001")
    return twin


@pytest.fixture
def slot(now: datetime) -> datetime:
    """A slot that ended: 11:15 to 11:30 in Nairobi."""
    return now - timedelta(minutes=45)
