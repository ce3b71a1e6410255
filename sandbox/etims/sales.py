"""Sales and credit notes: numbered by the trader, checked, signed once."""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.etims import totals
from sandbox.etims.access import Access, Device, stamp
from sandbox.etims.items import (
    PACKAGING,
    PAYMENTS,
    QUANTITIES,
    RATES_PERCENT,
    REASONS,
    Items,
)
from sandbox.etims.receipts import Receipts, signed
from sandbox.web import Route, json_object, json_response, refuse

# From memory, so they can be set otherwise: see the package's docstring.
DEFAULT_SETTINGS = {"duplicate_code": "994", "in_sequence": "Y", "registered_items": "Y"}
_SETTING_VALUES = {
    "duplicate_code": ("994", "921", "899"),
    "in_sequence": ("Y", "N"),
    "registered_items": ("Y", "N"),
}
# What SQLite holds; the specification allows 38 digits.
MAX_INVOICE = 10**18
_REQUIRED = (
    *("trdInvcNo", "invcNo", "orgInvcNo", "rcptTyCd", "salesSttsCd", "cfmDt", "salesDt"),
    *("totItemCnt", "prchrAcptcYn", "regrId", "regrNm", "modrId", "modrNm", "receipt", "itemList"),
)
_LINE_REQUIRED = (
    *("itemSeq", "itemCd", "itemNm", "pkgUnitCd", "pkg", "qtyUnitCd", "qty", "prc", "splyAmt"),
    *("dcRt", "dcAmt", "taxTyCd", "taxblAmt", "taxAmt", "totAmt"),
)
_LONGEST = {"trdInvcNo": 50, "custTin": 11, "custNm": 60, "remark": 400, "regrId": 20, "regrNm": 60}
_CODES = {
    "rcptTyCd": ("S", "R"),
    "salesTyCd": ("N", "C", "P", "T"),
    "salesSttsCd": ("01", "02", "03", "04", "05", "06"),
    "pmtTyCd": tuple(PAYMENTS),
    "prchrAcptcYn": ("Y", "N"),
}
_LINE_CODES = {
    "taxTyCd": tuple(RATES_PERCENT),
    "pkgUnitCd": tuple(PACKAGING),
    "qtyUnitCd": tuple(QUANTITIES),
}


