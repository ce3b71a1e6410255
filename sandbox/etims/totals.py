"""What must add up in a sale: lines, tax types, totals. Amounts are integers of Kenyan cents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.etims.items import RATES_PERCENT

# NUMBER(18,2)
MAX_CENTS = 10**18
TOLERANCE_CENTS = 1


class WrongAmount(Exception):
    """A field that is no amount, or does not follow from the others. Its text names the field."""


@dataclass(frozen=True, slots=True)
class Line:
    """One item of a sale. taxable is with or without the tax: both are in use."""

    tax_type: str
    taxable_cents: int
    tax_cents: int
    total_cents: int


def cents(body: Mapping[str, Any], field: str, *, where: str = "") -> int:
    """Return a field of at most two decimals, from 0 on, in cents; WrongAmount otherwise."""
    name = f"{where}{field}"
    value = body.get(field)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise WrongAmount(name)
    try:
        exact = Decimal(str(value)) * 100
    except InvalidOperation:
        raise WrongAmount(name) from None
    if not exact.is_finite() or not 0 <= exact < MAX_CENTS or exact != exact.to_integral_value():
        raise WrongAmount(name)
    return int(exact)


def tax_inside(total_cents: int, *, percent: int) -> int:
    """Return the tax contained in an amount that includes it, rounded half up."""
    return (2 * total_cents * percent + 100 + percent) // (2 * (100 + percent))


def lines_of(items: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Read and check the items one by one."""
    return [_line(item, where=f"itemList[{number}].") for number, item in enumerate(items, start=1)]


def check(body: Mapping[str, Any], lines: Sequence[Line]) -> int:
    """Check the header against its lines; return the whole sale's tax in cents."""
    with_tax = [line for line in lines if line.tax_cents]
    inside = [line.taxable_cents == line.total_cents for line in with_tax]
    if any(inside) and not all(inside):
        raise WrongAmount("itemList.taxblAmt")
    for tax_type, percent in RATES_PERCENT.items():
        own = [line for line in lines if line.tax_type == tax_type]
        _same(body, f"taxblAmt{tax_type}", sum(line.taxable_cents for line in own))
        _same(body, f"taxAmt{tax_type}", sum(line.tax_cents for line in own))
        rate = cents(body, f"taxRt{tax_type}")
        if rate != 100 * percent and (own or rate):
            raise WrongAmount(f"taxRt{tax_type}")
    tax_cents = sum(line.tax_cents for line in lines)
    _same(body, "totTaxblAmt", sum(line.taxable_cents for line in lines))
    _same(body, "totTaxAmt", tax_cents)
    _same(body, "totAmt", sum(line.total_cents for line in lines))
    return tax_cents


def _line(item: Mapping[str, Any], *, where: str) -> Line:
    line = Line(
        tax_type=str(item["taxTyCd"]),
        taxable_cents=cents(item, "taxblAmt", where=where),
        tax_cents=cents(item, "taxAmt", where=where),
        total_cents=cents(item, "totAmt", where=where),
    )
    due = tax_inside(line.total_cents, percent=RATES_PERCENT[line.tax_type])
    if abs(line.tax_cents - due) > TOLERANCE_CENTS:
        raise WrongAmount(f"{where}taxAmt")
    if line.taxable_cents not in (line.total_cents, line.total_cents - line.tax_cents):
        raise WrongAmount(f"{where}taxblAmt")
    supplied = cents(item, "splyAmt", where=where) - cents(item, "dcAmt", where=where)
    if supplied not in (line.total_cents, line.taxable_cents):
        raise WrongAmount(f"{where}splyAmt")
    for field in ("prc", "qty", "pkg"):
        cents(item, field, where=where)
    return line


def _same(body: Mapping[str, Any], field: str, expected_cents: int) -> None:
    if cents(body, field) != expected_cents:
        raise WrongAmount(field)
