"""Statements: a CSV of one wallet's movements, asked for, made a moment later, then fetched."""

from __future__ import annotations

import csv
import gzip
import io
import sqlite3
import uuid
from datetime import timedelta
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.pawapay.access import SERVICE, Rejected, body_of, check_token, error, found
from sandbox.pawapay.callbacks import Callbacks
from sandbox.pawapay.money import text_of
from sandbox.pawapay.providers import COUNTRIES
from sandbox.pawapay.wallet import Wallet
from sandbox.web import Route, instant, iso, json_response, refuse_text

SCHEMA = """
CREATE TABLE IF NOT EXISTS pawapay_statement (
    statement_id TEXT PRIMARY KEY,
    country TEXT NOT NULL,
    callback_url TEXT NOT NULL,   -- empty where nobody wants to be told
    starts_at REAL NOT NULL,
    ends_at REAL NOT NULL,
    compressed INTEGER NOT NULL,
    created_at REAL NOT NULL,
    due_at REAL NOT NULL,
    base_url TEXT NOT NULL,
    token TEXT NOT NULL,          -- what opens the download
    status TEXT NOT NULL,         -- PROCESSING, COMPLETED
    content TEXT                  -- the CSV as it was when it was made
);
"""
REQUIRED = ("wallet", "startDate", "endDate")
OPTIONAL = ("callbackUrl", "compressed")
PROCESSING, COMPLETED = "PROCESSING", "COMPLETED"
PLAIN, ZIPPED = "statement.csv", "statement.csv.gz"
MAKING_SECONDS = 0.5
LONGEST = timedelta(days=31)
DOWNLOAD_LIFE = timedelta(days=1)
# The statement knows nothing of the last minutes; live it may lag 20 minutes behind.
OWN_FAULTS = ("statement_lags", "statement_waits")
LAG_SECONDS, WAIT_SECONDS = 1200.0, 30.0
COLUMNS = (
    "Creation Date",
    "MSISDN",
    "Transaction ID",
    "Amount",
    "Currency",
    "Country",
    "MNO",
    "Type",
    "Financial Transaction ID",
    "Metadata",
)


