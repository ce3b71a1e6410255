"""Request to pay: a prompt on the payer's phone, its answer, the status and the callback.

In the target environment `sandbox` the vendor's test numbers end as they do there (SCRIPTED);
every other number gets a prompt that its owner has five minutes to answer.
"""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.momo.access import COLLECTION, PRODUCTS, SANDBOX_ENVIRONMENT, SERVICE, Access
from sandbox.momo.callbacks import Callbacks
from sandbox.momo.market import MARKETS
from sandbox.momo.order import Order, read_order
from sandbox.momo.wallet import Wallet
from sandbox.told import Told
from sandbox.web import Route, json_object, json_response, phone_number, refuse

SCHEMA = """
CREATE TABLE IF NOT EXISTS momo_payment (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    reference TEXT NOT NULL UNIQUE,
    environment TEXT NOT NULL,
    party TEXT NOT NULL,          -- as the merchant wrote the payer's number
    minor INTEGER NOT NULL,
    external_id TEXT NOT NULL,
    payer_message TEXT NOT NULL,
    payee_note TEXT NOT NULL,
    callback_url TEXT,
    opened_at REAL NOT NULL,
    ends_at REAL,                 -- when it expires, or pays itself; NULL for never
    status TEXT NOT NULL,         -- CREATED, PENDING, SUCCESSFUL, FAILED
    reason TEXT,                  -- JSON: a code, or {"code", "message"}
    transaction_id TEXT
);
CREATE INDEX IF NOT EXISTS momo_open ON momo_payment (party) WHERE status = 'PENDING';
"""
TOPIC = "requesttopay"
OWN_FAULTS = ("insufficient_funds", "expired", "reason_object")
PROMPT_SECONDS = 300.0
DELAYED_SECONDS = 25.0
CREATED, PENDING, SUCCESSFUL, FAILED = "CREATED", "PENDING", "SUCCESSFUL", "FAILED"
REJECTED, EXPIRED, NOT_FOUND = "APPROVAL_REJECTED", "EXPIRED", "PAYER_NOT_FOUND"
GENERIC = "INTERNAL_PROCESSING_ERROR"
TOO_LITTLE = "LOW_BALANCE_OR_PAYEE_LIMIT_REACHED_OR_NOT_ALLOWED"
MESSAGES = {
    REJECTED: "The payer rejected the payment.",
    EXPIRED: "The payer did not answer in time.",
    NOT_FOUND: "Payer not found.",
    GENERIC: "An internal error occurred while processing.",
    TOO_LITTLE: "The payer has too little, or a limit was reached.",
}
# The vendor's numbers of use cases: a reason, a status it stays in, or (HTTP status, code).
ONGOING, DELAYED = "46733123453", "46733123454"
SCRIPTED: dict[str, str | tuple[int, str]] = {
    "46733123450": GENERIC,
    "46733123451": REJECTED,
    "46733123452": EXPIRED,
    ONGOING: PENDING,
    DELAYED: CREATED,
    "46733123455": NOT_FOUND,
    "46733123456": "PAYEE_NOT_ALLOWED_TO_RECEIVE",
    "46733123457": (500, "NOT_ALLOWED"),
    "46733123458": (500, "NOT_ALLOWED_TARGET_ENVIRONMENT"),
    "46733123459": (500, "INVALID_CALLBACK_URL_HOST"),
    "46733123460": (500, "INVALID_CURRENCY"),
    "46733123461": (500, GENERIC),
    "46733123462": (503, "SERVICE_UNAVAILABLE"),
    "46733123463": "COULD_NOT_PERFORM_TRANSACTION",
}
# Of the vendor's numbers, those that the account holder check calls inactive.
INACTIVE = ("46733123450", "46733123451")
_MSISDN = re.compile(r"[1-9][0-9]{7,14}")
_TYPED = re.compile(r"\+?[0-9]{6,15}")


