"""Scheduled work of rates."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts import fx_alarms, rate_proposals, rollover
from gateway.rates import fetching


@shared_task
def fetch_rates() -> None:
    """Ask every source."""
    fetching.fetch(at=timezone.now())


@shared_task
def fetch_feeds() -> None:
    """Ask for DAI in US dollars: a feed's answer ages within its heartbeat."""
    fetching.fetch(at=timezone.now(), asked=fetching.feeds())


@shared_task
def propose_rates() -> None:
    """Propose the rates of the next period; a person publishes them."""
    rate_proposals.propose_due(at=timezone.now())


@shared_task
def roll_over_rates() -> None:
    """Keep households' local value where a new rate has begun; done once, however many run this."""
    rollover.run_due(at=timezone.now())


@shared_task
def watch_exposure() -> None:
    """Compare what waits to be converted, and the FX reserve, with the operators' limits."""
    fx_alarms.watch_exposure(at=timezone.now())
