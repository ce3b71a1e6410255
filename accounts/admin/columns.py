"""Columns that say their unit: each function makes a column (or a read-only field) of a field."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.money import CURRENCY_DECIMALS, decimal_string, minor_per_major

Column = Callable[[Any], str]
SHOWN_DECIMALS = 6
EMPTY = "-"


def shown(amount_wei: int | None, *, asset: str = "DAI") -> str:
    """Write wei with six decimals, cut towards zero, and the asset."""
    if amount_wei is None:
        return EMPTY
    cut = abs(amount_wei) // 10 ** (18 - SHOWN_DECIMALS)
    sign = "-" if amount_wei < 0 and cut else ""
    return f"{sign}{decimal_string(amount=cut, decimals=SHOWN_DECIMALS)} {asset}"


def shown_minor(amount_minor: int | None, *, currency: str) -> str:
    """Write minor units of a currency in its major unit."""
    if amount_minor is None:
        return EMPTY
    minor_per_major(currency=currency)
    decimals = CURRENCY_DECIMALS[currency]
    return f"{decimal_string(amount=amount_minor, decimals=decimals)} {currency}"


def shown_time(at: datetime | None) -> str:
    """Write an instant in UTC."""
    return EMPTY if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def dai(field: str, *, title: str = "", asset: str = "DAI") -> Column:
    """A column of wei."""
    return _column(
        field, title or field.removesuffix("_wei"), lambda value, _row: shown(value, asset=asset)
    )


def price(field: str, *, title: str = "") -> Column:
    """A column of wei per kWh."""
    return _column(
        field,
        title or field.removesuffix("_wei_per_kwh") or "price",
        lambda value, _row: shown(value, asset="DAI per kWh"),
    )


def kwh(field: str, *, title: str = "energy") -> Column:
    """A column of milliwatt-hours."""
    return _column(
        field,
        title,
        lambda value, _row: (
            EMPTY if value is None else f"{decimal_string(amount=value, decimals=6)} kWh"
        ),
    )


def local(field: str = "amount_minor", *, title: str = "amount") -> Column:
    """A column of minor units of the row's currency."""
    return _column(field, title, lambda value, row: shown_minor(value, currency=row.currency))


def when(field: str, *, title: str = "") -> Column:
    """A column of an instant."""
    name = title or field.removesuffix("_at").replace("_", " ")
    return _column(field, f"{name} (UTC)", lambda value, _row: shown_time(value))


def percent(field: str, *, title: str) -> Column:
    """A column of basis points."""
    return _column(
        field,
        title,
        lambda value, _row: (
            EMPTY if value is None else f"{decimal_string(amount=value, decimals=2)} %"
        ),
    )


def linked(field: str, *, title: str = "") -> Column:
    """A column that leads to the page of another row; select it with the list's rows."""

    def link(value: Any, _row: Any) -> str:
        return link_to(value)

    return _column(field, title or field.replace("_", " "), link, is_ordered=False)


def link_to(row: Model | None) -> str:
    """A link to a row's page."""
    if row is None:
        return EMPTY
    return format_html('<a href="{}">{}</a>', page_of(row), row)


def page_of(row: Model) -> str:
    """The path of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_of(model: type[Model], **filters: object) -> str:
    """The path of a model's list, filtered."""
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return f"{path}?{query}" if query else path


def links(pairs: list[tuple[str, str]]) -> SafeString:
    """Several links beside each other, from (words, path)."""
    parts = [format_html('<a class="mr-4" href="{}">{}</a>', path, words) for words, path in pairs]
    return SafeString(" ".join(parts))


def _column(
    field: str, title: str, show: Callable[[Any, Any], str], *, is_ordered: bool = True
) -> Column:
    def column(row: Any) -> str:
        value = row
        for name in field.split("__"):
            value = getattr(value, name, None)
        return show(value, row)

    column.__name__ = f"shown_{field}"
    column.__dict__.update(short_description=title.replace("_", " "))
    if is_ordered:
        column.__dict__.update(admin_order_field=field)
    return column
