"""Remembering what is dear to compute. Without the cache the pages are slower, not gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

FORMAT = 4
"""Part of every key: raise it when the remembered classes change."""

T = TypeVar("T")


def remember(*, key: str, compute: Callable[[], T], seconds: int) -> T:
    """Return what the key stands for, computed once; the key names the version of its sources."""
    full_key = f"dashboard:{FORMAT}:{key}"
    try:
        known: T | None = cache.get(full_key)
    except RedisError as error:
        log.warning("cache unavailable", error=str(error))
        return compute()
    if known is not None:
        return known
    made = compute()
    try:
        cache.set(full_key, made, seconds)
    except RedisError as error:
        log.warning("cache unavailable", error=str(error))
    return made
