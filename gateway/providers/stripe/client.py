"""The wire of Stripe: the official SDK, its version pinned, its errors told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import requests
import stripe
from django.conf import settings

from gateway.outbound import was_never_sent
from gateway.providers.interface import (
    ProviderRefused,
    ProviderUnavailable,
    ProviderUnreachable,
)

API_VERSION = "2026-10-28.endive"
"""What the adapter was written for; the account's own default does not matter."""
TIMEOUT_SECONDS = (5.0, 20.0)
PAGE_ROWS = 100

_UNDECIDED = (stripe.APIError, stripe.RateLimitError)
"""Answers after which nobody knows what Stripe did, or that say to come back later."""


@lru_cache(maxsize=4)
def shared_client() -> stripe.StripeClient:
    """Return the process's client, so that its connections are kept."""
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY or "sk_unset",
        stripe_version=API_VERSION,
        base_addresses={"api": settings.STRIPE_URL.rstrip("/")},
        http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        max_network_retries=1,
    )


@contextmanager
def told_apart() -> Iterator[None]:
    """Turn the SDK's errors into those of Provider."""
    try:
        yield
    except stripe.APIConnectionError as error:
        cause = error.__cause__
        is_unsent = isinstance(cause, requests.RequestException) and was_never_sent(cause)
        kind = ProviderUnreachable if is_unsent else ProviderUnavailable
        raise kind(f"stripe: {_text(error)}") from error
    except _UNDECIDED as error:
        raise ProviderUnavailable(f"stripe: {_text(error)}") from error
    except stripe.StripeError as error:
        raise ProviderRefused(
            code=str(error.code or type(error).__name__)[:40], text=_text(error)
        ) from error


def asked(question: Callable[[], Any]) -> dict[str, Any]:
    """Ask for an object and return it as plain dicts and lists. Raises ProviderUnavailable.

    A refusal of a question about what should be there leaves it unknown.
    """
    try:
        with told_apart():
            answer: dict[str, Any] = question().to_dict()
            return answer
    except ProviderRefused as refusal:
        raise ProviderUnavailable(f"question refused: {refusal}") from refusal


def pages(listing: Callable[[dict[str, Any]], Any]) -> Iterator[dict[str, Any]]:
    """Yield every row of a list, page after page. Raises ProviderUnavailable."""
    after: dict[str, Any] = {}
    while True:
        page = asked(lambda: listing({"limit": PAGE_ROWS, **after}))  # noqa: B023 - called at once
        yield from page["data"]
        if not page["has_more"] or not page["data"]:
            return
        after = {"starting_after": page["data"][-1]["id"]}


def _text(error: stripe.StripeError) -> str:
    return " ".join(str(error.user_message or error).split())[:200]
