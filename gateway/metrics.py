"""/metrics for Prometheus.

Several processes serve; a scrape reaches one of them. So what matters is read from the database at
the scrape and is the same whichever answers; figures of the process come beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, F, Max, Min, OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from redis.exceptions import RedisError

from accounts.models import GivingPlan, Notice, Payment, PaymentAttempt, Site
from gateway.webhooks.models import InboundEvent
from settlement.models import (
    Price,
    QuarantinedReading,
    ReadingInbox,
    SettlementBatch,
    SlotTelemetry,
)
from tokens.chain import look
from tokens.models import OutboxTransfer

log = structlog.get_logger(__name__)

Families = Iterator[GaugeMetricFamily]


@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """/metrics: ours from the database, then this process's."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_FromDatabase(at=timezone.now()))
    body = generate_latest(registry) + generate_latest(REGISTRY)
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)


class _FromDatabase(Collector):
    def __init__(self, *, at: datetime) -> None:
        self._at = at

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: so that registering asks nothing of the database."""
        return []

    def collect(self) -> Families:
        up = GaugeMetricFamily("gateway_database_up", "1 if the database answered this scrape")
        try:
            found = [family for read in _READS for family in read(self._at)]
        except DatabaseError as error:
            log.warning("no metrics from the database", error=str(error))
            found = []
            up.add_metric([], 0)
        else:
            up.add_metric([], 1)
        yield up
        yield from found


def _readings(at: datetime) -> Families:
    waiting = ReadingInbox.objects.order_by().values_list("site__slug")
    inbox = dict(waiting.annotate(Count("pk")))
    open_ones = QuarantinedReading.objects.filter(
        resolution=QuarantinedReading.Resolution.OPEN
    ).order_by()
    quarantined = dict(open_ones.values_list("site__slug").annotate(Count("pk")))
    yield _of_sites("gateway_inbox_readings", "Readings waiting to be settled", inbox)
    yield _of_sites("gateway_quarantine_open_readings", "Readings in open quarantine", quarantined)


def _ages(at: datetime) -> Families:
    """Seconds since each site last settled, published a price, heard from plant and head-end."""
    batches = SettlementBatch.objects.filter(site=OuterRef("pk")).order_by("-id")
    prices = Price.objects.filter(site=OuterRef("pk"), starts_at__lte=at).order_by("-starts_at")
    plants = SlotTelemetry.objects.filter(site=OuterRef("pk")).order_by("-starts_at")
    families = {
        "settled": _by_site("gateway_settlement_age_seconds", "Since the last settlement"),
        "priced": _by_site("gateway_price_age_seconds", "Since the price in force began"),
        "told": _by_site("gateway_telemetry_age_seconds", "Since the plant's last slot ended"),
        "pulled": _by_site("gateway_head_end_age_seconds", "Since the head-end last answered"),
    }
    failures = _by_site("gateway_head_end_failures", "Failures of the head-end in a row")
    rows = (
        Site.objects.filter(closed_at__isnull=True)
        .order_by("slug")
        .values(
            "slug",
            settled=Subquery(batches.values("settled_at")[:1]),
            priced=Subquery(prices.values("starts_at")[:1]),
            told=Subquery(plants.values("ends_at")[:1]),
            pulled=F("head_end_cursor__last_success_at"),
            failures=F("head_end_cursor__failures_in_a_row"),
        )
    )
    for known in rows:
        row: dict[str, Any] = {**known}
        for name, family in families.items():
            if row[name] is not None:
                family.add_metric([row["slug"]], (at - row[name]).total_seconds())
        failures.add_metric([row["slug"]], row["failures"] or 0)
    yield from (*families.values(), failures)


def _payments(at: datetime) -> Families:
    waiting = GaugeMetricFamily(
        "gateway_payments_waiting",
        "Confirmed payments that are credited to nobody yet",
        labels=["state", "currency"],
    )
    for state, currency, count in (
        Payment.objects.filter(state__in=(Payment.State.SUSPENSE, Payment.State.MISMATCH))
        .order_by()
        .values_list("state", "currency")
        .annotate(Count("pk"))
    ):
        waiting.add_metric([state, currency], count)
    # Every open attempt has a next poll: that is what the partial index holds.
    attempts = GaugeMetricFamily(
        "gateway_attempts_open", "Top-up attempts whose end is not known", labels=["state"]
    )
    counted = dict.fromkeys((state.value for state in PaymentAttempt.OPEN), 0) | dict(
        PaymentAttempt.objects.filter(next_poll_at__isnull=False, state__in=PaymentAttempt.OPEN)
        .order_by()
        .values_list("state")
        .annotate(Count("pk"))
    )
    for state, count in counted.items():
        attempts.add_metric([state], count)
    due_at = GivingPlan.objects.aggregate(due_at=Min("next_check_at"))["due_at"]
    overdue = _plain(
        "gateway_plans_unasked_seconds",
        "For how long a monthly donation has been waiting to be asked after",
        max(_age(due_at, at), 0.0),
    )
    yield from (waiting, attempts, overdue)


def _messages(at: datetime) -> Families:
    queued = Notice.objects.filter(state__in=(Notice.State.QUEUED, Notice.State.SENDING))
    notices = queued.aggregate(count=Count("pk"), oldest=Min("created_at"))
    events = InboundEvent.objects.filter(
        Q(outcome=InboundEvent.Outcome.OPEN) | Q(outcome=InboundEvent.Outcome.FAILED)
    ).aggregate(count=Count("pk"), oldest=Min("received_at"), newest=Max("received_at"))
    yield _plain("gateway_notices_queued", "Messages waiting to be sent", notices["count"])
    yield _plain(
        "gateway_notices_oldest_age_seconds",
        "Age of the oldest message waiting",
        _age(notices["oldest"], at),
    )
    yield _plain("gateway_events_open", "Provider callbacks not handled yet", events["count"])
    yield _plain(
        "gateway_events_oldest_age_seconds",
        "Age of the oldest callback not handled",
        _age(events["oldest"], at),
    )


def _chain(at: datetime) -> Families:
    """What the worker saw of the chain last, and what of ours is not on it yet."""
    if not settings.CHAIN_RPC_URL:
        return
    try:
        seen = look.last()
    except RedisError as error:
        log.warning("no metrics of the chain", error=str(error))
        seen = None
    is_well = seen is not None and not seen.trouble_now(at=at)
    yield _plain("gateway_chain_up", "1 if the chain was well when last looked at", int(is_well))
    if seen is not None and seen.block_at is not None:
        yield _plain(
            "gateway_chain_head_age_seconds", "Age of the newest block", _age(seen.block_at, at)
        )
    transfers = GaugeMetricFamily(
        "gateway_outbox_transfers", "Transfers that are not final yet", labels=["state"]
    )
    counted = dict.fromkeys((state.value for state in OutboxTransfer.OPEN), 0) | dict(
        OutboxTransfer.objects.filter(state__in=OutboxTransfer.OPEN)
        .order_by()
        .values_list("state")
        .annotate(Count("pk"))
    )
    for state, count in counted.items():
        transfers.add_metric([state], count)
    yield transfers


_READS: tuple[Callable[[datetime], Families], ...] = (
    *(_readings, _ages, _payments, _messages),
    _chain,
)


def _by_site(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=["site"])


def _of_sites(name: str, text: str, counted: dict[str, int]) -> GaugeMetricFamily:
    """A count for each site that is open or counted: nothing is told as zero."""
    family = _by_site(name, text)
    opened = Site.objects.filter(closed_at__isnull=True).values_list("slug", flat=True)
    for slug in sorted({*opened, *counted}):
        family.add_metric([slug], counted.get(slug, 0))
    return family


def _plain(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _age(instant: datetime | None, at: datetime) -> float:
    return 0.0 if instant is None else (at - instant).total_seconds()
