"""STK push: a prompt on the customer's phone, its answer, the callback and the query."""

from __future__ import annotations

import base64
import re
import sqlite3
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.courier import Callback
from sandbox.daraja.access import EAST_AFRICA, SERVICE, Access, stamp
from sandbox.daraja.statement import Payment, Statement
from sandbox.web import Route, json_object, json_response, phone_number, refuse

SCHEMA = """
CREATE TABLE IF NOT EXISTS stk_prompt (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    checkout_id TEXT NOT NULL UNIQUE,
    merchant_id TEXT NOT NULL,
    phone TEXT NOT NULL,
    shillings INTEGER NOT NULL,
    account TEXT NOT NULL,
    callback_url TEXT NOT NULL,
    opened_at REAL NOT NULL,
    result_code INTEGER,          -- NULL while the customer has not answered
    receipt TEXT
);
CREATE INDEX IF NOT EXISTS stk_open ON stk_prompt (phone) WHERE result_code IS NULL;
"""
# stk_as_c2b: also confirmed as a paybill payment, under the same receipt.
OWN_FAULTS = ("stk_as_c2b", "string_codes", "insufficient_funds", "expired")
PROMPT_SECONDS = 60.0
MAX_SHILLINGS = 250_000
PAID, INSUFFICIENT, EXPIRED, CANCELLED, NO_ANSWER, WRONG_PIN = 0, 1, 1019, 1032, 1037, 2001
DESCRIPTIONS = {
    PAID: "The service request is processed successfully.",
    INSUFFICIENT: "The balance is insufficient for the transaction.",
    EXPIRED: "Transaction has expired.",
    CANCELLED: "Request cancelled by user",
    NO_ANSWER: "DS timeout user cannot be reached",
    WRONG_PIN: "The initiator information is invalid.",
}
_PHONE = re.compile(r"254[71]\d{8}")


