"""What an operator holds in each currency, what it is worth, and what the FX reserve has left.

A payment leaves local money on the operator's side (fx_position in the currency) against the DAI it
was worth when it came (fx_position in DAI): until the treasury converts it, the operator bears the
rate. The FX reserve takes the difference between the site's rate and the market, and what
households are given when the rate changes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from django.db.models import Q

from accounts import site_rates
from accounts.ledger import DAI
from accounts.models import Book, LedgerAccount, Operator, Site, SiteRate
from accounts.models.ledger import LedgerAccount as Account
from accounts.money import WEI_PER_DAI, minor_per_major
from accounts.rate_agreement import State

Kind = Account.Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """What a currency is worth: units of it for one DAI, as of when, and how far to be believed.

    Without a fresh quote the last one stands in (is_fresh is False); None where there never was.
    """

    local_per_dai: Fraction | None
    quoted_at: datetime | None
    state: State

    @property
    def is_fresh(self) -> bool:
        """Whether sources tell it now, and do not contradict each other."""
        return self.state in (State.AGREED, State.ALONE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """Money of one currency that waits to be converted: minor units, and wei it was booked at."""

    currency: str
    amount_minor: int
    cost_wei: int
    market: Market

    @property
    def market_wei(self) -> int | None:
        """What it is worth at the market, rounded down; None where nobody ever quoted it."""
        rate = self.market.local_per_dai
        if rate is None:
            return None
        major = Fraction(self.amount_minor, minor_per_major(currency=self.currency))
        return int(major / rate * WEI_PER_DAI // 1)

    @property
    def unrealised_wei(self) -> int | None:
        """The result if it were converted now: above zero is a gain."""
        return None if self.market_wei is None else self.market_wei - self.cost_wei

    @property
    def size_wei(self) -> int:
        """How much is at stake, on whichever side: what the limit is held against."""
        return abs(self.cost_wei if self.market_wei is None else self.market_wei)


@dataclass(frozen=True, kw_only=True, slots=True)
class CryptoPosition:
    """Crypto money that is not at par and waits to be converted, and the wei it was booked at."""

    asset: str
    units: int
    cost_wei: int

    @property
    def size_wei(self) -> int:
        """How much is at stake: what the limit is held against."""
        return abs(self.cost_wei)


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteFx:
    """One site: the rate it credits at, and its part of the reserve in wei."""

    site: Site
    rate: SiteRate | None
    market: Market
    reserve_wei: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """All of one operator, in wei; the reserve is below zero where it has lost."""

    operator: Operator
    positions: tuple[Position, ...]
    crypto: tuple[CryptoPosition, ...]
    sites: tuple[SiteFx, ...]
    reserve_wei: int
    realised_wei: int
    at: datetime

    @property
    def is_reserve_beyond_limit(self) -> bool:
        """Whether the reserve has lost more than the operator allows."""
        return -self.reserve_wei > self.operator.fx_reserve_limit_wei

    def is_beyond_limit(self, position: Position | CryptoPosition) -> bool:
        """Whether more of a currency or asset waits than the operator allows."""
        return position.size_wei > self.operator.fx_exposure_limit_wei


def of_operator(*, operator: Operator, at: datetime) -> Overview:
    """Return positions, reserve and rates of an operator's books at this instant."""
    books = Book.objects.filter(Q(site__operator=operator) | Q(operator=operator))
    owner = {book.pk: book.site for book in books.select_related("site")}
    accounts = LedgerAccount.objects.filter(
        book_id__in=owner, kind__in=(Kind.FX_POSITION, Kind.FX_RESERVE, Kind.FX_RESULT)
    )
    held: defaultdict[str, int] = defaultdict(int)
    cost: defaultdict[str, int] = defaultdict(int)
    reserves: defaultdict[int, int] = defaultdict(int)
    realised_wei = 0
    for account in accounts:
        site = owner[account.book_id]
        if account.kind == Kind.FX_RESERVE:
            reserves[account.book_id] += account.amount
        elif account.kind == Kind.FX_RESULT:
            realised_wei += account.amount
        elif account.asset != DAI:
            held[account.asset] += account.amount
        else:
            # The name says against which currency; without one it is the site's own.
            cost[account.name or (site.currency if site else DAI)] -= account.amount
    sites = [site for site in owner.values() if site is not None and site.closed_at is None]
    currencies = sorted(held.keys() | cost.keys() | {site.currency for site in sites})
    markets = {currency: market_of(currency=currency, at=at) for currency in currencies}
    return Overview(
        operator=operator,
        positions=tuple(
            Position(
                currency=currency,
                amount_minor=held[currency],
                cost_wei=cost[currency],
                market=markets[currency],
            )
            for currency in currencies
            if held[currency] or cost[currency]
        ),
        crypto=_crypto(books=owner),
        sites=_sites(sites=sites, markets=markets, reserves=reserves, at=at),
        reserve_wei=sum(reserves.values()),
        realised_wei=realised_wei,
        at=at,
    )


def _crypto(*, books: Iterable[int]) -> tuple[CryptoPosition, ...]:
    accounts = LedgerAccount.objects.filter(book_id__in=books, kind=Kind.CRYPTO_POSITION)
    units: defaultdict[str, int] = defaultdict(int)
    cost: defaultdict[str, int] = defaultdict(int)
    for account in accounts:
        if account.asset == DAI:
            cost[account.name] -= account.amount
        else:
            units[account.name] += account.amount
    return tuple(
        CryptoPosition(asset=asset, units=units[asset], cost_wei=cost[asset])
        for asset in sorted(units.keys() | cost.keys())
        if units[asset] or cost[asset]
    )


def market_of(*, currency: str, at: datetime) -> Market:
    """Return the market's rate of a currency, or the last that is known of it."""
    found = site_rates.agreement(currency=currency, at=at)
    if found.median is not None and found.state in (State.AGREED, State.ALONE):
        return Market(
            local_per_dai=found.median,
            quoted_at=min(opinion.quoted_at for opinion in found.opinions),
            state=found.state,
        )
    last = site_rates.last_quote(currency=currency, at=at)
    return Market(
        local_per_dai=None if last is None else Fraction(last.local_per_dai),
        quoted_at=None if last is None else last.quoted_at,
        state=found.state,
    )


def _sites(
    *,
    sites: Sequence[Site],
    markets: dict[str, Market],
    reserves: dict[int, int],
    at: datetime,
) -> tuple[SiteFx, ...]:
    rates = site_rates.in_force(sites=sites, at=at)
    books = dict(Book.objects.filter(site__in=sites).values_list("site_id", "pk"))
    return tuple(
        SiteFx(
            site=site,
            rate=rates.get(site.pk),
            market=markets[site.currency],
            reserve_wei=reserves.get(books[site.pk], 0),
        )
        for site in sorted(sites, key=lambda each: (each.name, each.pk))
    )
