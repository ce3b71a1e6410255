"""The outbox: what is to happen on chain happens once, whatever becomes of the workers.

A transfer is queued under its intent, gets its nonce and its signed bytes in one commit, and only
then is sent. What is sent again is the same bytes, or the same nonce with more gas, of which the
chain takes one. See docs/adr/0020-outbox-and-signers.md.
"""

from __future__ import annotations

import re
from datetime import datetime

import structlog
from django.conf import settings
from eth_utils.address import is_address, to_checksum_address

from accounts import alarms
from accounts.models import Alarm
from tokens.chain import client, outbox_following, outbox_signing, signers
from tokens.chain.client import Chain, ChainLies, ChainUnavailable
from tokens.chain.signers import BadSigner, Signer, SignerLies, SignerUnavailable
from tokens.models import OutboxTransfer

log = structlog.get_logger(__name__)

CHAIN_ALARM = "outbox:chain"
LONGEST_INTENT = 120
MOST_SIGNED_A_PASS = 16
_DATA = re.compile(r"0x(?:[0-9a-f]{2})*")


class IntentReused(Exception):
    """The intent was queued before, and was to do something else."""


class BadTransfer(ValueError):
    """What is to be sent has not the form of a transfer."""


def queue(
    *,
    chain_id: int,
    intent: str,
    to: str,
    data: str,
    at: datetime,
    value_wei: int = 0,
    sender: str | None = None,
    gas_limit: int | None = None,
) -> OutboxTransfer:
    """Decide on a transfer; the same intent again returns the first, whatever became of it.

    to: an address, "" makes a contract; data: hexadecimal with 0x; sender: the poster unless told
    (a poster aws-kms without its address is asked for it once a process); gas_limit: estimated
    unless told. Nothing is sent here, and the caller's transaction may hold it. Raises
    IntentReused where the first was to do something else, BadTransfer.
    """
    wanted = {
        "to_address": _address(to) if to else "",
        "data": data.lower(),
        "value_wei": value_wei,
    }
    if not 0 < len(intent) <= LONGEST_INTENT or not _DATA.fullmatch(data.lower()) or value_wei < 0:
        raise BadTransfer(f"{intent[:LONGEST_INTENT]}: no intent, no hexadecimal data or value < 0")
    found = OutboxTransfer.objects.filter(chain_id=chain_id, intent=intent).first()
    if found is None:
        row = OutboxTransfer(
            chain_id=chain_id,
            intent=intent,
            sender=_address(sender) if sender else signers.signer(settings.CHAIN_POSTER).address,
            gas_limit=gas_limit,
            created_at=at,
            **wanted,
        )
        OutboxTransfer.objects.bulk_create([row], ignore_conflicts=True)
        found = OutboxTransfer.objects.get(chain_id=chain_id, intent=intent)
    if sender:
        wanted["sender"] = _address(sender)
    if differing := [name for name, value in wanted.items() if getattr(found, name) != value]:
        raise IntentReused(f"{intent} was queued before with another {', '.join(differing)}")
    return found


def run(*, at: datetime) -> None:
    """Advance on the settings' chain. One that is down or lies is an alarm until it is over."""
    try:
        advance(chain=client.connected(), at=at)
    except (ChainUnavailable, ChainLies) as error:
        log.warning("outbox rests", error=str(error))
        words = "lies" if isinstance(error, ChainLies) else "is down"
        alarms.raise_alarm(
            kind=Alarm.Kind.CHAIN,
            key=CHAIN_ALARM,
            text=f"The chain {words}, nothing is sent: {error}",
            at=at,
        )
    else:
        alarms.clear(key=CHAIN_ALARM, at=at)


def advance(*, chain: Chain, at: datetime) -> None:
    """Take every open transfer as far as it goes now; any number of workers at once.

    What was signed is looked up on chain before anything is sent, and sent before anything new is
    signed: after a restart, or on a database that is older than the chain, that is what reconciles.
    Raises ChainUnavailable and ChainLies; what was committed until then stays.
    """
    chain.check()
    outbox_following.check_finalized_stands(chain=chain)
    open_rows = OutboxTransfer.objects.filter(
        chain_id=chain.chain_id, state__in=OutboxTransfer.OPEN
    )
    for sender in open_rows.order_by("sender").values_list("sender", flat=True).distinct():
        outbox_following.follow(chain=chain, sender=sender, at=at)
        underpriced = outbox_following.broadcast(chain=chain, sender=sender, at=at)
        _sign(chain=chain, sender=sender, underpriced=underpriced, at=at)


def _sign(*, chain: Chain, sender: str, underpriced: set[int], at: datetime) -> None:
    """Sign what waits for more gas or for its nonce; a signer that fails is an alarm."""
    key = f"outbox:signer:{sender}"
    try:
        signer = _signer_of(sender)
        outbox_signing.bump(chain=chain, signer=signer, underpriced=underpriced, at=at)
        for _ in range(MOST_SIGNED_A_PASS):
            if not outbox_signing.sign_next(chain=chain, signer=signer, at=at):
                break
            outbox_following.broadcast(chain=chain, sender=sender, at=at)
    except (BadSigner, SignerUnavailable, SignerLies) as error:
        log.warning("signer failed", sender=sender, error=str(error))
        alarms.raise_alarm(
            kind=Alarm.Kind.CHAIN, key=key, text=f"Nobody signs for {sender}: {error}", at=at
        )
    else:
        alarms.clear(key=key, at=at)


def _signer_of(address: str) -> Signer:
    """Return the signer of an address among those of the settings."""
    named = (settings.CHAIN_POSTER, settings.CHAIN_SWEEPER, settings.CHAIN_TREASURY_SIGNER)
    for setting in filter(None, named):
        signer = signers.signer(setting)
        if signer.address == address:
            return signer
    raise BadSigner(
        "neither CHAIN_POSTER nor CHAIN_SWEEPER nor CHAIN_TREASURY_SIGNER has this address"
    )


def _address(text: str) -> str:
    if not is_address(text):
        raise BadTransfer(f"{text[:60]!r} is no address")
    return str(to_checksum_address(text))
