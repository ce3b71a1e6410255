"""Reading the price feeds of the assets that we take, and keeping what they tell."""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts import alarms
from accounts.models import Alarm
from tokens import price_feeds, quotes
from tokens.chain.client import CallReverted, Chain, NodeRefused
from tokens.models import AssetQuote, ChainAsset
from tokens.price_feeds import Round


def refresh(*, chain: Chain, at: datetime) -> int:
    """Read every open asset's feed; return how many told something that may be used.

    A feed that is refused raises an alarm, which its next good answer clears, and leaves the last
    round to run out. Raises ChainUnavailable and ChainLies, which are the node's and not a feed's.
    """
    assets = ChainAsset.objects.filter(
        chain_id=chain.chain_id, pricing=ChainAsset.Pricing.FEED, closed_at__isnull=True
    )
    return sum(_refresh_one(chain=chain, asset=asset, at=at) for asset in assets)


def _refresh_one(*, chain: Chain, asset: ChainAsset, at: datetime) -> bool:
    def call(data: str) -> str:
        return chain.call(to=asset.feed_address, data=data).hex()

    try:
        told = price_feeds.latest(
            call=call,
            description=f"{asset.code} / USD",
            heartbeat=timedelta(seconds=asset.feed_heartbeat_seconds),
            at=at,
        )
    except (CallReverted, NodeRefused, ValueError, ArithmeticError, OSError) as error:
        alarms.raise_alarm(
            kind=Alarm.Kind.RATE_SOURCES,
            key=quotes.alarm_key(asset=asset),
            text=f"The price feed of {asset.code} is not used: {error}",
            at=at,
        )
        return False
    _store(asset=asset, told=told, at=at)
    alarms.clear(key=quotes.alarm_key(asset=asset), at=at)
    return True


def _store(*, asset: ChainAsset, told: Round, at: datetime) -> None:
    AssetQuote.objects.update_or_create(
        asset=asset,
        feed_address=asset.feed_address,
        round_id=told.round_id,
        updated_at=told.updated_at,
        defaults={"expires_at": told.expires_at, "read_at": at},
        create_defaults={
            "answer": told.answer,
            "decimals": told.decimals,
            "expires_at": told.expires_at,
            "read_at": at,
        },
    )
