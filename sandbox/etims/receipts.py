"""The receipts that were signed: counted, looked up, shown to the public."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sqlite3
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.etims.access import Access, Device, stamp
from sandbox.web import Route, json_response, refuse

SCHEMA = """
CREATE TABLE IF NOT EXISTS etims_sale (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    serial TEXT NOT NULL,
    invoice INTEGER NOT NULL,
    label TEXT NOT NULL,          -- NS normal sale, NC normal credit note; C copy, P, T likewise
    original INTEGER,             -- the invoice that a credit note takes back
    total_cents INTEGER NOT NULL,
    tax_cents INTEGER NOT NULL,
    own_count INTEGER NOT NULL,   -- curRcptNo: of this label
    all_count INTEGER NOT NULL,   -- totRcptNo
    internal_data TEXT NOT NULL,
    signature TEXT NOT NULL,
    at REAL NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (serial, invoice)
);
"""


class Receipts:
    """What the authority holds; a number is signed once and never again."""

    def __init__(self, *, context: Context, access: Access) -> None:
        self._context = context
        self._access = access

    def routes(self) -> list[Route]:
        """The lookup, the public page of a receipt and the simulator's list."""
        return [
            Route("POST", "/selectInvoiceDetails", self.details),
            Route("GET", "/common/link/etims/receipt/indexEtimsReceiptData", self.page),
            Route("GET", "/simulator/receipts", self.listing),
        ]

    def find(self, device: Device, invoice: int) -> sqlite3.Row | None:
        """Return a signed invoice."""
        with self._context.store.transaction() as db:
            row: sqlite3.Row | None = db.execute(
                "SELECT * FROM etims_sale WHERE serial = ? AND invoice = ?",
                (device.serial, invoice),
            ).fetchone()
        return row

    def last_invoice(self, device: Device) -> int:
        """Return the highest number signed, 0 if none was."""
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT coalesce(max(invoice), 0) AS last FROM etims_sale WHERE serial = ?",
                (device.serial,),
            ).fetchone()
        return int(row["last"])

    def credited_cents(self, device: Device, invoice: int) -> int:
        """Return what credit notes took back of an invoice so far."""
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT coalesce(sum(total_cents), 0) AS cents FROM etims_sale"
                " WHERE serial = ? AND original = ?",
                (device.serial, invoice),
            ).fetchone()
        return int(row["cents"])

    def sign(
        self,
        device: Device,
        body: dict[str, Any],
        *,
        original: int | None,
        total_cents: int,
        tax_cents: int,
    ) -> sqlite3.Row:
        """Count, sign and keep what was checked."""
        at = self._context.now()
        label = str(body.get("salesTyCd") or "N") + ("S" if body["rcptTyCd"] == "S" else "C")
        own = {key: value for key, value in body.items() if key not in ("tin", "bhfId", "cmcKey")}
        with self._context.store.transaction() as db:
            counts = db.execute(
                "SELECT count(*) AS all_count, coalesce(sum(label = ?), 0) AS own_count"
                " FROM etims_sale WHERE serial = ?",
                (label, device.serial),
            ).fetchone()
            content = f"{device.tin}{device.branch}:{body['invcNo']}:{label}:{total_cents}:{at}"
            mark = hmac.digest(device.cmc_key.encode(), content.encode(), hashlib.sha256)
            text = base64.b32encode(mark).decode()
            row: sqlite3.Row = db.execute(
                "INSERT INTO etims_sale (serial, invoice, label, original, total_cents, tax_cents,"
                " own_count, all_count, internal_data, signature, at, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (
                    device.serial,
                    body["invcNo"],
                    label,
                    original,
                    total_cents,
                    tax_cents,
                    counts["own_count"] + 1,
                    counts["all_count"] + 1,
                    text[16:42],
                    text[:16],
                    at,
                    json.dumps(own),
                ),
            ).fetchone()
        return row

    def details(self, request: Request) -> Response:
        """Tell a signed invoice by `{"invcNo"}`, with its signature; 001 where there is none."""
        device = self._access.authenticate(request)
        self._access.fail_if_told(topic="details")
        number = self._access.body(request).get("invcNo")
        if isinstance(number, bool) or not re.fullmatch(r"[0-9]{1,18}", str(number)):
            self._access.stop("910", detail="invcNo")
        row = self.find(device, int(str(number)))
        if row is None:
            return self._access.answer("001")
        body = json.loads(row["body"])
        told = {
            "invcNo": row["invoice"],
            "orgInvcNo": row["original"] or 0,
            "trdInvcNo": body["trdInvcNo"],
            "rcptTyCd": body["rcptTyCd"],
            "totTaxAmt": _units(row["tax_cents"]),
            "totAmt": _units(row["total_cents"]),
            "sdcId": device.sdc_id,
            **signed(row),
        }
        return self._access.answer("000", data=told)

    def page(self, request: Request) -> Response:
        """The authority's public page of a receipt: `?Data=` PIN, branch and signature."""
        wanted = request.args.get("Data", "")
        for row in self._rows():
            if hmac.compare_digest(wanted, f"{row['tin']}{row['branch']}{row['signature']}"):
                text = (
                    "<!doctype html><title>eTIMS receipt</title><h1>eTIMS receipt</h1>"
                    f"<p>Control unit {row['sdc_id']}, invoice {row['invoice']} ({row['label']})"
                    f"<p>Total KES {row['total_cents'] // 100}.{row['total_cents'] % 100:02d}"
                    f"<p>Tax KES {row['tax_cents'] // 100}.{row['tax_cents'] % 100:02d}"
                    f"<p>Signature {row['signature']}"
                )
                return Response(text, content_type="text/html; charset=utf-8")
        refuse({"error": "There is no such receipt."}, status=404)

    def listing(self, _request: Request) -> Response:
        """Every receipt, oldest first, with what was sent; amounts in shillings."""
        return json_response(
            [
                {
                    "tin": row["tin"],
                    "bhfId": row["branch"],
                    "invcNo": row["invoice"],
                    "label": row["label"],
                    "orgInvcNo": row["original"],
                    "amount": _units(row["total_cents"]),
                    "tax": _units(row["tax_cents"]),
                    "currency": "KES",
                    **signed(row),
                    "body": json.loads(row["body"]),
                }
                for row in self._rows()
            ]
        )

    def _rows(self) -> list[sqlite3.Row]:
        with self._context.store.transaction() as db:
            return db.execute(
                "SELECT s.*, d.tin, d.branch, d.sdc_id FROM etims_sale s"
                " JOIN etims_device d ON d.serial = s.serial ORDER BY s.number"
            ).fetchall()


def signed(row: sqlite3.Row) -> dict[str, Any]:
    """What OSCU answers of a signed sale."""
    return {
        "curRcptNo": row["own_count"],
        "totRcptNo": row["all_count"],
        "intrlData": row["internal_data"],
        "rcptSign": row["signature"],
        "sdcDateTime": stamp(row["at"]),
    }


def _units(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
