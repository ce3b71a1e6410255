"""Storing what comes in, before anything else happens to it."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qsl

from django.db import connection
from django.http import HttpRequest

from accounts.fields import uuid7

MAX_BODY_BYTES = 64 * 1024

INSERT = """
INSERT INTO gateway_webhooks_inboundevent (uid, route, subject, content_type, body, remote_address,
    received_at, outcome, outcome_text, attempts)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, '', 0)
RETURNING id
"""


def body_text(request: HttpRequest) -> str:
    """Return the body as text that PostgreSQL takes: bytes outside UTF-8 and NULs are escaped.

    What is over MAX_BODY_BYTES is cut: no provider sends as much. Read it once a request.
    """
    raw = request.read(MAX_BODY_BYTES)
    return raw.decode("utf-8", errors="backslashreplace").replace("\x00", "\\x00")


def form_fields(body: str) -> dict[str, str]:
    """Read a form-encoded body, whatever its content type says; the last of equal names counts.

    Django's own parser answers 400 to a body that it finds odd, and would keep nothing of it.
    """
    return {
        name.replace("\x00", ""): value.replace("\x00", "")
        for name, value in parse_qsl(body, keep_blank_values=True)
    }


def store(
    *,
    route: str,
    subject: str,
    body: str,
    request: HttpRequest,
    at: datetime,
    outcome: str = "",
) -> int:
    """Insert one event in one statement and return its id."""
    with connection.cursor() as cursor:
        cursor.execute(
            INSERT,
            [
                uuid7(),
                route,
                subject[:80].replace("\x00", ""),
                request.content_type[:120] if request.content_type else "",
                body,
                request.META.get("REMOTE_ADDR", "")[:64],
                at,
                outcome,
            ],
        )
        return int(cursor.fetchone()[0])
