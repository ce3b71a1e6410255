"""The service's own side of the settlement benchmark: inbox, then one settlement a site."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import LiteralString

import django
from django.db import connection

from benches.peer import Message, serve

COPY: LiteralString = (
    "COPY {} (site_id, source, serial, starts_at, ends_at, energy_milliwatt_hours, received_at,"
    " is_vouched) FROM STDIN"
)
INBOX = "settlement_readinginbox"


@dataclass(frozen=True, kw_only=True)
class Load:
    """One site's inbox, ready for COPY, and how many readings that is."""

    site_id: int
    text: str
    count: int


@dataclass(frozen=True, kw_only=True)
class Seconds:
    """What a round took: bringing readings into the inbox, and settling them."""

    copying: float
    settling: float

    @property
    def total(self) -> float:
        return self.copying + self.settling


def copy(*, load: Load, table: str = INBOX) -> None:
    """Bring one site's readings into an inbox."""
    with connection.cursor() as cursor, cursor.copy(COPY.format(table)) as stream:
        stream.write(load.text)


def run(*, loads: Sequence[Load], at: datetime) -> Seconds:
    """Copy and settle every site. Raises AssertionError unless all was accepted."""
    from settlement import settle  # noqa: PLC0415 - models load after the set-up

    began = perf_counter()
    for load in loads:
        copy(load=load)
    copied = perf_counter()
    for load in loads:
        batch = settle.run(site_id=load.site_id, at=at)
        assert batch is not None
        assert batch.accepted_count == load.count, f"{batch.accepted_count} of {load.count}"
    return Seconds(copying=copied - began, settling=perf_counter() - copied)


def main() -> None:
    """Settle what each message brings. Runs as a peer."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    django.setup()
    connection.ensure_connection()

    def answer(message: Message) -> Message:
        if "at" not in message:
            loads.append(Load(**message))
            return {}
        taken = run(loads=loads, at=datetime.fromisoformat(message["at"]))
        loads.clear()
        return {"seconds": taken.total}

    loads: list[Load] = []
    serve(answer)


if __name__ == "__main__":
    main()
