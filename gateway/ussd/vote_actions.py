"""Casting the vote that a household chose by phone."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.conf import settings

from accounts import pins, sites
from accounts.models import Household
from gateway.ussd import pin_tries
from gateway.ussd.effects import CastVote
from gateway.ussd.engine import Refusal
from gateway.ussd.page import Page
from gateway.ussd.screens import vote
from tokens.models import Ballot, Round
from tokens.voting import ballots
from tokens.voting.refusals import AlreadyVoted, Refused

log = structlog.get_logger(__name__)


def cast_vote(
    *, household: Household, effect: CastVote, phone: str, key: str, at: datetime
) -> Refusal | Page:
    """Cast once per key and return the receipt; a household that has voted gets its first one."""
    refused = pin_tries.tried(
        who=str(household.pk),
        is_right=lambda: pins.is_right(
            pin=effect.pin, stored=household.pin_hash, pepper=settings.PIN_PEPPER
        ),
    )
    if refused is not None:
        return "vote_wrong_pin" if refused == "wrong_pin" else refused
    site = sites.site_of(household=household, at=at)
    round_ = Round.objects.filter(site=site, number=effect.round_number).first()
    if round_ is None:
        return "vote_closed"
    try:
        ballot = ballots.cast(
            round_=round_,
            household=household,
            numbers=effect.numbers,
            channel=Ballot.Channel.USSD,
            key=key,
            at=at,
        ).ballot
    except AlreadyVoted as error:
        receipt_code = error.receipt_code
    except Refused as error:
        log.info("vote not taken", reason=error.code, household=household.code)
        return "vote_closed"
    else:
        receipt_code = ballot.receipt_code
    return vote.taken(
        language=effect.language,
        code=household.code,
        round_number=round_.number,
        receipt_code=receipt_code,
    )
