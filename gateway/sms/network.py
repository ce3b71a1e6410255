"""Africa's Talking's SMS API through its SDK, with the SDK's traps closed.

The SDK has no option for another host, raises text only, and answers a str where the content type
carries a charset; see `Outcome` for what callers get instead.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

import requests
from africastalking.Service import AfricasTalkingException
from africastalking.SMS import SMSService
from django.conf import settings

from gateway.outbound import was_never_sent

TIMEOUT_SECONDS = (3.05, 9.05)
ACCEPTED_CODES = {100, 101, 102}
PASSING_CODES = {500, 501}
BLACKLISTED_CODE = 406


class Result(Enum):
    """What became of one message."""

    SENT = "sent"
    REFUSED = "refused"
    OPTED_OUT = "opted out"
    TRY_AGAIN = "try again"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A result, the network's id of the message where it took it, and its words."""

    result: Result
    provider_id: str = ""
    text: str = ""


def send(*, phone: str, message: str) -> Outcome:
    """Send one message to one phone (E.164). Never raises for what the network does."""
    try:
        answer = _service().send(
            message, [phone], sender_id=settings.SMS_SHORT_CODE, timeout=TIMEOUT_SECONDS
        )
    except requests.RequestException as error:
        # Of a connection that broke, or an answer cut short, nobody knows what came before it.
        result = Result.TRY_AGAIN if was_never_sent(error) else Result.UNKNOWN
        return Outcome(result=result, text=str(error))
    except AfricasTalkingException as error:
        return Outcome(result=Result.TRY_AGAIN, text=str(error))
    except ValueError as error:
        return Outcome(result=Result.REFUSED, text=str(error))
    return _told(answer)


def _told(answer: Any) -> Outcome:
    try:
        data = json.loads(answer) if isinstance(answer, str) else answer
        message = data["SMSMessageData"]
        if not message["Recipients"]:
            return Outcome(result=Result.REFUSED, text=str(message.get("Message", "")))
        recipient = message["Recipients"][0]
        code, text = int(recipient["statusCode"]), str(recipient.get("status", ""))
    except (ValueError, LookupError, TypeError, AttributeError):
        return Outcome(result=Result.UNKNOWN, text=f"unreadable answer {answer!r}")
    if code in ACCEPTED_CODES:
        return Outcome(
            result=Result.SENT, provider_id=str(recipient.get("messageId", "")), text=text
        )
    if code == BLACKLISTED_CODE:
        return Outcome(result=Result.OPTED_OUT, text=text)
    if code in PASSING_CODES:
        return Outcome(result=Result.TRY_AGAIN, text=text)
    return Outcome(result=Result.REFUSED, text=f"{code} {text}")


def _service() -> SMSService:
    service = SMSService(settings.AFRICASTALKING_USERNAME, settings.AFRICASTALKING_API_KEY)
    if settings.AFRICASTALKING_URL:
        service._baseUrl = f"{settings.AFRICASTALKING_URL}/version1"
        service._contentUrl = service._baseUrl
    return service
