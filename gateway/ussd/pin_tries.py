"""Counting wrong PINs: after three, even the right one is refused for an hour."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Literal

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)

WRONG_PINS = 3
PIN_LOCK = timedelta(hours=1)

PinRefusal = Literal["wrong_pin", "pin_locked", "try_later"]


def tried(*, who: str, is_right: Callable[[], bool]) -> PinRefusal | None:
    """Try a PIN and return why not where it isn't right; who names whose tries are counted.

    The try is counted before looking, so that many at once get no more tries than one by one.
    """
    tries_key = f"wrong-pins:{who}"
    try:
        cache.add(tries_key, 0, timeout=int(PIN_LOCK.total_seconds()))
        tries = cache.incr(tries_key)
    except (RedisError, ValueError) as error:
        # Without the count anybody could try them all.
        log.warning("wrong PINs can't be counted", error=str(error))
        return "try_later"
    if tries > WRONG_PINS:
        return "pin_locked"
    if not is_right():
        return "wrong_pin"
    cache.delete(tries_key)
    return None
