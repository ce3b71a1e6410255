"""The worker's last look at the chain, for those who may not wait for a node."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.core.cache import cache

from tokens.chain import client
from tokens.chain.client import ChainLies, ChainUnavailable

log = structlog.get_logger(__name__)

OLD_AFTER = timedelta(seconds=60)
"""The worker looks every ten seconds: later its last look says nothing."""
STUCK_AFTER = timedelta(minutes=5)
"""Any chain that we use has a block every few seconds."""
_KEPT_SECONDS = 3_600


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the node told. `trouble` is empty where all is well, else one clause for the log."""

    looked_at: datetime
    trouble: str = ""
    block_number: int | None = None
    block_at: datetime | None = None

    def trouble_now(self, *, at: datetime) -> str:
        """What is wrong, also that nobody has looked for long."""
        if at - self.looked_at > OLD_AFTER:
            return f"nobody has looked at the chain since {self.looked_at.isoformat()}"
        return self.trouble


def take(*, at: datetime) -> Look:
    """Ask the chain for its newest block and keep the answer; never raises for the chain's sake."""
    look = _asked(at=at)
    if look.trouble:
        log.warning("the chain is not well", trouble=look.trouble)
    cache.set(_key(), asdict(look), timeout=_KEPT_SECONDS)
    return look


def last() -> Look | None:
    """Return the last look at the chain of the settings; None where there was none of late."""
    found = cache.get(_key())
    return Look(**found) if found else None


def _asked(*, at: datetime) -> Look:
    try:
        chain = client.connected()
        chain.check()
        block = chain.block(tag="latest")
    except (ChainUnavailable, ChainLies) as error:
        return Look(looked_at=at, trouble=f"{type(error).__name__}: {error}")
    if block is None:
        return Look(looked_at=at, trouble="the node has no block")
    block_at = datetime.fromtimestamp(block.timestamp, tz=at.tzinfo)
    age = at - block_at
    trouble = f"no block for {age.total_seconds():.0f} s" if age > STUCK_AFTER else ""
    return Look(looked_at=at, trouble=trouble, block_number=block.number, block_at=block_at)


def _key() -> str:
    return f"chain:look:{settings.CHAIN_ID}"