class Statements:
    """Statements from request to download."""

    def __init__(self, *, context: Context, wallet: Wallet, callbacks: Callbacks) -> None:
        self._context = context
        self._wallet = wallet
        self._callbacks = callbacks

    def routes(self) -> list[Route]:
        """The vendor's paths; the download's own host is the sandbox, too."""
        return [
            Route("POST", "/v2/statements", self.initiate),
            Route("GET", "/v2/statements/<statement_id>", self.check),
            Route("GET", "/downloads/<statement_id>/<name>", self.download),
        ]

    def initiate(self, request: Request) -> Response:
        """Ask for `wallet` from startDate to endDate (UTC), 31 days at most."""
        check_token(request, context=self._context)
        body = body_of(request, required=REQUIRED, optional=OPTIONAL)
        starts_at, ends_at = _date(body, "startDate"), _date(body, "endDate")
        statement_id = str(uuid.UUID(hex=self._context.ids.hexadecimal("statement"), version=4))
        now = self._context.now()
        try:
            country = _wallet(body["wallet"])
            if not starts_at <= ends_at <= starts_at + LONGEST.total_seconds():
                raise Rejected("INVALID_PARAMETER", "The range is 31 days at most.")
        except Rejected as refusal:
            return json_response({"status": "REJECTED", "failureReason": refusal.reason})
        fault = self._context.faults.take(
            service=SERVICE, kinds=("statement_waits",), topic="statement"
        )
        waits = MAKING_SECONDS if fault is None else fault.seconds or WAIT_SECONDS
        with self._context.store.transaction() as db:
            db.execute(
                "INSERT INTO pawapay_statement (statement_id, country, callback_url, starts_at,"
                " ends_at, compressed, created_at, due_at, base_url, token, status)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    statement_id,
                    country,
                    str(body.get("callbackUrl") or ""),
                    starts_at,
                    ends_at,
                    body.get("compressed") is True,
                    now,
                    now + waits,
                    request.host_url,
                    self._context.ids.hexadecimal("download"),
                    PROCESSING,
                ),
            )
        return json_response(
            {"statementId": statement_id, "status": "ACCEPTED", "created": iso(now)}
        )

    def check(self, request: Request, statement_id: str) -> Response:
        """What became of it; downloadUrl once it is COMPLETED."""
        check_token(request, context=self._context)
        self.make_due()
        row = self._row(statement_id)
        return found(None if row is None else _data(row))

    def download(self, request: Request, statement_id: str, name: str) -> Response:
        """The file. It takes no API token but the address itself, for a day."""
        row = self._row(statement_id)
        if row is None or row["status"] != COMPLETED or request.args.get("token") != row["token"]:
            refuse_text("Not found.", status=404)
        if self._context.now() > row["due_at"] + DOWNLOAD_LIFE.total_seconds():
            refuse_text("This address has expired.", status=403)
        content = row["content"].encode()
        if name == ZIPPED:
            return Response(gzip.compress(content), content_type="application/gzip")
        return Response(content, content_type="text/csv")

    def make_due(self) -> None:
        """Make every statement whose time has come, and tell who asked."""
        with self._context.store.transaction() as db:
            due = db.execute(
                "SELECT * FROM pawapay_statement WHERE status = 'PROCESSING' AND due_at <= ?",
                (self._context.now(),),
            ).fetchall()
            for row in due:
                made = db.execute(
                    "UPDATE pawapay_statement SET status = ?, content = ?"
                    " WHERE statement_id = ? RETURNING *",
                    (COMPLETED, self._content(row), row["statement_id"]),
                ).fetchone()
                if made["callback_url"]:
                    self._callbacks.post(
                        topic="statement", data=_data(made), url=made["callback_url"]
                    )

    def _content(self, row: sqlite3.Row) -> str:
        fault = self._context.faults.take(
            service=SERVICE, kinds=("statement_lags",), topic="statement"
        )
        lag = 0.0 if fault is None else fault.seconds or LAG_SECONDS
        end = min(row["ends_at"], row["due_at"] - lag) if lag else row["ends_at"]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for movement in self._wallet.between(
            country=row["country"], start=row["starts_at"], end=end
        ):
            writer.writerow(_line(movement))
        return text.getvalue()

    def _row(self, statement_id: str) -> sqlite3.Row | None:
        with self._context.store.transaction() as db:
            row: sqlite3.Row | None = db.execute(
                "SELECT * FROM pawapay_statement WHERE statement_id = ?", (statement_id,)
            ).fetchone()
            return row


def _wallet(wallet: object) -> str:
    country = COUNTRIES.get(str(wallet.get("country"))) if isinstance(wallet, dict) else None
    if not isinstance(wallet, dict) or country is None:
        raise Rejected("INVALID_PARAMETER", "wallet has a country and a currency.")
    if wallet.get("currency") != country.currency or wallet.get("provider"):
        raise Rejected("INVALID_PARAMETER", "There is no such wallet.")
    return str(wallet["country"])


def _date(body: dict[str, Any], name: str) -> float:
    try:
        return instant(str(body[name])).timestamp()
    except ValueError:
        error("INVALID_PARAMETER", f"{name} is not a date and time.", status=400)


def _line(movement: sqlite3.Row) -> tuple[str, ...]:
    return (
        iso(movement["at"]),
        movement["phone"],
        movement["id"],
        text_of(movement["minor"], currency=movement["currency"]),
        movement["currency"],
        movement["country"],
        movement["provider"],
        movement["type"],
        movement["provider_id"],
        movement["metadata"],
    )


def _data(row: sqlite3.Row) -> dict[str, Any]:
    data = {
        "statementId": row["statement_id"],
        "status": row["status"],
        "wallet": {"country": row["country"], "currency": COUNTRIES[row["country"]].currency},
        "created": iso(row["created_at"]),
        "startDate": iso(row["starts_at"]),
        "endDate": iso(row["ends_at"]),
    }
    if row["status"] == COMPLETED:
        name = ZIPPED if row["compressed"] else PLAIN
        path = f"{SERVICE}/downloads/{row['statement_id']}/{name}?token={row['token']}"
        data["completed"] = iso(row["due_at"])
        data["fileSize"] = str(len(row["content"]))
        data["downloadUrl"] = f"{row['base_url']}{path}"
    return data
