"""What a check is, and running checks in one snapshot, streaming, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

FINDINGS_KEPT = 100
"""Of one check; a check that fails everywhere must not fill the memory."""
ROWS_PER_FETCH = 5_000

Look = Callable[[BaseDatabaseWrapper], Iterable[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One place where an invariant of the design does not hold."""

    invariant: int
    check: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A named look at the books: yields one sentence for each place that is wrong.

    subject is the table whose rows it examines.
    """

    name: str
    invariant: int
    subject: str
    look: Look


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one check found, and how many rows it examined."""

    check: Check
    findings: tuple[Finding, ...]
    rows: int


def check(*, invariant: int, subject: str) -> Callable[[Look], Check]:
    """Make a function that yields details of findings into a Check of its name."""

    def made(look: Look) -> Check:
        return Check(
            name=getattr(look, "__name__", ""), invariant=invariant, subject=subject, look=look
        )

    return made


def run(*, checks: Sequence[Check], using: str = "default") -> Iterator[Result]:
    """Run the checks one after the other, all on the same snapshot of the database."""
    database = connections[using]
    with _snapshot(database):
        for each in checks:
            yield _run_one(each, database)


def streamed(database: BaseDatabaseWrapper, sql: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a query through a server-side cursor; the query takes no parameters."""
    with database.chunked_cursor() as cursor:
        cursor.execute(sql)
        while rows := cursor.fetchmany(ROWS_PER_FETCH):
            yield from rows


def sentences(database: BaseDatabaseWrapper, sql: str) -> Iterator[str]:
    """Yield the one text column of a query."""
    for (sentence,) in streamed(database, sql):
        yield sentence


def _run_one(each: Check, database: BaseDatabaseWrapper) -> Result:
    details = list(islice(each.look(database), FINDINGS_KEPT + 1))
    if len(details) > FINDINGS_KEPT:
        details[-1] = f"and more: only the first {FINDINGS_KEPT} are listed"
    ((rows,),) = streamed(database, f"SELECT count(*) FROM {each.subject}")  # noqa: S608 - ours
    return Result(
        check=each,
        findings=tuple(
            Finding(invariant=each.invariant, check=each.name, detail=detail) for detail in details
        ),
        rows=rows,
    )


@contextmanager
def _snapshot(database: BaseDatabaseWrapper) -> Iterator[None]:
    """Money moves while the audit reads: every check has to see the same instant."""
    is_outermost = not database.in_atomic_block
    with transaction.atomic(using=database.alias), database.cursor() as cursor:
        if is_outermost:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # Server-side cursors are planned for their first rows; these are read to the end.
        cursor.execute("SET LOCAL cursor_tuple_fraction = 1")
        cursor.execute("SET LOCAL TIME ZONE 'UTC'")
        yield
