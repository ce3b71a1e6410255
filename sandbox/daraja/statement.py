"""The paybill's statement: every payment that moved money, whichever way it came."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.courier import Callback
from sandbox.daraja.access import SERVICE, local_time, stamp
from sandbox.web import Route, iso, json_response

SCHEMA = """
CREATE TABLE IF NOT EXISTS mpesa_payment (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    receipt TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    phone TEXT NOT NULL,
    cents INTEGER NOT NULL,       -- Kenyan cents
    account TEXT NOT NULL,
    origin TEXT NOT NULL          -- stk, c2b
);
CREATE INDEX IF NOT EXISTS mpesa_payment_at ON mpesa_payment (at, number);
"""
MAX_CENTS = 25_000_000
_NAMES = ("Amina", "Baraka", "Chebet", "Daudi", "Esther", "Faraji", "Grace", "Hamisi", "Imani")


def cents_of(amount: object) -> int | None:
    """Kenyan cents of `500`, `"500"` or `"500.50"`; None if it is not such an amount above 0."""
    if isinstance(amount, bool) or not isinstance(amount, str | int | float):
        return None
    try:
        cents = Decimal(str(amount)) * 100
    except InvalidOperation:
        return None
    if not cents.is_finite() or cents != cents.to_integral_value() or not 0 < cents <= MAX_CENTS:
        return None
    return int(cents)


def shillings(cents: int) -> str:
    """`500` for whole shillings, `500.50` otherwise."""
    return str(cents // 100) if cents % 100 == 0 else f"{cents // 100}.{cents % 100:02d}"


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment about to be made. phone has its `+`; at is an epoch second."""

    receipt: str
    at: float
    phone: str
    cents: int
    account: str
    origin: str


class Statement:
    """Records payments and tells the product of them."""

    def __init__(self, *, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        """`GET /simulator/statement`."""
        return [Route("GET", "/simulator/statement", self.listing)]

    def new_receipt(self, *, at: float) -> str:
        """The next M-Pesa receipt."""
        return self._context.ids.receipt(at=local_time(at))

    def record(self, payment: Payment) -> None:
        """Add a payment to the float."""
        with self._context.store.transaction() as db:
            db.execute(
                "INSERT INTO mpesa_payment (receipt, at, phone, cents, account, origin)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    payment.receipt,
                    payment.at,
                    payment.phone,
                    payment.cents,
                    payment.account,
                    payment.origin,
                ),
            )

    def float_cents(self) -> int:
        """All money received, in Kenyan cents."""
        with self._context.store.transaction() as db:
            row = db.execute("SELECT coalesce(sum(cents), 0) AS cents FROM mpesa_payment")
            return int(row.fetchone()["cents"])

    def c2b_body(self, payment: Payment, *, confirmed: bool, third_party_id: str) -> dict[str, str]:
        """Body of a validation (before) or confirmation (after the money moved).

        As in version 2 of the real API the phone is masked and only a first name is given.
        """
        return {
            "TransactionType": "Pay Bill",
            "TransID": payment.receipt,
            "TransTime": stamp(payment.at),
            "TransAmount": shillings(payment.cents),
            "BusinessShortCode": self._context.credentials.daraja_short_code,
            "BillRefNumber": payment.account,
            "InvoiceNumber": "",
            "OrgAccountBalance": _two_decimals(self.float_cents()) if confirmed else "",
            "ThirdPartyTransID": third_party_id,
            "MSISDN": f"{payment.phone[1:5]} ***** {payment.phone[-3:]}",
            "FirstName": _NAMES[int(payment.phone[-2:]) % len(_NAMES)],
            "MiddleName": "",
            "LastName": "",
        }

    def confirm(self, payment: Payment, *, third_party_id: str = "") -> None:
        """Send the confirmation, once, to the URL registered; nothing where there is none."""
        url = self._context.store.setting("daraja_confirmation_url")
        if url is None:
            return
        body = self.c2b_body(payment, confirmed=True, third_party_id=third_party_id)
        self._context.courier.post(
            Callback(service=SERVICE, topic="confirmation", url=url, payload=body)
        )

    def between(self, *, start: float, end: float, offset: int, limit: int) -> list[sqlite3.Row]:
        """Payments with start <= at <= end in order of time."""
        with self._context.store.transaction() as db:
            return db.execute(
                "SELECT * FROM mpesa_payment WHERE at >= ? AND at <= ?"
                " ORDER BY at, number LIMIT ? OFFSET ?",
                (start, end, limit, offset),
            ).fetchall()

    def listing(self, _request: Request) -> Response:
        """Every payment, oldest first, and the float."""
        with self._context.store.transaction() as db:
            rows = db.execute("SELECT * FROM mpesa_payment ORDER BY at, number").fetchall()
        return json_response(
            {
                "short_code": self._context.credentials.daraja_short_code,
                "transactions": [_listed(row) for row in rows],
                "float": {"amount": shillings(self.float_cents()), "currency": "KES"},
            }
        )


def _listed(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "receipt": row["receipt"],
        "at": iso(row["at"]),
        "phone": row["phone"],
        "amount": shillings(row["cents"]),
        "currency": "KES",
        "account": row["account"],
        "origin": row["origin"],
    }


def _two_decimals(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
