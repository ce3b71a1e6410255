"""What the services of rates say now, and what the simulator changes in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.store import Store
from sandbox.web import Route, json_object, json_response, refuse

SERVICE = "rates"
FIRST, SECOND, COINS = "first", "second", "coins"

# Local money per DAI. XOF and XAF stand at 655.957 to the euro, as the treaties have it.
START: dict[str, dict[str, str]] = {
    FIRST: {
        "EUR": "0.92155",
        "GHS": "11.42",
        "KES": "129.40",
        "NGN": "1448.5",
        "RWF": "1452.0",
        "TZS": "2455.0",
        "UGX": "3610.0",
        "USD": "0.9998",
        "XAF": "604.50",
        "XOF": "604.50",
        "ZMW": "23.15",
    },
    SECOND: {
        "EUR": "0.92202",
        "GHS": "11.44",
        "KES": "129.55",
        "NGN": "1450.0",
        "RWF": "1453.0",
        "TZS": "2458.0",
        "UGX": "3614.0",
        "USD": "1.0002",
        "XAF": "604.80",
        "XOF": "604.80",
        "ZMW": "23.18",
    },
    COINS: {"USD": "0.9999"},
}


@dataclass(kw_only=True, slots=True)
class Told:
    """One service's answer: rates as decimal text, and how old it says that they are."""

    rates: dict[str, str] = field(default_factory=dict)
    age_seconds: int = 0
    is_down: bool = False


class RateBook:
    """The three services' answers, kept in the state file."""

    def __init__(self, *, store: Store) -> None:
        self._store = store

    def told(self, *, name: str) -> Told:
        """Return what a service says: first, second or coins."""
        stored = self._store.setting(f"{SERVICE}.{name}")
        return Told(rates=dict(START[name])) if stored is None else Told(**json.loads(stored))

    def tell(self, *, name: str, told: Told) -> None:
        """Let a service say something else from now on."""
        self._store.set_setting(f"{SERVICE}.{name}", json.dumps(asdict(told)))


class Simulator:
    """`/simulator/first`, `/simulator/second`, `/simulator/coins`.

    GET shows what the service says. POST changes it: {"rates": {"KES": "140", "XOF": null},
    "age_seconds": 7200, "is_down": true}, each as needed; null forgets a currency, an age below
    zero lies in the future. DELETE goes back to the start.
    """

    def __init__(self, *, context: Context, book: RateBook) -> None:
        self._context = context
        self._book = book

    def routes(self) -> list[Route]:
        """The simulator's paths."""
        path = "/simulator/<any(first, second, coins):name>"
        return [
            Route("GET", path, self.show),
            Route("POST", path, self.change),
            Route("DELETE", path, self.reset),
        ]

    def show(self, _request: Request, name: str) -> Response:
        """What the service says."""
        return json_response(asdict(self._book.told(name=name)))

    def change(self, request: Request, name: str) -> Response:
        """Change what the service says."""
        body = json_object(request)
        unknown = sorted(body.keys() - {"rates", "age_seconds", "is_down"})
        if unknown:
            refuse({"error": f"{unknown[0]} is not known here."}, status=400)
        with self._context.store.transaction():
            told = self._book.told(name=name)
            told.rates = _changed(told.rates, body.get("rates", {}))
            told.age_seconds = _whole(body, "age_seconds", told.age_seconds)
            told.is_down = _yes_or_no(body, "is_down", told.is_down)
            self._book.tell(name=name, told=told)
        return json_response(asdict(told))

    def reset(self, _request: Request, name: str) -> Response:
        """Go back to the start."""
        told = Told(rates=dict(START[name]))
        self._book.tell(name=name, told=told)
        return json_response(asdict(told))


def _changed(rates: dict[str, str], changes: Any) -> dict[str, str]:
    if not isinstance(changes, dict):
        refuse({"error": "rates is an object of currency and rate."}, status=400)
    changed = dict(rates)
    for currency, rate in changes.items():
        if rate is None:
            changed.pop(currency, None)
            continue
        try:
            changed[currency] = format(Decimal(str(rate)), "f")
        except InvalidOperation:
            refuse({"error": f"{rate} is not a number."}, status=400)
    return dict(sorted(changed.items()))


def _whole(body: dict[str, Any], name: str, before: int) -> int:
    value = body.get(name, before)
    if isinstance(value, bool) or not isinstance(value, int):
        refuse({"error": f"{name} is not a whole number."}, status=400)
    return value


def _yes_or_no(body: dict[str, Any], name: str, before: bool) -> bool:
    value = body.get(name, before)
    if not isinstance(value, bool):
        refuse({"error": f"{name} is not true or false."}, status=400)
    return value
