"""Run one command on a stack of its own: python -m launcher.run [--quiet] -- COMMAND ..."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys

from launcher import process
from launcher.places import ROOT
from launcher.progress import Progress
from launcher.stack import offline_environment, temporary
from launcher.supervisor import StartError, Stopped, Supervisor


def main(arguments: list[str]) -> int:
    options, command = _split(arguments)
    if not command or options - {"--quiet"}:
        print(__doc__, file=sys.stderr)
        return 2
    process.adopt_orphans()
    stream = io.StringIO() if "--quiet" in options else sys.stderr
    try:
        with temporary(progress=Progress(stream=stream), durable=True) as (found, supervisor):
            supervisor.catch_signals()
            environment = {**os.environ, **offline_environment(), **found}
            environment.pop("DEMO", None)
            return _run(command, environment, supervisor)
    except StartError as error:
        print(*error.tail, str(error), sep="\n", file=sys.stderr)
        return 1


def _split(arguments: list[str]) -> tuple[set[str], list[str]]:
    if "--" not in arguments:
        return set(), arguments
    at = arguments.index("--")
    return set(arguments[:at]), arguments[at + 1 :]


def _run(command: list[str], environment: dict[str, str], supervisor: Supervisor) -> int:
    """In our own session, so that Ctrl-C reaches the command too."""
    if command[0] == "python":
        command = [sys.executable, *command[1:]]
    sys.stdout.flush()
    handle = process.start(
        command, environment=environment, directory=ROOT, output=None, own_session=False
    )
    try:
        while handle.poll() is None:
            supervisor.tick()
    except Stopped:
        handle.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            handle.wait(timeout=5)
        handle.kill()
        return 128 + signal.SIGTERM
    finally:
        handle.wait()
    return handle.returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
