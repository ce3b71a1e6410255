"""Routing and JSON for every service of the sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

Handler = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Route:
    """One HTTP method and path (werkzeug rule syntax, under the service's prefix)."""

    method: str
    path: str
    handler: Handler


def json_response(body: Any, *, status: int = 200) -> Response:
    """Answer JSON with the bare content type: Africa's Talking's SDK compares it whole."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Response(text, status=status, content_type="application/json")


def refuse(body: Any, *, status: int) -> NoReturn:
    """End the request with a JSON body (dict or list) and an HTTP status."""
    raise HTTPException(response=json_response(body, status=status))


def refuse_text(text: str, *, status: int) -> NoReturn:
    """End the request with a plain text body and an HTTP status."""
    raise HTTPException(response=Response(text, status=status, content_type="text/plain"))


def json_object(request: Request) -> dict[str, Any]:
    """Return the request's JSON object; anything else is answered 400. An empty body is {}."""
    raw = request.get_data()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        refuse({"error": "The body is not JSON."}, status=400)
    if not isinstance(body, dict):
        refuse({"error": "The body is not a JSON object."}, status=400)
    return body


def text_field(body: Mapping[str, Any], name: str) -> str:
    """Return a field that must be a string; a number is taken as its text."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        refuse({"error": f"{name} is missing or not text."}, status=400)
    return str(value)


def phone_number(text: str) -> str:
    """Return a phone in international form (`+254711000001`), given with or without `+`."""
    digits = text.strip().removeprefix("+")
    if not digits.isascii() or not digits.isdigit() or not 6 <= len(digits) <= 15:
        refuse({"error": f"{text} is not a phone number."}, status=400)
    return f"+{digits}"


def instant(text: str) -> datetime:
    """Parse an ISO 8601 instant; one without an offset is UTC. ValueError if malformed."""
    at = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def iso(seconds: float) -> str:
    """ISO 8601 UTC of an epoch second, in whole seconds: `2026-01-01T00:00:00Z`."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def bounded_int(text: str, *, name: str, lowest: int, highest: int) -> int:
    """Parse a whole number within bounds; anything else is answered 400."""
    try:
        number = int(text)
    except ValueError:
        refuse({"error": f"{name} is not a whole number."}, status=400)
    if not lowest <= number <= highest:
        refuse({"error": f"{name} must be within {lowest} and {highest}."}, status=400)
    return number


Routes = Sequence[Route]
