"""Deposits: a prompt on the payer's phone, its answer, the callback and the status check."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.pawapay.access import SERVICE, Rejected, check_token, failure, found
from sandbox.pawapay.callbacks import Callbacks
from sandbox.pawapay.providers import MMOS, operator_of
from sandbox.pawapay.wallet import Movement, Wallet
from sandbox.pawapay.wishes import Wish, deposit_body, wish_of
from sandbox.told import Told
from sandbox.web import Route, iso, json_response

SCHEMA = """
CREATE TABLE IF NOT EXISTS pawapay_deposit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    deposit_id TEXT NOT NULL UNIQUE,
    phone TEXT NOT NULL,          -- digits
    provider TEXT NOT NULL,
    country TEXT NOT NULL,
    currency TEXT NOT NULL,
    minor INTEGER NOT NULL,
    client_reference TEXT NOT NULL,
    customer_message TEXT NOT NULL,
    metadata TEXT NOT NULL,       -- JSON object
    created_at REAL NOT NULL,
    opened_at REAL NOT NULL,      -- when the prompt came
    status TEXT NOT NULL,         -- OPEN, IN_RECONCILIATION, COMPLETED, FAILED
    failure_code TEXT,
    provider_id TEXT              -- the operator's, of a paid one
);
CREATE INDEX IF NOT EXISTS pawapay_deposit_open ON pawapay_deposit (phone)
    WHERE status = 'OPEN';
