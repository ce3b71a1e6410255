"""Numbers of pages as text, in the reader's language, without their unit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from accounts.money import (
    BASIS_POINTS,
    CURRENCY_DECIMALS,
    MILLIWATT_HOURS_PER_KWH,
    WEI_PER_DAI,
    decimal_string,
)
from dashboard.queries import REVENUE, Rate

_COUNTRIES = {"KE": _("Kenya"), "SN": _("Senegal")}
_EPOCH_STATES = {
    "closed": _("closed"),
    "proposed": _("proposed, may still be vetoed"),
    "active": _("active"),
    "vetoed": _("vetoed"),
    "refused": _("refused by the contract"),
}
_POOLS = {
    REVENUE: _("Collected so far"),
    "tax": _("Taxes"),
    "levies": _("Levies"),
    "reserve": _("Battery reserve"),
    "grant": _("Grant pool"),
    "contractor": _("Contractor"),
    "operator": _("Operator"),
}


def country(code: str) -> str:
    """Return a country's name, or its ISO 3166-1 code where we have no name."""
    return str(_COUNTRIES.get(code, code))


def pool(name: str) -> str:
    """Return what a split line is called."""
    return str(_POOLS.get(name, name))


def epoch_state(state: str) -> str:
    """Return what an epoch's state means."""
    return str(_EPOCH_STATES.get(state, state))


def rounded(value: Fraction, *, decimals: int) -> str:
    """Return the nearest decimal, halves up, grouped as the active language does."""
    scaled = value * 10**decimals
    nearest = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    exact = Decimal(decimal_string(amount=nearest, decimals=decimals))
    return str(number_format(exact, decimal_pos=decimals, force_grouping=True))


def kwh(energy_milliwatt_hours: int) -> str:
    """Milliwatt-hours as kWh: three decimals below 1, two below 100, else one."""
    value = Fraction(energy_milliwatt_hours, MILLIWATT_HOURS_PER_KWH)
    return rounded(value, decimals=3 if value < 1 else 2 if value < 100 else 1)


def dai(amount_wei: int) -> str:
    """Wei as DAI or impact tokens: four decimals below 100, else two."""
    value = Fraction(amount_wei, WEI_PER_DAI)
    return rounded(value, decimals=4 if abs(value) < 100 else 2)


def local_amount(*, amount_wei: int, rate: Rate) -> Fraction:
    """Wei in units of the site's currency at its rate."""
    return Fraction(amount_wei, WEI_PER_DAI) * Fraction(rate.local_per_dai)


def local(*, amount_wei: int, rate: Rate) -> str:
    """Wei in the site's currency, without its name."""
    value = local_amount(amount_wei=amount_wei, rate=rate)
    decimals = CURRENCY_DECIMALS.get(rate.currency, 2)
    return rounded(value, decimals=decimals or (1 if abs(value) < 100 else 0))


def rate(local_per_dai: Decimal) -> str:
    """A site rate with two decimals, or as many as it has."""
    value = Fraction(local_per_dai)
    decimals = next((d for d in range(2, 8) if (value * 10**d).denominator == 1), 8)
    return rounded(value, decimals=decimals)


def percent(basis_points: int) -> str:
    """Basis points as whole percent."""
    return rounded(Fraction(basis_points * 100, BASIS_POINTS), decimals=0)


def share(basis_points: int) -> str:
    """Basis points as percent with two decimals."""
    return rounded(Fraction(basis_points * 100, BASIS_POINTS), decimals=2)
