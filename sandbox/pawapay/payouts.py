"""Payouts out of the wallet to a phone: accepted, then done a moment later."""

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
    failure,
    found,
    uuid4_of,
)
from sandbox.pawapay.callbacks import Callbacks
from sandbox.pawapay.deposits import COMPLETED, FAILED, party
from sandbox.pawapay.providers import operator_of
from sandbox.pawapay.wallet import Movement, Wallet
from sandbox.pawapay.wishes import Wish, message_of, transfer_of
from sandbox.web import Route, iso, json_response

SCHEMA = """
CREATE TABLE IF NOT EXISTS pawapay_payout (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    payout_id TEXT NOT NULL UNIQUE,
    phone TEXT NOT NULL,          -- digits
    provider TEXT NOT NULL,
    country TEXT NOT NULL,
    currency TEXT NOT NULL,
    minor INTEGER NOT NULL,
    client_reference TEXT NOT NULL,
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
REQUIRED = ("payoutId", "amount", "currency", "recipient")
OPTIONAL = ("clientReferenceId", "customerMessage", "metadata")
SETTLE_SECONDS = 1.0
ACCEPTED = "ACCEPTED"
OUT_OF_FUNDS = "PAWAPAY_WALLET_OUT_OF_FUNDS"
NOT_FOUND = "RECIPIENT_NOT_FOUND"
FAILURES = {
    OUT_OF_FUNDS: "The wallet does not have enough funds.",
    NOT_FOUND: "The phone number does not belong to the specified provider.",
    "OTHER_ERROR": "The payout could not be processed.",
}
# The next payout ends later than usual (seconds given with the fault), or fails.
OWN_FAULTS = ("payout_waits", "payout_fails")


class Payouts:
    """Payouts from request to final status."""

    def __init__(self, *, context: Context, wallet: Wallet, callbacks: Callbacks) -> None:
        self._context = context
        self._wallet = wallet
        self._callbacks = callbacks

    def routes(self) -> list[Route]:
        """The vendor's paths."""
        return [
            Route("POST", "/v2/payouts", self.initiate),
            Route("GET", "/v2/payouts/<payout_id>", self.check),
            Route("POST", "/v2/payouts/resend-callback/<payout_id>", self.resend),
        ]

    def initiate(self, request: Request) -> Response:
        """Send `amount` to `recipient`; the same payoutId again sends nothing."""
        check_token(request, context=self._context)
        body = body_of(request, required=REQUIRED, optional=OPTIONAL)
        payout_id = uuid4_of(body, "payoutId")
        now = self._context.now()
        with self._context.store.transaction():
            known = self._row(payout_id)
            if known is not None:
                return _initiated(payout_id, "DUPLICATE_IGNORED", created=iso(known["created_at"]))
            try:
                wish = transfer_of(body, transfer_id=payout_id, party=body["recipient"])
            except Rejected as refusal:
                return _initiated(payout_id, "REJECTED", failureReason=refusal.reason)
            self._insert(body, wish=wish, at=now)
            if self._callbacks.comes_first(topic="payout"):
                self._end(payout_id)
        return _initiated(payout_id, ACCEPTED, created=iso(now))

    def _insert(self, body: dict[str, Any], *, wish: Wish, at: float) -> None:
        fault = self._context.faults.take(service=SERVICE, kinds=OWN_FAULTS, topic="payout")
        waits = fault.seconds if fault is not None and fault.kind == "payout_waits" else 0.0
        outcome = "OTHER_ERROR" if fault is not None and fault.kind == "payout_fails" else None
        if wish.mmo.prefixes and operator_of(wish.phone) != wish.mmo:
            outcome = NOT_FOUND
        with self._context.store.transaction() as db:
            db.execute(
                "INSERT INTO pawapay_payout (payout_id, phone, provider, country, currency, minor,"
                " client_reference, customer_message, metadata, created_at, due_at, status,"
                " outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    wish.deposit_id,
                    wish.phone,
                    wish.mmo.code,
                    wish.mmo.country,
                    wish.mmo.currency,
                    wish.minor,
                    wish.client_reference,
                    message_of(body),
                    json.dumps(wish.metadata),
                    at,
                    at + (waits or SETTLE_SECONDS),
                    ACCEPTED,
                    outcome,
                ),
            )

    def check(self, request: Request, payout_id: str) -> Response:
        """The payout's data, or NOT_FOUND, both with HTTP 200."""
        check_token(request, context=self._context)
        self.settle_due()
        row = self._row(payout_id)
        return found(None if row is None else self._data(row))

    def resend(self, request: Request, payout_id: str) -> Response:
        """Send the callback of a final payout again."""
        check_token(request, context=self._context)
        row = self._row(payout_id)
        if row is None:
            reason = failure("NOT_FOUND", f"Payout with ID #{payout_id} not found.")
        elif row["status"] == ACCEPTED:
            reason = failure("INVALID_STATE", f"Payout #{payout_id} has not finished processing.")
        else:
            self._callbacks.post(topic="payout", data=self._data(row))
            return json_response({"payoutId": row["payout_id"], "status": ACCEPTED})
        return json_response({"status": "REJECTED", "failureReason": reason})

    def settle_due(self) -> None:
        """End every payout whose time has come."""
        with self._context.store.transaction() as db:
            rows = db.execute(
                "SELECT payout_id FROM pawapay_payout WHERE status = 'ACCEPTED' AND due_at <= ?",
                (self._context.now(),),
            ).fetchall()
            for row in rows:
                self._end(row["payout_id"])

    def _end(self, payout_id: str) -> None:
        now = self._context.now()
        with self._context.store.transaction() as db:
            row = self._row(payout_id)
            assert row is not None  # noqa: S101 - it was just listed or inserted
            code = row["outcome"]
            if code is None and self._wallet.balance_minor(row["country"]) < row["minor"]:
                code = OUT_OF_FUNDS
            provider_id = None
            if code is None:
                provider_id = f"PO{self._context.store.next_number('pawapay-payout'):08d}"
                self._wallet.record(
                    Movement(
                        at=now,
                        type="PAYOUT",
                        minor=-row["minor"],
                        country=row["country"],
                        provider=row["provider"],
                        phone=row["phone"],
                        id=row["payout_id"],
                        provider_id=provider_id,
                        metadata=json.loads(row["metadata"]),
                    )
                )
            ended = db.execute(
                "UPDATE pawapay_payout SET status = ?, failure_code = ?, provider_id = ?"
                " WHERE payout_id = ? RETURNING *",
                (COMPLETED if code is None else FAILED, code, provider_id, row["payout_id"]),
            ).fetchone()
            self._callbacks.post(topic="payout", data=self._data(ended))

    def _row(self, payout_id: str) -> sqlite3.Row | None:
        with self._context.store.transaction() as db:
            row: sqlite3.Row | None = db.execute(
                "SELECT * FROM pawapay_payout WHERE payout_id = ?", (payout_id.lower(),)
            ).fetchone()
            return row

    def _data(self, row: sqlite3.Row) -> dict[str, Any]:
        """What a status check and a callback say of a payout."""
        is_open = row["status"] == ACCEPTED and self._context.now() > row["created_at"]
        data = {
            "payoutId": row["payout_id"],
            "status": "PROCESSING" if is_open else row["status"],
            "amount": self._callbacks.amount(row["minor"], currency=row["currency"]),
            "currency": row["currency"],
            "country": row["country"],
            "recipient": party(row),
            "customerMessage": row["customer_message"],
            "created": iso(row["created_at"]),
            "metadata": json.loads(row["metadata"]),
        }
        if row["client_reference"]:
            data["clientReferenceId"] = row["client_reference"]
        if row["provider_id"]:
            data["providerTransactionId"] = row["provider_id"]
        if row["failure_code"]:
            data["failureReason"] = failure(row["failure_code"], FAILURES[row["failure_code"]])
        return data


def _initiated(payout_id: str, status: str, **more: Any) -> Response:
    return json_response({"payoutId": payout_id, "status": status, **more})
