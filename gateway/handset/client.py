"""A phone of the sandbox, as seen over HTTP: what it dials, reads, pays and sends.

The sandbox stands for the networks; its answers are passed on as they come.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from django.conf import settings

# A session dialled with several inputs is several hops of at most 15 s each.
TIMEOUT_SECONDS = (3.0, 60.0)
SERVER_ERROR = 500
REFUSED = 400
PROMPT_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")

Body = bytes | Mapping[str, object]


class SandboxAway(Exception):
    """The sandbox does not run, or answered in no way a client can use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the sandbox answered: an HTTP status below 500 and a JSON value."""

    status: int
    body: Any

    @property
    def refusal(self) -> str:
        """Why the sandbox refused, in a sentence; empty where it did not."""
        if self.status < REFUSED:
            return ""
        return str(self.body["error"]) if isinstance(self.body, dict) else "The sandbox refused."


class Handset:
    """One phone (E.164). A body is the JSON text of a request, or what to write as such.

    Every method returns the Answer, refusals (4xx with {"error"}) included, and raises SandboxAway.
    """

    def __init__(self, *, phone: str) -> None:
        self.phone = phone

    def dial(self, body: Body) -> Answer:
        """{"text"} or {"text", "direct": true} -> {"screen", "open"}."""
        return self._call("POST", "africastalking", "dial", body=body)

    def messages(self) -> Answer:
        """Messages received, newest first: [{"id", "from", "text", "at", "status"}]."""
        return self._call("GET", "africastalking", "messages")

    def send_sms(self, body: Body) -> Answer:
        """{"text"} -> {"id"}, with status 201."""
        return self._call("POST", "africastalking", "sms", body=body)

    def prompts(self) -> Answer:
        """Open payment prompts of every rail, newest first: [{"id", "amount", "currency"}]."""
        return self._call("GET", "phones", "prompts")

    def answer(self, *, prompt_id: str, body: Body) -> Answer:
        """{"pin"} or {"cancel": true} -> {"id", "result_code", "result", "receipt"?}."""
        if PROMPT_ID.fullmatch(prompt_id) is None:
            return Answer(status=404, body={"error": "This phone has no such prompt."})
        return self._call("POST", "phones", f"prompts/{prompt_id}", body=body)

    def paybill(self, body: Body) -> Answer:
        """{"account", "amount"} -> {"accepted": true, "receipt", ...} or {..., "reason"}."""
        return self._call("POST", "daraja", "paybill", body=body)

    def _call(self, method: str, service: str, path: str, *, body: Body | None = None) -> Answer:
        if not settings.SANDBOX_URL:
            raise SandboxAway("There is no sandbox: start script/server first.")
        base = settings.SANDBOX_URL.rstrip("/")
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            response = requests.request(
                method,
                f"{base}/{service}/simulator/phones/{self.phone}/{path}",
                data=data,
                headers={"Content-Type": "application/json"},
                timeout=TIMEOUT_SECONDS,
            )
            answer = Answer(status=response.status_code, body=response.json())
        except (requests.RequestException, ValueError) as error:
            raise SandboxAway("The sandbox does not answer: is script/server running?") from error
        if answer.status >= SERVER_ERROR:
            raise SandboxAway(f"The sandbox failed with HTTP {answer.status}: see its log.")
        return answer


def dial_body(number: str) -> dict[str, object] | None:
    """Return the body that dials a number as typed; None where it is not the service's code.

    `*384*4826#` opens the menu, `*384*4826*3*500#` sends its inputs with the first hop.
    """
    stem = settings.USSD_CODE.removesuffix("#")
    typed = re.sub(r"\s", "", number)
    if not typed.endswith("#"):
        return None
    dialled = typed.removesuffix("#")
    if dialled == stem:
        return {"text": ""}
    if dialled.startswith(f"{stem}*"):
        return {"text": dialled.removeprefix(f"{stem}*"), "direct": True}
    return None
