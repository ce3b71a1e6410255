"""The page "FX": positions, reserve, rates and sources of an operator, with units and ages."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from accounts import exposure, site_rates
from accounts.admin.columns import EMPTY, link_to, shown, shown_minor, shown_time
from accounts.exposure import CryptoPosition, Market, Overview, Position, SiteFx
from accounts.models import Operator
from accounts.rate_agreement import (
    USD,
    Agreement,
    State,
    basis_points_between,
    is_dollar,
    percent_text,
    rate_text,
)

STATES = {
    State.AGREED: "agreed",
    State.ALONE: "one source only",
    State.DISAGREEING: "sources contradict each other: last known",
    State.NONE: "stale: last known",
}


def tables(*, operator: Operator, at: datetime) -> list[dict[str, Any]]:
    """Return the page's tables of one operator: a title, and headers and rows as unfold wants."""
    seen = exposure.of_operator(operator=operator, at=at)
    return [
        {"title": f"{operator}: FX reserve", "table": _reserve(seen)},
        {"title": f"{operator}: exposure by currency", "table": _positions(seen)},
        {"title": f"{operator}: site rates", "table": _sites(seen)},
    ]


def sources_table(*, currencies: set[str], at: datetime) -> dict[str, Any]:
    """Return what each fresh source makes of each currency, and of DAI in US dollars."""
    rows = []
    for currency in sorted(currencies | {USD}):
        found = site_rates.agreement(currency=currency, at=at)
        rows += opinions(found, at=at) or [[currency, EMPTY, EMPTY, EMPTY, STATES[State.NONE]]]
    return {
        "title": "Sources",
        "table": {
            "headers": ["currency", "source", "per DAI", "age of the quote", "together"],
            "rows": rows,
        },
    }


def opinions(found: Agreement, *, at: datetime) -> list[list[str]]:
    """Return a row for each opinion about a currency."""
    together = f"{STATES[found.state].split(':')[0]}, {percent_text(found.spread_basis_points)}"
    return [
        [
            found.currency,
            each.source,
            f"{rate_text(each.local_per_dai)} {found.currency}"
            + (
                " - OFF ITS PEG"
                if found.currency == USD and not is_dollar(usd_per_dai=each.local_per_dai)
                else ""
            ),
            age(each.quoted_at, at=at),
            together,
        ]
        for each in found.opinions
    ]


def age(quoted_at: datetime | None, *, at: datetime) -> str:
    """Write how old something is: "12 min", "3 h 05 min", "4 d"."""
    if quoted_at is None:
        return EMPTY
    minutes = max(at - quoted_at, timedelta()) // timedelta(minutes=1)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes // (24 * 60)} d"


def _reserve(seen: Overview) -> dict[str, Any]:
    operator = seen.operator
    state = "BEYOND ITS LIMIT" if seen.is_reserve_beyond_limit else "within its limit"
    return {
        "headers": ["what", "amount", "limit", "state"],
        "rows": [
            [
                "reserve (below zero: lost)",
                shown(seen.reserve_wei),
                shown(-operator.fx_reserve_limit_wei),
                state,
            ],
            ["realised by conversions", shown(seen.realised_wei), EMPTY, EMPTY],
            ["unrealised", shown(_unrealised(seen)), EMPTY, EMPTY],
        ],
    }


def _unrealised(seen: Overview) -> int:
    return sum(each.unrealised_wei or 0 for each in seen.positions)


def _positions(seen: Overview) -> dict[str, Any]:
    return {
        "headers": [
            *("currency", "waits to be converted", "booked at", "at the market"),
            *("unrealised", "limit", "state", "market", "its age"),
        ],
        "rows": [
            *(_position(seen, each) for each in seen.positions),
            *(_crypto_position(seen, each) for each in seen.crypto),
        ],
    }


def _crypto_position(seen: Overview, position: CryptoPosition) -> list[str]:
    """What it is worth now, only its feed knows; see the assets on chain."""
    return [
        position.asset,
        f"{position.units} smallest units",
        shown(position.cost_wei),
        EMPTY,
        EMPTY,
        shown(seen.operator.fx_exposure_limit_wei),
        "BEYOND ITS LIMIT" if seen.is_beyond_limit(position) else "within its limit",
        "by its price feed",
        EMPTY,
    ]


def _position(seen: Overview, position: Position) -> list[str]:
    market = position.market
    return [
        position.currency,
        shown_minor(position.amount_minor, currency=position.currency),
        shown(position.cost_wei),
        shown(position.market_wei),
        shown(position.unrealised_wei),
        shown(seen.operator.fx_exposure_limit_wei),
        "BEYOND ITS LIMIT" if seen.is_beyond_limit(position) else "within its limit",
        market_text(market, currency=position.currency),
        age(market.quoted_at, at=seen.at),
    ]


def market_text(market: Market, *, currency: str) -> str:
    """Write a market rate, and how far it can be believed."""
    if market.local_per_dai is None:
        return "never quoted"
    return f"{rate_text(market.local_per_dai)} {currency} per DAI ({STATES[market.state]})"


def _sites(seen: Overview) -> dict[str, Any]:
    return {
        "headers": [
            *("site", "rate in force", "since (UTC)", "until (UTC)"),
            *("market", "its age", "market over rate", "reserve"),
        ],
        "rows": [_site(seen, each) for each in seen.sites],
    }


def _site(seen: Overview, row: SiteFx) -> list[str]:
    market = row.market
    if row.rate is None:
        in_force, since, until, apart = "none", EMPTY, EMPTY, EMPTY
    else:
        rate = row.rate.local_per_dai
        in_force = f"{rate.normalize():f} {row.site.currency} per DAI"
        since, until = shown_time(row.rate.validity.lower), shown_time(row.rate.validity.upper)
        apart = difference(before=row.rate.local_per_dai, after=market.local_per_dai)
    return [
        link_to(row.site),
        in_force,
        since,
        until,
        market_text(market, currency=row.site.currency),
        age(market.quoted_at, at=seen.at),
        apart,
        shown(row.reserve_wei),
    ]


def difference(*, before: Decimal | None, after: Fraction | Decimal | None) -> str:
    """Write the change from one rate to another in percent."""
    if before is None or after is None:
        return EMPTY
    points = basis_points_between(before=Fraction(before), after=Fraction(after))
    return f"{'+' if points > 0 else ''}{percent_text(points)}"
