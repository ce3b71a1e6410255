"""Is it alive, can it work: /healthz and /readyz."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from gateway.celery import app as celery_app
from tokens.chain import look

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 2


class NotReady(Exception):
    """Something the service needs does not answer."""


@never_cache
def alive(request: HttpRequest) -> JsonResponse:
    """/healthz: the process answers. Asks nothing of anybody."""
    return JsonResponse({"status": "ok"})


@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """/readyz: 200, or 503 with what fails by name. The log has the reasons; this answer is for
    everybody."""
    checks = {
        name: _answers(name, check)
        for name, check in CHECKS.items()
        if name != "chain" or settings.CHAIN_RPC_URL
    }
    failing = [name for name, is_fine in checks.items() if not is_fine]
    return JsonResponse(
        {
            "status": "unavailable" if failing else "ok",
            "failing": failing,
            "checks": {name: "ok" if is_fine else "failing" for name, is_fine in checks.items()},
        },
        status=503 if failing else 200,
    )


def _answers(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except NotReady as error:
        log.warning("not ready", check=name, error=str(error.__cause__ or error))
        return False
    return True


def database() -> None:
    """Connect afresh: a pool of this process that is busy says nothing of the database."""
    parameters = {**connection.get_connection_params(), "connect_timeout": PATIENCE_SECONDS}
    try:
        with psycopg.connect(**parameters) as fresh:
            fresh.execute("SELECT 1")
    except psycopg.Error as error:
        raise NotReady("database") from error


def broker() -> None:
    """Connect to what carries the tasks."""
    url = settings.CELERY_BROKER_URL
    options = (
        {"socket_connect_timeout": PATIENCE_SECONDS, "socket_timeout": PATIENCE_SECONDS}
        if url.startswith(("redis", "rediss"))
        else {}
    )
    try:
        with celery_app.connection_for_write(
            url, connect_timeout=PATIENCE_SECONDS, transport_options=options
        ) as line:
            line.ensure_connection(max_retries=1, interval_start=0, timeout=PATIENCE_SECONDS)
            line.default_channel.close()
    except (KombuError, RedisError, OSError) as error:
        raise NotReady("broker") from error


def cached() -> None:
    """Ask the cache for something."""
    try:
        cache.get("readyz")
    except RedisError as error:
        raise NotReady("cache") from error


def chain() -> None:
    """Read what the worker saw of the chain last: a request waits for no node."""
    try:
        seen = look.last()
    except RedisError as error:
        raise NotReady("chain") from error
    trouble = "nobody has looked yet" if seen is None else seen.trouble_now(at=timezone.now())
    if trouble:
        raise NotReady(trouble)


CHECKS: dict[str, Callable[[], None]] = {
    "database": database,
    "broker": broker,
    "cache": cached,
    "chain": chain,
}
"""What the service needs; the chain only where one is set."""
