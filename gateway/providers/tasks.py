"""Scheduled work of collecting payments. Each task makes one call."""

from __future__ import annotations

from datetime import date

from celery import shared_task
from django.utils import timezone

from accounts import suspense
from accounts.models import Rail
from gateway.providers import (
    collection,
    floats,
    paying,
    plans,
    reconciliation,
    refunding,
    resolutions,
)
from gateway.providers.pawapay import keys as pawapay_keys


@shared_task
def submit_attempt(attempt_id: int) -> None:
    """Ask the payer."""
    collection.submit(attempt_id=attempt_id, at=timezone.now())


@shared_task
def poll_attempts() -> None:
    """The janitor: ask after attempts that nobody told us about."""
    collection.poll_due(clock=timezone.now)


@shared_task
def submit_refund(refund_id: int) -> None:
    """Ask for money to be given back."""
    refunding.submit(refund_id=refund_id, at=timezone.now())


@shared_task
def poll_refunds() -> None:
    """The janitor: ask after refunds that nobody told us about."""
    refunding.poll_due(clock=timezone.now)


@shared_task
def ask_plan(plan_id: int) -> None:
    """Ask how a monthly donation stands, or have it ended."""
    plans.ask(plan_id=plan_id, at=timezone.now())


@shared_task
def poll_plans() -> None:
    """The janitor: ask after monthly donations, whose months may come without a word."""
    plans.poll_due(clock=timezone.now)


@shared_task
def poll_payouts() -> None:
    """Send payouts that were approved, and ask after those that nobody told us about."""
    paying.poll_due(clock=timezone.now)


@shared_task
def pull_payments() -> None:
    """Read every rail's statement for payments whose callback was missed."""
    for rail in Rail.objects.filter(closed_at__isnull=True).select_related("operator__book"):
        if collection.is_pull_due(rail=rail, at=timezone.now()):
            collection.pull(rail=rail, at=timezone.now())


@shared_task
def attach_suspense() -> None:
    """Attach payments whose account has appeared; each is attached once, however many run this."""
    suspense.attach_waiting(at=timezone.now())


@shared_task
def fetch_pawapay_keys() -> None:
    """Have the keys that pawaPay signs its callbacks with, new ones included."""
    pawapay_keys.refresh()


@shared_task
def reconcile_rails() -> None:
    """Start comparing each rail's statement with our books, for the days that are due."""
    for rail in Rail.objects.filter(closed_at__isnull=True):
        if reconciliation.is_reconciled(rail=rail):
            reconcile_rail.delay(rail.pk)


@shared_task(soft_time_limit=1_700, time_limit=1_800)
def reconcile_rail(rail_id: int) -> None:
    """Compare the days of one rail that are due; a statement may have a thousand pages."""
    reconciliation.run_due(rail=Rail.objects.get(pk=rail_id), clock=timezone.now)


@shared_task(soft_time_limit=1_700, time_limit=1_800)
def reconcile_day(rail_id: int, day: str) -> None:
    """Compare one day (ISO 8601) of a rail, whether it is due or not."""
    reconciliation.run(
        rail=Rail.objects.get(pk=rail_id), day=date.fromisoformat(day), at=timezone.now()
    )


@shared_task
def resolve_difference(difference_id: int, name: str, by_id: int, note: str) -> None:
    """Do what a person decided about a difference, where the provider has to be asked for it."""
    resolutions.resolve_later(
        difference_id=difference_id, name=name, by_id=by_id, note=note, at=timezone.now()
    )


@shared_task
def check_floats() -> None:
    """Ask every rail that tells what lies there, and compare it with our floats."""
    floats.check_all(at=timezone.now())
