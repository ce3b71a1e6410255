"""Whether the assets that we take are what they are set up as: a token's own decimals."""

from __future__ import annotations

from datetime import datetime

from accounts import alarms
from accounts.models import Alarm
from tokens.chain.client import CallReverted, Chain, NodeRefused
from tokens.models import ChainAsset

DECIMALS = "0x313ce567"
"""The first four bytes of the Keccak-256 of decimals()."""
_WORD_BYTES = 32


def unfit(*, chain: Chain, at: datetime) -> set[int]:
    """Return the ids of open tokens that tell other decimals than we reckon with; alarms of them.

    Nothing of such a token is credited. Raises ChainUnavailable, ChainLies.
    """
    tokens = ChainAsset.objects.filter(chain_id=chain.chain_id, closed_at__isnull=True).exclude(
        address=""
    )
    return {asset.pk for asset in tokens if not _is_fit(chain=chain, asset=asset, at=at)}


def _is_fit(*, chain: Chain, asset: ChainAsset, at: datetime) -> bool:
    try:
        told = chain.call(to=asset.address, data=DECIMALS)
    except (CallReverted, NodeRefused):
        told = b""
    key = f"asset:{asset.pk}"
    if len(told) == _WORD_BYTES and int.from_bytes(told) == asset.decimals:
        alarms.clear(key=key, at=at)
        return True
    says = f"{int.from_bytes(told)}" if len(told) == _WORD_BYTES else "nothing"
    alarms.raise_alarm(
        kind=Alarm.Kind.DEPOSIT,
        key=key,
        text=f"{asset.code} at {asset.address} tells {says} for its decimals, we reckon with "
        f"{asset.decimals}: none of it is credited",
        at=at,
    )
    return False
