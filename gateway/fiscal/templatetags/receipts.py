"""Amounts and rates of receipts in templates."""

from __future__ import annotations

from django import template

from accounts.money import CURRENCY_DECIMALS, decimal_string

register = template.Library()


@register.filter
def money(amount_minor: int, currency: str) -> str:
    """Minor units in the major unit, with the currency: 50000 -> "500.00 KES"."""
    decimals = CURRENCY_DECIMALS[currency]
    return f"{decimal_string(amount=amount_minor, decimals=decimals)} {currency}"


@register.filter
def rate(basis_points: int) -> str:
    """Basis points as percent: 1600 -> "16.00 %"."""
    return f"{decimal_string(amount=basis_points, decimals=2)} %"
