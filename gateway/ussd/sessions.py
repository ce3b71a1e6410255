"""USSD sessions in the cache: where each stands and what was answered last.

Losing one costs nothing: the engine rebuilds it from the session's text. No PIN is kept: the text
that an answer belongs to is remembered only by a keyed digest.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from functools import lru_cache

import redis
import structlog
from django.conf import settings

from gateway.ussd.state import BadState, State

log = structlog.get_logger(__name__)

LIFE_SECONDS = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A stored session: its state, the digest of the last text and its answer."""

    state: State
    text_digest: str
    answer: str


def digest(text: str) -> str:
    """Return what a text is recognised by when it comes again."""
    return hmac.digest(settings.SECRET_KEY.encode(), text.encode(), "sha256").hex()


def load(*, session_id: str, phone: str) -> Session | None:
    """Return a phone's session, or None where there is none or the cache is away."""
    try:
        stored = _cache().get(_key(session_id, phone))
        if stored is None:
            return None
        fields = json.loads(stored)
        return Session(
            state=State.from_json(fields["state"]),
            text_digest=fields["text_digest"],
            answer=fields["answer"],
        )
    except redis.RedisError as error:
        log.warning("cache away", error=str(error))
    except (BadState, ValueError, KeyError, TypeError) as error:
        log.warning("session unreadable", error=repr(error))
    return None


def save(*, session_id: str, phone: str, session: Session) -> None:
    """Keep a session; without a cache the next hop is rebuilt from its text."""
    fields = {
        "state": session.state.to_json(),
        "text_digest": session.text_digest,
        "answer": session.answer,
    }
    try:
        _cache().set(_key(session_id, phone), json.dumps(fields), ex=LIFE_SECONDS)
    except redis.RedisError as error:
        log.warning("cache away", error=str(error))


def _key(session_id: str, phone: str) -> str:
    return f"ussd:{phone}:{session_id}"


@lru_cache(maxsize=1)
def _cache() -> redis.Redis:
    return redis.Redis.from_url(settings.CACHE_URL, socket_timeout=1, socket_connect_timeout=1)
