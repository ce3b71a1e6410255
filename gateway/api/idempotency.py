"""Idempotency-Key: the same request again gets the first answer, and does nothing.

A key belongs to one user. The answer is stored in the transaction that does the work, so there is
never one without the other; a second request with the key waits for the first to end. A request
that was refused leaves no trace: its key may be used again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.fields import uuid7
from gateway.api.models import GivenAnswer
from gateway.api.problems import Conflict

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT = timedelta(days=7)


def answer_once(
    *, request: Request, user_id: int, work: Callable[[UUID], Response], at: datetime
) -> Response:
    """Return what `work` answers, or what it answered when the key was first used.

    work gets an id that is the same for every repeat of the request. Raises Conflict (409) for
    another request under the same key, ValidationError for a key that is none. Without a key each
    request is a new one.
    """
    key = request.headers.get(HEADER)
    if key is None:
        with transaction.atomic():
            return work(uuid7())
    if not re.fullmatch(r"[!-~]{1,255}", key):
        raise ValidationError({HEADER: "1 to 255 visible ASCII characters"})
    made = GivenAnswer(user_id=user_id, key=key, request_hash=_hash(request), created_at=at)
    with transaction.atomic():
        # Waits here for a request of the same key that is still at work.
        GivenAnswer.objects.bulk_create([made], ignore_conflicts=True)
        stored = GivenAnswer.objects.select_for_update().get(user_id=user_id, key=key)
        if stored.request_hash != made.request_hash:
            raise Conflict(
                kind="key-reused", detail=f"{HEADER} {key!r} was used for another request."
            )
        if stored.uid != made.uid:
            headers = {**stored.headers, REPLAYED: "true"}
            return Response(stored.body, status=stored.status, headers=headers)
        response = work(stored.uid)
        stored.status = response.status_code
        stored.body = response.data
        stored.headers = {
            name: response[name] for name in ("Location",) if response.has_header(name)
        }
        stored.save(update_fields=["status", "body", "headers"])
        return response


def forget(*, at: datetime) -> int:
    """Delete answers older than KEPT; return how many."""
    deleted, _ = GivenAnswer.objects.filter(created_at__lt=at - KEPT).delete()
    return deleted


def _hash(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    text = "\n".join((str(request.method), request.path, body))
    return hashlib.sha256(text.encode()).hexdigest()
