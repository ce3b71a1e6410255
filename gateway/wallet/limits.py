"""How often one address may ask for what costs us something. Without the cache: no limit."""

from __future__ import annotations

import structlog
from django.core.cache import cache
from django.http import HttpRequest
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

MINUTE_SECONDS = 60


def is_too_often(request: HttpRequest, *, what: str, times_a_minute: int) -> bool:
    """Count this request and return whether it is one too many of its address and minute."""
    key = f"wallet:{what}:{request.META.get('REMOTE_ADDR', '')}"
    try:
        cache.add(key, 0, MINUTE_SECONDS)
        return int(cache.incr(key)) > times_a_minute
    except (RedisError, ValueError) as error:
        # ValueError: it ran out between the two.
        log.warning("requests are not counted", error=str(error))
        return False
