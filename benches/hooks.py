"""Webhooks accepted (stored durably, task started, 200) of each rail, beside an empty view."""

from __future__ import annotations

from django.core.cache import cache

from benches import country, signed, web
from benches.outcome import Outcome
from benches.requests import RAILS
from gateway.celery import app
from gateway.providers.pawapay import keys
from gateway.webhooks.models import InboundEvent


def run(*, is_small: bool) -> Outcome:
    """Measure M-Pesa's two in turn, then each rail alone; every accepted one has to be stored.

    Those of pawaPay and Stripe are signed, and their signatures checked.
    """
    where = country.found(
        prefix="BHK", sites_count=1, households_per_site=5 if is_small else 500, phone_series="22"
    )
    # As the scheduled task would have fetched them.
    cache.set(keys.CACHE_KEY, signed.public_keys(), timeout=None)
    before = InboundEvent.objects.count()
    outcome, answered = web.compare(
        bench="hooks",
        noun="hook",
        where=where,
        size=web.SMALL if is_small else web.FULL,
        beside=RAILS,
        # No worker runs here: what the rounds queue would only fill the broker's memory.
        after_round=app.control.purge,
    )
    stored = InboundEvent.objects.count() - before
    assert stored == answered, f"{answered} hooks were answered 200, {stored} are stored"
    return outcome
