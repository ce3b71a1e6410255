"""A process whose children settle one site until they are killed: for tests that kill them.

Run as `python -m tests.settler SITE_ID LIMIT AT` with the settings' environment. For each line on
its standard input it forks a child and prints the child's process id; the parent stays idle, so
that a new settler does not have to start Django again.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from datetime import datetime

import django


def settle_for_ever(*, site_id: int, limit: int, at: datetime) -> None:
    from django.db import Error, connections  # noqa: PLC0415 - after django.setup()

    from settlement import settle  # noqa: PLC0415

    while True:
        try:
            if settle.run(site_id=site_id, at=at, limit=limit) is None:
                time.sleep(0.02)
        except Error:
            # What a task does that is delivered again: forget the connection and start over.
            connections.close_all()
            time.sleep(0.02)


def main(site_id: str, limit: str, at: str) -> None:
    django.setup()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            settle_for_ever(site_id=int(site_id), limit=int(limit), at=datetime.fromisoformat(at))
        print(child, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
