"""Progress lines of slow steps, with the time each has taken."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

_REPEAT_SECONDS = 10.0
_REDRAW_SECONDS = 0.2


class Progress:
    """One line per step; redrawn on a terminal, repeated now and then elsewhere."""

    def __init__(
        self,
        *,
        stream: TextIO | None = None,
        clock_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream or sys.stdout
        self._clock = clock_seconds
        self._terminal = self._stream.isatty()
        self._title = ""
        self._started = 0.0
        self._shown = 0.0

    def begin(self, title: str) -> None:
        self._title = title
        self._started = self._shown = self._clock()
        if self._terminal:
            self._write(f"\r\x1b[K- {title} ...")
        else:
            self._write(f"- {title} ...\n")

    def tick(self) -> None:
        """Show that the step still runs; call it as often as you like."""
        now = self._clock()
        if not self._title:
            return
        if self._terminal and now - self._shown >= _REDRAW_SECONDS:
            self._shown = now
            self._write(f"\r\x1b[K- {self._title} ... {now - self._started:.0f} s")
        elif not self._terminal and now - self._shown >= _REPEAT_SECONDS:
            self._shown = now
            self._write(f"  still: {self._title}, {now - self._started:.0f} s\n")

    def detail(self, text: str) -> None:
        """A line that the step itself printed."""
        clear = "\r\x1b[K" if self._terminal else ""
        self._write(f"{clear}    {text}\n")
        self._shown = self._clock()

    def done(self, note: str = "") -> None:
        self._end("ok", note)

    def failed(self) -> None:
        self._end("FAILED", "")

    def say(self, text: str) -> None:
        clear = "\r\x1b[K" if self._terminal else ""
        self._write(f"{clear}{text}\n")

    def _end(self, word: str, note: str) -> None:
        if not self._title:
            return
        seconds = self._clock() - self._started
        clear = "\r\x1b[K" if self._terminal else ""
        suffix = f" ({note})" if note else ""
        self._write(f"{clear}- {self._title}: {word}, {seconds:.1f} s{suffix}\n")
        self._title = ""

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
