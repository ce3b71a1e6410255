"""C2B: the customer pays the paybill with an account number; validation, then confirmation."""

from __future__ import annotations

from typing import Any

import requests
from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.daraja.access import Access
from sandbox.daraja.statement import Payment, Statement, cents_of, shillings
from sandbox.web import Route, instant, json_object, json_response, phone_number, refuse

VALIDATION_TIMEOUT_SECONDS = (3.0, 8.0)
REJECTIONS = {
    "C2B00011": "Invalid MSISDN",
    "C2B00012": "Invalid Account Number",
    "C2B00013": "Invalid Amount",
    "C2B00014": "Invalid KYC Details",
    "C2B00015": "Invalid Shortcode",
    "C2B00016": "Other Error",
}


class C2b:
    """Registered URLs and paybill payments."""

    def __init__(self, *, context: Context, access: Access, statement: Statement) -> None:
        self._context = context
        self._access = access
        self._statement = statement

    def routes(self) -> list[Route]:
        """`/mpesa/c2b/v2/registerurl` and `/simulator/phones/<phone>/paybill`."""
        return [
            Route("POST", "/mpesa/c2b/v2/registerurl", self.register),
            Route("POST", "/simulator/phones/<phone>/paybill", self.paybill),
        ]

    def register(self, request: Request) -> Response:
        """Store both URLs and what happens when validation does not answer.

        Registering again replaces the URLs, as in Safaricom's sandbox (live refuses).
        """
        self._access.check(request)
        body = json_object(request)
        self._access.check_short_code(body.get("ShortCode"), field="ShortCode")
        if body.get("ResponseType") not in ("Completed", "Cancelled"):
            self._access.error("400.002.02", "Bad Request - Invalid ResponseType")
        urls = {
            name: self._access.check_url(body.get(field), field=field)
            for name, field in (
                ("daraja_confirmation_url", "ConfirmationURL"),
                ("daraja_validation_url", "ValidationURL"),
            )
        }
        for name, url in urls.items():
            self._context.store.set_setting(name, url)
        self._context.store.set_setting("daraja_response_type", body["ResponseType"])
        return json_response(
            {
                "OriginatorCoversationID": self._context.ids.hexadecimal("register"),
                "ResponseCode": "0",
                "ResponseDescription": "success",
            }
        )

    def paybill(self, request: Request, phone: str) -> Response:
        """Pay `{"account", "amount", "at"?, "silent"?}` -> `{"accepted", "receipt", ...}`.

        silent skips validation and confirmation: only pulltransactions shows the payment.
        """
        body, number = json_object(request), phone_number(phone)
        account, cents = body.get("account"), cents_of(body.get("amount"))
        if not isinstance(account, str) or not account.strip():
            refuse({"error": "account is missing."}, status=400)
        if cents is None:
            refuse({"error": "amount is not an amount of shillings above 0."}, status=400)
        answer = self.pay(
            phone=number,
            account=account.strip(),
            cents=cents,
            at=self._paid_at(body),
            silent=body.get("silent") is True,
        )
        return json_response(answer)

    def _paid_at(self, body: dict[str, Any]) -> float:
        if body.get("at") is None:
            return self._context.now()
        try:
            return instant(str(body["at"])).timestamp()
        except ValueError:
            refuse({"error": "at is not an ISO 8601 instant."}, status=400)

    def pay(
        self, *, phone: str, account: str, cents: int, at: float, silent: bool
    ) -> dict[str, Any]:
        """Validate, move the money, queue the confirmation; returns the simulator's answer."""
        payment = Payment(
            receipt=self._statement.new_receipt(at=at),
            at=at,
            phone=phone,
            cents=cents,
            account=account,
            origin="c2b",
        )
        third_party_id = ""
        if not silent:
            rejection, third_party_id = self._validate(payment)
            if rejection is not None:
                return {"accepted": False, "reason": rejection}
        with self._context.store.transaction():
            self._statement.record(payment)
            if not silent:
                self._statement.confirm(payment, third_party_id=third_party_id)
        return {
            "accepted": True,
            "receipt": payment.receipt,
            "account": account,
            "amount": shillings(cents),
            "currency": "KES",
        }

    def _validate(self, payment: Payment) -> tuple[str | None, str]:
        """Ask the validation URL; returns (reason of refusal or None, ThirdPartyTransID)."""
        url = self._context.store.setting("daraja_validation_url")
        if url is None:
            return None, ""
        body = self._statement.c2b_body(payment, confirmed=False, third_party_id="")
        try:
            response = requests.post(url, json=body, timeout=VALIDATION_TIMEOUT_SECONDS)
            answer = response.json() if response.status_code == 200 else None
        except (requests.RequestException, ValueError):
            answer = None
        if not isinstance(answer, dict) or "ResultCode" not in answer:
            cancelled = self._context.store.setting("daraja_response_type") == "Cancelled"
            return ("The merchant did not answer." if cancelled else None), ""
        code = str(answer["ResultCode"])
        if code == "0":
            return None, str(answer.get("ThirdPartyTransID") or "")
        return f"{code} {REJECTIONS.get(code, answer.get('ResultDesc', 'Rejected'))}", ""
