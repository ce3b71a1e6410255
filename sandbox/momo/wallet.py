"""The merchant's wallet: one per target environment, shared by both products."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.momo.access import PRODUCTS, Access
from sandbox.momo.market import MARKETS, Market, market_of_currency
from sandbox.web import Route, iso, json_object, json_response, refuse

SCHEMA = """
CREATE TABLE IF NOT EXISTS momo_movement (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    transaction_id TEXT NOT NULL UNIQUE,
    at REAL NOT NULL,
    environment TEXT NOT NULL,
    minor INTEGER NOT NULL,       -- what it adds to the wallet, minor units of its currency
    kind TEXT NOT NULL,           -- payment, refund, payout, fee, deposit
    reference TEXT NOT NULL       -- the reference id it answers, or nothing
);
CREATE INDEX IF NOT EXISTS momo_movement_of ON momo_movement (environment);
"""
# What happens to the wallet behind the merchant's back, and which way the money goes.
UNASKED_KINDS = {"payout": -1, "fee": -1, "deposit": 1}
_IDS = 9_000_000_000
# Coprime to the number of ids, so that multiplying by it permutes them.
_ID_STEP = 7_368_787


class Wallet:
    """Moves money and tells the balance."""

    def __init__(self, *, context: Context, access: Access) -> None:
        self._context = context
        self._access = access

    def routes(self) -> list[Route]:
        """The balance of each product, and the simulator's `payout`, `fee` and `deposit`."""
        return [
            *(
                Route(
                    "GET",
                    f"/{product}/v1_0/account/balance",
                    partial(self.balance, product=product),
                )
                for product in PRODUCTS
            ),
            *(
                Route("POST", f"/simulator/{kind}", partial(self.move_unasked, kind=kind))
                for kind in UNASKED_KINDS
            ),
            Route("GET", "/simulator/statement", self.statement),
        ]

    def move(self, *, market: Market, minor: int, kind: str, reference: str = "") -> str:
        """Add to (or take from) a market's wallet; return the financial transaction id."""
        with self._context.store.transaction() as db:
            transaction_id = self._new_id()
            db.execute(
                "INSERT INTO momo_movement (transaction_id, at, environment, minor, kind,"
                " reference) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    transaction_id,
                    self._context.now(),
                    market.environment,
                    minor,
                    kind,
                    reference,
                ),
            )
            return transaction_id

    def balance_minor(self, *, market: Market) -> int:
        """What lies in a market's wallet, in minor units."""
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT coalesce(sum(minor), 0) AS minor FROM momo_movement WHERE environment = ?",
                (market.environment,),
            ).fetchone()
            return int(row["minor"])

    def balance(self, request: Request, *, product: str) -> Response:
        """`{"availableBalance", "currency"}`: both products see the same wallet."""
        market = self._access.check(request, product=product).market
        minor = self.balance_minor(market=market)
        return json_response(
            {"availableBalance": market.text_of(minor), "currency": market.currency}
        )

    def move_unasked(self, request: Request, *, kind: str) -> Response:
        """`{"amount", "currency", "environment"?}`: money that no API call of the merchant moved.

        A payout is what its treasury takes out, a fee what MTN keeps, a deposit what somebody paid
        to the merchant's code unasked.
        """
        body = json_object(request)
        named = body.get("environment")
        market = (
            market_of_currency(str(body.get("currency")))
            if named is None
            else MARKETS.get(str(named))
        )
        if market is None or market.currency != body.get("currency"):
            refuse({"error": "No wallet has this currency."}, status=400)
        minor = market.minor_of(body.get("amount"))
        if minor is None:
            refuse({"error": "amount is a decimal text above 0."}, status=400)
        if UNASKED_KINDS[kind] < 0 and self.balance_minor(market=market) < minor:
            refuse({"error": "The wallet has less than that."}, status=409)
        moved = minor * UNASKED_KINDS[kind]
        transaction_id = self.move(market=market, minor=moved, kind=kind)
        return json_response({"financialTransactionId": transaction_id}, status=201)

    def statement(self, _request: Request) -> Response:
        """Every movement, oldest first. MoMo's API has no statement; its portal shows one."""
        with self._context.store.transaction() as db:
            rows = db.execute("SELECT * FROM momo_movement ORDER BY number").fetchall()
        return json_response([_listed(row) for row in rows])

    def _new_id(self) -> str:
        number = self._context.store.next_number("momo transaction") + self._context.seed
        return str(1_000_000_000 + number * _ID_STEP % _IDS)


def _listed(row: sqlite3.Row) -> dict[str, Any]:
    market = MARKETS[row["environment"]]
    return {
        "financialTransactionId": row["transaction_id"],
        "at": iso(row["at"]),
        "environment": market.environment,
        "amount": market.text_of(row["minor"]),
        "currency": market.currency,
        "kind": row["kind"],
        "reference": row["reference"],
    }
