"""The steps of taking money on chain, as tasks run them: a chain that is down or lies is an alarm.

The next run that succeeds clears it and goes on where the last one stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from django.conf import settings

from accounts import alarms
from accounts.models import Alarm
from tokens.chain import client, final, forwarders, sweeps, watcher
from tokens.chain.client import Chain, ChainLies, ChainUnavailable
from tokens.chain.signers import BadSigner, SignerLies, SignerUnavailable

SWEEPER_ALARM = "deposits:sweeper"

log = structlog.get_logger(__name__)


def watch(*, at: datetime) -> int:
    """Read what came; return how many blocks were read."""
    return _guarded("read", lambda chain: watcher.watch(chain=chain, at=at), at=at)


def credit(*, at: datetime) -> int:
    """Credit what is final; return how many deposits."""
    return _guarded("credited", lambda chain: final.credit_final(chain=chain, at=at), at=at)


def sweep(*, at: datetime) -> int:
    """Queue what is worth sending to the treasury, and forwarders that are wanted on chain.

    Asks no node: the outbox does. Returns how many flushes were queued.
    """
    chain_id = settings.CHAIN_ID
    try:
        forwarders.factory_address()
    except forwarders.CryptoRefused:
        return 0
    forwarders.note_deployed()
    sweeps.watch_reverted(chain_id=chain_id, at=at)
    try:
        forwarders.deploy_wanted(chain_id=chain_id, at=at)
        queued = sweeps.queue_worthwhile(chain_id=chain_id, at=at)
    except (BadSigner, SignerUnavailable, SignerLies) as error:
        text = f"Nobody signs for the sweeper: {error}"
        alarms.raise_alarm(kind=Alarm.Kind.CHAIN, key=SWEEPER_ALARM, text=text, at=at)
        return 0
    alarms.clear(key=SWEEPER_ALARM, at=at)
    return queued


def _guarded(step: str, work: Callable[[Chain], int], *, at: datetime) -> int:
    """Run a step on the settings' chain; 0 where the chain is down or lies."""
    key = f"deposits:{step}"
    try:
        done = work(client.connected())
    except (ChainUnavailable, ChainLies) as error:
        words = "lies" if isinstance(error, ChainLies) else "is down"
        log.warning("deposits rest", step=step, error=str(error))
        alarms.raise_alarm(
            kind=Alarm.Kind.CHAIN,
            key=key,
            text=f"The chain {words}, no deposit is {step}: {error}",
            at=at,
        )
        return 0
    alarms.clear(key=key, at=at)
    return done