class Collection:
    """Requests to pay from opening to result."""

    def __init__(
        self, *, context: Context, access: Access, wallet: Wallet, callbacks: Callbacks
    ) -> None:
        self._context = context
        self._access = access
        self._wallet = wallet
        self._callbacks = callbacks
        self._told_of = Told(context=context, service=SERVICE)

    def routes(self) -> list[Route]:
        """Vendor paths and `/simulator/phones/<phone>/prompts`."""
        prompts = "/simulator/phones/<phone>/prompts"
        return [
            Route("POST", "/collection/v1_0/requesttopay", self.request_to_pay),
            Route("GET", "/collection/v1_0/requesttopay/<reference>", self.status),
            *(
                Route("GET", f"/{product}/v1_0/accountholder/msisdn/<party>/active", handler)
                for product, handler in zip(
                    PRODUCTS, (self.collection_holder, self.disbursement_holder), strict=True
                )
            ),
            Route("GET", prompts, self.prompts),
            Route("POST", f"{prompts}/<prompt_id>", self.answer),
            *self._told_of.routes(),
        ]

    def request_to_pay(self, request: Request) -> Response:
        """Open a prompt on the payer's phone: 202, an empty body, and nothing paid yet."""
        caller = self._access.check(request, product=COLLECTION)
        reference = self._access.reference_id(request)
        body = json_object(request)
        order = read_order(access=self._access, market=caller.market, body=body)
        party = self._party(body.get("payer"))
        callback_url = self._access.callback_url(request, caller)
        script = self._script(party, environment=caller.market.environment)
        if isinstance(script, tuple):
            self._access.error(script[1], "Refused as the test number asks for.", status=script[0])
        with self._context.store.transaction():
            self._open(
                reference=reference,
                environment=caller.market.environment,
                party=party,
                order=order,
                callback_url=callback_url,
                script=script,
            )
            if script not in (None, PENDING, CREATED):
                self.settle(reference=reference, reason=script)
            elif not _MSISDN.fullmatch(party):
                self.settle(reference=reference, reason=NOT_FOUND)
            elif self._result_comes_first():
                self.settle(reference=reference)
        return Response(status=202)

    def _party(self, payer: object) -> str:
        if not isinstance(payer, dict) or payer.get("partyIdType") != "MSISDN":
            self._access.bad_request("payer is {partyIdType: MSISDN, partyId}")
        party = payer.get("partyId")
        if not isinstance(party, str) or not _TYPED.fullmatch(party):
            self._access.bad_request("partyId is not an MSISDN")
        return party

    def _script(self, party: str, *, environment: str) -> str | tuple[int, str] | None:
        return SCRIPTED.get(party) if environment == SANDBOX_ENVIRONMENT else None

    def _open(
        self,
        *,
        reference: str,
        environment: str,
        party: str,
        order: Order,
        callback_url: str | None,
        script: str | None,
    ) -> None:
        now = self._context.now()
        seconds = {PENDING: None, CREATED: DELAYED_SECONDS}.get(script or "", PROMPT_SECONDS)
        with self._context.store.transaction() as db:
            added = db.execute(
                "INSERT INTO momo_payment (reference, environment, party, minor, external_id,"
                " payer_message, payee_note, callback_url, opened_at, ends_at, status)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    reference,
                    environment,
                    party,
                    order.minor,
                    order.external_id,
                    order.payer_message,
                    order.payee_note,
                    callback_url,
                    now,
                    None if seconds is None else now + seconds,
                    CREATED if script == CREATED else PENDING,
                ),
            ).rowcount
        if not added:
            self._access.duplicate()

    def _result_comes_first(self) -> bool:
        """Whether a commanded fault wants the payment's result sent before this answer."""
        return any(
            fault["kind"] == "before_response" and fault["topic"] in (None, TOPIC)
            for fault in self._context.faults.pending(service=SERVICE)
        )

    def status(self, request: Request, reference: str) -> Response:
        """The request as it stands; one that failed is HTTP 200 too."""
        self._access.check(request, product=COLLECTION)
        row = self.payment(reference)
        if row is None:
            self._access.not_found()
        shown = _shown(row, notes=("payerMessage", "payeeNote"))
        return json_response(self._told_of.over(shown, reference=reference))

    def payment(self, reference: str) -> sqlite3.Row | None:
        """A request by its reference id."""
        self.expire()
        with self._context.store.transaction() as db:
            row: sqlite3.Row | None = db.execute(
                "SELECT * FROM momo_payment WHERE reference = ?", (reference.lower(),)
            ).fetchone()
            return row

    def collection_holder(self, request: Request, party: str) -> Response:
        """Whether a number is an active account holder's, asked under the collection key."""
        self._access.check(request, product=COLLECTION)
        return json_response({"result": _is_active(party)})

    def disbursement_holder(self, request: Request, party: str) -> Response:
        """The same under the disbursement key."""
        self._access.check(request, product=PRODUCTS[1])
        return json_response({"result": _is_active(party)})

    def open_prompts(self, *, phone: str | None = None) -> list[sqlite3.Row]:
        """Prompts nobody has answered yet (of one phone, or all), newest first."""
        self.expire()
        party = None if phone is None else phone.removeprefix("+")
        with self._context.store.transaction() as db:
            return db.execute(
                "SELECT * FROM momo_payment WHERE status = 'PENDING' AND ends_at IS NOT NULL"
                " AND (?1 IS NULL OR party = ?1) ORDER BY number DESC",
                (party,),
            ).fetchall()

    def prompts(self, _request: Request, phone: str) -> Response:
        """The phone's open prompts, newest first."""
        rows = self.open_prompts(phone=phone_number(phone))
        return json_response(
            [
                {
                    "id": row["reference"],
                    "amount": MARKETS[row["environment"]].text_of(row["minor"]),
                    "currency": MARKETS[row["environment"]].currency,
                }
                for row in rows
            ]
        )

    def answer(self, request: Request, phone: str, prompt_id: str) -> Response:
        """The payer enters `{"pin"}` or presses `{"cancel": true}`."""
        body, row = json_object(request), self.payment(prompt_id)
        if row is None or f"+{row['party']}" != phone_number(phone):
            refuse({"error": "This phone has no such prompt."}, status=404)
        if body.get("cancel") is True:
            reason: str | None = REJECTED
        elif "pin" in body:
            reason = self._reason_for_pin(str(body["pin"]))
        else:
            refuse({"error": "Give pin or cancel."}, status=400)
        transaction_id = self.settle(reference=row["reference"], reason=reason)
        answer = {
            "id": row["reference"],
            "result_code": reason or SUCCESSFUL,
            "result": MESSAGES[reason] if reason else "The payment was made.",
        }
        if transaction_id is not None:
            answer["receipt"] = transaction_id
        return json_response(answer)

    def _reason_for_pin(self, pin: str) -> str | None:
        """A wrong PIN has no reason of its own in MoMo."""
        if pin != self._context.credentials.phone_pin:
            return GENERIC
        kinds = {"insufficient_funds": TOO_LITTLE, "expired": EXPIRED}
        fault = self._context.faults.take(service=SERVICE, kinds=kinds, topic=TOPIC)
        return None if fault is None else kinds[fault.kind]

    def settle(self, *, reference: str, reason: str | None = None) -> str | None:
        """Close an open request, move the money if there is no reason to fail, call back.

        Returns the financial transaction id of a paid one. One that is closed is answered 409.
        """
        with self._context.store.transaction() as db:
            row = db.execute(
                "UPDATE momo_payment SET status = ?, reason = ?, ends_at = NULL"
                " WHERE reference = ? AND status IN ('CREATED', 'PENDING') RETURNING *",
                (FAILED if reason else SUCCESSFUL, self._told(reason), reference),
            ).fetchone()
            if row is None:
                refuse({"error": "This prompt is closed."}, status=409)
            transaction_id = None
            if reason is None:
                transaction_id = self._wallet.move(
                    market=MARKETS[row["environment"]],
                    minor=row["minor"],
                    kind="payment",
                    reference=reference,
                )
                row = db.execute(
                    "UPDATE momo_payment SET transaction_id = ? WHERE reference = ? RETURNING *",
                    (transaction_id, reference),
                ).fetchone()
            self._callbacks.send(
                topic=TOPIC,
                url=row["callback_url"],
                reference=reference,
                body=self._told_of.over(_shown(row, notes=("payeeNote",)), reference=reference),
            )
        return transaction_id

    def _told(self, reason: str | None) -> str | None:
        """A reason as it is answered: a bare code, or an object when told to."""
        if reason is None:
            return None
        kinds = ("reason_object",)
        if self._context.faults.take(service=SERVICE, kinds=kinds, topic=TOPIC) is None:
            return json.dumps(reason)
        return json.dumps({"code": reason, "message": MESSAGES.get(reason, reason)})

    def expire(self) -> None:
        """Close what nobody answered in time, and pay what the delayed test number owes."""
        with self._context.store.transaction() as db:
            rows = db.execute(
                "SELECT reference, status FROM momo_payment WHERE ends_at < ?",
                (self._context.now(),),
            ).fetchall()
            for row in rows:
                is_delayed = row["status"] == CREATED
                self.settle(reference=row["reference"], reason=None if is_delayed else EXPIRED)


def _is_active(party: str) -> bool:
    return _MSISDN.fullmatch(party) is not None and party not in INACTIVE


def _shown(row: sqlite3.Row, *, notes: tuple[str, ...]) -> dict[str, Any]:
    """A request as the status and the callback show it; a callback lacks the payer's message."""
    market = MARKETS[row["environment"]]
    body: dict[str, Any] = {}
    if row["transaction_id"] is not None:
        body["financialTransactionId"] = row["transaction_id"]
    body |= {
        "externalId": row["external_id"],
        "amount": market.text_of(row["minor"]),
        "currency": market.currency,
        "payer": {"partyIdType": "MSISDN", "partyId": row["party"]},
    }
    texts = {"payerMessage": row["payer_message"], "payeeNote": row["payee_note"]}
    body |= {name: texts[name] for name in notes}
    body["status"] = row["status"]
    if row["reason"] is not None:
        body["reason"] = json.loads(row["reason"])
    return body
