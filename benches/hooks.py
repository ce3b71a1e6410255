"""Webhooks accepted (stored durably, task started, 200), beside an empty view."""

from __future__ import annotations

from benches import country, web
from benches.outcome import Outcome
from gateway.celery import app
from gateway.webhooks.models import InboundEvent


def run(*, is_small: bool) -> Outcome:
    """Measure paybill confirmations and STK results; every accepted one has to be stored."""
    where = country.found(
        prefix="BHK", sites_count=1, households_per_site=5 if is_small else 500, phone_series="22"
    )
    before = InboundEvent.objects.count()
    outcome, answered = web.compare(
        bench="hooks",
        noun="hook",
        where=where,
        size=web.SMALL if is_small else web.FULL,
        # No worker runs here: what the rounds queue would only fill the broker's memory.
        after_round=app.control.purge,
    )
    stored = InboundEvent.objects.count() - before
    assert stored == answered, f"{answered} hooks were answered 200, {stored} are stored"
    return outcome
