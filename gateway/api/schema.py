"""What every operation's description has in common."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from gateway.api.problems import CONTENT_TYPE, KINDS
from gateway.api.serializers import Problem

_ALWAYS = (406, 429)


def answers(*, ok: Any, status: int = 200, problems: tuple[int, ...] = ()) -> dict[Any, Any]:
    """Return the responses of an operation: the good one, and a problem for each other status."""
    described: dict[Any, Any] = {(status, "application/json"): ok}
    for code in sorted({*problems, *_ALWAYS}):
        titles = " / ".join(kind.title for kind in KINDS.values() if kind.status == code)
        described[(code, CONTENT_TYPE)] = OpenApiResponse(Problem, description=titles)
    return described


IDEMPOTENCY_KEY = OpenApiParameter(
    name="Idempotency-Key",
    location=OpenApiParameter.HEADER,
    type={"type": "string", "pattern": "^[!-~]{1,255}$"},
    required=False,
    description=(
        "Repeating a request with the same key and body gets the first answer and does nothing; "
        "the same key with another body is 409."
    ),
)
