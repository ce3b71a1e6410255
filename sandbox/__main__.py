"""`python -m sandbox --port 8001 --product-url http://127.0.0.1:8000 --state PATH.sqlite3`."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import threading
from pathlib import Path

from sandbox.app import DEFAULT_SEED, create_sandbox
from sandbox.context import Credentials


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mail-port", type=int, help="where SMTP is taken; without it nowhere")
    parser.add_argument("--product-url", required=True)
    parser.add_argument("--state", type=Path, required=True, help="SQLite file, kept")
    parser.add_argument("--hook-secret", default="demo")
    parser.add_argument("--slot-seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--credentials", type=Path, help="JSON object of context.Credentials")
    parser.add_argument("--autopilot", action="store_true", help="villagers act by themselves")
    parser.add_argument("--chain-url", default="", help="JSON-RPC of a development chain")
    arguments = parser.parse_args()
    if arguments.slot_seconds < 1:
        parser.error("--slot-seconds must be 1 or more")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s sandbox %(message)s")
    credentials = Credentials()
    if arguments.credentials is not None:
        credentials = Credentials(**json.loads(arguments.credentials.read_text()))
    sandbox = create_sandbox(
        product_url=arguments.product_url,
        state_path=arguments.state,
        hook_secret=arguments.hook_secret,
        slot_seconds=arguments.slot_seconds,
        rng_seed=arguments.seed,
        credentials=credentials,
        autopilot=arguments.autopilot,
        chain_url=arguments.chain_url,
    )
    finished = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: finished.set())
    if arguments.mail_port is not None:
        sandbox.start_mail(port=arguments.mail_port)
    sandbox.start(port=arguments.port)
    finished.wait()
    sandbox.stop()


if __name__ == "__main__":
    main()
