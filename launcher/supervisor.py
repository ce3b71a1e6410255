"""Start programs in order, restart those that crash, stop all of them in reverse order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from launcher import process
from launcher.progress import Progress

_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_SECONDS = 60.0  # a program that ran this long starts again without delay
_LONGEST_LOG_BYTES = 20_000_000
_REAP_EVERY_SECONDS = 5.0


class StartError(Exception):
    """Something could not be started; the text is one sentence for the operator."""

    def __init__(self, sentence: str, *, tail: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.tail = list(tail)


class Stopped(Exception):
    """SIGINT or SIGTERM came."""


@dataclass(frozen=True)
class Program:
    """One long-running program.

    It is stopped by stop_signal, and after patience_seconds by last_signal.
    """

    name: str
    arguments: Sequence[str]
    directory: Path
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    last_signal: signal.Signals = signal.SIGKILL
    patience_seconds: float = 3.0
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    identity: process.Identity = field(default_factory=process.Identity)
    keep_open: Sequence[int] = ()
    may_start: Callable[[], bool] = lambda: True
    is_ready: Callable[[], bool] = lambda: True
    ready_within_seconds: float = 60.0


@dataclass
class _Child:
    program: Program
    handle: subprocess.Popen[bytes] | None = None
    is_starting: bool = True
    started: float = 0.0
    pause_seconds: float = 0.0
    start_again_at: float | None = None


class Supervisor:
    """Owns the children of one launcher. Clock readings are monotonic seconds."""

    def __init__(self, *, progress: Progress, guard_holds: Sequence[int] = ()) -> None:
        """guard_holds: files (locks) that stay open until the last child is gone."""
        self.progress = progress
        self._children: list[_Child] = []
        self._stopping = False
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            pass_fds=tuple(guard_holds),
        )

    def catch_signals(self) -> None:
        """SIGINT, SIGTERM and SIGHUP ask to stop; noticed at the next tick."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, _: int, __: FrameType | None) -> None:
        self._stopping = True

    def remove_at_end(self, path: Path) -> None:
        """Have a file or directory removed even if the launcher is killed."""
        self._tell_guard(f"rm {path}")

    def start(self, program: Program) -> None:
        """Start a program and wait until it is ready; raises StartError or Stopped."""
        child = _Child(program=program)
        deadline = time.monotonic() + program.ready_within_seconds
        while not program.may_start():
            self._pause(deadline, program)
        self._children.append(child)
        handle = self._launch(child)
        while (code := handle.poll()) is None and not program.is_ready():
            self._pause(deadline, program)
        if code is not None:
            self._children.remove(child)
            self._end_group(handle, signal.SIGKILL, patience_seconds=0.0)
            raise StartError(
                f"{program.name} ended while starting ({_ending(code)}); see {program.log}.",
                tail=tail_of(program.log),
            )
        child.is_starting = False

    def _pause(self, deadline: float, program: Program) -> None:
        self.tick()
        if time.monotonic() > deadline:
            raise StartError(
                f"{program.name} was not ready within {program.ready_within_seconds:.0f} s; "
                f"see {program.log}.",
                tail=tail_of(program.log),
            )

    def tick(self, *, rest_seconds: float = 0.05) -> None:
        """A short rest, then start crashed children again; raises Stopped when asked to stop."""
        self.progress.tick()
        if not self._stopping:
            time.sleep(rest_seconds)
        if self._stopping:
            raise Stopped
        for child in self._children:
            if not child.is_starting:
                self._look_after(child)

    def watch(self) -> None:
        """Look after the children until asked to stop."""
        reaped = time.monotonic()
        with contextlib.suppress(Stopped):
            while True:
                self.tick(rest_seconds=0.2)
                if time.monotonic() - reaped > _REAP_EVERY_SECONDS:
                    reaped = time.monotonic()
                    process.reap_orphans([self._guard, *self._handles()])

    def run_step(
        self, arguments: Sequence[str], *, directory: Path, log: Path, show_lines: bool = False
    ) -> None:
        """Run a command to its end; raises StartError with the end of its output."""
        with log.open("wb") as output:
            handle = process.start(
                arguments, environment=os.environ, directory=directory, output=output.fileno()
            )
        self._tell_guard(f"+{handle.pid} {int(signal.SIGTERM)}")
        unfinished = ""
        try:
            with log.open("r", errors="replace") as lines:
                while True:
                    code = handle.poll()
                    if show_lines:
                        unfinished = self._show(unfinished + lines.read())
                    if code is not None:
                        break
                    self.tick()
        finally:
            self._end_group(handle, signal.SIGTERM, patience_seconds=2.0)
        if code != 0:
            name = " ".join(Path(part).name for part in arguments[:3])
            raise StartError(
                f"{name} failed ({_ending(code)}); its output is in {log}.",
                tail=[] if show_lines else tail_of(log),
            )

    def _show(self, text: str) -> str:
        *lines, unfinished = text.split("\n")
        for line in lines:
            if line.strip():
                self.progress.detail(line.rstrip())
        return unfinished

    def stop(self) -> None:
        """Stop everything in reverse order of starting, at most about 9 seconds."""
        self._stopping = True
        services = [child for child in self._children if child.program.name in _LAST]
        others = [child for child in self._children if child.program.name not in _LAST]
        for group in (others, services):
            self._stop_together(list(reversed(group)))
        self._children.clear()
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait()

    def _stop_together(self, children: Sequence[_Child]) -> None:
        handles = [(child, child.handle) for child in children if child.handle is not None]
        began = time.monotonic()
        for child, handle in handles:
            if handle.poll() is None:
                handle.send_signal(child.program.stop_signal)
        for child, handle in handles:
            left = began + child.program.patience_seconds - time.monotonic()
            with contextlib.suppress(subprocess.TimeoutExpired):
                handle.wait(timeout=max(left, 0.0))
            self._end_group(handle, child.program.last_signal, patience_seconds=1.0)

    def _end_group(
        self, handle: subprocess.Popen[bytes], first: signal.Signals, *, patience_seconds: float
    ) -> None:
        if handle.poll() is None:
            process.kill_group(handle.pid, first)
            with contextlib.suppress(subprocess.TimeoutExpired):
                handle.wait(timeout=patience_seconds)
        process.kill_group(handle.pid, signal.SIGKILL)
        handle.wait()
        self._forget(handle)

    def _look_after(self, child: _Child) -> None:
        program, now = child.program, time.monotonic()
        if child.handle is not None and (code := child.handle.poll()) is not None:
            process.kill_group(child.handle.pid, signal.SIGKILL)
            self._forget(child.handle)
            child.handle = None
            steady = now - child.started > _STEADY_SECONDS
            longer = max(child.pause_seconds * 2, _FIRST_PAUSE_SECONDS)
            child.pause_seconds = (
                _FIRST_PAUSE_SECONDS if steady else min(longer, _LONGEST_PAUSE_SECONDS)
            )
            child.start_again_at = now + child.pause_seconds
            self.progress.say(
                f"{program.name} ended ({_ending(code)}); starting it again in "
                f"{child.pause_seconds:.0f} s, see {program.log}"
            )
        due = child.start_again_at is not None and now >= child.start_again_at
        if child.handle is None and due and program.may_start():
            self._launch(child)

    def _launch(self, child: _Child) -> subprocess.Popen[bytes]:
        program = child.program
        _rotate(program.log)
        with program.log.open("ab") as output:
            handle = process.start(
                program.arguments,
                environment=program.environment,
                directory=program.directory,
                output=output.fileno(),
                identity=program.identity,
                death_signal=program.stop_signal,
                keep_open=program.keep_open,
            )
        child.handle = handle
        child.started = time.monotonic()
        child.start_again_at = None
        self._tell_guard(f"+{handle.pid} {int(program.stop_signal)}")
        return handle

    def _forget(self, handle: subprocess.Popen[bytes]) -> None:
        self._tell_guard(f"-{handle.pid}")

    def _tell_guard(self, order: str) -> None:
        if self._guard.stdin is not None and not self._guard.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.write(f"{order}\n".encode())
                self._guard.stdin.flush()

    def _handles(self) -> list[subprocess.Popen[bytes]]:
        return [child.handle for child in self._children if child.handle is not None]


_LAST = ("postgres", "valkey", "chain")  # what the others work on is stopped after them


def tail_of(log: Path, *, lines: int = 30) -> list[str]:
    """The last lines of a log file."""
    try:
        return log.read_text(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def _ending(code: int) -> str:
    return f"exit {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def _rotate(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > _LONGEST_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
