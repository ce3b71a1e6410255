"""SMS: what the product sends, its delivery reports, and what phones send in."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.africastalking.text import segments
from sandbox.context import Context
from sandbox.courier import Callback
from sandbox.web import (
    Route,
    iso,
    json_object,
    json_response,
    phone_number,
    refuse_text,
    text_field,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS sms (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    phone TEXT NOT NULL,
    sender TEXT NOT NULL,      -- short code or sender id of the product's messages
    inbound INTEGER NOT NULL,  -- 1: the phone sent it
    text TEXT NOT NULL,
    status TEXT NOT NULL,
    at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS sms_phone ON sms (phone, number);
CREATE TABLE IF NOT EXISTS blacklist (phone TEXT PRIMARY KEY);
"""
SERVICE = "africastalking"
OWN_FAULTS = ("undelivered",)
DEFAULT_SENDER = "AFRICASTKNG"
# KES 0.8 for each SMS of a message, in hundredths of a cent.
COST_PER_SEGMENT = 8_000
NETWORK_CODES = {"+254": "63902", "+221": "60801"}
_PHONE = re.compile(r"\+\d{7,15}")
_UNKNOWN_NETWORK = "99999"


def network_code(phone: str) -> str:
    """Code of the network a phone belongs to; 99999 stands for none that is known."""
    return NETWORK_CODES.get(phone[:4], _UNKNOWN_NETWORK)


