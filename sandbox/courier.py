"""Callbacks to the product: queued in the state file, sent by background threads."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import requests
from werkzeug.wrappers import Request, Response

from sandbox.faults import CALLBACK_KINDS, Fault, Faults
from sandbox.store import Store
from sandbox.web import Route, json_response

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS callback (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    service TEXT NOT NULL,
    topic TEXT NOT NULL,
    url TEXT NOT NULL,
    content_type TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,          -- waiting, held, inline, sending, delivered, failed, dropped
    due_at REAL NOT NULL,         -- wall clock, epoch seconds
    attempts_left INTEGER NOT NULL,
    retry_seconds REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    answer TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS callback_due ON callback (state, due_at);
"""
# Columns that a state file of an earlier release lacks.
ADDED_COLUMNS = {
    "method": "TEXT NOT NULL DEFAULT 'POST'",
    "headers": "TEXT NOT NULL DEFAULT '{}'",  # JSON object
    "signer": "TEXT",
}
TIMEOUT_SECONDS = (10.0, 15.0)
HTTP_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A callback as it is about to leave, for whoever signs it; headers as known so far.

    note is what `Callback.signer` says behind its colon.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    note: str = ""


# Returns the headers to add, computed anew at each attempt.
Signer = Callable[[Outgoing], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Callback:
    """One request to the product. `raw`, `form` or `payload` (JSON), whichever is given.

    topic names the callback within its service, for faults; attempts counts the first one.
    raw is sent as it is, under `content_type`. headers are fixed; signer (`name` or
    `name:note`) names one of the courier's signers (`Courier.sign_with`), which adds headers
    at the moment of sending.
    """

    service: str
    topic: str
    url: str
    form: Mapping[str, str] | None = None
    payload: Any = None
    attempts: int = 1
    retry_seconds: float = 5.0
    method: str = "POST"
    headers: Mapping[str, str] | None = None
    raw: str | None = None
    content_type: str = "application/json"
    signer: str | None = None

    def encoded(self) -> tuple[str, str]:
        """Return content type and body."""
        if self.raw is not None:
            return self.content_type, self.raw
        if self.form is not None:
            return "application/x-www-form-urlencoded", urlencode(self.form)
        return "application/json", json.dumps(self.payload)


class Courier:
    """Sends callbacks after `delay_seconds`, a few at a time, applying commanded faults.

    Delays are of the wall clock whatever the sandbox's clock says: they stand for the network.
    """

    def __init__(self, *, store: Store, faults: Faults, delay_seconds: float = 0.3) -> None:
        self._store = store
        self._faults = faults
        self._delay_seconds = delay_seconds
        # Never take the store's lock while holding this one: post() takes them the other way.
        self._wake = threading.Condition()
        self._posted = 0
        self._stopping = False
        self._threads: list[threading.Thread] = []
        self._before_response = threading.local()
        self._signers: dict[str, Signer] = {}
        self._add_columns()

    def _add_columns(self) -> None:
        with self._store.transaction() as db:
            present = {row["name"] for row in db.execute("PRAGMA table_info(callback)")}
            for name, definition in ADDED_COLUMNS.items():
                if name not in present:
                    db.execute(f"ALTER TABLE callback ADD COLUMN {name} {definition}")

    def sign_with(self, *, name: str, signer: Signer) -> None:
        """Register what `Callback.signer` names; do it before `start()`."""
        self._signers[name] = signer

    def start(self, *, threads: int = 4) -> None:
        """Start sending; what an earlier process left unsent goes first."""
        with self._store.transaction() as db:
            db.execute("UPDATE callback SET state = 'waiting' WHERE state IN ('sending', 'inline')")
        self._stopping = False
        for number in range(threads):
            thread = threading.Thread(target=self._run, name=f"courier-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, *, timeout_seconds: float = 3.0) -> None:
        """Stop sending; what is unsent stays queued in the state file."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._threads.clear()

    def post(self, callback: Callback) -> None:
        """Queue one callback, or do with it what the next commanded fault says."""
        due_at = time.time() + self._delay_seconds
        with self._store.transaction() as db:
            self._release_held(db, service=callback.service, due_at=due_at)
            fault = self._faults.take(
                service=callback.service, kinds=CALLBACK_KINDS, topic=callback.topic
            )
            self._queue(db, callback=callback, fault=fault, due_at=due_at)
        with self._wake:
            self._posted += 1
            self._wake.notify()

    def send_before_response(self) -> None:
        """Send now, in this thread, what must arrive before the current request's answer."""
        ids: list[int] = getattr(self._before_response, "ids", [])
        self._before_response.ids = []
        for callback_id in ids:
            row = self._claim(callback_id=callback_id)
            if row is not None:
                self._send(row)

    def routes(self, *, service: str) -> list[Route]:
        """`GET /simulator/callbacks`: the last 100 callbacks of the service, newest first."""

        def listing(_request: Request) -> Response:
            with self._store.transaction() as db:
                rows = db.execute(
                    "SELECT id, topic, url, body, state, attempts, answer FROM callback"
                    " WHERE service = ? ORDER BY id DESC LIMIT 100",
                    (service,),
                ).fetchall()
            return json_response([dict(row) for row in rows])

        return [Route("GET", "/simulator/callbacks", listing)]

    def _release_held(self, db: sqlite3.Connection, *, service: str, due_at: float) -> None:
        db.execute(
            "UPDATE callback SET state = 'waiting', due_at = ?"
            " WHERE service = ? AND state = 'held'",
            (due_at + self._delay_seconds + 0.2, service),
        )

    def _queue(
        self, db: sqlite3.Connection, *, callback: Callback, fault: Fault | None, due_at: float
    ) -> None:
        state, copies = "waiting", [due_at]
        kind = None if fault is None else fault.kind
        if fault is not None:
            if kind == "late":
                copies = [due_at + fault.seconds]
            elif kind == "twice":
                copies = [due_at, due_at + fault.seconds]
            elif kind == "out_of_order":
                state, copies = "held", [due_at + fault.seconds]
            elif kind == "never":
                state = "dropped"
            elif kind == "before_response":
                state = "inline"
        content_type, body = callback.encoded()
        for copy_due_at in copies:
            cursor = db.execute(
                "INSERT INTO callback (service, topic, url, content_type, body, state, due_at,"
                " attempts_left, retry_seconds, method, headers, signer)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    callback.service,
                    callback.topic,
                    callback.url,
                    content_type,
                    body,
                    state,
                    copy_due_at,
                    callback.attempts,
                    callback.retry_seconds,
                    callback.method,
                    json.dumps(dict(callback.headers or {})),
                    callback.signer,
                ),
            )
            if state == "inline":
                ids: list[int] = getattr(self._before_response, "ids", [])
                self._before_response.ids = [*ids, int(cursor.lastrowid or 0)]

    def _run(self) -> None:
        session = requests.Session()
        while not self._stopping:
            posted = self._posted
            row = self._claim()
            if row is not None:
                self._send(row, session=session)
                continue
            seconds = self._seconds_to_next()
            with self._wake:
                if not self._stopping and posted == self._posted:
                    self._wake.wait(seconds)

    def _seconds_to_next(self) -> float:
        with self._store.transaction() as db:
            row = db.execute(
                "SELECT min(due_at) AS due_at FROM callback WHERE state IN ('waiting', 'held')"
            ).fetchone()
        if row["due_at"] is None:
            return 1.0
        return min(1.0, max(0.01, float(row["due_at"]) - time.time()))

    def _claim(self, *, callback_id: int | None = None) -> sqlite3.Row | None:
        """Take one due callback (or the named one) for sending, None if there is none."""
        with self._store.transaction() as db:
            row: sqlite3.Row | None = db.execute(
                "UPDATE callback SET state = 'sending', attempts = attempts + 1,"
                " attempts_left = attempts_left - 1 WHERE id = (SELECT id FROM callback WHERE"
                " CASE WHEN ?1 IS NULL THEN state IN ('waiting', 'held') AND due_at <= ?2"
                " ELSE id = ?1 AND state = 'inline' END ORDER BY due_at, id LIMIT 1) RETURNING *",
                (callback_id, time.time()),
            ).fetchone()
            return row

    def _send(self, row: sqlite3.Row, *, session: requests.Session | None = None) -> None:
        try:
            outgoing = self._outgoing(row)
            response = (session or requests).request(
                outgoing.method,
                outgoing.url,
                data=outgoing.body,
                headers=dict(outgoing.headers),
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
            delivered = response.status_code in HTTP_OK
            answer = f"{response.status_code} {response.text[:500]}"
        except requests.RequestException as error:
            delivered, answer = False, f"{type(error).__name__}: {error}"
        if not delivered:
            log.warning("%s callback %s: %s", row["service"], row["topic"], answer)
        state = "delivered" if delivered else "waiting" if row["attempts_left"] > 0 else "failed"
        with self._store.transaction() as db:
            db.execute(
                "UPDATE callback SET state = ?, answer = ?, due_at = ? WHERE id = ?",
                (state, answer, time.time() + row["retry_seconds"], row["id"]),
            )

    def _outgoing(self, row: sqlite3.Row) -> Outgoing:
        outgoing = Outgoing(
            method=row["method"],
            url=row["url"],
            headers={"Content-Type": row["content_type"], **json.loads(row["headers"])},
            body=row["body"].encode(),
        )
        return self.signed(outgoing, signer=row["signer"] or "")

    def signed(self, outgoing: Outgoing, *, signer: str) -> Outgoing:
        """Add the headers of `Callback.signer` as of now; nothing where it is empty."""
        name, _, note = signer.partition(":")
        if not name:
            return outgoing
        added = self._signers[name](replace(outgoing, note=note))
        return replace(outgoing, headers={**outgoing.headers, **added}, note=note)
