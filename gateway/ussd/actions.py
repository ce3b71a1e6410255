"""Carrying out what the last page of a session asks for."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts import attempts, pins, rails, sites
from accounts.models import Household, PaymentAttempt
from gateway.providers.tasks import submit_attempt
from gateway.ussd import agent_actions, pin_tries, vote_actions
from gateway.ussd.effects import CastVote, ChangePin, Effect, SetLanguage, StartTopUp, TakeCash
from gateway.ussd.engine import Refusal
from gateway.ussd.page import Page

PROMPT_SECONDS = 60


def carry_out(*, effect: Effect, phone: str, key: str, at: datetime) -> Refusal | Page | None:
    """Do what the effect says, once per key; return why not where it can't be done.

    A page is to be shown instead of the session's own: it tells what came of it.
    """
    if isinstance(effect, TakeCash):
        return agent_actions.take_cash(effect=effect, phone=phone, key=key, at=at)
    household = Household.objects.get(code=effect.household_code)
    if isinstance(effect, CastVote):
        return vote_actions.cast_vote(
            household=household, effect=effect, phone=phone, key=key, at=at
        )
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
    def changed() -> bool:
        if not _is_pin(effect.old_pin, household=household):
            # The hop that changed it, come again after its answer was lost, is no wrong try.
            return _is_pin(effect.new_pin, household=household)
        household.pin_hash = pins.hash_pin(pin=effect.new_pin, pepper=settings.PIN_PEPPER)
        household.save(update_fields=["pin_hash"])
        return True

    return pin_tries.tried(who=str(household.pk), is_right=changed)


def _is_pin(pin: str, *, household: Household) -> bool:
    return pins.is_right(pin=pin, stored=household.pin_hash, pepper=settings.PIN_PEPPER)
