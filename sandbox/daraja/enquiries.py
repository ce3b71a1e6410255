"""What became of a transaction, and what the short code's accounts hold."""

from __future__ import annotations

import sqlite3

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.daraja.access import stamp
from sandbox.daraja.commands import (
    DONE,
    NO_RECEIPT,
    SHORT_CODE_TYPE,
    Command,
    Commands,
    Outcome,
)
from sandbox.daraja.merchant import ORGANIZATION
from sandbox.daraja.statement import Statement, customer_name, two_decimals
from sandbox.web import Route

REASONS = {
    "stk": "Pay Bill Online",
    "c2b": "Pay Bill Online",
    "reversal": "Pay Bill Reversal",
    "b2c": "Business Payment to Customer via API",
    "payout": "Organization Withdrawal Of Funds",
    "charge": "Charge",
}


class Enquiries:
    """Transaction status and account balance."""

    def __init__(self, *, context: Context, commands: Commands, statement: Statement) -> None:
        self._context = context
        self._commands = commands
        self._statement = statement

    def routes(self) -> list[Route]:
        """Both vendor paths."""
        return [
            Route("POST", "/mpesa/transactionstatus/v1/query", self.status),
            Route("POST", "/mpesa/accountbalance/v1/query", self.balance),
        ]

    def status(self, request: Request) -> Response:
        """What became of TransactionID, or of the command named by OriginalConversationID."""
        body = self._commands.checked(
            request,
            commands=("TransactionStatusQuery",),
            party_field="PartyA",
            type_field="IdentifierType",
            party_type=SHORT_CODE_TYPE,
        )
        named = [body.get("TransactionID"), body.get("OriginalConversationID")]
        if not any(isinstance(name, str) and name for name in named):
            self._commands.bad("TransactionID")
        return self._commands.run(body, topic="status", act=self._status)

    def _status(self, command: Command) -> Outcome:
        occasion = ("Occasion", str(command.body.get("Occasion") or ""))
        receipt = command.body.get("TransactionID")
        if not receipt:
            asked = str(command.body["OriginalConversationID"])
            receipt = self._commands.receipt_of(asked)
        row = None if not receipt else self._statement.movement(str(receipt))
        if row is None:
            return Outcome(code=NO_RECEIPT, reference=occasion)
        return Outcome(code=DONE, reference=occasion, parameters=self._described(row))

    def _described(self, row: sqlite3.Row) -> tuple[tuple[str, object], ...]:
        merchant = f"{self._context.credentials.daraja_short_code} - {ORGANIZATION}"
        phone = str(row["phone"])
        # The customer's number in its national form, as the live service writes it.
        customer = f"0{phone[4:]} - {customer_name(phone)}" if phone else merchant
        came = row["cents"] > 0
        finished = int(stamp(row["at"]))
        return (
            ("DebitPartyName", customer if came else merchant),
            ("CreditPartyName", merchant if came else customer),
            ("OriginatorConversationID", self._originator_of(row["receipt"])),
            ("InitiatedTime", finished),
            ("CreditPartyCharges", None),
            (
                "DebitAccountType",
                "MMF Account For Customer" if came else "Utility Account",
            ),
            ("TransactionReason", None),
            ("ReasonType", REASONS[row["origin"]]),
            ("TransactionStatus", "Completed"),
            ("FinalisedTime", finished),
            ("Amount", abs(row["cents"]) / 100),
            ("ConversationID", f"AG_{str(finished)[:8]}_{row['receipt'].lower()}"),
            ("ReceiptNo", row["receipt"]),
        )

    def _originator_of(self, receipt: str) -> str:
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT originator_id AS id FROM daraja_command WHERE receipt = ?1"
                " UNION ALL SELECT merchant_id FROM stk_prompt WHERE receipt = ?1",
                (receipt,),
            ).fetchone()
        return f"0000-0000-0000-{receipt.lower()}" if row is None else str(row["id"])

    def balance(self, request: Request) -> Response:
        """What is in each of the short code's accounts."""
        body = self._commands.checked(
            request,
            commands=("AccountBalance",),
            party_field="PartyA",
            type_field="IdentifierType",
            party_type=SHORT_CODE_TYPE,
        )
        return self._commands.run(body, topic="balance", act=self._balance)

    def _balance(self, command: Command) -> Outcome:
        accounts = {
            "Working Account": 0,
            "Float Account": 0,
            "Utility Account": self._statement.utility_cents(),
            "Charges Paid Account": self._statement.charges_cents(),
            "Organization Settlement Account": 0,
        }
        listed = "&".join(
            f"{name}|KES|{two_decimals(cents)}|{two_decimals(cents)}|0.00|0.00"
            for name, cents in accounts.items()
        )
        parameters = (("AccountBalance", listed), ("BOCompletedTime", int(stamp(command.at))))
        return Outcome(code=DONE, parameters=parameters)