class Stk:
    """Prompts from opening to result."""

    def __init__(self, *, context: Context, access: Access, statement: Statement) -> None:
        self._context = context
        self._access = access
        self._statement = statement

    def routes(self) -> list[Route]:
        """Vendor paths and `/simulator/phones/<phone>/prompts`."""
        prompts = "/simulator/phones/<phone>/prompts"
        return [
            Route("POST", "/mpesa/stkpush/v1/processrequest", self.push),
            Route("POST", "/mpesa/stkpushquery/v1/query", self.query),
            Route("GET", prompts, self.prompts),
            Route("POST", f"{prompts}/<prompt_id>", self.answer),
        ]

    def push(self, request: Request) -> Response:
        """Open a prompt on PhoneNumber."""
        self._access.check(request)
        body = json_object(request)
        self._check_password(body)
        amount = self._checked_push(body)
        number = self._context.store.next_number("stk")
        now = self._context.now()
        checkout_id = f"ws_CO_{stamp(now)}{number:06d}{str(body['PhoneNumber'])[-9:]}"
        merchant_id = f"{self._context.ids.hexadecimal('merchant')[:4]}-{number:08d}-1"
        with self._context.store.transaction() as db:
            db.execute(
                "INSERT INTO stk_prompt (checkout_id, merchant_id, phone, shillings, account,"
                " callback_url, opened_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    checkout_id,
                    merchant_id,
                    f"+{body['PhoneNumber']}",
                    amount,
                    str(body["AccountReference"]),
                    body["CallBackURL"],
                    now,
                ),
            )
            if self._result_comes_first():
                self.settle(checkout_id=checkout_id, result_code=PAID)
        return json_response(
            {
                "MerchantRequestID": merchant_id,
                "CheckoutRequestID": checkout_id,
                "ResponseCode": "0",
                "ResponseDescription": "Success. Request accepted for processing",
                "CustomerMessage": "Success. Request accepted for processing",
            }
        )

    def _result_comes_first(self) -> bool:
        """Whether a commanded fault wants the payment's result sent before this answer."""
        return any(
            fault["kind"] == "before_response" and fault["topic"] in (None, "stk")
            for fault in self._context.faults.pending(service=SERVICE)
        )

    def _check_password(self, body: dict[str, Any]) -> None:
        self._access.check_short_code(body.get("BusinessShortCode"), field="BusinessShortCode")
        timestamp = str(body.get("Timestamp"))
        try:
            datetime.strptime(timestamp, "%Y%m%d%H%M%S").replace(tzinfo=EAST_AFRICA)
        except ValueError:
            self._access.error("400.002.02", "Bad Request - Invalid Timestamp")
        credentials = self._context.credentials
        clear = f"{credentials.daraja_short_code}{credentials.daraja_passkey}{timestamp}"
        if body.get("Password") != base64.b64encode(clear.encode()).decode():
            self._access.error("500.001.1001", "[MerchantValidate] - Wrong credentials")

    def _checked_push(self, body: dict[str, Any]) -> int:
        """Check every field but the password; return the amount in shillings."""

        def bad(field: str) -> None:
            self._access.error("400.002.02", f"Bad Request - Invalid {field}")

        kind, amount = body.get("TransactionType"), body.get("Amount")
        if kind not in ("CustomerPayBillOnline", "CustomerBuyGoodsOnline"):
            bad("TransactionType")
        digits = str(amount) if isinstance(amount, int | str) else ""
        if not re.fullmatch(r"[0-9]{1,6}", digits) or not 1 <= int(digits) <= MAX_SHILLINGS:
            bad("Amount")
        for field in ("PhoneNumber", "PartyA"):
            if not _PHONE.fullmatch(str(body.get(field))):
                bad(field)
        if kind == "CustomerPayBillOnline":
            self._access.check_short_code(body.get("PartyB"), field="PartyB")
        self._access.check_url(body.get("CallBackURL"), field="CallBackURL")
        for field, longest in (("AccountReference", 12), ("TransactionDesc", 13)):
            text = body.get(field)
            if not isinstance(text, str) or not 1 <= len(text) <= longest:
                bad(field)
        return int(digits)

    def query(self, request: Request) -> Response:
        """The result of a prompt; HTTP 500 with 500.001.1001 while there is none."""
        self._access.check(request)
        body = json_object(request)
        self._check_password(body)
        row = self._prompt(str(body.get("CheckoutRequestID")))
        if row is None:
            self._access.error("400.002.02", "Bad Request - Invalid CheckoutRequestID")
        if row["result_code"] is None:
            self._access.error("500.001.1001", "The transaction is being processed")
        return json_response(
            {
                "ResponseCode": "0",
                "ResponseDescription": "The service request has been accepted successsfully",
                "MerchantRequestID": row["merchant_id"],
                "CheckoutRequestID": row["checkout_id"],
                "ResultCode": str(row["result_code"]),
                "ResultDesc": DESCRIPTIONS[row["result_code"]],
            }
        )

    def _prompt(self, checkout_id: str) -> sqlite3.Row | None:
        self.expire()
        with self._context.store.transaction() as db:
            row: sqlite3.Row | None = db.execute(
                "SELECT * FROM stk_prompt WHERE checkout_id = ?", (checkout_id,)
            ).fetchone()
            return row

    def open_prompts(self, *, phone: str | None = None) -> list[sqlite3.Row]:
        """Prompts nobody has answered yet (of one phone, or all), newest first."""
        self.expire()
        with self._context.store.transaction() as db:
            return db.execute(
                "SELECT * FROM stk_prompt WHERE result_code IS NULL"
                " AND (?1 IS NULL OR phone = ?1) ORDER BY number DESC",
                (phone,),
            ).fetchall()

    def prompts(self, _request: Request, phone: str) -> Response:
        """The phone's open prompts, newest first."""
        return json_response(
            [
                {"id": row["checkout_id"], "amount": str(row["shillings"]), "currency": "KES"}
                for row in self.open_prompts(phone=phone_number(phone))
            ]
        )

    def answer(self, request: Request, phone: str, prompt_id: str) -> Response:
        """The customer enters `{"pin"}` or presses `{"cancel": true}`."""
        body, row = json_object(request), self._prompt(prompt_id)
        if row is None or row["phone"] != phone_number(phone):
            refuse({"error": "This phone has no such prompt."}, status=404)
        if body.get("cancel") is True:
            code = CANCELLED
        elif "pin" in body:
            code = self._code_for_pin(str(body["pin"]))
        else:
            refuse({"error": "Give pin or cancel."}, status=400)
        receipt = self.settle(checkout_id=prompt_id, result_code=code)
        answer: dict[str, Any] = {
            "id": prompt_id,
            "result_code": code,
            "result": DESCRIPTIONS[code],
        }
        if receipt is not None:
            answer["receipt"] = receipt
        return json_response(answer)

    def _code_for_pin(self, pin: str) -> int:
        if pin != self._context.credentials.phone_pin:
            return WRONG_PIN
        kinds = {"insufficient_funds": INSUFFICIENT, "expired": EXPIRED}
        fault = self._context.faults.take(service=SERVICE, kinds=kinds, topic="stk")
        return PAID if fault is None else kinds[fault.kind]

    def settle(self, *, checkout_id: str, result_code: int) -> str | None:
        """Close an open prompt, move the money if it is paid, queue the callback.

        Returns the receipt of a paid one. A prompt that is closed already is answered 409.
        """
        now = self._context.now()
        with self._context.store.transaction() as db:
            receipt = self._statement.new_receipt(at=now) if result_code == PAID else None
            row = db.execute(
                "UPDATE stk_prompt SET result_code = ?, receipt = ?"
                " WHERE checkout_id = ? AND result_code IS NULL RETURNING *",
                (result_code, receipt, checkout_id),
            ).fetchone()
            if row is None:
                refuse({"error": "This prompt is closed."}, status=409)
            payment = None
            if receipt is not None:
                payment = Payment(
                    receipt=receipt,
                    at=now,
                    phone=row["phone"],
                    cents=row["shillings"] * 100,
                    account=row["account"],
                    origin="stk",
                )
                self._statement.record(payment)
            self._call_back(row, at=now)
            if payment is not None and self._taken("stk_as_c2b"):
                self._statement.confirm(payment)
        return receipt

    def _taken(self, kind: str) -> bool:
        fault = self._context.faults.take(service=SERVICE, kinds=(kind,), topic="stk")
        return fault is not None

    def _call_back(self, row: sqlite3.Row, *, at: float) -> None:
        code = int(row["result_code"])
        result: dict[str, Any] = {
            "MerchantRequestID": row["merchant_id"],
            "CheckoutRequestID": row["checkout_id"],
            "ResultCode": str(code) if self._taken("string_codes") else code,
            "ResultDesc": DESCRIPTIONS[code],
        }
        if code == PAID:
            result["CallbackMetadata"] = {
                "Item": [
                    {"Name": "Amount", "Value": float(row["shillings"])},
                    {"Name": "MpesaReceiptNumber", "Value": row["receipt"]},
                    {"Name": "Balance"},
                    {"Name": "TransactionDate", "Value": int(stamp(at))},
                    {"Name": "PhoneNumber", "Value": int(row["phone"][1:])},
                ]
            }
        self._context.courier.post(
            Callback(
                service=SERVICE,
                topic="stk",
                url=row["callback_url"],
                payload={"Body": {"stkCallback": result}},
            )
        )

    def expire(self) -> None:
        """Close prompts nobody answered within 60 s."""
        with self._context.store.transaction() as db:
            rows = db.execute(
                "SELECT checkout_id FROM stk_prompt WHERE result_code IS NULL AND opened_at < ?",
                (self._context.now() - PROMPT_SECONDS,),
            ).fetchall()
            for row in rows:
                self.settle(checkout_id=row["checkout_id"], result_code=NO_ANSWER)
