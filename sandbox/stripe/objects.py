"""Every object of the account: stored as the API shows it, listed newest first, expanded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sandbox.context import Context
from sandbox.stripe.errors import invalid, missing
from sandbox.stripe.params import Params

Body = dict[str, Any]

SCHEMA = """
CREATE TABLE IF NOT EXISTS stripe_object (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,           -- the field `object`
    body TEXT NOT NULL,           -- JSON, ids unexpanded
    hidden TEXT NOT NULL          -- JSON, what the API never shows
);
CREATE INDEX IF NOT EXISTS stripe_object_kind ON stripe_object (kind, number);
CREATE INDEX IF NOT EXISTS stripe_object_payment
    ON stripe_object (json_extract(body, '$.payment_intent'));
CREATE INDEX IF NOT EXISTS stripe_object_charge ON stripe_object (json_extract(body, '$.charge'));
CREATE TABLE IF NOT EXISTS stripe_due (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    due_at REAL NOT NULL,         -- the sandbox's clock, epoch seconds
    action TEXT NOT NULL,
    object_id TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS stripe_due_at ON stripe_due (due_at);
"""
DEEPEST_EXPANSION = 4
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Objects:
    """The account's objects and what is due to happen to them."""

    def __init__(self, *, context: Context) -> None:
        self._context = context
        self._includable: dict[tuple[str, str], Callable[[Body], Body]] = {}

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make every change within happen as one, or none of them."""
        with self._context.store.transaction():
            yield

    def new_id(self, prefix: str, *, length: int = 24) -> str:
        """An id nobody has: `ch_` and hexadecimal digits, at most 64."""
        digits = "".join(self._context.ids.hexadecimal(f"stripe_{prefix}") for _ in range(2))
        return f"{prefix}_{digits[:length]}"

    def now(self) -> int:
        """The sandbox's instant in whole epoch seconds, as `created` counts."""
        return int(self._context.now())

    def add(self, body: Body, *, hidden: Mapping[str, Any] | None = None) -> Body:
        """Store a new object; returns it."""
        with self._context.store.transaction() as db:
            db.execute(
                "INSERT INTO stripe_object (id, kind, body, hidden) VALUES (?, ?, ?, ?)",
                (body["id"], body["object"], json.dumps(body), json.dumps(dict(hidden or {}))),
            )
        return body

    def get(self, reference: str, *, kind: str | None = None) -> Body | None:
        """The object with this id (and kind), None if there is none."""
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT body FROM stripe_object WHERE id = ?1 AND (?2 IS NULL OR kind = ?2)",
                (reference, kind),
            ).fetchone()
        return None if row is None else json.loads(row["body"])

    def require(self, reference: str, *, kind: str, param: str = "id") -> Body:
        """The object with this id; `resource_missing` if there is none."""
        body = self.get(reference, kind=kind)
        if body is None:
            raise missing(kind, reference, param=param)
        return body

    def change(self, reference: str, **fields: Any) -> Body:
        """Set fields of a stored object; returns it as it is now."""
        with self._context.store.transaction() as db:
            row = db.execute("SELECT body FROM stripe_object WHERE id = ?", (reference,)).fetchone()
            body: Body = {**json.loads(row["body"]), **fields}
            db.execute(
                "UPDATE stripe_object SET body = ? WHERE id = ?", (json.dumps(body), reference)
            )
        return body

    def forget(self, reference: str) -> None:
        """Take an object out of every answer; what is hidden of it stays."""
        with self._context.store.transaction() as db:
            db.execute("UPDATE stripe_object SET kind = '' WHERE id = ?", (reference,))

    def hidden(self, reference: str) -> Body:
        """What only the sandbox knows of an object; {} if there is no such object."""
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT hidden FROM stripe_object WHERE id = ?", (reference,)
            ).fetchone()
        return {} if row is None else json.loads(row["hidden"])

    def remember(self, reference: str, **values: Any) -> None:
        """Set hidden values of an object."""
        with self._context.store.transaction() as db:
            db.execute(
                "UPDATE stripe_object SET hidden = ? WHERE id = ?",
                (json.dumps({**self.hidden(reference), **values}), reference),
            )

    def find(self, kind: str, **equals: Any) -> list[Body]:
        """Objects of a kind whose fields have these values, newest first."""
        where, values = _conditions(equals)
        with self._context.store.transaction() as db:
            rows = db.execute(
                f"SELECT body FROM stripe_object WHERE kind = ?{where} ORDER BY number DESC",  # noqa: S608
                (kind, *values),
            ).fetchall()
        return [json.loads(row["body"]) for row in rows]

    def page(self, kind: str, params: Params, *, url: str, **equals: Any) -> Body:
        """One page of a list: `limit`, `starting_after`, `ending_before` and `created` are read
        from the parameters; a filter that is None is not applied.
        """
        limit = params.integer("limit", lowest=1, highest=100) or 10
        after, before = params.text("starting_after"), params.text("ending_before")
        if after is not None and before is not None:
            raise invalid(
                "Received both starting_after and ending_before parameters.", param="ending_before"
            )
        where, values = _conditions(equals)
        for comparison, instant in _created(params):
            where += f" AND json_extract(body, '$.created') {comparison} ?"
            values.append(instant)
        order = "DESC"
        if after is not None:
            where += " AND number < ?"
            values.append(self._position(after, kind=kind, param="starting_after"))
        elif before is not None:
            where += " AND number > ?"
            values.append(self._position(before, kind=kind, param="ending_before"))
            order = "ASC"
        with self._context.store.transaction() as db:
            rows = db.execute(
                f"SELECT body FROM stripe_object WHERE kind = ?{where}"  # noqa: S608
                f" ORDER BY number {order} LIMIT ?",
                (kind, *values, limit + 1),
            ).fetchall()
        data = [json.loads(row["body"]) for row in rows[:limit]]
        if order == "ASC":
            data.reverse()
        return listed(data, url=url, has_more=len(rows) > limit)

    def _position(self, reference: str, *, kind: str, param: str) -> int:
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT number FROM stripe_object WHERE id = ? AND kind = ?", (reference, kind)
            ).fetchone()
        if row is None:
            raise missing(kind, reference, param=param)
        return int(row["number"])

    def later(self, action: str, reference: str, *, seconds: float) -> None:
        """Have an action done to an object after so many seconds of the sandbox's clock."""
        with self._context.store.transaction() as db:
            db.execute(
                "INSERT INTO stripe_due (due_at, action, object_id) VALUES (?, ?, ?)",
                (self._context.now() + seconds, action, reference),
            )

    def take_due(self) -> tuple[str, str] | None:
        """Take the earliest action that is due, as (action, object id); None if none is."""
        with self._context.store.transaction() as db:
            row = db.execute(
                "DELETE FROM stripe_due WHERE number = (SELECT number FROM stripe_due"
                " WHERE due_at <= ? ORDER BY due_at, number LIMIT 1) RETURNING action, object_id",
                (self._context.now(),),
            ).fetchone()
        return None if row is None else (row["action"], row["object_id"])

    def drop_due(self, action: str, reference: str) -> None:
        """Forget an action that has become pointless or was done early."""
        with self._context.store.transaction() as db:
            db.execute(
                "DELETE FROM stripe_due WHERE action = ? AND object_id = ?", (action, reference)
            )

    def include(self, kind: str, field: str, produce: Callable[[Body], Body]) -> None:
        """Let `expand[]` add a field that objects of a kind do not show otherwise."""
        self._includable[kind, field] = produce

    def expand(self, body: Body, paths: list[str]) -> Body:
        """Replace the ids at these paths (`data.charge.refunds`) by their objects."""
        for path in paths:
            steps = path.split(".")
            if len(steps) - steps.count("data") > DEEPEST_EXPANSION:
                raise invalid(
                    f"You cannot expand more than {DEEPEST_EXPANSION} levels of a property."
                    f" Property: {path}",
                    param="expand",
                )
            self._expand(body, steps, path=path)
        return body

    def _expand(self, body: Body, steps: list[str], *, path: str) -> None:
        step, *rest = steps
        value = body.get(step)
        produce = self._includable.get((str(body.get("object")), step))
        if produce is not None and value is None:
            value = produce(body)
        elif isinstance(value, str):
            value = self.get(value)
        items = value if isinstance(value, list) else [value]
        if (step not in body and value is None) or not all(_expandable(item) for item in items):
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        body[step] = value
        for item in items:
            if rest and item is not None:
                self._expand(item, rest, path=path)


def listed(data: list[Body], *, url: str, has_more: bool = False) -> Body:
    """The API's list object."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def _expandable(value: Any) -> bool:
    return value is None or isinstance(value, dict)


def _conditions(equals: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """SQL for fields equal to a value, to one of a list, or like a text with `*`."""
    where, values = "", []
    for name, value in equals.items():
        if value is None or value == []:
            continue
        field = f" AND json_extract(body, '$.{name}')"
        if isinstance(value, list):
            where += f"{field} IN ({','.join('?' * len(value))})"
            values += value
        else:
            where += f"{field} {'GLOB' if '*' in str(value) else '='} ?"
            values.append(value)
    return where, values


def _created(params: Params) -> list[tuple[str, int]]:
    if not params.given("created"):
        return []
    group = params.group("created") if params.is_group("created") else None
    if group is None:
        return [("=", params.integer("created") or 0)]
    bounds = [(sign, group.integer(name)) for name, sign in _COMPARISONS.items()]
    return [(sign, bound) for sign, bound in bounds if bound is not None]
