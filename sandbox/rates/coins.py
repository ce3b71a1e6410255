"""Counterpart of CoinGecko's `GET /api/v3/simple/price`, for the one coin dai."""

from __future__ import annotations

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.rates.state import COINS, RateBook
from sandbox.web import Route, json_response, refuse

COIN = "dai"


class Coins:
    """Prices of coins in other money: JSON numbers, and the epoch second of the last change."""

    def __init__(self, *, context: Context, book: RateBook) -> None:
        self._context = context
        self._book = book

    def routes(self) -> list[Route]:
        """The vendor's path."""
        return [Route("GET", "/api/v3/simple/price", self.price)]

    def price(self, request: Request) -> Response:
        """{"dai": {"usd": 0.9999, "last_updated_at": 1772323200}}; what is unknown is left out."""
        told = self._book.told(name=COINS)
        if told.is_down:
            refuse({"status": {"error_code": 429, "error_message": "Rate limited."}}, status=429)
        for name in ("ids", "vs_currencies"):
            if not request.args.get(name):
                refuse({"error": f"Missing parameter {name}"}, status=422)
        if COIN not in request.args["ids"].split(","):
            return json_response({})
        prices: dict[str, float | int] = {}
        for currency in request.args["vs_currencies"].lower().split(","):
            if currency.upper() in told.rates:
                prices[currency] = float(told.rates[currency.upper()])
        if prices and request.args.get("include_last_updated_at") == "true":
            prices["last_updated_at"] = int(self._context.now()) - told.age_seconds
        return json_response({COIN: prices})
