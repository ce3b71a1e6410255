"""Reversals: asked for by the merchant, or made by Safaricom behind the merchant's back."""

from __future__ import annotations

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.daraja.access import stamp
from sandbox.daraja.commands import (
    ACCOUNT_RULE,
    ALREADY_REVERSED,
    BAD_ORIGINAL,
    DESCRIPTIONS,
    DONE,
    INSUFFICIENT,
    REVERSAL_TYPE,
    Command,
    Commands,
    Outcome,
)
from sandbox.daraja.merchant import ORGANIZATION, Merchant
from sandbox.daraja.statement import (
    Statement,
    Withdrawal,
    cents_of,
    customer_name,
    shillings,
    two_decimals,
)
from sandbox.web import Route, json_object, json_response, refuse

PAYMENT_ORIGINS = ("stk", "c2b")


class Reversals:
    """Gives payments back, each at most once and never more than was paid."""

    def __init__(
        self, *, context: Context, commands: Commands, statement: Statement, merchant: Merchant
    ) -> None:
        self._context = context
        self._commands = commands
        self._statement = statement
        self._merchant = merchant

    def routes(self) -> list[Route]:
        """`/mpesa/reversal/v1/request` and `/simulator/reversals`."""
        return [
            Route("POST", "/mpesa/reversal/v1/request", self.request),
            Route("POST", "/simulator/reversals", self.behind_the_back),
        ]

    def request(self, request: Request) -> Response:
        """Give back a payment, or a part of it where the short code may.

        There is no key of the client's own: who asks twice is told the second time that it was
        reversed already, or reverses a further part.
        """
        body = self._commands.checked(
            request,
            commands=("TransactionReversal",),
            party_field="ReceiverParty",
            type_field="RecieverIdentifierType",
            party_type=REVERSAL_TYPE,
        )
        receipt, cents = body.get("TransactionID"), cents_of(body.get("Amount"))
        if not isinstance(receipt, str) or not receipt.isalnum():
            self._commands.bad("TransactionID")
        if cents is None:
            self._commands.bad("Amount")
        return self._commands.run(body, topic="reversal", act=self._act)

    def _act(self, command: Command) -> Outcome:
        original = str(command.body["TransactionID"])
        cents = cents_of(command.body["Amount"]) or 0
        code, reversal = self.reverse(receipt=original, cents=cents, at=command.at)
        if reversal is None:
            return Outcome(code=code)
        phone = self._merchant.phone_of(original)
        code_and_name = f"{self._context.credentials.daraja_short_code} - {ORGANIZATION}"
        balance = two_decimals(self._statement.utility_cents())
        return Outcome(
            code=code,
            receipt=reversal.receipt,
            parameters=(
                ("DebitAccountBalance", f"Utility Account|KES|{balance}|{balance}|0.00|0.00"),
                ("Amount", cents / 100),
                ("TransCompletedTime", int(stamp(command.at))),
                ("OriginalTransactionID", original),
                ("Charge", 0.0),
                ("CreditPartyPublicName", f"{phone[1:]} - {customer_name(phone)}"),
                ("DebitPartyPublicName", code_and_name),
            ),
        )

    def reverse(
        self, *, receipt: str, cents: int, at: float
    ) -> tuple[int | str, Withdrawal | None]:
        """Move the money back; returns the ResultCode and what was done, if anything."""
        with self._context.store.transaction():
            paid = self._statement.movement(receipt)
            if paid is None or paid["origin"] not in PAYMENT_ORIGINS:
                return BAD_ORIGINAL, None
            left = int(paid["cents"]) - self._statement.reversed_cents(receipt)
            if left <= 0:
                return ALREADY_REVERSED, None
            is_partial = cents != paid["cents"]
            if cents > left or (is_partial and not self._merchant.may_reverse_parts()):
                return ACCOUNT_RULE, None
            if cents > self._statement.utility_cents():
                return INSUFFICIENT, None
            reversal = Withdrawal(
                receipt=self._statement.new_receipt(at=at),
                at=at,
                kind="reversal",
                cents=cents,
                original=receipt,
            )
            self._statement.withdraw(reversal)
        return DONE, reversal

    def behind_the_back(self, request: Request) -> Response:
        """Safaricom reverses `{"receipt", "amount"?}` for the customer; nobody is called back."""
        body = json_object(request)
        receipt = str(body.get("receipt"))
        paid = self._statement.movement(receipt)
        if paid is None:
            refuse({"error": DESCRIPTIONS[BAD_ORIGINAL]}, status=404)
        left = int(paid["cents"]) - self._statement.reversed_cents(receipt)
        cents = max(left, 1) if body.get("amount") is None else cents_of(body["amount"])
        if cents is None:
            refuse({"error": "amount is not an amount of shillings above 0."}, status=400)
        code, reversal = self.reverse(receipt=receipt, cents=cents, at=self._context.now())
        if reversal is None:
            refuse({"error": DESCRIPTIONS[code]}, status=409)
        return json_response(
            {
                "receipt": reversal.receipt,
                "original": receipt,
                "amount": shillings(cents),
                "currency": "KES",
            }
        )
