"""B2C: the merchant sends money to a phone, under a conversation that it names itself."""

from __future__ import annotations

import re
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.daraja.access import SERVICE, Access, local_time
from sandbox.daraja.commands import (
    DONE,
    INSUFFICIENT,
    UNREGISTERED,
    Command,
    Commands,
    Outcome,
)
from sandbox.daraja.statement import (
    B2C,
    Statement,
    Withdrawal,
    cents_of,
    customer_name,
)
from sandbox.web import Route

PURPOSES = ("BusinessPayment", "SalaryPayment", "PromotionPayment")
LOWEST_CENTS, HIGHEST_CENTS = 1_000, 25_000_000
_PHONE = re.compile(r"254[17][0-9]{8}")
_CONVERSATION = re.compile(r"[A-Za-z0-9_-]{1,60}")
# unregistered: the next number turns out to have no wallet.
OWN_FAULTS = ("unregistered",)


class BusinessToCustomer:
    """Payments from the Utility Account to phones, each conversation once."""

    def __init__(
        self, *, context: Context, access: Access, commands: Commands, statement: Statement
    ) -> None:
        self._context = context
        self._access = access
        self._commands = commands
        self._statement = statement

    def routes(self) -> list[Route]:
        """The vendor's path."""
        return [Route("POST", "/mpesa/b2c/v3/paymentrequest", self.request)]

    def request(self, request: Request) -> Response:
        """Send `Amount` whole shillings, 10 to 250,000, to `PartyB`.

        A conversation that is known already is refused, and nothing is sent a second time.
        """
        body = self._commands.checked(
            request,
            commands=PURPOSES,
            party_field="PartyA",
            initiator_field="InitiatorName",
        )
        conversation = str(body.get("OriginatorConversationID"))
        if _CONVERSATION.fullmatch(conversation) is None:
            self._commands.bad("OriginatorConversationID")
        if _PHONE.fullmatch(str(body.get("PartyB"))) is None:
            self._commands.bad("PartyB")
        cents = cents_of(body.get("Amount"))
        if cents is None or cents % 100 or not LOWEST_CENTS <= cents <= HIGHEST_CENTS:
            self._commands.bad("Amount")
        if self._commands.receipt_of(conversation) is not None:
            self._access.error("500.002.1001", "Duplicate OriginatorConversationID")
        return self._commands.run(
            {**body, "Initiator": body["InitiatorName"]},
            topic="b2c",
            act=self._act,
            originator_id=conversation,
        )

    def _act(self, command: Command) -> Outcome:
        cents = cents_of(command.body["Amount"]) or 0
        phone = str(command.body["PartyB"])
        if self._context.faults.take(service=SERVICE, kinds=OWN_FAULTS, topic="b2c"):
            return Outcome(code=UNREGISTERED)
        if cents > self._statement.utility_cents():
            return Outcome(code=INSUFFICIENT)
        receipt = self._statement.new_receipt(at=command.at)
        self._statement.withdraw(
            Withdrawal(receipt=receipt, at=command.at, kind=B2C, cents=cents),
            phone=f"+{phone}",
            account=command.originator_id,
        )
        return Outcome(
            code=DONE, receipt=receipt, parameters=self._parameters(command, receipt, cents)
        )

    def _parameters(
        self, command: Command, receipt: str, cents: int
    ) -> tuple[tuple[str, Any], ...]:
        phone = str(command.body["PartyB"])
        finished = local_time(command.at)
        return (
            ("TransactionAmount", cents // 100),
            ("TransactionReceipt", receipt),
            ("B2CRecipientIsRegisteredCustomer", "Y"),
            ("B2CChargesPaidAccountAvailableFunds", self._statement.charges_cents() / 100),
            ("ReceiverPartyPublicName", f"{phone} - {customer_name(phone)}"),
            ("TransactionCompletedDateTime", f"{finished:%d.%m.%Y %H:%M:%S}"),
            ("B2CUtilityAccountAvailableFunds", self._statement.utility_cents() / 100),
            ("B2CWorkingAccountAvailableFunds", 0.0),
        )
