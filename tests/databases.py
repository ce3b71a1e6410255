"""Databases of a test's own: a scratch copy of the test database, or another server altogether."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.db import connections
from django.db.backends.utils import CursorWrapper
from psycopg import sql

ALIASES = ("default", "owner")


@contextmanager
def pointed_at(*, name: str, host: str | None = None) -> Iterator[None]:
    """Have both connections of this thread lead to another database until the end."""
    before = {alias: dict(connections[alias].settings_dict) for alias in ALIASES}
    for alias in ALIASES:
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name
        if host is not None:
            connections[alias].settings_dict["HOST"] = host
    try:
        yield
    finally:
        for alias in ALIASES:
            connections[alias].close()
            connections[alias].settings_dict.update(before[alias])


@contextmanager
def scratch_copy(*, suffix: str) -> Iterator[None]:
    """Work on a copy of the empty test database, dropped at the end."""
    original = connections["default"].settings_dict["NAME"]
    copy = f"{original}_{suffix}"
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(copy))
    # PostgreSQL copies a database only while nobody is connected to it.
    for alias in ALIASES:
        connections[alias].close()
    with _server() as cursor:
        cursor.execute(drop)
        cursor.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(copy), sql.Identifier(original)
            )
        )
    try:
        with pointed_at(name=copy):
            yield
    finally:
        with _server() as cursor:
            cursor.execute(drop)


def _server() -> AbstractContextManager[CursorWrapper]:
    """A cursor of the owner's at no particular database."""
    creation: Any = connections["owner"].creation
    cursor: AbstractContextManager[CursorWrapper] = creation._nodb_cursor()
    return cursor
