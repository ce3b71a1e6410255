"""Start a child that cannot outlive the launcher, and end it with everything it started."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
LINUX = sys.platform == "linux"
# Loaded before any fork: between fork and exec nothing may be imported.
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Identity:
    """Whom a child runs as; by default whoever runs the launcher.

    In a new user namespace without a map the child keeps its rights to our
    files, yet is not root in its own eyes and needs no entry in passwd.
    """

    new_user_namespace: bool = False
    uid: int | None = None
    gid: int | None = None

    def prepare(self) -> None:
        """Called between fork and exec."""
        if self.uid is not None:
            os.setgroups([])
            os.setgid(self.gid if self.gid is not None else self.uid)
            os.setuid(self.uid)
        if self.new_user_namespace and _libc.unshare(_CLONE_NEWUSER) != 0:
            raise OSError(ctypes.get_errno(), "a new user namespace is refused")


def start(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path,
    output: int | None,
    identity: Identity | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    keep_open: Sequence[int] = (),
    own_session: bool = True,
) -> subprocess.Popen[bytes]:
    """Start a program; death_signal reaches it when we die. Without output it writes to ours."""
    launcher = os.getpid()
    who = identity or Identity()

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        who.prepare()
        if LINUX:
            # After setuid, which would clear it.
            _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != launcher:
                os._exit(1)

    return subprocess.Popen(
        list(arguments),
        env=dict(environment),
        cwd=directory,
        stdin=subprocess.DEVNULL if own_session else None,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        start_new_session=own_session,
        pass_fds=tuple(keep_open),
        # The launcher has one thread, so nothing can hold a lock across the fork.
        preexec_fn=prepare,  # noqa: PLW1509
    )


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent died, so that we can end them."""
    if LINUX:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans(known: Sequence[subprocess.Popen[bytes]]) -> None:
    """Collect adopted children that ended; the known ones are left to their owner."""
    ours = {child.pid for child in known}
    for pid in children_of(os.getpid()):
        if pid not in ours:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def children_of(parent: int) -> list[int]:
    """The direct children of a process; empty where /proc does not exist."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(entry.parent.name))
    return found


def descendants_of(parent: int) -> list[int]:
    """Children, their children and so on."""
    found = children_of(parent)
    for pid in found:
        found.extend(children_of(pid))
    return found


def processes_in(directory: Path) -> list[int]:
    """Processes whose working directory this is (all of PostgreSQL's are in its data)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if entry.readlink() == directory:
                found.append(int(entry.parent.name))
    return found


def kill_group(pid: int, number: signal.Signals) -> None:
    """Signal a child and what it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not collected does not."""
    with contextlib.suppress(OSError):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def end_orphans(*, patience_seconds: float) -> None:
    """Kill every descendant that is left; the last thing a launcher does."""
    deadline = time.monotonic() + patience_seconds
    while (left := descendants_of(os.getpid())) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.02)
