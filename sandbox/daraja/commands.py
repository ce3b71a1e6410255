"""Commands of an API operator: accepted at once, and answered later by a POST to a ResultURL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.courier import Callback
from sandbox.daraja.access import SERVICE, Access, local_time
from sandbox.web import json_object, json_response

SCHEMA = """
CREATE TABLE IF NOT EXISTS daraja_command (
    originator_id TEXT PRIMARY KEY,
    conversation_id TEXT NOT NULL,
    topic TEXT NOT NULL,          -- reversal, status, balance, b2c
    receipt TEXT NOT NULL,        -- what it did, else empty
    at REAL NOT NULL
);
"""
# queue_timeout: the command is dropped and QueueTimeOutURL told. success_code_21: a reversal
# succeeds, but its Result carries the ResultCode of Safaricom's own published example.
OWN_FAULTS = ("queue_timeout", "success_code_21")
DONE, INSUFFICIENT, NOT_ALLOWED, BAD_INITIATOR, ACCOUNT_RULE = 0, 1, 21, 2001, 2006
UNREGISTERED = 2040
NO_RECEIPT, ALREADY_REVERSED, BAD_ORIGINAL = 2032, "R000001", "R000002"
DESCRIPTIONS: dict[int | str, str] = {
    DONE: "The service request is processed successfully.",
    INSUFFICIENT: "The balance is insufficient for the transaction.",
    BAD_INITIATOR: "The initiator information is invalid.",
    UNREGISTERED: "The credit party is not a registered customer.",
    ACCOUNT_RULE: "Declined due to account rule.",
    NO_RECEIPT: "The transaction receipt number does not exist.",
    ALREADY_REVERSED: "The transaction has already been reversed.",
    BAD_ORIGINAL: "The OriginalTransactionID is invalid.",
}
SHORT_CODE_TYPE, REVERSAL_TYPE = "4", "11"
REMARKS_LENGTH = range(2, 101)
LONGEST_OCCASION = 100


@dataclass(frozen=True, slots=True)
class Command:
    """One accepted command; at is an epoch second, body what was sent."""

    topic: str
    originator_id: str
    conversation_id: str
    at: float
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command came to: parameters as (Key, Value), a Value of None is left out.

    receipt is the receipt of what it did; without one the TransactionID ends in zeros.
    """

    code: int | str
    receipt: str = ""
    parameters: Sequence[tuple[str, Any]] = ()
    reference: tuple[str, str] | None = None


Act = Callable[[Command], Outcome]


