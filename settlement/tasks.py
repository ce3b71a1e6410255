"""Scheduled work of settlement. Each task makes one call of the domain."""

from __future__ import annotations

from datetime import timedelta

import structlog
from celery import shared_task
from django.utils import timezone

from accounts import sites
from accounts.locks import singleton
from accounts.models import LedgerAccount, Site
from settlement import gaps, partitions, plant, prices, readings, rebates, settle
from settlement.models import ReadingInbox, Tariff
from settlement.weather import fetching as weather

log = structlog.get_logger(__name__)


@shared_task
def pull_head_ends() -> None:
    """Start a pull of each site's telemetry and readings."""
    for site in sites.open_sites():
        if site.head_end or site.plant_account:
            pull_site.delay(site.pk)


@shared_task
def pull_site(site_id: int) -> None:
    """Pull one site's readings and, when there are new ones, settle them at once."""
    if readings.pull(site=Site.objects.get(pk=site_id), at=timezone.now()):
        settle_site.delay(site_id)


@shared_task
def settle_sites() -> None:
    """Settle every site that has something waiting, whatever became of the task that should."""
    waiting = set(ReadingInbox.objects.order_by().values_list("site_id", flat=True).distinct())
    repaying = LedgerAccount.objects.filter(
        kind=LedgerAccount.Kind.HOUSEHOLD_REPAYMENT, amount__gt=0
    ).values("book_id")
    waiting |= set(Site.objects.filter(book__in=repaying).values_list("pk", flat=True))
    for site_id in waiting:
        settle_site.delay(site_id)


@shared_task
def settle_site(site_id: int) -> None:
    """Settle one site's inbox."""
    settle.run_all(site_id=site_id, at=timezone.now())


@shared_task
def publish_prices() -> None:
    """Publish the price of each site's running slot, from fresh telemetry where it can be had."""
    for site in sites.open_sites():
        with singleton(f"publish:{site.pk}") as is_alone:
            if not is_alone or not Tariff.objects.filter(site=site).exists():
                continue
            try:
                plant.pull(site=site, at=timezone.now())
            except plant.PlantUnavailable as error:
                # The rule holds the last price without a fresh state of charge.
                log.warning("plant unavailable", site=site.slug, error=str(error))
            try:
                prices.publish_slot(site=site, at=timezone.now())
            except prices.AlreadySettled as error:
                log.warning("published too late, the last price holds", error=str(error))


@shared_task
def rebate_blocks() -> None:
    """Give the lifeline rebates of blocks that have ended."""
    for site in sites.open_sites():
        rebates.run(site_id=site.pk, at=timezone.now())


@shared_task
def ask_for_gaps() -> None:
    """Find the gaps of yesterday and today, and ask for what is missing."""
    now = timezone.now()
    for site in sites.open_sites():
        if not site.head_end:
            continue
        for days_ago in (1, 0):
            gaps.find(site=site, day=(now - timedelta(days=days_ago)).date(), at=now)
        if gaps.ask(site=site, at=now):
            settle_site.delay(site.pk)


@shared_task
def keep_partitions() -> None:
    """Keep the months ahead ready."""
    partitions.keep_ahead(at=timezone.now())


@shared_task
def fetch_weather() -> None:
    """Ask for the weather of each site whose turn it is."""
    for site_id in weather.due(at=timezone.now()):
        fetch_site_weather.delay(site_id)


@shared_task
def fetch_site_weather(site_id: int) -> None:
    """Ask for one site's weather, if nobody else is at it."""
    with singleton(f"weather:{site_id}") as is_alone:
        if is_alone:
            weather.fetch(site=Site.objects.get(pk=site_id), at=timezone.now())
