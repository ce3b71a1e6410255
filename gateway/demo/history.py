"""The demo's first 48 hours, made by the ordinary jobs called with past instants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from accounts.models import Rail, Site
from gateway.demo import funding
from gateway.demo.villages import DemoVillage
from gateway.providers.daraja.registration import register
from gateway.rates import fetching
from settlement import gaps, partitions, plant, prices, readings, rebates, settle
from settlement.models import HeadEndCursor
from settlement.weather import fetching as weather

SPAN = timedelta(hours=48)
STEP = timedelta(hours=6)

Tell = Callable[[str], None]


def make(*, villages: Sequence[tuple[DemoVillage, Site]], at: datetime, tell: Tell) -> None:
    """Register with the providers; fund the households and live 48 hours where there are none."""
    since = prices.slot_start(at=at - SPAN, slot_seconds=3_600)
    partitions.keep_ahead(at=at)
    fetching.fetch(at=at)
    if any(village.rail["provider"] == Rail.Provider.DARAJA for village, _ in villages):
        tell("registering the paybill")
        register(phone="254711000000", at=at)
    for village, site in villages:
        if not HeadEndCursor.objects.filter(site=site).exists():
            _begin(village=village, site=site, since=since, tell=tell)
            _live_through(site=site, since=since, at=at, tell=tell)
        weather.fetch(site=site, at=at)


def _begin(*, village: DemoVillage, site: Site, since: datetime, tell: Tell) -> None:
    tell(f"{site.name}: opening funds over {village.rail['code']}")
    credited = funding.fund(village=village, site=site, since=since)
    tell(f"{site.name}: {credited} payments credited")
    HeadEndCursor.objects.create(site=site, read_until=since)


def _live_through(*, site: Site, since: datetime, at: datetime, tell: Tell) -> None:
    instant = since
    while instant < at:
        begin, instant = instant, min(instant + STEP, at)
        _live(site=site, begin=begin, until=instant)
        hours, all_hours = (
            round(span / timedelta(hours=1)) for span in (instant - since, at - since)
        )
        tell(f"{site.name}: {hours} of {all_hours} h settled")


def _live(*, site: Site, begin: datetime, until: datetime) -> None:
    """Some hours of the site, as the scheduled jobs would have lived them."""
    slot = timedelta(seconds=site.slot_seconds)
    plant.pull(site=site, at=until, since=begin - slot)
    prices.publish_span(site=site, since=begin, until=until)
    readings.pull(site=site, at=until)
    settle.run_all(site_id=site.pk, at=until)
    rebates.run(site_id=site.pk, at=until)
    gaps.find(site=site, day=begin.date(), at=until)
