"""USSD hops (dial, then the balance) through the real hook, beside an empty view."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from django.utils import timezone

from benches import country, pipeline, web
from benches.country import SLOT, Country
from benches.ground import say
from benches.outcome import Outcome
from benches.pipeline import Load
from settlement.prices import slot_start

DAYS = 30
BLOCKS = (0, 6, 12, 18)
"""Hours of a day with a reading: one in each price block."""


def run(*, is_small: bool) -> Outcome:
    """Measure 500 funded households with 30 days of usage."""
    where = _village(households=5 if is_small else 500, days=2 if is_small else DAYS)
    outcome, _ = web.compare(
        bench="ussd", noun="hop", where=where, size=web.SMALL if is_small else web.FULL
    )
    return outcome


def _village(*, households: int, days: int) -> Country:
    """One site whose last days were read and settled like any other's."""
    say(f"founding a site of {households} households with {days} days of usage")
    now = slot_start(at=timezone.now(), slot_seconds=int(SLOT.total_seconds()))
    first = now - timedelta(days=days)
    where = country.found(
        prefix="BUS",
        sites_count=1,
        households_per_site=households,
        phone_series="11",
        first_slot_at=first,
    )
    rng = Random(5)
    for day in range(days):
        rows = [
            row
            for hour in BLOCKS
            for row in where.readings(
                0, starts_at=first + timedelta(days=day, hours=hour), slots=1, rng=rng
            )
        ]
        text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
        load = Load(site_id=where.sites[0].pk, text=text, count=len(rows))
        pipeline.run(loads=[load], at=now)
    return where