class Sales:
    """Signs what adds up; what is signed can be looked up and is never signed again."""

    def __init__(
        self, *, context: Context, access: Access, items: Items, receipts: Receipts
    ) -> None:
        self._context = context
        self._access = access
        self._items = items
        self._receipts = receipts

    def routes(self) -> list[Route]:
        """Sales of OSCU and VSCU, and how strict the service is."""
        return [
            Route("POST", "/saveTrnsSalesOsdc", self.save_online),
            Route("POST", "/trnsSales/saveSales", self.save_virtual),
            Route("GET", "/simulator/settings", self.show_settings),
            Route("POST", "/simulator/settings", self.set_settings),
        ]

    def save_online(self, request: Request) -> Response:
        """OSCU: one call signs; the credentials stand in the headers."""
        device = self._access.authenticate(request)
        row = self._save(device, self._access.body(request))
        return self._access.answer("000", data=signed(row))

    def save_virtual(self, request: Request) -> Response:
        """VSCU: the unit beside the till holds its key; the body names PIN and branch."""
        body = self._access.body(request)
        device = self._access.installed(tin=str(body.get("tin")), branch=str(body.get("bhfId")))
        if device is None:
            self._access.stop("899")
        row = self._save(device, body)
        return self._access.answer(
            "000",
            data={
                "rcptNo": row["own_count"],
                "totRcptNo": row["all_count"],
                "intrlData": row["internal_data"],
                "rcptSign": row["signature"],
                "vsdcRcptPbctDate": stamp(row["at"]),
                "sdcId": device.sdc_id,
                "mrcNo": device.mrc_no,
            },
        )

    def settings(self) -> dict[str, str]:
        """How strict the service is."""
        stored = {
            name: self._context.store.setting(f"etims_{name}") or default
            for name, default in DEFAULT_SETTINGS.items()
        }
        return stored

    def show_settings(self, _request: Request) -> Response:
        """The settings in force."""
        return json_response(self.settings())

    def set_settings(self, request: Request) -> Response:
        """Change some settings."""
        body = json_object(request)
        for name, value in body.items():
            if value not in _SETTING_VALUES.get(name, ()):
                refuse({"error": f"{name} cannot be {value}."}, status=400)
        for name, value in body.items():
            self._context.store.set_setting(f"etims_{name}", value)
        return json_response(self.settings())

    def _save(self, device: Device, body: dict[str, Any]) -> sqlite3.Row:
        """Check, number and sign one sale."""
        self._access.fail_if_told(topic="sales")
        for field in _REQUIRED:
            if body.get(field) in (None, "", []):
                self._access.stop("910", detail=field)
        invoice = body["invcNo"]
        if isinstance(invoice, bool) or not isinstance(invoice, int):
            self._access.stop("910", detail="invcNo")
        if not 1 <= invoice <= MAX_INVOICE:
            self._access.stop("910", detail="invcNo")
        with self._context.store.transaction():
            if self._receipts.find(device, invoice) is not None:
                # Without its data: whoever lost the answer has to look the invoice up.
                self._access.stop(self.settings()["duplicate_code"])
            self._check_sequence(device, invoice)
            self._check_fields(device, body)
            lines, tax_cents = self._checked_lines(body)
            total_cents = sum(line.total_cents for line in lines)
            original = self._checked_original(device, body, total_cents=total_cents)
            return self._receipts.sign(
                device, body, original=original, total_cents=total_cents, tax_cents=tax_cents
            )

    def _check_sequence(self, device: Device, invoice: int) -> None:
        following = self._receipts.last_invoice(device) + 1
        if self.settings()["in_sequence"] == "Y" and invoice != following:
            self._access.stop("910", detail=f"invcNo: {following} is next")

    def _check_fields(self, device: Device, body: dict[str, Any]) -> None:
        for field, longest in _LONGEST.items():
            if len(str(body.get(field) or "")) > longest:
                self._access.stop("910", detail=field)
        for field, allowed in _CODES.items():
            if body.get(field) is not None and body[field] not in allowed:
                self._access.stop("913", detail=f"<{field}>")
        for field, pattern in (("cfmDt", r"[0-9]{14}"), ("salesDt", r"[0-9]{8}")):
            if not re.fullmatch(pattern, str(body[field])):
                self._access.stop("910", detail=field)
        receipt = body["receipt"]
        if not isinstance(receipt, dict) or not re.fullmatch(
            r"[0-9]{14}", str(receipt.get("rcptPbctDt"))
        ):
            self._access.stop("910", detail="receipt.rcptPbctDt")
        items = body["itemList"]
        if not isinstance(items, list) or body["totItemCnt"] != len(items):
            self._access.stop("910", detail="totItemCnt")
        for number, item in enumerate(items, start=1):
            self._check_item(device, item, number=number)

    def _check_item(self, device: Device, item: Any, *, number: int) -> None:
        where = f"itemList[{number}]."
        if not isinstance(item, dict):
            self._access.stop("910", detail=f"itemList[{number}]")
        for field in _LINE_REQUIRED:
            if item.get(field) in (None, ""):
                self._access.stop("910", detail=f"{where}{field}")
        if item["itemSeq"] != number:
            self._access.stop("910", detail=f"{where}itemSeq")
        for field, allowed in _LINE_CODES.items():
            if item[field] not in allowed:
                self._access.stop("913", detail=f"<itemList><{field}>")
        is_known = self._items.is_registered(device=device, code=str(item["itemCd"]))
        if not is_known and self.settings()["registered_items"] == "Y":
            self._access.stop("910", detail=f"{where}itemCd: not registered")

    def _checked_lines(self, body: dict[str, Any]) -> tuple[list[totals.Line], int]:
        try:
            lines = totals.lines_of(body["itemList"])
            return lines, totals.check(body, lines)
        except totals.WrongAmount as error:
            self._access.stop("910", detail=str(error))

    def _checked_original(
        self, device: Device, body: dict[str, Any], *, total_cents: int
    ) -> int | None:
        """Return the invoice that a credit note takes back; None for a sale."""
        if body["rcptTyCd"] == "S":
            return None
        if body.get("rfdRsnCd") not in REASONS:
            self._access.stop("913", detail="<rfdRsnCd>")
        number = body["orgInvcNo"]
        is_number = isinstance(number, int) and 1 <= number <= MAX_INVOICE
        sale = self._receipts.find(device, number) if is_number else None
        if sale is None or not sale["label"].endswith("S"):
            self._access.stop("910", detail="orgInvcNo")
        before_cents = self._receipts.credited_cents(device, number)
        if before_cents + total_cents > sale["total_cents"]:
            self._access.stop("910", detail="totAmt: more than was sold")
        return int(number)
