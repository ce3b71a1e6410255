"""pawaPay's statement: a CSV file of one wallet, asked for, waited for, fetched and read.

Columns are found by their names (docs.pawapay.io/dashboard/finances/statements); further ones do no
harm. Which sign an amount has is not documented: the type says which way the money went.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from accounts.money import minor_from_string
from gateway.providers.interface import ProviderUnavailable
from gateway.providers.pawapay.callbacks import MOST_MINOR, UNREADABLE, printable
from gateway.providers.pawapay.client import Pawapay, Wallet

LONGEST_SPAN = timedelta(days=31)
PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.25
PROCESSING, COMPLETED = "PROCESSING", "COMPLETED"
NEEDED = ("Creation Date", "Transaction ID", "Amount", "Currency", "Type")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One movement. amount_minor is above zero; is_out as the file's own sign says.

    kind is the file's type in capitals (DEPOSIT, DEPOSIT_FEE, REFUND, ...); reference our own id of
    the deposit or refund, or pawaPay's of what we did not ask for.
    """

    kind: str
    reference: str
    amount_minor: int
    is_out: bool
    currency: str
    at: datetime
    phone: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class BadLine:
    """A row that could not be read."""

    reference: str
    detail: str


def read(
    *, client: Pawapay, wallet: Wallet, since: datetime, until: datetime
) -> Iterator[Line | BadLine]:
    """Yield the lines of a span of any length, each file fetched when it is reached.

    Raises ProviderUnavailable.
    """
    begin = since
    while begin < until:
        end = min(begin + LONGEST_SPAN, until)
        yield from lines(_file(client=client, wallet=wallet, since=begin, until=end))
        begin = end


def lines(content: str) -> list[Line | BadLine]:
    """Read a statement's CSV. Raises ProviderUnavailable where it is another file."""
    rows = csv.DictReader(content.splitlines())
    missing = [name for name in NEEDED if name not in (rows.fieldnames or [])]
    if missing:
        raise ProviderUnavailable(f"pawapay statement: no column {missing[0]!r}")
    return [_line(row) for row in rows]


def _file(*, client: Pawapay, wallet: Wallet, since: datetime, until: datetime) -> str:
    statement_id = client.ask_statement(wallet=wallet, since=since, until=until)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        data = client.statement_status(statement_id=statement_id)
        if data.get("status") == COMPLETED:
            return client.download(url=str(data.get("downloadUrl", "")))
        if data.get("status") != PROCESSING:
            raise ProviderUnavailable(f"pawapay statement: {data.get('status')}")
        if time.monotonic() > deadline:
            raise ProviderUnavailable("pawapay statement: not made yet")
        time.sleep(POLL_SECONDS)


def _line(row: Mapping[str, str]) -> Line | BadLine:
    reference = printable(row.get("Transaction ID") or "")[:64].lower()
    try:
        currency = row["Currency"].strip()
        signed_minor = minor_from_string(text=row["Amount"], currency=currency)
        at = datetime.fromisoformat(row["Creation Date"].strip())
        if not reference or not 0 < abs(signed_minor) <= MOST_MINOR:
            raise ValueError("no id, or an amount that is none")
        return Line(
            kind=row["Type"].strip().upper().replace(" ", "_"),
            reference=reference,
            amount_minor=abs(signed_minor),
            is_out=signed_minor < 0,
            currency=currency,
            at=at if at.tzinfo else at.replace(tzinfo=UTC),
            phone=printable(row.get("MSISDN") or ""),
            metadata=_metadata(row.get("Metadata") or ""),
        )
    except UNREADABLE as error:
        return BadLine(reference=reference, detail=repr(error)[:200])


def _metadata(text: str) -> dict[str, str]:
    """A JSON object; what is none says nothing."""
    try:
        fields = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(fields, dict):
        return {}
    return {printable(name): printable(value) for name, value in fields.items()}
