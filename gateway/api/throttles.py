"""Limits of requests, counted in the cache. Without the cache there is no limit, but an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, BaseThrottle, UserRateThrottle

if TYPE_CHECKING:
    # rest_framework.views itself reads the settings that name this module.
    from rest_framework.views import APIView

log = structlog.get_logger(__name__)


class _OpenWithoutCache(BaseThrottle):
    def allow_request(self, request: Request, view: APIView) -> bool:
        try:
            return super().allow_request(request, view)
        except RedisError as error:
            log.warning("requests are not counted", error=str(error))
            return True


class Anonymous(_OpenWithoutCache, AnonRateThrottle):
    """Requests without a log-in, by address."""


class Known(_OpenWithoutCache, UserRateThrottle):
    """Requests by user."""
