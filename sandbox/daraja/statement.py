"""The paybill's statement: every payment, whichever way it came, and what left again."""

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
CREATE TABLE IF NOT EXISTS mpesa_withdrawal (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    receipt TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    kind TEXT NOT NULL,           -- reversal, payout, charge, b2c
    cents INTEGER NOT NULL,       -- Kenyan cents, above 0
    original TEXT NOT NULL        -- the receipt a reversal gives back, else empty
);
CREATE INDEX IF NOT EXISTS mpesa_withdrawal_of ON mpesa_withdrawal (original);
-- Of what was sent to a phone: to which, under which conversation.
CREATE TABLE IF NOT EXISTS mpesa_recipient (
    receipt TEXT PRIMARY KEY,
    phone TEXT NOT NULL,
    account TEXT NOT NULL
);
"""
# Everything that moved the merchant's money, as one statement; cents below 0 left it.
MOVEMENTS = """
SELECT receipt, at, phone, cents, account, origin, '' AS original, number FROM mpesa_payment
UNION ALL
SELECT out.receipt, out.at, coalesce(paid.phone, sent.phone, ''), -out.cents,
    coalesce(paid.account, sent.account, ''), out.kind, out.original, out.number
FROM mpesa_withdrawal AS out LEFT JOIN mpesa_payment AS paid ON paid.receipt = out.original
    LEFT JOIN mpesa_recipient AS sent ON sent.receipt = out.receipt
"""
MAX_CENTS = 25_000_000
B2C = "b2c"
_NAMES = ("Amina", "Baraka", "Chebet", "Daudi", "Esther", "Faraji", "Grace", "Hamisi", "Imani")


def cents_of(amount: object, *, most: int = MAX_CENTS) -> int | None:
    """Kenyan cents of `500`, `"500"` or `"500.50"`; None if it is not such an amount above 0."""
    if isinstance(amount, bool) or not isinstance(amount, str | int | float):
        return None
    try:
        cents = Decimal(str(amount)) * 100
    except InvalidOperation:
        return None
    if not cents.is_finite() or cents != cents.to_integral_value() or not 0 < cents <= most:
        return None
    return int(cents)


def shillings(cents: int) -> str:
    """`500` for whole shillings, `500.50` otherwise; with its sign."""
    return two_decimals(cents).removesuffix(".00")


def two_decimals(cents: int) -> str:
    """`500.00`, with its sign."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def customer_name(phone: str) -> str:
    """The first name of whoever holds a phone."""
    return _NAMES[int(phone[-2:]) % len(_NAMES)]


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment about to be made. phone has its `+`; at is an epoch second."""

    receipt: str
    at: float
    phone: str
    cents: int
    account: str
    origin: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Money that left the merchant. kind is reversal, payout, charge or b2c; at an epoch second."""

    receipt: str
    at: float
    kind: str
    cents: int
    original: str = ""


class Statement:
    """Records what came and went and tells the product of payments."""

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

    def withdraw(self, withdrawal: Withdrawal, *, phone: str = "", account: str = "") -> None:
        """Take money from the merchant; phone (with its `+`) and account are those it went to."""
        with self._context.store.transaction() as db:
            if phone:
                db.execute(
                    "INSERT INTO mpesa_recipient VALUES (?, ?, ?)",
                    (withdrawal.receipt, phone, account),
                )
            db.execute(
                "INSERT INTO mpesa_withdrawal (receipt, at, kind, cents, original)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    withdrawal.receipt,
                    withdrawal.at,
                    withdrawal.kind,
                    withdrawal.cents,
                    withdrawal.original,
                ),
            )

    def utility_cents(self) -> int:
        """The Utility Account: payments less reversals and payouts, in Kenyan cents."""
        return self._sum("origin <> 'charge'")

    def charges_cents(self) -> int:
        """The Charges Paid Account: Safaricom's fees, in Kenyan cents, 0 or below."""
        return self._sum("origin = 'charge'")

    def _sum(self, condition: str) -> int:
        with self._context.store.transaction() as db:
            row = db.execute(
                f"SELECT coalesce(sum(cents), 0) AS cents FROM ({MOVEMENTS}) WHERE {condition}"  # noqa: S608
            )
            return int(row.fetchone()["cents"])

    def movement(self, receipt: str) -> sqlite3.Row | None:
        """A payment or withdrawal by its receipt: a row of MOVEMENTS."""
        with self._context.store.transaction() as db:
            row: sqlite3.Row | None = db.execute(
                f"SELECT * FROM ({MOVEMENTS}) WHERE receipt = ?",  # noqa: S608
                (receipt,),
            ).fetchone()
            return row

    def reversed_cents(self, receipt: str) -> int:
        """How much of a payment was given back so far."""
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT coalesce(sum(cents), 0) AS cents FROM mpesa_withdrawal WHERE original = ?",
                (receipt,),
            )
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
            "OrgAccountBalance": two_decimals(self.utility_cents()) if confirmed else "",
            "ThirdPartyTransID": third_party_id,
            "MSISDN": f"{payment.phone[1:5]} ***** {payment.phone[-3:]}",
            "FirstName": customer_name(payment.phone),
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

    def between(
        self,
        *,
        start: float,
        end: float,
        offset: int,
        limit: int,
        with_reversals: bool,
        with_payouts: bool,
    ) -> list[sqlite3.Row]:
        """Rows of MOVEMENTS with start <= at <= end in order of time: payments, and what left."""
        shown = ["stk", "c2b"] + ["reversal"] * with_reversals + [B2C] * with_payouts
        origins = ", ".join(f"'{origin}'" for origin in shown)
        with self._context.store.transaction() as db:
            return db.execute(
                f"SELECT * FROM ({MOVEMENTS}) WHERE at >= ? AND at <= ? AND origin IN ({origins})"  # noqa: S608
                " ORDER BY at, cents < 0, number LIMIT ? OFFSET ?",
                (start, end, limit, offset),
            ).fetchall()

    def listing(self, _request: Request) -> Response:
        """Everything that moved money, oldest first, and what the merchant has now."""
        with self._context.store.transaction() as db:
            rows = db.execute(
                f"SELECT * FROM ({MOVEMENTS}) ORDER BY at, cents < 0, number"  # noqa: S608
            ).fetchall()
        has_cents = self.utility_cents() + self.charges_cents()
        return json_response(
            {
                "short_code": self._context.credentials.daraja_short_code,
                "transactions": [_listed(row) for row in rows],
                "float": {"amount": shillings(has_cents), "currency": "KES"},
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
        **({"original": row["original"]} if row["original"] else {}),
    }
