"""Storing what comes in, before anything else happens to it."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.http import HttpRequest
from django.http.request import RawPostDataException

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

    What is over MAX_BODY_BYTES is cut: no provider sends as much.
    """
    try:
        raw = request.body if _declared_bytes(request) <= MAX_BODY_BYTES else _first(request)
    except RawPostDataException:
        raw = b""
    text = raw[:MAX_BODY_BYTES].decode("utf-8", errors="backslashreplace")
    return text.replace("\x00", "\\x00")


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


def _declared_bytes(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _first(request: HttpRequest) -> bytes:
    return request.read(MAX_BODY_BYTES)
