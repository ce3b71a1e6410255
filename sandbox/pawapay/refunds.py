"""Refunds of completed deposits, in whole or in parts: accepted, then done a moment later."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.pawapay.access import (
    SERVICE,
    Rejected,
    body_of,
    check_token,
    error,
    failure,
    found,
    uuid4_of,
)
from sandbox.pawapay.callbacks import Callbacks
from sandbox.pawapay.deposits import COMPLETED, FAILED, Deposits, party
from sandbox.pawapay.money import text_of
from sandbox.pawapay.providers import MMOS
from sandbox.pawapay.wallet import Movement, Wallet
from sandbox.pawapay.wishes import amount_of, message_of, metadata_of
from sandbox.web import Route, iso, json_response

SCHEMA = """
CREATE TABLE IF NOT EXISTS pawapay_refund (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    refund_id TEXT NOT NULL UNIQUE,
    deposit_id TEXT NOT NULL,
    phone TEXT NOT NULL,          -- digits
    provider TEXT NOT NULL,
    country TEXT NOT NULL,
    currency TEXT NOT NULL,
    minor INTEGER NOT NULL,
    customer_message TEXT NOT NULL,
    metadata TEXT NOT NULL,       -- JSON object
    created_at REAL NOT NULL,
    due_at REAL NOT NULL,         -- when its outcome is known
    status TEXT NOT NULL,         -- ACCEPTED, COMPLETED, FAILED
    outcome TEXT,                 -- a failure code that waits for due_at
    failure_code TEXT,
    provider_id TEXT
);
"""
REQUIRED = ("refundId", "depositId")
OPTIONAL = ("amount", "currency", "clientReferenceId", "customerMessage", "metadata")
SETTLE_SECONDS = 1.0
ACCEPTED = "ACCEPTED"
OUT_OF_FUNDS = "PAWAPAY_WALLET_OUT_OF_FUNDS"
FAILURES = {
    OUT_OF_FUNDS: "The wallet does not have enough funds.",
    "RECIPIENT_NOT_FOUND": "The phone number does not belong to the specified provider.",
}
# The next refund ends later than usual (seconds given with the fault), or fails.
OWN_FAULTS = ("refund_waits", "refund_fails")


class Refunds:
    """Refunds from request to final status."""

    def __init__(
        self, *, context: Context, wallet: Wallet, deposits: Deposits, callbacks: Callbacks
    ) -> None:
        self._context = context
        self._wallet = wallet
        self._deposits = deposits
        self._callbacks = callbacks

    def routes(self) -> list[Route]:
        """The vendor's paths."""
        return [
            Route("POST", "/v2/refunds", self.initiate),
            Route("GET", "/v2/refunds/<refund_id>", self.check),
            Route("POST", "/v2/refunds/resend-callback/<refund_id>", self.resend),
        ]

    def initiate(self, request: Request) -> Response:
        """Give back `amount` of a deposit, or all that is left of it where none is given."""
        check_token(request, context=self._context)
        body = body_of(request, required=REQUIRED, optional=OPTIONAL)
        refund_id, deposit_id = uuid4_of(body, "refundId"), uuid4_of(body, "depositId")
        if ("amount" in body) != ("currency" in body):
            error("MISSING_PARAMETER", "amount and currency come together.", status=400)
        now = self._context.now()
        with self._context.store.transaction():
            known = self._row(refund_id)
            if known is not None:
                return _initiated(refund_id, "DUPLICATE_IGNORED", created=iso(known["created_at"]))
            try:
                deposit, minor = self._checked(body, deposit_id=deposit_id)
            except Rejected as refusal:
                return _initiated(refund_id, "REJECTED", failureReason=refusal.reason)
            self._insert(body, refund_id=refund_id, deposit=deposit, minor=minor, at=now)
            if self._callbacks.comes_first(topic="refund"):
                self._end(refund_id)
        return _initiated(refund_id, ACCEPTED, created=iso(now))

    def _checked(self, body: dict[str, Any], *, deposit_id: str) -> tuple[sqlite3.Row, int]:
        deposit = self._deposits.row(deposit_id)
        if deposit is None:
            raise Rejected("NOT_FOUND", f"Deposit with ID #{deposit_id} not found.")
        if deposit["status"] != COMPLETED:
            raise Rejected("INVALID_STATE", f"Deposit with ID #{deposit_id} is not completed.")
        left = deposit["minor"] - self._refunded_minor(deposit_id)
        if left <= 0:
            raise Rejected("INVALID_STATE", f"Deposit with ID #{deposit_id} has been refunded.")
        minor = left
        if "amount" in body:
            minor = amount_of(body, mmo=MMOS[deposit["provider"]])
        if minor > left:
            text = text_of(left, currency=deposit["currency"])
            raise Rejected("AMOUNT_OUT_OF_BOUNDS", f"Only {text} is left to refund.")
        return deposit, minor

    def _refunded_minor(self, deposit_id: str) -> int:
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT coalesce(sum(minor), 0) AS minor FROM pawapay_refund"
                " WHERE deposit_id = ? AND status != 'FAILED'",
                (deposit_id,),
            ).fetchone()
            return int(row["minor"])

    def _insert(
        self, body: dict[str, Any], *, refund_id: str, deposit: sqlite3.Row, minor: int, at: float
    ) -> None:
        fault = self._context.faults.take(service=SERVICE, kinds=OWN_FAULTS, topic="refund")
        waits = fault.seconds if fault is not None and fault.kind == "refund_waits" else 0.0
        fails = fault is not None and fault.kind == "refund_fails"
        with self._context.store.transaction() as db:
            db.execute(
                "INSERT INTO pawapay_refund (refund_id, deposit_id, phone, provider, country,"
                " currency, minor, customer_message, metadata, created_at, due_at, status,"
                " outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    refund_id,
                    deposit["deposit_id"],
                    deposit["phone"],
                    deposit["provider"],
                    deposit["country"],
                    deposit["currency"],
                    minor,
                    message_of(body),
                    json.dumps(metadata_of(body)),
                    at,
                    at + (waits or SETTLE_SECONDS),
                    ACCEPTED,
                    "RECIPIENT_NOT_FOUND" if fails else None,
                ),
            )

    def check(self, request: Request, refund_id: str) -> Response:
        """The refund's data, or NOT_FOUND, both with HTTP 200."""
        check_token(request, context=self._context)
        self.settle_due()
        row = self._row(refund_id)
        return found(None if row is None else self._data(row))

    def resend(self, request: Request, refund_id: str) -> Response:
        """Send the callback of a final refund again."""
        check_token(request, context=self._context)
        row = self._row(refund_id)
        if row is None:
            reason = failure("NOT_FOUND", f"Refund with ID #{refund_id} not found.")
        elif row["status"] == ACCEPTED:
            reason = failure("INVALID_STATE", f"Refund #{refund_id} has not finished processing.")
        else:
            self._callbacks.post(topic="refund", data=self._data(row))
            return json_response({"refundId": row["refund_id"], "status": ACCEPTED})
        return json_response({"status": "REJECTED", "failureReason": reason})

    def settle_due(self) -> None:
        """End every refund whose time has come."""
        with self._context.store.transaction() as db:
            rows = db.execute(
                "SELECT refund_id FROM pawapay_refund WHERE status = 'ACCEPTED' AND due_at <= ?",
                (self._context.now(),),
            ).fetchall()
            for row in rows:
                self._end(row["refund_id"])

    def _end(self, refund_id: str) -> None:
        now = self._context.now()
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT * FROM pawapay_refund WHERE refund_id = ?", (refund_id,)
            ).fetchone()
            code = row["outcome"]
            if self._wallet.balance_minor(row["country"]) < row["minor"]:
                code = OUT_OF_FUNDS
            provider_id = None
            if code is None:
                provider_id = f"RF{self._context.store.next_number('pawapay-refund'):08d}"
                self._wallet.record(
                    Movement(
                        at=now,
                        type="REFUND",
                        minor=-row["minor"],
                        country=row["country"],
                        provider=row["provider"],
                        phone=row["phone"],
                        id=refund_id,
                        provider_id=provider_id,
                        metadata=json.loads(row["metadata"]),
                    )
                )
            ended = db.execute(
                "UPDATE pawapay_refund SET status = ?, failure_code = ?, provider_id = ?"
                " WHERE refund_id = ? RETURNING *",
                (COMPLETED if code is None else FAILED, code, provider_id, refund_id),
            ).fetchone()
            self._callbacks.post(topic="refund", data=self._data(ended))

    def _row(self, refund_id: str) -> sqlite3.Row | None:
        with self._context.store.transaction() as db:
            row: sqlite3.Row | None = db.execute(
                "SELECT * FROM pawapay_refund WHERE refund_id = ?", (refund_id.lower(),)
            ).fetchone()
            return row

    def _data(self, row: sqlite3.Row) -> dict[str, Any]:
        """What a status check and a callback say of a refund; its deposit is not named."""
        is_open = row["status"] == ACCEPTED and self._context.now() > row["created_at"]
        data = {
            "refundId": row["refund_id"],
            "status": "PROCESSING" if is_open else row["status"],
            "amount": self._callbacks.amount(row["minor"], currency=row["currency"]),
            "currency": row["currency"],
            "country": row["country"],
            "recipient": party(row),
            "customerMessage": row["customer_message"],
            "created": iso(row["created_at"]),
            "metadata": json.loads(row["metadata"]),
        }
        if row["provider_id"]:
            data["providerTransactionId"] = row["provider_id"]
        if row["failure_code"]:
            data["failureReason"] = failure(row["failure_code"], FAILURES[row["failure_code"]])
        return data


def _initiated(refund_id: str, status: str, **more: Any) -> Response:
    return json_response({"refundId": refund_id, "status": status, **more})
