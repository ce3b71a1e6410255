"""Refunds: money of the merchant's wallet back to whoever paid a request, in part or whole.

A refund is always accepted (202) and ends a moment later: SUCCESSFUL, or FAILED for a request
nobody made or paid, more than what is left of it, or a wallet that has too little.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.momo.access import DISBURSEMENT, SERVICE, Access
from sandbox.momo.callbacks import Callbacks
from sandbox.momo.collection import Collection
from sandbox.momo.market import MARKETS
from sandbox.momo.order import read_order
from sandbox.momo.wallet import Wallet
from sandbox.web import Route, json_object, json_response

SCHEMA = """
CREATE TABLE IF NOT EXISTS momo_refund (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    reference TEXT NOT NULL UNIQUE,
    environment TEXT NOT NULL,
    payment TEXT NOT NULL,        -- the reference id of the request to pay
    minor INTEGER NOT NULL,
    external_id TEXT NOT NULL,
    payer_message TEXT NOT NULL,
    payee_note TEXT NOT NULL,
    callback_url TEXT,
    ends_at REAL,                 -- when its result is known; NULL afterwards
    status TEXT NOT NULL,
    reason TEXT,
    party TEXT,                   -- who got the money
    transaction_id TEXT
);
"""
TOPIC = "refund"
OWN_FAULTS = ("refund_fails", "refund_stays")
REFUND_SECONDS = 1.0
PENDING, SUCCESSFUL, FAILED = "PENDING", "SUCCESSFUL", "FAILED"


class Disbursement:
    """Refunds from acceptance to result."""

    def __init__(
        self,
        *,
        context: Context,
        access: Access,
        wallet: Wallet,
        collection: Collection,
        callbacks: Callbacks,
    ) -> None:
        self._context = context
        self._access = access
        self._wallet = wallet
        self._collection = collection
        self._callbacks = callbacks

    def routes(self) -> list[Route]:
        """`POST /disbursement/v1_0/refund` and its status."""
        return [
            Route("POST", "/disbursement/v1_0/refund", self.refund),
            Route("GET", "/disbursement/v1_0/refund/<reference>", self.status),
        ]

    def refund(self, request: Request) -> Response:
        """Accept a refund: 202 and an empty body."""
        caller = self._access.check(request, product=DISBURSEMENT)
        reference = self._access.reference_id(request)
        body = json_object(request)
        order = read_order(access=self._access, market=caller.market, body=body)
        payment = body.get("referenceIdToRefund")
        if not isinstance(payment, str) or not payment:
            self._access.bad_request("referenceIdToRefund is missing")
        callback_url = self._access.callback_url(request, caller)
        with self._context.store.transaction() as db:
            added = db.execute(
                "INSERT INTO momo_refund (reference, environment, payment, minor, external_id,"
                " payer_message, payee_note, callback_url, ends_at, status)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    reference,
                    caller.market.environment,
                    payment.lower(),
                    order.minor,
                    order.external_id,
                    order.payer_message,
                    order.payee_note,
                    callback_url,
                    None if self._taken("refund_stays") else self._context.now() + REFUND_SECONDS,
                    PENDING,
                ),
            ).rowcount
        if not added:
            self._access.duplicate()
        return Response(status=202)

    def status(self, request: Request, reference: str) -> Response:
        """The refund as it stands."""
        self._access.check(request, product=DISBURSEMENT)
        self.settle_due()
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT * FROM momo_refund WHERE reference = ?", (reference.lower(),)
            ).fetchone()
        if row is None:
            self._access.not_found()
        return json_response(_shown(row, notes=("payerMessage", "payeeNote")))

    def settle_due(self) -> None:
        """Give every refund whose time has come its result."""
        with self._context.store.transaction() as db:
            rows = db.execute(
                "SELECT * FROM momo_refund WHERE ends_at < ? ORDER BY number",
                (self._context.now(),),
            ).fetchall()
            for row in rows:
                self._settle(row)

    def _settle(self, row: sqlite3.Row) -> None:
        payment = self._collection.payment(row["payment"])
        reason = self._reason(row, payment=payment)
        transaction_id = None
        if reason is None:
            transaction_id = self._wallet.move(
                market=MARKETS[row["environment"]],
                minor=-row["minor"],
                kind="refund",
                reference=row["reference"],
            )
        with self._context.store.transaction() as db:
            settled = db.execute(
                "UPDATE momo_refund SET status = ?, reason = ?, party = ?, transaction_id = ?,"
                " ends_at = NULL WHERE number = ? RETURNING *",
                (
                    FAILED if reason else SUCCESSFUL,
                    None if reason is None else json.dumps(reason),
                    None if payment is None else payment["party"],
                    transaction_id,
                    row["number"],
                ),
            ).fetchone()
            self._callbacks.send(
                topic=TOPIC,
                url=row["callback_url"],
                reference=row["reference"],
                body=_shown(settled, notes=("payeeNote",)),
            )

    def _reason(self, row: sqlite3.Row, *, payment: sqlite3.Row | None) -> str | None:
        if self._taken("refund_fails"):
            return "COULD_NOT_PERFORM_TRANSACTION"
        if payment is None or payment["environment"] != row["environment"]:
            return "RESOURCE_NOT_FOUND"
        if payment["status"] != SUCCESSFUL:
            return "NOT_ALLOWED"
        if row["minor"] > payment["minor"] - self._refunded_minor(row["payment"]):
            return "NOT_ALLOWED"
        if row["minor"] > self._wallet.balance_minor(market=MARKETS[row["environment"]]):
            return "NOT_ENOUGH_FUNDS"
        return None

    def _refunded_minor(self, payment: str) -> int:
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT coalesce(sum(minor), 0) AS minor FROM momo_refund"
                " WHERE payment = ? AND status = 'SUCCESSFUL'",
                (payment,),
            ).fetchone()
            return int(row["minor"])

    def _taken(self, kind: str) -> bool:
        fault = self._context.faults.take(service=SERVICE, kinds=(kind,), topic=TOPIC)
        return fault is not None


def _shown(row: sqlite3.Row, *, notes: tuple[str, ...]) -> dict[str, Any]:
    """A refund as the status and the callback show it."""
    market = MARKETS[row["environment"]]
    body: dict[str, Any] = {
        "amount": market.text_of(row["minor"]),
        "currency": market.currency,
        "externalId": row["external_id"],
    }
    if row["transaction_id"] is not None:
        body["financialTransactionId"] = row["transaction_id"]
    if row["party"] is not None:
        body["payee"] = {"partyIdType": "MSISDN", "partyId": row["party"]}
    texts = {"payerMessage": row["payer_message"], "payeeNote": row["payee_note"]}
    body |= {name: texts[name] for name in notes}
    body["status"] = row["status"]
    if row["reason"] is not None:
        body["reason"] = json.loads(row["reason"])
    return body
