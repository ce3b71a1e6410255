"""Carrying out what the last page of a session asks for."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from accounts import attempts, pins, sites
from accounts.models import Household, Rail, TopUpAttempt
from gateway.providers.tasks import submit_attempt
from gateway.ussd.effects import ChangePin, Effect, SetLanguage, StartTopUp
from gateway.ussd.engine import Refusal

WRONG_PINS = 3
PIN_LOCK = timedelta(hours=1)
PROMPT_SECONDS = 60


def carry_out(*, effect: Effect, phone: str, key: str, at: datetime) -> Refusal | None:
    """Do what the effect says, once per key; return why not where it can't be done."""
    household = Household.objects.get(code=effect.household_code)
    if isinstance(effect, StartTopUp):
        return start_top_up(
            household=household, phone=phone, amount_minor=effect.amount_minor, key=key, at=at
        )
    if isinstance(effect, SetLanguage):
        household.language = effect.language
        household.save(update_fields=["language"])
        return None
    return _change_pin(household=household, effect=effect)


def start_top_up(
    *, household: Household, phone: str, amount_minor: int, key: str, at: datetime
) -> Refusal | None:
    """Store the wish and let a worker call the provider."""
    site = sites.site_of(household=household, at=at)
    rail = None
    if site is not None:
        rail = Rail.objects.filter(
            sites=site, closed_at__isnull=True, currency=site.currency
        ).first()
    if site is None or rail is None:
        return "try_later"
    with transaction.atomic():
        if _has_open_prompt(phone=phone, key=key, at=at):
            return "prompt_open"
        attempt = attempts.request(
            household=household,
            site=site,
            rail=rail,
            phone=phone,
            amount_minor=amount_minor,
            idempotency_key=key,
            at=at,
        )
        transaction.on_commit(lambda: _submit(attempt.pk), robust=True)
    return None


def _submit(attempt_id: int) -> None:
    """A broker that is away leaves the attempt to the janitor."""
    submit_attempt.delay(attempt_id)


def _has_open_prompt(*, phone: str, key: str, at: datetime) -> bool:
    """A phone shows one prompt at a time; a second request would be refused by the provider."""
    return (
        TopUpAttempt.objects.filter(
            top_up__phone=phone,
            state__in=(
                TopUpAttempt.State.CREATED,
                TopUpAttempt.State.SUBMITTING,
                TopUpAttempt.State.PENDING,
            ),
            created_at__gt=at - timedelta(seconds=PROMPT_SECONDS),
        )
        .exclude(top_up__idempotency_key=key)
        .exists()
    )


def _change_pin(*, household: Household, effect: ChangePin) -> Refusal | None:
    tries_key = f"wrong-pins:{household.pk}"
    if cache.get(tries_key, 0) >= WRONG_PINS:
        return "pin_locked"
    if not pins.is_right(
        pin=effect.old_pin, stored=household.pin_hash, pepper=settings.PIN_PEPPER
    ):
        cache.add(tries_key, 0, timeout=int(PIN_LOCK.total_seconds()))
        cache.incr(tries_key)
        return "wrong_pin"
    household.pin_hash = pins.hash_pin(pin=effect.new_pin, pepper=settings.PIN_PEPPER)
    household.save(update_fields=["pin_hash"])
    cache.delete(tries_key)
    return None
