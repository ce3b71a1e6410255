"""The merchant's own money, and how Safaricom treats its short code: the simulator's side."""

from __future__ import annotations

from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.daraja.statement import Statement, Withdrawal, cents_of, shillings
from sandbox.web import Route, bounded_int, json_object, json_response, refuse

ORGANIZATION = "Sandbox Solar"
MOST_CENTS = 10**13
LONGEST_DELAY_SECONDS = 86_400
# How a reversal shows in the pulled statement: an amount below zero, a type of its own, or, as
# the vendor's page can be read ("only queries C2B transactions"), not at all.
REVERSAL_ROWS = ("negative", "typed", "hidden")
# Whether it shows what was sent to phones is not published either.
PAYOUT_ROWS = ("shown", "hidden")
DEFAULTS = {
    "reversal_rows": "negative",
    "payout_rows": "shown",
    "partial_reversals": "allowed",
    "statement_delay_seconds": "0",
}


class Merchant:
    """Payouts, charges and settings of the short code."""

    def __init__(self, *, context: Context, statement: Statement) -> None:
        self._context = context
        self._statement = statement

    def routes(self) -> list[Route]:
        """`/simulator/payout`, `/simulator/charge` and `/simulator/settings`."""
        return [
            Route("POST", "/simulator/payout", self.payout),
            Route("POST", "/simulator/charge", self.charge),
            Route("GET", "/simulator/settings", self.listing),
            Route("POST", "/simulator/settings", self.change),
        ]

    def reversal_rows(self) -> str:
        """One of REVERSAL_ROWS."""
        return self._setting("reversal_rows")

    def shows_payouts(self) -> bool:
        """Whether the pulled statement has rows of what was sent to phones."""
        return self._setting("payout_rows") == "shown"

    def may_reverse_parts(self) -> bool:
        """Whether less than the whole payment may be reversed."""
        return self._setting("partial_reversals") == "allowed"

    def statement_delay_seconds(self) -> int:
        """How long after it was made a payment shows in the pulled statement."""
        return int(self._setting("statement_delay_seconds"))

    def phone_of(self, receipt: str) -> str:
        """Who paid under a receipt, with `+`; KeyError if there is no such."""
        row = self._statement.movement(receipt)
        if row is None:
            raise KeyError(receipt)
        return str(row["phone"])

    def payout(self, request: Request) -> Response:
        """The treasury takes `{"amount", "currency"?}` to its bank."""
        return self._withdraw(request, kind="payout")

    def charge(self, request: Request) -> Response:
        """Safaricom charges `{"amount", "currency"?}` for its services."""
        return self._withdraw(request, kind="charge")

    def _withdraw(self, request: Request, *, kind: str) -> Response:
        body, now = json_object(request), self._context.now()
        cents = cents_of(body.get("amount"), most=MOST_CENTS)
        if cents is None or body.get("currency", "KES") != "KES":
            refuse({"error": "amount is not an amount of KES above 0."}, status=400)
        with self._context.store.transaction():
            if kind == "payout" and cents > self._statement.utility_cents():
                refuse({"error": "The balance is insufficient."}, status=409)
            receipt = self._statement.new_receipt(at=now)
            self._statement.withdraw(Withdrawal(receipt=receipt, at=now, kind=kind, cents=cents))
        return json_response({"receipt": receipt, "amount": shillings(cents), "currency": "KES"})

    def listing(self, _request: Request) -> Response:
        """Every setting."""
        return json_response({name: self._setting(name) for name in DEFAULTS})

    def change(self, request: Request) -> Response:
        """Change the settings given; see DEFAULTS."""
        body = json_object(request)
        for name, value in body.items():
            self._context.store.set_setting(f"daraja_{name}", self._checked(name, value))
        return self.listing(request)

    def _checked(self, name: str, value: Any) -> str:
        if name == "statement_delay_seconds":
            highest = LONGEST_DELAY_SECONDS
            return str(bounded_int(str(value), name=name, lowest=0, highest=highest))
        choices = {
            "reversal_rows": REVERSAL_ROWS,
            "payout_rows": PAYOUT_ROWS,
            "partial_reversals": ("allowed", "refused"),
        }
        if value not in choices.get(name, ()):
            refuse({"error": f"{name} can't be {value!r}."}, status=400)
        return str(value)

    def _setting(self, name: str) -> str:
        return self._context.store.setting(f"daraja_{name}") or DEFAULTS[name]
