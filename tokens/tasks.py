"""Scheduled work of the chain. Each task makes one call of the domain; without a node it rests."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from tokens.chain import outbox


@shared_task
def advance_outbox() -> None:
    """Sign, send and follow what is to happen on chain."""
    if settings.CHAIN_RPC_URL:
        outbox.run(at=timezone.now())
