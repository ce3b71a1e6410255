"""The merchant's wallets: every movement of money, the balances and the treasury's withdrawals."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.pawapay.access import check_token
from sandbox.pawapay.money import DECIMALS, BadAmount, TooManyDecimals, minor_of, text_of
from sandbox.pawapay.providers import COUNTRIES
from sandbox.web import Route, bounded_int, iso, json_object, json_response, refuse

SCHEMA = """
CREATE TABLE IF NOT EXISTS pawapay_movement (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    type TEXT NOT NULL,           -- DEPOSIT, DEPOSIT_FEE, PAYOUT, REFUND, WITHDRAWAL, ADJUSTMENT
    minor INTEGER NOT NULL,       -- below zero where money leaves the wallet
    country TEXT NOT NULL,
    currency TEXT NOT NULL,
    provider TEXT NOT NULL,
    phone TEXT NOT NULL,          -- digits
    id TEXT NOT NULL,             -- the merchant's, where there is one
    provider_id TEXT NOT NULL,    -- the operator's
    metadata TEXT NOT NULL        -- JSON object
);
CREATE INDEX IF NOT EXISTS pawapay_movement_at ON pawapay_movement (at, number);
"""
BASIS_POINTS = 10_000
FEE_SETTING = "pawapay_fee_basis_points"


@dataclass(frozen=True, slots=True)
class Movement:
    """Money into a wallet, or out of it where minor is below zero; at is an epoch second."""

    at: float
    type: str
    minor: int
    country: str
    provider: str = ""
    phone: str = ""
    id: str = ""
    provider_id: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


class Wallet:
    """One wallet a country, as usual; it begins with nothing."""

    def __init__(self, *, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        """The vendor's balances, and the merchant's own side under `/simulator`."""
        return [
            Route("GET", "/v2/wallet-balances", self.balances),
            Route("GET", "/simulator/statement", self.listing),
            Route("POST", "/simulator/payout", self.payout),
            Route("POST", "/simulator/adjustment", self.adjustment),
            Route("POST", "/simulator/fee", self.set_fee),
        ]

    def record(self, movement: Movement) -> None:
        """Add a movement."""
        with self._context.store.transaction() as db:
            db.execute(
                "INSERT INTO pawapay_movement (at, type, minor, country, currency, provider,"
                " phone, id, provider_id, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    movement.at,
                    movement.type,
                    movement.minor,
                    movement.country,
                    COUNTRIES[movement.country].currency,
                    movement.provider,
                    movement.phone,
                    movement.id,
                    movement.provider_id,
                    json.dumps(dict(movement.metadata)),
                ),
            )

    def fee_minor(self, minor: int) -> int:
        """pawaPay's fee on a deposit, rounded up to the minor unit."""
        points = int(self._context.store.setting(FEE_SETTING) or 0)
        return -(-minor * points // BASIS_POINTS)

    def balance_minor(self, country: str) -> int:
        """What the wallet holds."""
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT coalesce(sum(minor), 0) AS minor FROM pawapay_movement WHERE country = ?",
                (country,),
            ).fetchone()
            return int(row["minor"])

    def between(self, *, country: str, start: float, end: float) -> list[sqlite3.Row]:
        """Movements of a wallet with start <= at <= end, in order of time."""
        with self._context.store.transaction() as db:
            return db.execute(
                "SELECT * FROM pawapay_movement WHERE country = ? AND at >= ? AND at <= ?"
                " ORDER BY at, number",
                (country, start, end),
            ).fetchall()

    def balances(self, request: Request) -> Response:
        """Every wallet, or that of `?country=`."""
        check_token(request, context=self._context)
        return json_response(
            {
                "balances": [
                    {
                        "country": code,
                        "balance": text_of(self.balance_minor(code), currency=country.currency),
                        "currency": country.currency,
                        "provider": "",
                    }
                    for code, country in COUNTRIES.items()
                    if request.args.get("country", code) == code
                ]
            }
        )

    def listing(self, _request: Request) -> Response:
        """Every movement of every wallet, oldest first, and the balances by currency."""
        with self._context.store.transaction() as db:
            rows = db.execute("SELECT * FROM pawapay_movement ORDER BY at, number").fetchall()
        return json_response(
            {
                "transactions": [_listed(row) for row in rows],
                "float": {
                    code: {
                        "amount": text_of(self.balance_minor(code), currency=country.currency),
                        "currency": country.currency,
                    }
                    for code, country in COUNTRIES.items()
                },
            }
        )

    def payout(self, request: Request) -> Response:
        """Take `{"amount", "currency"}` out to the merchant's bank; 409 beyond the balance."""
        body = json_object(request)
        country, minor = _country_and_minor(body)
        with self._context.store.transaction():
            if minor > self.balance_minor(country):
                refuse({"error": "The wallet does not hold that much."}, status=409)
            answer = self._own_movement(country=country, kind="WITHDRAWAL", minor=-minor)
        return json_response(answer, status=201)

    def adjustment(self, request: Request) -> Response:
        """Correct a wallet by `{"amount", "currency", "out"?}`, as pawaPay's staff would."""
        body = json_object(request)
        country, minor = _country_and_minor(body)
        sign = -1 if body.get("out") is True else 1
        answer = self._own_movement(country=country, kind="ADJUSTMENT", minor=sign * minor)
        return json_response(answer, status=201)

    def _own_movement(self, *, country: str, kind: str, minor: int) -> dict[str, str]:
        currency = COUNTRIES[country].currency
        movement_id = self._context.ids.hexadecimal("pawapay-movement")
        self.record(
            Movement(
                at=self._context.now(), type=kind, minor=minor, country=country, id=movement_id
            )
        )
        return {
            "id": movement_id,
            "amount": text_of(abs(minor), currency=currency),
            "currency": currency,
            "balance": text_of(self.balance_minor(country), currency=currency),
        }

    def set_fee(self, request: Request) -> Response:
        """`{"basis_points"}` of each deposit from now on; it starts at 0."""
        points = bounded_int(
            str(json_object(request).get("basis_points")),
            name="basis_points",
            lowest=0,
            highest=BASIS_POINTS,
        )
        self._context.store.set_setting(FEE_SETTING, str(points))
        return json_response({"basis_points": points})


def _country_and_minor(body: Mapping[str, Any]) -> tuple[str, int]:
    """The wallet of a currency (the first country that has it) and the amount."""
    currency = str(body.get("currency"))
    if currency not in DECIMALS:
        refuse({"error": f"currency is one of {', '.join(DECIMALS)}."}, status=400)
    try:
        minor = minor_of(str(body.get("amount")), currency=currency)
    except (BadAmount, TooManyDecimals) as error:
        refuse({"error": str(error)}, status=400)
    return next(code for code, c in COUNTRIES.items() if c.currency == currency), minor


def _listed(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "at": iso(row["at"]),
        "type": row["type"],
        "amount": text_of(row["minor"], currency=row["currency"]),
        "currency": row["currency"],
        "phone": row["phone"],
        "provider": row["provider"],
        "id": row["id"],
        "provider_id": row["provider_id"],
        "metadata": json.loads(row["metadata"]),
    }
