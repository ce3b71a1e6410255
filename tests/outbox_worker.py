"""A process whose children advance the outbox until they are killed: for tests that kill them.

Run as `python -m tests.outbox_worker` with the settings' environment. For each line on its
standard input it forks a child and prints `started PID`; a line that names a point of POINTS makes
that child stop there, print `paused PID`, and stay so with all that it holds, until it is killed.
A child that meets an error that it should not prints `failed PID ...`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import django

BEFORE, AFTER = "before", "after"
# Which call, and on which side of it; module, class where there is one, function.
POINTS = {
    "before the nonce": (BEFORE, "outbox_signing", "", "_next_nonce"),
    "after the nonce": (AFTER, "outbox_signing", "", "_next_nonce"),
    "before signing": (BEFORE, "signers", "LocalSigner", "sign"),
    "after signing": (AFTER, "signers", "LocalSigner", "sign"),
    "before the commit": (AFTER, "outbox_signing", "", "_sign_first"),
    "after the commit": (AFTER, "outbox_signing", "", "sign_next"),
    "before the broadcast": (BEFORE, "client", "Chain", "send"),
    "after the broadcast": (AFTER, "client", "Chain", "send"),
    "after the receipt": (AFTER, "client", "Chain", "receipt"),
    "after it was mined": (AFTER, "outbox_following", "", "_found"),
    "after more gas was signed": (AFTER, "outbox_signing", "", "_bump_one"),
    "after its block vanished": (AFTER, "outbox_following", "", "_vanished"),
}
_ANSWERS_SOMETHING = {"after the nonce", "before the commit", "after the commit"}
_ANSWERS_SOMETHING |= {"after the receipt", "after more gas was signed"}


def say(word: str, more: str = "") -> None:
    """One write, so that lines of several children stay whole."""
    os.write(1, f"{word} {os.getpid()} {more[:300]}\n".encode())


def pause() -> None:
    say("paused")
    while True:
        time.sleep(60)


def armed(point: str, *, stop: Callable[[], None]) -> tuple[Any, str, Callable[..., Any]]:
    """Return where a point's call lies, its name, and a call in its place that stops there."""
    from importlib import import_module  # noqa: PLC0415 - after django.setup()

    side, module, owner, name = POINTS[point]
    place: Any = import_module(f"tokens.chain.{module}")
    place = getattr(place, owner) if owner else place
    original: Callable[..., Any] = getattr(place, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if side == BEFORE:
            stop()
        answer = original(*args, **kwargs)
        if point not in _ANSWERS_SOMETHING or answer not in (None, False):
            stop()
        return answer

    return place, name, wrapped


def advance_for_ever(point: str) -> None:
    from django.utils import timezone  # noqa: PLC0415

    from tokens.chain import outbox, outbox_following, outbox_signing  # noqa: PLC0415

    outbox_signing.BUMP_AFTER = timedelta(milliseconds=500)
    outbox_following.SEND_AGAIN_AFTER = timedelta(milliseconds=500)
    if point:
        place, name, wrapped = armed(point, stop=pause)
        setattr(place, name, wrapped)
    try:
        while True:
            outbox.run(at=timezone.now())
            time.sleep(0.01)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test has to hear of it
        say("failed", repr(error))
        os._exit(1)


def main() -> None:
    django.setup()
    from tokens.chain import outbox  # noqa: F401, PLC0415 - once here, not in every child

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            advance_for_ever(line.strip())
        os.write(1, f"started {child}\n".encode())


if __name__ == "__main__":
    main()
