"""How much somebody wants to pay on chain: money of the site (or DAI, of a donor) into an asset.

Always rounded up, so that what is asked for is covered by what is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from accounts.money import CURRENCY_DECIMALS, WEI_PER_DAI
from dashboard import wording
from dashboard.buy import quantity
from dashboard.queries import Rate
from tokens.models import ChainAsset, Forwarder
from tokens.quotes import Quote

DAI = "DAI"
DAI_DECIMALS = 3
"""As many as anybody types."""
WALLET_DECIMALS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """An amount in a currency (or DAI) as it is shown, and what it is in wei of DAI."""

    amount: str
    currency: str
    amount_wei: int

    def units_of(self, *, asset: ChainAsset, quote: Quote) -> int:
        """Return the least units of an asset, to six decimals, that are worth it now."""
        exact = Fraction(self.amount_wei, WEI_PER_DAI) / quote.dai_per_asset * 10**asset.decimals
        step: int = 10 ** max(asset.decimals - WALLET_DECIMALS, 0)
        return -int(-exact // step) * step


class NoAmount(ValueError):
    """What was typed is no amount above zero."""


def read(text: str, *, forwarder: Forwarder, rate: Rate | None) -> Wanted | None:
    """Return what `?amount=` says; None where nothing is asked, or no rate says what it is in DAI.

    For a household it is in the site's currency, for a donor in DAI. Raises NoAmount.
    """
    text = text.strip()
    if not text:
        return None
    told = quantity(text)
    if told is None:
        raise NoAmount(text[:20])
    if forwarder.household_id is None:
        return _wanted(told, currency=DAI, decimals=DAI_DECIMALS, per_dai=Fraction(1))
    if rate is None:
        return None
    return _wanted(
        told,
        currency=rate.currency,
        decimals=CURRENCY_DECIMALS.get(rate.currency, 2),
        per_dai=Fraction(rate.local_per_dai),
    )


def _wanted(told: Fraction, *, currency: str, decimals: int, per_dai: Fraction) -> Wanted:
    amount = Fraction(-int(-told * 10**decimals // 1), 10**decimals)
    return Wanted(
        amount=wording.rounded(amount, decimals=decimals),
        currency=currency,
        amount_wei=-int(-amount / per_dai * WEI_PER_DAI // 1),
    )
