"""Faults on command: what the next callbacks or answers of a service do wrong."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.store import Store
from sandbox.web import Route, json_object, json_response, refuse

SCHEMA = """
CREATE TABLE IF NOT EXISTS fault (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    service TEXT NOT NULL,
    kind TEXT NOT NULL,
    topic TEXT,
    seconds REAL NOT NULL,
    remaining INTEGER NOT NULL
);
"""

# Kind -> seconds when none are given.
CALLBACK_KINDS = {
    "late": 30.0,  # sent `seconds` later than usual
    "twice": 0.2,  # sent again `seconds` after the first
    "out_of_order": 30.0,  # held until the service's next callback, at most `seconds`
    "never": 0.0,
    "before_response": 0.0,  # sent before the request that causes it is answered
}
ANSWER_KINDS = {
    "slow_response": 30.0,  # the request is carried out, its answer comes `seconds` later
    "unavailable": 0.0,  # HTTP 503, nothing is carried out
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One commanded fault, taken for one use."""

    kind: str
    seconds: float


class Faults:
    """The queue of commanded faults, oldest first."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    def command(
        self, *, service: str, kind: str, topic: str | None, seconds: float, count: int
    ) -> None:
        """Make the next `count` fitting events of the service go wrong."""
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO fault (service, kind, topic, seconds, remaining)"
                " VALUES (?, ?, ?, ?, ?)",
                (service, kind, topic, seconds, count),
            )

    def take(self, *, service: str, kinds: Collection[str], topic: str | None) -> Fault | None:
        """Use up one fault of these kinds, None if there is none.

        A fault commanded for a topic waits for that topic; one without takes any.
        """
        with self._store.transaction() as db:
            marks = ",".join("?" * len(kinds))
            row = db.execute(
                f"SELECT id, kind, seconds FROM fault WHERE service = ? AND remaining > 0"  # noqa: S608
                f" AND kind IN ({marks}) AND (topic IS NULL OR topic = ?) ORDER BY id LIMIT 1",
                (service, *kinds, topic),
            ).fetchone()
            if row is None:
                return None
            db.execute("UPDATE fault SET remaining = remaining - 1 WHERE id = ?", (row["id"],))
            return Fault(kind=row["kind"], seconds=row["seconds"])

    def pending(self, *, service: str) -> list[dict[str, Any]]:
        """List the service's unused faults, oldest first."""
        with self._store.transaction() as db:
            rows = db.execute(
                "SELECT id, kind, topic, seconds, remaining AS count FROM fault"
                " WHERE service = ? AND remaining > 0 ORDER BY id",
                (service,),
            ).fetchall()
            return [dict(row) for row in rows]

    def forget(self, *, service: str) -> None:
        """Drop the service's unused faults."""
        with self._store.transaction() as db:
            db.execute("DELETE FROM fault WHERE service = ?", (service,))

    def routes(self, *, service: str, own_kinds: Collection[str] = ()) -> list[Route]:
        """`/simulator/faults`: POST commands one, GET lists, DELETE forgets."""
        seconds_by_kind = {**CALLBACK_KINDS, **ANSWER_KINDS, **dict.fromkeys(own_kinds, 0.0)}

        def command(request: Request) -> Response:
            body = json_object(request)
            kind = body.get("kind")
            if kind not in seconds_by_kind:
                refuse({"error": f"kind is one of {', '.join(seconds_by_kind)}."}, status=400)
            count, topic = body.get("count", 1), body.get("topic")
            seconds = body.get("seconds", seconds_by_kind[kind])
            if not isinstance(count, int) or count < 1:
                refuse({"error": "count is a whole number from 1."}, status=400)
            if not isinstance(seconds, int | float) or seconds < 0:
                refuse({"error": "seconds is a number from 0."}, status=400)
            self.command(
                service=service,
                kind=kind,
                topic=None if topic is None else str(topic),
                seconds=float(seconds),
                count=count,
            )
            return json_response(self.pending(service=service), status=201)

        def listing(_request: Request) -> Response:
            return json_response(self.pending(service=service))

        def forget(_request: Request) -> Response:
            self.forget(service=service)
            return json_response([])

        return [
            Route("POST", "/simulator/faults", command),
            Route("GET", "/simulator/faults", listing),
            Route("DELETE", "/simulator/faults", forget),
        ]
