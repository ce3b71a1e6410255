"""The demo's first 48 hours, made by the ordinary jobs called with past instants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import requests
from django.conf import settings
from django.db import transaction

from accounts.models import Rail, Site
from gateway.demo import kisima
from gateway.providers import collection
from gateway.providers.daraja.registration import register
from gateway.rates import fetching
from settlement import gaps, partitions, plant, prices, readings, rebates, settle
from settlement.models import HeadEndCursor

SPAN = timedelta(hours=48)
STEP = timedelta(hours=6)
OPENING_LEAD = timedelta(minutes=30)
OPENING_SHILLINGS = dict.fromkeys(range(1, 10), 1_500) | dict.fromkeys((29, 30), 4_000)
OTHERS_SHILLINGS = (40, 80, 120, 200, 300)

Tell = Callable[[str], None]


def make(*, site: Site, at: datetime, tell: Tell) -> None:
    """Register with the providers, fund the households, and live through 48 hours."""
    since = prices.slot_start(at=at - SPAN, slot_seconds=3_600)
    partitions.keep_ahead(at=at)
    fetching.fetch(at=at)
    tell("registering the paybill")
    register(phone="254711000000", at=at)
    if HeadEndCursor.objects.filter(site=site).exists():
        return
    tell("opening funds by paybill")
    _fund(site=site, since=since)
    rail = Rail.objects.select_related("operator__book").get(code="mpesa")
    credited = collection.pull(rail=rail, at=at, since=since - OPENING_LEAD)
    tell(f"{credited} payments credited")
    HeadEndCursor.objects.create(site=site, read_until=since)
    instant = since
    while instant < at:
        begin, instant = instant, min(instant + STEP, at)
        _live(site=site, begin=begin, until=instant)
        hours = round((instant - since) / timedelta(hours=1))
        tell(f"history: {hours} of {round((at - since) / timedelta(hours=1))} h settled")


def _live(*, site: Site, begin: datetime, until: datetime) -> None:
    """Some hours of the site, as the scheduled jobs would have lived them."""
    slot = timedelta(seconds=site.slot_seconds)
    plant.pull(site=site, at=until, since=begin - slot)
    instant = begin
    with transaction.atomic():
        while instant < until:
            prices.publish_slot(site=site, at=instant)
            instant += slot
    readings.pull(site=site, at=until)
    settle.run_all(site_id=site.pk, at=until)
    rebates.run(site_id=site.pk, at=until)
    gaps.find(site=site, day=begin.date(), at=until)


def _fund(*, site: Site, since: datetime) -> None:
    """Each household pays at the paybill, shortly before the history begins."""
    for number, code in enumerate(kisima.household_codes(site=site), start=1):
        shillings = OPENING_SHILLINGS.get(number, OTHERS_SHILLINGS[number % len(OTHERS_SHILLINGS)])
        response = requests.post(
            f"{settings.SANDBOX_URL}/daraja/simulator/phones/+2547110000{number:02d}/paybill",
            json={
                "account": code,
                "amount": str(shillings),
                "at": (since - OPENING_LEAD + timedelta(seconds=number)).isoformat(),
                "silent": True,
            },
            timeout=10,
        )
        response.raise_for_status()
