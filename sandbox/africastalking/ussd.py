"""USSD: a phone that dials the product's hook, hop by hop, one session per phone."""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from dataclasses import dataclass, replace

import requests
from werkzeug.wrappers import Request, Response

from sandbox.africastalking.sms import SERVICE, local_date, network_code
from sandbox.context import Context
from sandbox.courier import Callback
from sandbox.web import Route, json_object, json_response, phone_number, text_field

SCHEMA = """
CREATE TABLE IF NOT EXISTS ussd_session (
    id TEXT PRIMARY KEY,
    phone TEXT NOT NULL,
    started_at REAL NOT NULL,
    sent TEXT NOT NULL,           -- the cumulative text of the last hop
    last_answer TEXT NOT NULL,    -- the product's whole last answer, with CON or END
    hops INTEGER NOT NULL,
    open INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS ussd_open ON ussd_session (phone) WHERE open = 1;
"""
OWN_FAULTS = ("hop_twice",)
SESSION_SECONDS = 180.0
HOP_TIMEOUT_SECONDS = (10.0, 15.0)
ERROR_SCREEN = "Connection problem or invalid MMI code."


@dataclass(frozen=True, slots=True)
class Session:
    """One USSD session; sent is the text so far, its inputs joined by `*`."""

    id: str
    phone: str
    started_at: float
    sent: str
    last_answer: str
    hops: int

    @property
    def screen(self) -> str:
        """What the phone shows: the answer without CON or END."""
        return self.last_answer[4:]


class Ussd:
    """Phones that dial, and the end events that follow."""

    def __init__(self, *, context: Context) -> None:
        self._context = context
        # A phone does one thing at a time.
        self._phone_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def routes(self) -> list[Route]:
        """`/simulator/phones/<phone>/dial`."""
        return [Route("POST", "/simulator/phones/<phone>/dial", self.dial)]

    def dial(self, request: Request, phone: str) -> Response:
        """Send every missing prefix of `{"text"}`, answer `{"screen", "open"}`.

        `{"direct": true}` sends the text as the session's first hop, as `*384*4826*3*500#` does.
        """
        body, number = json_object(request), phone_number(phone)
        text = text_field({"text": "", **body}, "text").strip()
        with self._phone_locks[number]:
            screen, still_open = self._dial(number, text, direct=body.get("direct") is True)
        return json_response({"screen": screen, "open": still_open})

    def call(self, *, phone: str, text: str) -> str:
        """Dial anew and send the inputs of `text` one by one; returns the last screen."""
        with self._phone_locks[phone]:
            self._dial(phone, "", direct=False)
            screen, _ = self._dial(phone, text, direct=False)
        return screen

    def _dial(self, phone: str, text: str, *, direct: bool) -> tuple[str, bool]:
        session = self._open_session(phone)
        prefixes = _prefixes(text)
        if session is not None and text and not direct and session.sent in prefixes:
            prefixes = prefixes[prefixes.index(session.sent) + 1 :]
        else:
            if session is not None:
                self._end(session, status="Incomplete")
            session = self._begin(phone)
            prefixes = [text] if direct else prefixes
        for prefix in prefixes:
            answer = self._hop(session, prefix)
            session = replace(session, sent=prefix, hops=session.hops + 1)
            if answer is None:
                self._end(session, status="Failed", error="The response was not CON or END.")
                return ERROR_SCREEN, False
            session = replace(session, last_answer=answer)
            if answer.startswith("END"):
                self._end(session, status="Success")
                return session.screen, False
            self._save(session)
        return session.screen, True

    def _hop(self, session: Session, text: str) -> str | None:
        """Return the product's answer, None where the network would end the session."""
        fault = self._context.faults.take(service=SERVICE, kinds=OWN_FAULTS, topic="ussd")
        answer = self._ask(session, text)
        # The network repeats a hop whose answer it lost.
        return answer if fault is None else self._ask(session, text)

    def _ask(self, session: Session, text: str) -> str | None:
        form = {
            "sessionId": session.id,
            "phoneNumber": session.phone,
            "networkCode": network_code(session.phone),
            "serviceCode": self._context.credentials.ussd_service_code,
            "text": text,
        }
        try:
            response = requests.post(
                self._context.hook("ussd"), data=form, timeout=HOP_TIMEOUT_SECONDS
            )
        except requests.RequestException:
            return None
        answer = response.content.decode("utf-8", errors="replace")
        accepted = response.status_code == 200 and answer.startswith(("CON ", "END "))
        return answer if accepted else None

    def _begin(self, phone: str) -> Session:
        session = Session(
            id=f"ATUid_{self._context.ids.hexadecimal('ussd')}",
            phone=phone,
            started_at=self._context.now(),
            sent="",
            last_answer="",
            hops=0,
        )
        with self._context.store.transaction() as db:
            db.execute(
                "INSERT INTO ussd_session (id, phone, started_at, sent, last_answer, hops, open)"
                " VALUES (?, ?, ?, '', '', 0, 1)",
                (session.id, session.phone, session.started_at),
            )
        return session

    def _save(self, session: Session) -> None:
        """Store a hop; a session that ran out meanwhile stays ended."""
        with self._context.store.transaction() as db:
            db.execute(
                "UPDATE ussd_session SET sent = ?, last_answer = ?, hops = ?"
                " WHERE id = ? AND open = 1",
                (session.sent, session.last_answer, session.hops, session.id),
            )

    def _open_session(self, phone: str) -> Session | None:
        self.expire(phone=phone)
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT * FROM ussd_session WHERE phone = ? AND open = 1", (phone,)
            ).fetchone()
        return None if row is None else _session(row)

    def expire(self, *, phone: str | None = None) -> None:
        """End the sessions (of one phone, or all) that began over 180 s ago."""
        with self._context.store.transaction() as db:
            rows = db.execute(
                "SELECT * FROM ussd_session WHERE open = 1 AND started_at < ?"
                " AND (?2 IS NULL OR phone = ?2)",
                (self._context.now() - SESSION_SECONDS, phone),
            ).fetchall()
            for row in rows:
                self._end(_session(row), status="Incomplete", error="Session timed out.")

    def _end(self, session: Session, *, status: str, error: str | None = None) -> None:
        now = self._context.now()
        form = {
            "date": local_date(now),
            "sessionId": session.id,
            "serviceCode": self._context.credentials.ussd_service_code,
            "networkCode": network_code(session.phone),
            "phoneNumber": session.phone,
            "status": status,
            "cost": "KES 0.3000",
            "durationInMillis": str(int((now - session.started_at) * 1000)),
            "hopsCount": str(session.hops),
            "input": session.sent,
            "lastAppResponse": session.last_answer,
        }
        if error is not None:
            form["errorMessage"] = error
        with self._context.store.transaction() as db:
            self._save(session)
            ended = db.execute(
                "UPDATE ussd_session SET open = 0 WHERE id = ? AND open = 1", (session.id,)
            )
            if ended.rowcount == 0:
                return
            url = self._context.hook("ussd/end")
            self._context.courier.post(
                Callback(service=SERVICE, topic="ussd_end", url=url, form=form, attempts=3)
            )


def _session(row: sqlite3.Row) -> Session:
    return Session(**{name: row[name] for name in Session.__slots__})


def _prefixes(text: str) -> list[str]:
    """`3*500` -> `["", "3", "3*500"]`."""
    inputs = text.split("*") if text else []
    return ["*".join(inputs[:count]) for count in range(len(inputs) + 1)]
