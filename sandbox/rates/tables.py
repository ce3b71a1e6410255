"""Fiat tables: `GET /rates?currencies=KES,XOF` and, from another house, `GET /rates/second?...`.

Answers {"quoted_at": ISO 8601, "rates": {"KES": "129.40", ...}}: local money per DAI. A currency
that the house does not deal in is left out.
"""

from __future__ import annotations

from functools import partial

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.rates.state import FIRST, SECOND, RateBook
from sandbox.web import Route, iso, json_response, refuse

MOST_CURRENCIES = 50


class Tables:
    """Two houses that tell rates of many currencies."""

    def __init__(self, *, context: Context, book: RateBook) -> None:
        self._context = context
        self._book = book

    def routes(self) -> list[Route]:
        """The two tables' paths."""
        return [
            Route("GET", "", partial(self.table, name=FIRST)),
            Route("GET", f"/{SECOND}", partial(self.table, name=SECOND)),
        ]

    def table(self, request: Request, name: str) -> Response:
        """The rates of the currencies asked for; of all of them where none is named."""
        told = self._book.told(name=name)
        if told.is_down:
            refuse({"error": "The table is being maintained."}, status=503)
        wanted = [part.strip() for part in request.args.get("currencies", "").split(",")]
        wanted = [part for part in wanted if part] or list(told.rates)
        if len(wanted) > MOST_CURRENCIES:
            refuse({"error": f"At most {MOST_CURRENCIES} currencies a request."}, status=400)
        return json_response(
            {
                "quoted_at": iso(self._context.now() - told.age_seconds),
                "rates": {code: told.rates[code] for code in wanted if code in told.rates},
            }
        )
