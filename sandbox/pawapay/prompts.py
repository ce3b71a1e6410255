"""What the payer does: the prompts of a phone, and a PIN or a refusal for each."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.pawapay.access import SERVICE
from sandbox.pawapay.deposits import COMPLETED, FAILED, FAILURES, PIN_FAULTS, RECONCILING, Deposits
from sandbox.pawapay.money import text_of
from sandbox.web import Route, instant, json_object, json_response, phone_number, refuse

NOT_APPROVED = "PAYMENT_NOT_APPROVED"
RESULTS = {
    COMPLETED: "The payment is made.",
    RECONCILING: "The operator does not say yet.",
    **FAILURES,
}


class Prompts:
    """The simulator's side of deposits."""

    def __init__(self, *, context: Context, deposits: Deposits) -> None:
        self._context = context
        self._deposits = deposits

    def routes(self) -> list[Route]:
        """`/simulator/phones/<phone>/prompts`, and the end of what hangs in reconciliation."""
        prompts = "/simulator/phones/<phone>/prompts"
        return [
            Route("GET", prompts, self.listing),
            Route("POST", f"{prompts}/<prompt_id>", self.answer),
            Route("POST", "/simulator/deposits/<deposit_id>/outcome", self.reconcile),
        ]

    def listing(self, _request: Request, phone: str) -> Response:
        """The phone's open prompts, newest first."""
        return json_response(
            [
                {
                    "id": row["deposit_id"],
                    "amount": text_of(row["minor"], currency=row["currency"]),
                    "currency": row["currency"],
                }
                for row in self._deposits.open_rows(phone=phone_number(phone)[1:])
            ]
        )

    def answer(self, request: Request, phone: str, prompt_id: str) -> Response:
        """The customer enters `{"pin"}` or presses `{"cancel": true}`.

        `at` (ISO 8601) pretends that deposit and answer were at an earlier instant; with
        `{"silent": true}` nobody is called back.
        """
        body, row = json_object(request), self._deposits.row(prompt_id)
        if row is None or row["phone"] != phone_number(phone)[1:]:
            refuse({"error": "This phone has no such prompt."}, status=404)
        if body.get("cancel") is True:
            code = NOT_APPROVED
        elif "pin" in body:
            code = self._code_for_pin(str(body["pin"]))
        else:
            refuse({"error": "Give pin or cancel."}, status=400)
        at = self._answered_at(body)
        with self._context.store.transaction():
            if body.get("at") is not None:
                self._deposits.date_back(prompt_id, to=at)
            silent = body.get("silent") is True
            return json_response(self._ended(prompt_id, code=code, at=at, silent=silent))

    def _answered_at(self, body: dict[str, Any]) -> float:
        if body.get("at") is None:
            return self._context.now()
        try:
            return instant(str(body["at"])).timestamp()
        except ValueError:
            refuse({"error": "at is not an ISO 8601 instant."}, status=400)

    def _code_for_pin(self, pin: str) -> str:
        if pin != self._context.credentials.phone_pin:
            return NOT_APPROVED
        fault = self._context.faults.take(service=SERVICE, kinds=PIN_FAULTS, topic="deposit")
        return COMPLETED if fault is None else PIN_FAULTS[fault.kind] or RECONCILING

    def _ended(
        self, deposit_id: str, *, code: str, at: float, silent: bool = False
    ) -> dict[str, Any]:
        answer: dict[str, Any] = {"id": deposit_id, "result_code": code, "result": RESULTS[code]}
        if code == COMPLETED:
            receipt = self._deposits.complete(deposit_id, at=at, silent=silent)
            answer["receipt"] = receipt
            done = receipt is not None
        elif code == RECONCILING:
            done = self._deposits.hang(deposit_id)
        else:
            done = self._deposits.fail(deposit_id, code, silent=silent)
        if not done:
            refuse({"error": "This prompt is closed."}, status=409)
        return answer

    def reconcile(self, request: Request, deposit_id: str) -> Response:
        """pawaPay finds out: `{"status": "COMPLETED" or "FAILED"}` of one in reconciliation."""
        status = json_object(request).get("status")
        row = self._deposits.row(deposit_id)
        if status not in (COMPLETED, FAILED):
            refuse({"error": "status is COMPLETED or FAILED."}, status=400)
        if row is None or row["status"] != RECONCILING:
            refuse({"error": "This deposit is not in reconciliation."}, status=409)
        code = COMPLETED if status == COMPLETED else "UNSPECIFIED_FAILURE"
        return json_response(self._ended(deposit_id, code=code, at=self._context.now()))
