"""pawaPay's bearer token, its error bodies and the reading of request bodies."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Collection
from typing import Any, NoReturn

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.web import json_response, refuse

SERVICE = "pawapay"
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.I)


class Rejected(Exception):
    """The request is well-formed and refused: HTTP 200 with status REJECTED."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.reason = failure(code, message)


def failure(code: str, message: str) -> dict[str, str]:
    """pawaPay's failureReason."""
    return {"failureCode": code, "failureMessage": message}


def error(code: str, message: str, *, status: int) -> NoReturn:
    """End the request with an error body, which has no status of its own."""
    refuse({"failureReason": failure(code, message)}, status=status)


def check_token(request: Request, *, context: Context) -> None:
    """Require the merchant's API token: 401 without one, 403 with a wrong one."""
    given = request.authorization
    if given is None or given.type != "bearer" or not given.token:
        error("NO_AUTHENTICATION", "Authorization header is missing.", status=401)
    expected = context.credentials.pawapay_api_token
    if not hmac.compare_digest(given.token.encode(), expected.encode()):
        error("AUTHENTICATION_ERROR", "The API token is not valid.", status=403)


def body_of(
    request: Request, *, required: Collection[str], optional: Collection[str]
) -> dict[str, Any]:
    """Return the JSON object; an unknown field is refused like a missing one, as live."""
    try:
        body = json.loads(request.get_data())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        error("INVALID_INPUT", "Unable to parse the request payload.", status=400)
    for name in body:
        if name not in required and name not in optional:
            error("UNSUPPORTED_PARAMETER", f"{name} is not supported.", status=400)
    for name in required:
        if body.get(name) in (None, ""):
            error("MISSING_PARAMETER", f"{name} is required.", status=400)
    return body


def uuid4_of(body: dict[str, Any], name: str) -> str:
    """Return a field that must be a UUID of version 4."""
    value = body[name]
    if not isinstance(value, str) or _UUID4.fullmatch(value) is None:
        error("INVALID_PARAMETER", f"{name} is not a UUIDv4.", status=400)
    return value.lower()


def found(data: dict[str, Any] | None) -> Response:
    """The envelope of every status check; what nobody knows is answered 200, too."""
    if data is None:
        return json_response({"status": "NOT_FOUND"})
    return json_response({"status": "FOUND", "data": data})
