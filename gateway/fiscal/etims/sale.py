"""A document as eTIMS wants it: items by tax type, totals that add up, dates in Nairobi.

Amounts include the tax (`totAmt`); `taxblAmt` is told without it, as the live service takes it
(the specification's sample tells it with the tax). A levy is no tax to eTIMS: it is an item of its
own, of the type that is outside VAT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from gateway.fiscal.interface import DeviceRefused, Document, Part

NAIROBI = ZoneInfo("Africa/Nairobi")
CURRENCY = "KES"
TAX_TYPES = ("A", "B", "C", "D", "E")
OUTSIDE_VAT = "D"
REFUND = "06"
PAYMENTS = {"cash": "01", "stripe": "05", "daraja": "06", "momo": "06", "pawapay": "06"}
OTHER_PAYMENT = "07"
WHO = {
    "regrId": "gateway",
    "regrNm": "Solar gateway",
    "modrId": "gateway",
    "modrNm": "Solar gateway",
}
UNITS = {"pkgUnitCd": "NT", "qtyUnitCd": "U"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Goods:
    """What is sold: eTIMS's codes of the electricity, and of levies on it."""

    item_code: str
    levy_item_code: str
    item_class: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One line of a sale, in cents; the total includes the tax."""

    code: str
    name: str
    tax_type: str
    total_minor: int
    tax_minor: int = 0
    rate_basis_points: int = 0


def items_of(document: Document, *, goods: Goods) -> list[Item]:
    """Return the lines of a document; those of nothing are left out.

    Raises DeviceRefused for what eTIMS can't express: another currency, two taxes on one sale, a
    tax without one of its types.
    """
    if document.currency != CURRENCY:
        raise DeviceRefused(code="currency", text=f"eTIMS takes {CURRENCY} only")
    taxes = [part for part in document.parts if part.kind == "tax"]
    levies = [part for part in document.parts if part.kind != "tax"]
    if len(taxes) > 1:
        raise DeviceRefused(code="taxes", text="eTIMS takes one tax on a sale")
    sold_minor = document.gross_minor - sum(levy.amount_minor for levy in levies)
    sold = _sold(taxes, total_minor=sold_minor, code=goods.item_code)
    others = [
        Item(
            code=goods.levy_item_code,
            name=levy.name,
            tax_type=OUTSIDE_VAT,
            total_minor=levy.amount_minor,
        )
        for levy in levies
    ]
    return [item for item in (sold, *others) if item.total_minor]


def _sold(taxes: Sequence[Part], *, total_minor: int, code: str) -> Item:
    name = "Prepaid electricity"
    if not taxes:
        return Item(code=code, name=name, tax_type=OUTSIDE_VAT, total_minor=total_minor)
    tax = taxes[0]
    if tax.code not in TAX_TYPES:
        raise DeviceRefused(code="tax type", text=f"{tax.code!r} is none of A to E")
    return Item(
        code=code,
        name=name,
        tax_type=tax.code,
        total_minor=total_minor,
        tax_minor=tax.amount_minor,
        rate_basis_points=tax.rate_basis_points,
    )


def registration(item: Item, *, item_class: str) -> dict[str, Any]:
    """Return the body that registers an item: a service, without stock."""
    return {
        "itemCd": item.code,
        "itemClsCd": item_class,
        "itemTyCd": "3",
        "itemNm": item.name,
        "itemStdNm": None,
        "orgnNatCd": "KE",
        **UNITS,
        "taxTyCd": item.tax_type,
        "btchNo": None,
        "bcd": None,
        "dftPrc": 1,
        "addInfo": None,
        "sftyQty": None,
        "isrcAplcbYn": "N",
        "useYn": "Y",
        **WHO,
    }


def body_of(document: Document, *, items: Sequence[Item], item_class: str) -> dict[str, Any]:
    """Return the body of /saveTrnsSalesOsdc, without PIN and branch."""
    issued = stamp(document.issued_at)
    return {
        "trdInvcNo": document.reference[:50],
        "invcNo": document.number,
        "orgInvcNo": document.original_number or 0,
        "custTin": None,
        "custNm": None,
        "salesTyCd": "N",
        "rcptTyCd": "R" if document.is_credit_note else "S",
        "pmtTyCd": PAYMENTS.get(document.paid_by, OTHER_PAYMENT),
        "salesSttsCd": "02",
        "cfmDt": issued,
        "salesDt": stamp(document.tax_point_at)[:8],
        "stockRlsDt": None,
        "cnclReqDt": None,
        "cnclDt": None,
        "rfdDt": issued if document.is_credit_note else None,
        "rfdRsnCd": REFUND if document.is_credit_note else None,
        "totItemCnt": len(items),
        **_by_type(items),
        "totTaxblAmt": _units(sum(item.total_minor - item.tax_minor for item in items)),
        "totTaxAmt": _units(sum(item.tax_minor for item in items)),
        "totAmt": _units(sum(item.total_minor for item in items)),
        "prchrAcptcYn": "N",
        "remark": None,
        **WHO,
        "receipt": {
            "custTin": None,
            "custMblNo": None,
            "rcptPbctDt": issued,
            "trdeNm": None,
            "adrs": None,
            "topMsg": None,
            "btmMsg": None,
            "prchrAcptcYn": "N",
        },
        "itemList": [
            _line(item, number=number, item_class=item_class)
            for number, item in enumerate(items, start=1)
        ],
    }


def stamp(at: datetime) -> str:
    """Write an instant as eTIMS does: `20260101130559`, Nairobi."""
    return f"{at.astimezone(NAIROBI):%Y%m%d%H%M%S}"


def read_stamp(text: object) -> datetime:
    """Read an instant of eTIMS. Raises ValueError."""
    return datetime.strptime(str(text).strip(), "%Y%m%d%H%M%S").replace(tzinfo=NAIROBI)


def _by_type(items: Sequence[Item]) -> dict[str, Decimal]:
    """All fifteen fields: eTIMS wants those of unused types too."""
    fields = {}
    for tax_type in TAX_TYPES:
        own = [item for item in items if item.tax_type == tax_type]
        rate = max((item.rate_basis_points for item in own), default=0)
        fields[f"taxblAmt{tax_type}"] = _units(
            sum(item.total_minor - item.tax_minor for item in own)
        )
        fields[f"taxRt{tax_type}"] = _units(rate)
        fields[f"taxAmt{tax_type}"] = _units(sum(item.tax_minor for item in own))
    return fields


def _line(item: Item, *, number: int, item_class: str) -> dict[str, Any]:
    total = _units(item.total_minor)
    return {
        "itemSeq": number,
        "itemCd": item.code,
        "itemClsCd": item_class,
        "itemNm": item.name,
        "bcd": None,
        "pkg": 1,
        "qty": 1,
        **UNITS,
        "prc": total,
        "splyAmt": total,
        "dcRt": 0,
        "dcAmt": 0,
        "isrccCd": None,
        "isrccNm": None,
        "isrcRt": None,
        "isrcAmt": None,
        "taxTyCd": item.tax_type,
        "taxblAmt": _units(item.total_minor - item.tax_minor),
        "taxAmt": _units(item.tax_minor),
        "totAmt": total,
    }


def _units(hundredths: int) -> Decimal:
    """Cents as shillings, or basis points as percent."""
    return Decimal(f"{hundredths // 100}.{hundredths % 100:02d}")
