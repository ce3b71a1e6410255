"""Code lists and the items a taxpayer registers before selling them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.etims.access import Access, Device
from sandbox.web import Route

SCHEMA = """
CREATE TABLE IF NOT EXISTS etims_item (
    serial TEXT NOT NULL,
    code TEXT NOT NULL,
    tax_type TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (serial, code)
);
"""
RATES_PERCENT = {"A": 0, "B": 16, "C": 0, "D": 0, "E": 8}
PAYMENTS = {
    "01": "CASH",
    "02": "CREDIT",
    "03": "CASH/CREDIT",
    "04": "BANK CHECK",
    "05": "DEBIT&CREDIT CARD",
    "06": "MOBILE MONEY",
    "07": "OTHER",
}
PACKAGING = {"NT": "NET", "BG": "Bag", "CT": "Carton"}
QUANTITIES = {"U": "Pieces/item [Number]", "NO": "Number", "KW": "Kilowatt hour", "TU": "Tu"}
REASONS = {
    "01": "Missing Quantity",
    "02": "Missing data",
    "03": "Damaged",
    "04": "Wasted",
    "05": "Raw Material Shortage",
    "06": "Refund",
}
_TAX_NAMES = {"A": "A-Exempt", "B": "B-16.00%", "C": "C-0%", "D": "D-Non-VAT", "E": "E-8%"}
_CLASSES = (
    ("8310180000", "Electric utilities", "B"),
    ("2613150000", "Power generation equipment", "A"),
)
_REQUIRED = (
    *("itemCd", "itemClsCd", "itemTyCd", "itemNm", "orgnNatCd", "pkgUnitCd", "qtyUnitCd"),
    *("taxTyCd", "dftPrc", "isrcAplcbYn", "useYn", "regrId", "regrNm", "modrId", "modrNm"),
)
# Origin, kind (3 is a service), packaging, unit of quantity, seven digits.
_ITEM_CODE = re.compile(r"[A-Z]{2}[123][A-Z]{2}[A-Z]{1,4}[0-9]{7}")


class Items:
    """Lists and registration; what was registered is asked by sales."""

    def __init__(self, *, context: Context, access: Access) -> None:
        self._context = context
        self._access = access

    def routes(self) -> list[Route]:
        """The four paths of code lists and items."""
        return [
            Route("POST", "/selectCodeList", self.codes),
            Route("POST", "/selectItemClsList", self.classes),
            Route("POST", "/saveItem", self.save),
            Route("POST", "/selectItemList", self.listing),
        ]

    def codes(self, request: Request) -> Response:
        """Tax types with their rates, payment methods, units, reasons of credit notes."""
        self._access.authenticate(request)
        taxes = {code: (_TAX_NAMES[code], str(rate)) for code, rate in RATES_PERCENT.items()}
        lists = [_code_list("04", "Taxation Type", taxes)]
        for number, name, codes in (
            ("07", "Payment Type", PAYMENTS),
            ("10", "Quantity Unit", QUANTITIES),
            ("17", "Packaging Unit", PACKAGING),
            ("32", "Credit Note Reason", REASONS),
        ):
            plain = {code: (text, None) for code, text in codes.items()}
            lists.append(_code_list(number, name, plain))
        return self._access.answer("000", data={"clsList": lists})

    def classes(self, request: Request) -> Response:
        """A few item classifications."""
        self._access.authenticate(request)
        listed = [
            {
                "itemClsCd": code,
                "itemClsNm": name,
                "itemClsLvl": 4,
                "taxTyCd": tax_type,
                "mjrTgYn": None,
                "useYn": "Y",
            }
            for code, name, tax_type in _CLASSES
        ]
        return self._access.answer("000", data={"itemClsList": listed})

    def save(self, request: Request) -> Response:
        """Register an item, or change a registered one."""
        device = self._access.authenticate(request)
        self._access.fail_if_told(topic="items")
        body = self._access.body(request)
        for field in _REQUIRED:
            if body.get(field) in (None, ""):
                self._access.stop("910", detail=field)
        if not _ITEM_CODE.fullmatch(str(body["itemCd"])):
            self._access.stop("910", detail="itemCd")
        if body["taxTyCd"] not in RATES_PERCENT:
            self._access.stop("913", detail="taxTyCd")
        own = {key: value for key, value in body.items() if key not in ("tin", "bhfId", "cmcKey")}
        with self._context.store.transaction() as db:
            db.execute(
                "INSERT INTO etims_item VALUES (?, ?, ?, ?)"
                " ON CONFLICT (serial, code) DO UPDATE"
                " SET tax_type = excluded.tax_type, body = excluded.body",
                (device.serial, str(body["itemCd"]), body["taxTyCd"], json.dumps(own)),
            )
        return self._access.answer("000")

    def listing(self, request: Request) -> Response:
        """Every registered item; 001 if there is none."""
        device = self._access.authenticate(request)
        with self._context.store.transaction() as db:
            rows = db.execute(
                "SELECT body FROM etims_item WHERE serial = ? ORDER BY code", (device.serial,)
            ).fetchall()
        if not rows:
            return self._access.answer("001")
        return self._access.answer("000", data={"itemList": [json.loads(r["body"]) for r in rows]})

    def is_registered(self, *, device: Device, code: str) -> bool:
        """Whether the device's taxpayer registered an item."""
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT 1 FROM etims_item WHERE serial = ? AND code = ?", (device.serial, code)
            ).fetchone()
        return row is not None


def _code_list(
    number: str, name: str, codes: Mapping[str, tuple[str, str | None]]
) -> dict[str, Any]:
    return {
        "cdCls": number,
        "cdClsNm": name,
        "cdClsDesc": None,
        "useYn": "Y",
        "userDfnNm1": "Tax Rate" if number == "04" else None,
        "userDfnNm2": None,
        "userDfnNm3": None,
        "dtlList": [
            {
                "cd": code,
                "cdNm": text,
                "cdDesc": text,
                "useYn": "Y",
                "srtOrd": order,
                "userDfnCd1": first,
                "userDfnCd2": None,
                "userDfnCd3": None,
            }
            for order, (code, (text, first)) in enumerate(codes.items(), start=1)
        ],
    }