class Commands:
    """What reversals, payouts, status and balance queries have in common."""

    def __init__(self, *, context: Context, access: Access) -> None:
        self._context = context
        self._access = access

    def checked(
        self,
        request: Request,
        *,
        commands: Sequence[str],
        party_field: str,
        type_field: str = "",
        party_type: str = "",
        initiator_field: str = "Initiator",
    ) -> dict[str, Any]:
        """Check the token and the fields every command has; return the body."""
        self._access.check(request)
        body = json_object(request)
        for field in (initiator_field, "SecurityCredential"):
            if not isinstance(body.get(field), str) or not body[field]:
                self.bad(field)
        if body.get("CommandID") not in commands:
            self.bad("CommandID")
        self._access.check_short_code(body.get(party_field), field=party_field)
        if type_field and str(body.get(type_field)) != party_type:
            self.bad(type_field)
        for field in ("ResultURL", "QueueTimeOutURL"):
            self._access.check_url(body.get(field), field=field)
        remarks = body.get("Remarks")
        if not isinstance(remarks, str) or len(remarks) not in REMARKS_LENGTH:
            self.bad("Remarks")
        if len(str(body.get("Occasion") or "")) > LONGEST_OCCASION:
            self.bad("Occasion")
        return body

    def bad(self, field: str) -> NoReturn:
        """Refuse a field as Daraja does."""
        self._access.error("400.002.02", f"Bad Request - Invalid {field}")

    def run(
        self, body: dict[str, Any], *, topic: str, act: Act, originator_id: str = ""
    ) -> Response:
        """Accept a command, do it, and queue its Result; originator_id is the merchant's own."""
        command = self._command(body, topic=topic, originator_id=originator_id)
        with self._context.store.transaction() as db:
            if self._taken("queue_timeout", topic=topic):
                self._post(command, url=body["QueueTimeOutURL"], result=_timed_out(command))
            else:
                outcome = (
                    act(command) if self._knows_initiator(body) else Outcome(code=BAD_INITIATOR)
                )
                db.execute(
                    "INSERT INTO daraja_command VALUES (?, ?, ?, ?, ?)",
                    (
                        command.originator_id,
                        command.conversation_id,
                        topic,
                        outcome.receipt,
                        command.at,
                    ),
                )
                result = self._result(command, outcome=outcome)
                self._post(command, url=body["ResultURL"], result=result)
        return json_response(
            {
                "OriginatorConversationID": command.originator_id,
                "ConversationID": command.conversation_id,
                "ResponseCode": "0",
                "ResponseDescription": "Accept the service request successfully.",
            }
        )

    def receipt_of(self, originator_id: str) -> str | None:
        """The receipt of a command's work ("" if it did nothing); None if there is no such."""
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT receipt FROM daraja_command WHERE originator_id = ?", (originator_id,)
            ).fetchone()
        return None if row is None else str(row["receipt"])

    def _command(self, body: dict[str, Any], *, topic: str, originator_id: str) -> Command:
        now = self._context.now()
        number = self._context.store.next_number("command")
        digits = self._context.ids.hexadecimal("command")
        parts = (digits[:4], digits[4:8], digits[8:12], f"{digits[12:24]}{number}")
        return Command(
            topic=topic,
            originator_id=originator_id or "-".join(parts),
            conversation_id=f"AG_{local_time(now):%Y%m%d}_{digits[:20]}",
            at=now,
            body=body,
        )

    def _knows_initiator(self, body: dict[str, Any]) -> bool:
        credentials = self._context.credentials
        return (body["Initiator"], body["SecurityCredential"]) == (
            credentials.daraja_initiator,
            credentials.daraja_security_credential,
        )

    def _taken(self, kind: str, *, topic: str) -> bool:
        fault = self._context.faults.take(service=SERVICE, kinds=(kind,), topic=topic)
        return fault is not None

    def _result(self, command: Command, *, outcome: Outcome) -> dict[str, Any]:
        as_text = self._taken("string_codes", topic=command.topic)
        code: int | str = outcome.code
        text = DESCRIPTIONS[code]
        if code == DONE and command.topic == "reversal":
            code = str(NOT_ALLOWED) if self._taken("success_code_21", topic="reversal") else code
        key, value = outcome.reference or ("QueueTimeoutURL", command.body["QueueTimeOutURL"])
        # The receipt of nothing that happened: the day, and zeros.
        no_receipt = f"{self._context.ids.receipt(at=local_time(command.at))[:3]}0000000"
        result: dict[str, Any] = {
            "ResultType": 0,
            "ResultCode": str(code) if as_text else code,
            "ResultDesc": text,
            "OriginatorConversationID": command.originator_id,
            "ConversationID": command.conversation_id,
            "TransactionID": outcome.receipt or no_receipt,
        }
        if outcome.parameters:
            listed = [_parameter(*pair, as_text=as_text) for pair in outcome.parameters]
            result["ResultParameters"] = {"ResultParameter": listed}
        return {**result, "ReferenceData": {"ReferenceItem": {"Key": key, "Value": value}}}

    def _post(self, command: Command, *, url: str, result: dict[str, Any]) -> None:
        self._context.courier.post(
            Callback(service=SERVICE, topic=command.topic, url=url, payload={"Result": result})
        )


def _parameter(key: str, value: Any, *, as_text: bool) -> dict[str, Any]:
    if value is None:
        return {"Key": key}
    return {"Key": key, "Value": str(value) if as_text else value}


def _timed_out(command: Command) -> dict[str, Any]:
    return {
        "ResultType": 1,
        "ResultCode": 1,
        "ResultDesc": "The service request timed out.",
        "OriginatorConversationID": command.originator_id,
        "ConversationID": command.conversation_id,
    }
