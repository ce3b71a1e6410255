"""Slow steps of the set-up: run one with its progress, one set-up at a time.

Runs on the bare system Python, so it uses the standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from launcher.progress import Progress

_TAIL_LINES = 25


class BootstrapError(Exception):
    """Its text is the one sentence to print."""


def run(
    title: str,
    command: list[str],
    progress: Progress,
    *,
    directory: Path,
    environment: dict[str, str],
    log: Path,
) -> tuple[int, list[str]]:
    """Run one slow step; returns its exit code and the end of its output."""
    progress.begin(title)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=directory, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                progress.tick()
                time.sleep(0.05)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    tail = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
    progress.done() if process.returncode == 0 else progress.failed()
    return process.returncode, tail


@contextlib.contextmanager
def lock(path: Path, *, what: str, progress: Progress) -> Iterator[None]:
    """Hold the lock file at path, after whoever sets up the same thing."""
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.begin(f"Waiting for another set-up of {what}")
            fcntl.flock(handle, fcntl.LOCK_EX)
            progress.done()
        yield