"""
PROMPT_SECONDS = 60.0
ACCEPTED_SECONDS = 1.0
OPEN, RECONCILING, COMPLETED, FAILED = "OPEN", "IN_RECONCILIATION", "COMPLETED", "FAILED"
FAILURES = {
    "PAYMENT_NOT_APPROVED": "The customer did not authorize the payment.",
    "INSUFFICIENT_BALANCE": "The customer does not have enough funds to complete this payment.",
    "PAYER_LIMIT_REACHED": "The customer has reached a limit on their wallet.",
    "PAYER_NOT_FOUND": "The phone number does not belong to the specified provider.",
    "UNSPECIFIED_FAILURE": "The provider failed to process the payment.",
}
# What a commanded fault makes of the next right PIN: a failure code, or hanging.
PIN_FAULTS = {
    "insufficient_funds": "INSUFFICIENT_BALANCE",
    "limit_reached": "PAYER_LIMIT_REACHED",
    "unspecified_failure": "UNSPECIFIED_FAILURE",
    "in_reconciliation": None,
}
OWN_FAULTS = (*PIN_FAULTS, "provider_closed")


class Deposits:
    """Deposits from request to final status."""

    def __init__(self, *, context: Context, wallet: Wallet, callbacks: Callbacks) -> None:
        self._context = context
        self._wallet = wallet
        self._callbacks = callbacks
        self._told = Told(context=context, service=SERVICE)

    def routes(self) -> list[Route]:
        """The vendor's paths; what the payer does is in prompts.py."""
        return [
            Route("POST", "/v2/deposits", self.initiate),
            Route("GET", "/v2/deposits/<deposit_id>", self.check),
            Route("POST", "/v2/deposits/resend-callback/<deposit_id>", self.resend),
            *self._told.routes(),
        ]

    def initiate(self, request: Request) -> Response:
        """Put a prompt on the payer's phone: ACCEPTED, REJECTED or DUPLICATE_IGNORED."""
        check_token(request, context=self._context)
        deposit_id, body = deposit_body(request)
        now = self._context.now()
        with self._context.store.transaction():
            known = self.row(deposit_id)
            if known is not None:
                return _initiated(deposit_id, "DUPLICATE_IGNORED", created=known["created_at"])
            try:
                wish = self._checked(body)
            except Rejected as refusal:
                return _initiated(deposit_id, "REJECTED", failureReason=refusal.reason)
            self._insert(wish, at=now)
            owner = operator_of(wish.phone)
            if wish.mmo.prefixes and owner is not None and owner is not wish.mmo:
                self.fail(deposit_id, "PAYER_NOT_FOUND")
            elif self._callbacks.comes_first(topic="deposit"):
                self.complete(deposit_id, at=now)
        next_step = "GET_AUTH_URL" if wish.mmo.auth_type == "REDIRECT_AUTH" else "FINAL_STATUS"
        return _initiated(deposit_id, "ACCEPTED", nextStep=next_step, created=now)

    def _checked(self, body: dict[str, Any]) -> Wish:
        wish = wish_of(body)
        fault = self._context.faults.take(
            service=SERVICE, kinds=("provider_closed",), topic="deposit"
        )
        if fault is not None:
            raise Rejected("PROVIDER_TEMPORARILY_UNAVAILABLE", f"{wish.mmo.code} is closed.")
        return wish

    def _insert(self, wish: Wish, *, at: float) -> None:
        with self._context.store.transaction() as db:
            db.execute(
                "INSERT INTO pawapay_deposit (deposit_id, phone, provider, country, currency,"
                " minor, client_reference, customer_message, metadata, created_at, opened_at,"
                " status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    wish.deposit_id,
                    wish.phone,
                    wish.mmo.code,
                    wish.mmo.country,
                    wish.mmo.currency,
                    wish.minor,
                    wish.client_reference,
                    wish.customer_message,
                    json.dumps(wish.metadata),
                    at,
                    at,
                    OPEN,
                ),
            )

    def check(self, request: Request, deposit_id: str) -> Response:
        """The deposit's data, or NOT_FOUND, both with HTTP 200."""
        check_token(request, context=self._context)
        self.expire()
        row = self.row(deposit_id)
        return found(None if row is None else self._data(row))

    def resend(self, request: Request, deposit_id: str) -> Response:
        """Send the callback of a final deposit again."""
        check_token(request, context=self._context)
        row = self.row(deposit_id)
        if row is None:
            reason = failure("NOT_FOUND", f"Deposit with ID #{deposit_id} not found.")
        elif row["status"] not in (COMPLETED, FAILED):
            reason = failure("INVALID_STATE", f"Deposit #{deposit_id} has not finished processing.")
        else:
            self._callbacks.post(topic="deposit", data=self._data(row))
            return json_response({"depositId": row["deposit_id"], "status": "ACCEPTED"})
        return json_response({"status": "REJECTED", "failureReason": reason})

    def row(self, deposit_id: str) -> sqlite3.Row | None:
        """A deposit by its id."""
        with self._context.store.transaction() as db:
            row: sqlite3.Row | None = db.execute(
                "SELECT * FROM pawapay_deposit WHERE deposit_id = ?", (deposit_id.lower(),)
            ).fetchone()
            return row

    def open_rows(self, *, phone: str | None = None) -> list[sqlite3.Row]:
        """Deposits that wait for their payer (of one phone in digits, or all), newest first."""
        self.expire()
        with self._context.store.transaction() as db:
            return db.execute(
                "SELECT * FROM pawapay_deposit WHERE status = 'OPEN'"
                " AND (?1 IS NULL OR phone = ?1) ORDER BY number DESC",
                (phone,),
            ).fetchall()

    def complete(self, deposit_id: str, *, at: float, silent: bool = False) -> str | None:
        """Move the money at an instant; returns the operator's id, None if it was closed.

        silent calls nobody back.
        """
        provider_id = self._provider_id(at=at)
        with self._context.store.transaction():
            row = self._close(deposit_id, status=COMPLETED, provider_id=provider_id)
            if row is None:
                return None
            movement = Movement(
                at=at,
                type="DEPOSIT",
                minor=row["minor"],
                country=row["country"],
                provider=row["provider"],
                phone=row["phone"],
                id=row["deposit_id"],
                provider_id=provider_id,
                metadata=json.loads(row["metadata"]),
            )
            self._wallet.record(movement)
            fee = self._wallet.fee_minor(row["minor"])
            if fee:
                self._wallet.record(
                    Movement(
                        at=at,
                        type="DEPOSIT_FEE",
                        minor=-fee,
                        country=row["country"],
                        provider=row["provider"],
                        id=row["deposit_id"],
                    )
                )
            if not silent:
                self._callbacks.post(topic="deposit", data=self._data(row))
        return provider_id

    def fail(self, deposit_id: str, code: str, *, silent: bool = False) -> bool:
        """Close a deposit without moving money; False if it was closed already."""
        with self._context.store.transaction():
            row = self._close(deposit_id, status=FAILED, failure_code=code)
            if row is not None and not silent:
                self._callbacks.post(topic="deposit", data=self._data(row))
        return row is not None

    def hang(self, deposit_id: str) -> bool:
        """Leave it in reconciliation until `complete` or `fail`; False if it was closed."""
        with self._context.store.transaction() as db:
            cursor = db.execute(
                "UPDATE pawapay_deposit SET status = ? WHERE deposit_id = ? AND status = 'OPEN'",
                (RECONCILING, deposit_id),
            )
        return cursor.rowcount == 1

    def _close(
        self,
        deposit_id: str,
        *,
        status: str,
        failure_code: str | None = None,
        provider_id: str | None = None,
    ) -> sqlite3.Row | None:
        with self._context.store.transaction() as db:
            row: sqlite3.Row | None = db.execute(
                "UPDATE pawapay_deposit SET status = ?, failure_code = ?, provider_id = ?"
                " WHERE deposit_id = ? AND status IN ('OPEN', 'IN_RECONCILIATION') RETURNING *",
                (status, failure_code, provider_id, deposit_id),
            ).fetchone()
            return row

    def date_back(self, deposit_id: str, *, to: float) -> None:
        """Pretend that the deposit was asked for at an earlier instant."""
        with self._context.store.transaction() as db:
            db.execute(
                "UPDATE pawapay_deposit SET created_at = ? WHERE deposit_id = ?", (to, deposit_id)
            )

    def expire(self) -> None:
        """Fail the prompts that nobody answered within 60 s."""
        with self._context.store.transaction() as db:
            rows = db.execute(
                "SELECT deposit_id FROM pawapay_deposit WHERE status = 'OPEN' AND opened_at < ?",
                (self._context.now() - PROMPT_SECONDS,),
            ).fetchall()
            for row in rows:
                self.fail(row["deposit_id"], "PAYMENT_NOT_APPROVED")

    def _provider_id(self, *, at: float) -> str:
        number = self._context.store.next_number("pawapay")
        return f"MP{iso(at)[2:10].replace('-', '')}.{iso(at)[11:16].replace(':', '')}.A{number:05d}"

    def _data(self, row: sqlite3.Row) -> dict[str, Any]:
        """What a status check and a callback say of a deposit."""
        data = {
            "depositId": row["deposit_id"],
            "status": self._public_status(row),
            "amount": self._callbacks.amount(row["minor"], currency=row["currency"]),
            "currency": row["currency"],
            "country": row["country"],
            "payer": party(row),
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
        if row["status"] == OPEN and MMOS[row["provider"]].auth_type == "REDIRECT_AUTH":
            data["nextStep"] = "REDIRECT_TO_AUTH_URL"
            data["authorizationUrl"] = f"https://wave.example/c/{row['deposit_id']}"
        return self._told.over(data, reference=row["deposit_id"])

    def _public_status(self, row: sqlite3.Row) -> str:
        if row["status"] != OPEN:
            return str(row["status"])
        age = self._context.now() - row["created_at"]
        return "ACCEPTED" if age < ACCEPTED_SECONDS else "PROCESSING"


def party(row: sqlite3.Row) -> dict[str, Any]:
    """payer or recipient of a row with phone and provider."""
    details = {"phoneNumber": row["phone"], "provider": row["provider"]}
    return {"type": "MMO", "accountDetails": details}


def _initiated(deposit_id: str, status: str, **more: Any) -> Response:
    if "created" in more:
        more["created"] = iso(more["created"])
    return json_response({"depositId": deposit_id, "status": status, **more})
