"""Carrying out what the last page of a session asks for."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from redis.exceptions import RedisError

from accounts import attempts, pins, rails, sites
from accounts.models import Household, PaymentAttempt
from gateway.providers.tasks import submit_attempt
from gateway.ussd.effects import ChangePin, Effect, SetLanguage, StartTopUp
from gateway.ussd.engine import Refusal

log = structlog.get_logger(__name__)

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
    rail = None if site is None else rails.prompting(site=site)
    if site is None or rail is None:
        return "try_later"
    with transaction.atomic():
        if _has_open_prompt(phone=phone, key=key, at=at):
            return "prompt_open"
        try:
            attempt = attempts.request(
                household=household,
                site=site,
                rail=rail,
                phone=phone,
                amount_minor=amount_minor,
                idempotency_key=key,
                at=at,
            )
        except attempts.BadAmount:
            # The limits changed since the screen told them.
            return "try_later"
        transaction.on_commit(lambda: _submit(attempt.pk), robust=True)
    return None


def _submit(attempt_id: int) -> None:
    """A broker that is away leaves the attempt to the janitor."""
    submit_attempt.delay(attempt_id)


def _has_open_prompt(*, phone: str, key: str, at: datetime) -> bool:
    """A phone shows one prompt at a time; a second request would be refused by the provider."""
    return (
        PaymentAttempt.objects.filter(
            top_up__phone=phone,
            state__in=(
                PaymentAttempt.State.CREATED,
                PaymentAttempt.State.SUBMITTING,
                PaymentAttempt.State.PENDING,
            ),
            created_at__gt=at - timedelta(seconds=PROMPT_SECONDS),
        )
        .exclude(top_up__idempotency_key=key)
        .exists()
    )


def _change_pin(*, household: Household, effect: ChangePin) -> Refusal | None:
    """Count the try before looking, so that many at once get no more tries than one by one."""
    tries_key = f"wrong-pins:{household.pk}"
    try:
        cache.add(tries_key, 0, timeout=int(PIN_LOCK.total_seconds()))
        tries = cache.incr(tries_key)
    except (RedisError, ValueError) as error:
        # Without the count anybody could try them all.
        log.warning("wrong PINs can't be counted", error=str(error))
        return "try_later"
    if tries > WRONG_PINS:
        return "pin_locked"
    if not _is_pin(effect.old_pin, household=household):
        # The hop that changed it, come again after its answer was lost, is no wrong try.
        if not _is_pin(effect.new_pin, household=household):
            return "wrong_pin"
    else:
        household.pin_hash = pins.hash_pin(pin=effect.new_pin, pepper=settings.PIN_PEPPER)
        household.save(update_fields=["pin_hash"])
    cache.delete(tries_key)
    return None


def _is_pin(pin: str, *, household: Household) -> bool:
    return pins.is_right(pin=pin, stored=household.pin_hash, pepper=settings.PIN_PEPPER)