def local_date(seconds: float) -> str:
    """Date as the callbacks write it: `2026-01-01 13:05:59`, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _kes(cost: int) -> str:
    return f"KES {cost // 10_000}.{cost % 10_000:04d}"


class Sms:
    """The messaging endpoints and the phones' inboxes."""

    def __init__(self, *, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        """Vendor paths and `/simulator/phones/<phone>/messages|sms`."""
        return [
            Route("POST", "/version1/messaging", self.send),
            Route("GET", "/version1/messaging", self.fetch),
            Route("GET", "/version1/user", self.user),
            Route("GET", "/simulator/phones/<phone>/messages", self.inbox),
            Route("POST", "/simulator/phones/<phone>/sms", self.receive),
        ]

    def _authenticate(self, request: Request, username: str | None) -> None:
        credentials = self._context.credentials
        key = request.headers.get("apiKey", "")
        if key != credentials.africastalking_api_key or (
            username != credentials.africastalking_username
        ):
            refuse_text("The supplied authentication is invalid", status=401)

    def send(self, request: Request) -> Response:
        """`POST /version1/messaging`: 201 with one recipient entry per number."""
        form = request.form
        self._authenticate(request, form.get("username"))
        message, sender = form.get("message", ""), form.get("from")
        if not message or not form.get("to"):
            refuse_text("The request is missing required form field", status=400)
        short_code = self._context.credentials.sms_short_code
        if sender not in (None, "", short_code, DEFAULT_SENDER):
            return self._answer(message="InvalidSenderId", recipients=[])
        numbers = list(dict.fromkeys(part.strip() for part in form["to"].split(",")))
        cost = segments(message) * COST_PER_SEGMENT
        with self._context.store.transaction() as db:
            recipients = [
                self._send_one(
                    db,
                    number=number,
                    sender=sender or DEFAULT_SENDER,
                    message=message,
                    cost=cost,
                    queued=form.get("enqueue") in ("1", "true"),
                )
                for number in numbers
                if number
            ]
            sent = sum(recipient["statusCode"] in (101, 102) for recipient in recipients)
            self._spend(cost * sent)
        total = f"Sent to {sent}/{len(recipients)} Total Cost: {_kes(cost * sent)}"
        return self._answer(message=total, recipients=recipients)

    @staticmethod
    def _answer(*, message: str, recipients: list[dict[str, Any]]) -> Response:
        body = {"SMSMessageData": {"Message": message, "Recipients": recipients}}
        return json_response(body, status=201)

    def _send_one(
        self,
        db: sqlite3.Connection,
        *,
        number: str,
        sender: str,
        message: str,
        cost: int,
        queued: bool,
    ) -> dict[str, Any]:
        refused = {"number": number, "cost": "0", "messageId": "None"}
        if not _PHONE.fullmatch(number):
            return {**refused, "statusCode": 403, "status": "InvalidPhoneNumber"}
        if db.execute("SELECT 1 FROM blacklist WHERE phone = ?", (number,)).fetchone():
            return {**refused, "statusCode": 406, "status": "UserInBlacklist"}
        message_id = f"ATXid_{self._context.ids.hexadecimal('sms')}"
        fault = self._context.faults.take(service=SERVICE, kinds=OWN_FAULTS, topic="delivery")
        status = "Success" if fault is None else "Failed"
        db.execute(
            "INSERT INTO sms (id, phone, sender, inbound, text, status, at)"
            " VALUES (?, ?, ?, 0, ?, ?, ?)",
            (message_id, number, sender, message, status, self._context.now()),
        )
        self._report(message_id=message_id, number=number, status=status)
        return {
            "statusCode": 102 if queued else 101,
            "number": number,
            "status": "Success",
            "cost": _kes(cost),
            "messageId": message_id,
        }

    def _report(self, *, message_id: str, number: str, status: str) -> None:
        form = {
            "id": message_id,
            "status": status,
            "phoneNumber": number,
            "networkCode": network_code(number),
            "retryCount": "0",
        }
        if status == "Failed":
            form["failureReason"] = "AbsentSubscriber"
        self._callback(topic="delivery", path="sms/delivery", form=form)

    def _callback(self, *, topic: str, path: str, form: dict[str, str]) -> None:
        url = self._context.hook(path)
        self._context.courier.post(
            Callback(service=SERVICE, topic=topic, url=url, form=form, attempts=3)
        )

    def _spend(self, cost: int) -> None:
        spent = int(self._context.store.setting("sms_spent") or 0)
        self._context.store.set_setting("sms_spent", str(spent + cost))

    def fetch(self, request: Request) -> Response:
        """`GET /version1/messaging`: inbound messages numbered above lastReceivedId."""
        self._authenticate(request, request.args.get("username"))
        last = request.args.get("lastReceivedId", "0")
        with self._context.store.transaction() as db:
            rows = db.execute(
                "SELECT * FROM sms WHERE inbound = 1 AND number > ? ORDER BY number LIMIT 100",
                (int(last) if last.isascii() and last.isdigit() else 0,),
            ).fetchall()
        messages = [
            {
                "id": row["number"],
                "text": row["text"],
                "from": row["phone"],
                "to": row["sender"],
                "linkId": row["id"],
                "date": iso(row["at"]),
            }
            for row in rows
        ]
        return json_response({"SMSMessageData": {"Messages": messages}})

    def user(self, request: Request) -> Response:
        """`GET /version1/user`: the credit left, which starts at KES 10,000."""
        self._authenticate(request, request.args.get("username"))
        spent = int(self._context.store.setting("sms_spent") or 0)
        return json_response({"UserData": {"balance": _kes(max(0, 100_000_000 - spent))}})

    def inbox(self, _request: Request, phone: str) -> Response:
        """Messages the phone has received, newest first, at most 200."""
        with self._context.store.transaction() as db:
            rows = db.execute(
                "SELECT * FROM sms WHERE phone = ? AND inbound = 0 AND status = 'Success'"
                " ORDER BY number DESC LIMIT 200",
                (phone_number(phone),),
            ).fetchall()
        messages = [
            {
                "id": row["id"],
                "from": row["sender"],
                "text": row["text"],
                "at": iso(row["at"]),
                "status": row["status"],
            }
            for row in rows
        ]
        return json_response(messages)

    def receive(self, request: Request, phone: str) -> Response:
        """The phone sends `{"text"}` to the short code. STOP opts out, START opts in again."""
        sender, text = phone_number(phone), text_field(json_object(request), "text")
        short_code = self._context.credentials.sms_short_code
        message_id = self._context.ids.hexadecimal("inbound")
        now = self._context.now()
        form = {
            "date": local_date(now),
            "from": sender,
            "id": message_id,
            "linkId": self._context.ids.hexadecimal("link"),
            # The networks deliver an inverted exclamation mark where a phone typed @.
            "text": text.replace("@", "¡"),
            "to": short_code,
            "cost": "KES 0.0000",
            "networkCode": network_code(sender),
        }
        word = text.strip().upper()
        with self._context.store.transaction() as db:
            db.execute(
                "INSERT INTO sms (id, phone, sender, inbound, text, status, at)"
                " VALUES (?, ?, ?, 1, ?, 'Received', ?)",
                (message_id, sender, short_code, form["text"], now),
            )
            if word == "STOP":
                db.execute("INSERT OR IGNORE INTO blacklist (phone) VALUES (?)", (sender,))
            elif word == "START":
                db.execute("DELETE FROM blacklist WHERE phone = ?", (sender,))
            self._callback(topic="inbound", path="sms", form=form)
            if word == "STOP":
                opt_out = {"senderId": short_code, "phoneNumber": sender}
                self._callback(topic="optout", path="sms/optout", form=opt_out)
        return json_response({"id": message_id}, status=201)
