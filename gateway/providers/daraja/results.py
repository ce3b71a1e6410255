"""Questions that Daraja answers later, and the answers: stored, matched, believed once.

An answer is not signed. It counts where it comes to the path of the question (256 random bits) and
names the conversation that Daraja, asked over our own connection, gave the question.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts.models import Rail, Refund
from gateway.providers import asking
from gateway.providers.daraja.callbacks import UNREADABLE, printable
from gateway.providers.daraja.client import EAST_AFRICA, LATE
from gateway.providers.interface import (
    MalformedCallback,
    ProviderRefused,
    ProviderUnreachable,
)
from gateway.providers.models import ResultRequest
from settlement.models import Payout

State = ResultRequest.State
Kind = ResultRequest.Kind

DONE = "0"
NO_RECEIPT = "2032"
COMPLETED = "Completed"
SUBMITTING_LIMIT = timedelta(seconds=60)
"""A command whose acknowledgement did not come in this time was not acknowledged."""
PATIENCE = timedelta(seconds=60)
"""A question that was not answered in this time may be asked again."""
ADOPTED = "conversation adopted"
"""Among the stored parameters where only the result itself names the conversation."""
MOST_PARAMETERS = 40
LONGEST_VALUE = 500


class TooEarly(Exception):
    """The result overtook the acknowledgement that names its conversation. Try again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandResult:
    """A Result as Daraja posts it. parameters are texts by their Key, without spaces in it.

    reference is the receipt of what the command did; of one that did nothing it ends in zeros.
    """

    conversation: str
    code: str
    text: str
    reference: str
    parameters: dict[str, str]


def command_result(body: str) -> CommandResult:
    """Read the result of a reversal, status or balance command. Raises MalformedCallback."""
    try:
        result = json.loads(body, parse_float=Decimal)["Result"]
        conversation = printable(result["OriginatorConversationID"])
        if not 0 < len(conversation) <= 80:
            raise ValueError("no conversation is named")
        return CommandResult(
            conversation=conversation,
            code=printable(result["ResultCode"])[:40],
            text=printable(result.get("ResultDesc", ""))[:200],
            reference=printable(result.get("TransactionID") or "")[:64],
            parameters=_parameters(result.get("ResultParameters")),
        )
    except UNREADABLE as error:
        raise MalformedCallback(f"command result: {error!r}"[:200]) from error


def opened(
    *,
    rail: Rail,
    kind: Kind,
    at: datetime,
    reference: str = "",
    refund: Refund | None = None,
    payout: Payout | None = None,
    conversation: str = "",
) -> ResultRequest:
    """Store a question before it is sent, with the token of the path it is answered to.

    conversation is its name where we choose it ourselves.
    """
    return ResultRequest.objects.create(
        rail=rail,
        kind=kind,
        token=secrets.token_hex(32),
        reference=reference,
        refund=refund,
        payout=payout,
        conversation=conversation,
        requested_at=at,
    )


def send(
    *, request: ResultRequest, command: Callable[[str], str], hooks_url: str = ""
) -> ResultRequest:
    """Send a stored question; command takes the result's URL and returns the conversation.

    Raises what the command raises. Without an acknowledgement the question stays SUBMITTING.
    """
    base = hooks_url or asking.hooks_url()
    same = ResultRequest.objects.filter(pk=request.pk)
    try:
        conversation = command(f"{base}/daraja/result/{request.token}")
    except ProviderRefused as refusal:
        same.update(state=State.REFUSED, result_code=refusal.code[:40], result_text=refusal.text)
        raise
    except ProviderUnreachable as error:
        same.update(state=State.REFUSED, result_code="unreachable", result_text=str(error)[:200])
        raise
    same.update(conversation=conversation)
    same.filter(state=State.SUBMITTING).update(state=State.PENDING)
    request.refresh_from_db()
    return request


def latest(
    *,
    rail: Rail,
    kind: Kind,
    reference: str = "",
    refund: Refund | None = None,
    payout: Payout | None = None,
) -> ResultRequest | None:
    """Return the last question of a kind about a receipt, a refund or a payout."""
    asked = ResultRequest.objects.filter(rail=rail, kind=kind, refund=refund, payout=payout)
    return asked.filter(reference=reference).order_by("-id").first()


def is_due(*, last: ResultRequest | None, at: datetime) -> bool:
    """Return whether a question may be asked, again where the last one came to nothing."""
    if last is None:
        return True
    return last.state != State.ANSWERED and at - last.requested_at >= PATIENCE


def take(*, token: str, body: str, at: datetime) -> ResultRequest | None:
    """Store what came to a result's path, the first time; None where nobody asked.

    A timeout is not an answer: one may still come. Raises MalformedCallback, also for a result of
    another conversation, and TooEarly.
    """
    request = (
        ResultRequest.objects.select_related("rail", "refund")
        .filter(token=token.removesuffix(LATE))
        .first()
    )
    if request is None:
        return None
    told = command_result(body)
    is_adopted = not request.conversation
    if is_adopted:
        _adopt(request=request, conversation=told.conversation, at=at)
    if told.conversation != request.conversation:
        raise MalformedCallback("the result names another conversation")
    open_states = [State.SUBMITTING, State.PENDING]
    if not token.endswith(LATE):
        open_states.append(State.TIMED_OUT)
    ResultRequest.objects.filter(pk=request.pk, state__in=open_states).update(
        state=State.TIMED_OUT if token.endswith(LATE) else State.ANSWERED,
        result_code=told.code,
        result_text=told.text,
        result={
            **told.parameters,
            "TransactionID": told.reference,
            **({ADOPTED: "yes"} if is_adopted else {}),
        },
        answered_at=at,
    )
    request.refresh_from_db()
    return request


def instant(text: str) -> datetime | None:
    """Read "20211114132711", East Africa Time; None where it is no such time."""
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=EAST_AFRICA)
    except ValueError:
        return None


def _adopt(*, request: ResultRequest, conversation: str, at: datetime) -> None:
    """Take the conversation from the result where Daraja's acknowledgement never came."""
    if at - request.requested_at < SUBMITTING_LIMIT:
        raise TooEarly("the command is not acknowledged yet")
    if ResultRequest.objects.filter(conversation=conversation).exists():
        raise MalformedCallback("the result names the conversation of another question")
    ResultRequest.objects.filter(pk=request.pk, conversation="").update(conversation=conversation)
    request.refresh_from_db()


def _parameters(container: Any) -> dict[str, str]:
    """Daraja's list of {"Key", "Value"}, of which some have no Value; one may stand alone."""
    listed = (container or {}).get("ResultParameter", [])
    items = listed if isinstance(listed, list) else [listed]
    return {
        printable(item["Key"]).replace(" ", "")[:80]: printable(item.get("Value", ""))[
            :LONGEST_VALUE
        ]
        for item in items[:MOST_PARAMETERS]
    }
