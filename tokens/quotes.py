"""What a deposit is worth in DAI: at par, or by what an asset's feed told last.

Nobody is asked here: tokens.chain.feeds reads the feeds, and what it stored is used, or refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from accounts import site_rates
from accounts.deposits import CryptoAsset
from accounts.models import Alarm, RateQuote
from accounts.money import BASIS_POINTS, WEI_PER_DAI
from accounts.rate_agreement import USD, State
from tokens.models import AssetQuote, ChainAsset

PAR_DECIMALS = 18
MOST_UNREAD = timedelta(minutes=10)
"""A feed that nobody has read for so long may have told something else meanwhile."""


class QuoteUnavailable(Exception):
    """Nobody can say now what the asset is worth; what came of it waits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """DAI for one of an asset, haircut taken off, and what it was made of.

    quoted_at is None where one counts as one DAI, which does not age.
    """

    asset: str
    decimals: int
    dai_per_asset: Fraction
    quoted_at: datetime | None
    expires_at: datetime | None
    sources: dict[str, Any]

    def worth_wei(self, *, units: int) -> int:
        """Return what smallest units are worth, rounded down to the wei."""
        return int(Fraction(units, 10**self.decimals) * self.dai_per_asset * WEI_PER_DAI // 1)


def is_par(asset: ChainAsset) -> bool:
    """Return whether one is booked as one DAI, unit by unit."""
    return asset.pricing == ChainAsset.Pricing.PAR and asset.decimals == PAR_DECIMALS


def booked_as(asset: ChainAsset) -> CryptoAsset:
    """Return the asset as the ledger knows it."""
    return CryptoAsset(code=asset.code, decimals=asset.decimals, is_par=is_par(asset))


def of(*, asset: ChainAsset, at: datetime) -> Quote:
    """Return what an asset is worth at an instant.

    Raises QuoteUnavailable where its feed is refused (its alarm lasts), was not read for a while or
    last wrote longer ago than its heartbeat, and where the sources of DAI in US dollars contradict
    each other or have nothing to say any more.
    """
    if asset.pricing == ChainAsset.Pricing.PAR:
        return Quote(
            asset=asset.code,
            decimals=asset.decimals,
            dai_per_asset=Fraction(1),
            quoted_at=None,
            expires_at=None,
            sources={"pricing": "par"},
        )
    told = _told(asset=asset, at=at)
    usd_per_dai = _usd_per_dai(at=at)
    dollars = Fraction(told.answer, 10**told.decimals)
    kept = Fraction(BASIS_POINTS - asset.haircut_basis_points, BASIS_POINTS)
    return Quote(
        asset=asset.code,
        decimals=asset.decimals,
        dai_per_asset=dollars / (usd_per_dai or 1) * kept,
        quoted_at=told.updated_at,
        expires_at=told.expires_at,
        sources={
            "pricing": "feed",
            "feed": told.feed_address,
            "round": str(told.round_id),
            "answer": str(told.answer),
            "decimals": told.decimals,
            "updated_at": told.updated_at.isoformat(),
            "usd_per_dai": None if usd_per_dai is None else str(usd_per_dai),
            "haircut_basis_points": asset.haircut_basis_points,
        },
    )


def alarm_key(*, asset: ChainAsset) -> str:
    """Return the key of the alarm that an asset's feed is refused."""
    return f"asset_feed:{asset.pk}"


def last_round(*, asset: ChainAsset) -> AssetQuote | None:
    """Return the last round that was read of an asset's feed, however old."""
    return (
        AssetQuote.objects.filter(asset=asset, feed_address=asset.feed_address)
        .order_by("-updated_at", "-round_id")
        .first()
    )


def _told(*, asset: ChainAsset, at: datetime) -> AssetQuote:
    alarm = Alarm.objects.filter(key=alarm_key(asset=asset), cleared_at=None).first()
    if alarm is not None:
        raise QuoteUnavailable(alarm.text)
    told = last_round(asset=asset)
    if told is None:
        raise QuoteUnavailable(f"the price feed of {asset.code} was never read")
    if told.expires_at <= at or told.read_at + MOST_UNREAD <= at:
        raise QuoteUnavailable(
            f"the price feed of {asset.code} is stale: last round {told.updated_at:%Y-%m-%d %H:%M} "
            f"UTC, read {told.read_at:%Y-%m-%d %H:%M} UTC"
        )
    return told


def _usd_per_dai(*, at: datetime) -> Fraction | None:
    """Return US dollars per DAI, None where no source was ever set up: then a dollar is a DAI."""
    found = site_rates.agreement(currency=USD, at=at)
    if found.state in (State.AGREED, State.ALONE):
        return found.median
    if found.state == State.DISAGREEING:
        raise QuoteUnavailable("the sources of DAI in US dollars contradict each other")
    if RateQuote.objects.filter(currency=USD).exists():
        raise QuoteUnavailable("no source tells DAI in US dollars any more")
    return None
