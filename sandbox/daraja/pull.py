"""Pull transactions: the signed-in statement that shows what callbacks missed."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.daraja.access import EAST_AFRICA, Access
from sandbox.daraja.merchant import ORGANIZATION, Merchant
from sandbox.daraja.statement import B2C, Statement, two_decimals
from sandbox.web import Route, json_object, json_response

PAGE_ROWS = 100
LONGEST_WINDOW = timedelta(hours=48)


class Pull:
    """Registration and query. Safaricom demands the registration before the first query."""

    def __init__(
        self, *, context: Context, access: Access, statement: Statement, merchant: Merchant
    ) -> None:
        self._context = context
        self._access = access
        self._statement = statement
        self._merchant = merchant

    def routes(self) -> list[Route]:
        """Both vendor paths."""
        return [
            Route("POST", "/pulltransactions/v1/register", self.register),
            Route("POST", "/pulltransactions/v1/query", self.query),
        ]

    def register(self, request: Request) -> Response:
        """Allow queries for the short code."""
        self._access.check(request)
        body = json_object(request)
        self._access.check_short_code(body.get("ShortCode"), field="ShortCode")
        if body.get("RequestType") != "Pull":
            self._access.error("400.002.02", "Bad Request - Invalid RequestType")
        self._access.check_url(body.get("CallBackURL"), field="CallBackURL")
        again = self._context.store.setting("daraja_pull") is not None
        self._context.store.set_setting("daraja_pull", "registered")
        return json_response(
            {
                "ResponseRefID": self._context.ids.hexadecimal("pull"),
                "ResponseStatus": "1001" if again else "1000",
                "ShortCode": str(body["ShortCode"]),
                "ResponseDescription": ("ShortCode already Registered" if again else "Success"),
            }
        )

    def query(self, request: Request) -> Response:
        """Payments between StartDate and EndDate (both in), 100 rows from row OffSetValue on.

        Dates are East Africa Time without an offset (`2020-08-04 8:36:00`), trxDate is UTC.
        OffSetValue counts rows from 0, not pages. No rows are `"Response": [[]]`. Payments are
        shown when the merchant's statement_delay_seconds are over.
        """
        self._access.check(request)
        body = json_object(request)
        self._access.check_short_code(body.get("ShortCode"), field="ShortCode")
        if self._context.store.setting("daraja_pull") is None:
            self._access.error("400.002.02", "Bad Request - ShortCode is not registered for pull")
        start, end = self._date(body, "StartDate"), self._date(body, "EndDate")
        if not start <= end <= start + LONGEST_WINDOW:
            self._access.error("400.002.02", "Bad Request - Invalid EndDate: 48 hours at most")
        offset = str(body.get("OffSetValue", "0"))
        if not offset.isascii() or not offset.isdigit():
            self._access.error("400.002.02", "Bad Request - Invalid OffSetValue")
        delay = self._merchant.statement_delay_seconds()
        form = self._merchant.reversal_rows()
        rows = self._statement.between(
            start=start.timestamp(),
            # EndDate has no fraction of a second: its whole second is in.
            end=min(end.timestamp() + 0.999999, self._context.now() - delay),
            offset=int(offset),
            limit=PAGE_ROWS,
            with_reversals=form != "hidden",
            with_payouts=self._merchant.shows_payouts(),
        )
        return json_response(
            {
                "ResponseRefID": self._context.ids.hexadecimal("pull"),
                "ResponseCode": "1000",
                "ResponseMessage": "Success",
                "Response": [[_transaction(row, form=form) for row in rows]],
            }
        )

    def _date(self, body: dict[str, Any], field: str) -> datetime:
        try:
            date = datetime.strptime(str(body.get(field)), "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
        except ValueError:
            self._access.error("400.002.02", f"Bad Request - Invalid {field}")
        return date.replace(tzinfo=EAST_AFRICA)


def _transaction(row: sqlite3.Row, *, form: str) -> dict[str, Any]:
    """A payment, a payout with its conversation as bill reference, or a reversal, which names the
    payment it gives back so.

    How the live service shows what left is not published: see merchant.REVERSAL_ROWS, PAYOUT_ROWS.
    """
    is_reversal = row["origin"] == "reversal"
    cents = abs(row["cents"]) if is_reversal and form == "typed" else row["cents"]
    kind = {"reversal": "c2b-pay-bill-reversal", B2C: "b2c-business-payment"}
    return {
        "transactionId": row["receipt"],
        "trxDate": datetime.fromtimestamp(row["at"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "msisdn": int(row["phone"][1:]),
        "sender": "MPESA",
        "transactiontype": kind.get(row["origin"], "c2b-pay-bill-debit"),
        "billreference": row["original"] if is_reversal else row["account"],
        "amount": two_decimals(cents),
        "organizationname": ORGANIZATION,
    }
