"""Where the embedded services keep their data, sockets and logs."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LONGEST_SOCKET_DIRECTORY_BYTES = 90  # a socket's whole path must stay below 108
_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")


class PlaceError(Exception):
    """A directory cannot be used; the text is one sentence for the operator."""


@dataclass(frozen=True)
class Places:
    """The directories under one var directory, which is absolute."""

    var: Path

    @property
    def postgres(self) -> Path:
        return self.var / "postgres"

    @property
    def valkey(self) -> Path:
        return self.var / "valkey"

    @property
    def chain(self) -> Path:
        return self.var / "chain"

    @property
    def log(self) -> Path:
        return self.var / "log"

    @property
    def state(self) -> Path:
        """What `manage.py` reads to find the services of a running server."""
        return self.var / "server.json"

    @property
    def run(self) -> Path:
        """The directory of the sockets; elsewhere if the path is too long or needs quoting."""
        near = self.var / "run"
        if len(os.fsencode(near)) <= _LONGEST_SOCKET_DIRECTORY_BYTES and _PLAIN.fullmatch(
            str(near)
        ):
            return near
        digest = hashlib.sha256(os.fsencode(self.var)).hexdigest()[:12]
        name = f"gateway-{os.geteuid()}-{digest}"
        far = Path(tempfile.gettempdir()) / name
        if len(os.fsencode(far)) > _LONGEST_SOCKET_DIRECTORY_BYTES or not _PLAIN.fullmatch(
            str(far)
        ):
            return Path("/tmp") / name
        return far

    @property
    def valkey_socket(self) -> Path:
        return self.run / "valkey.sock"

    def make(self) -> None:
        """Create the directories, closed to other users."""
        try:
            self.var.mkdir(parents=True, exist_ok=True)
            for directory in (self.log, self.valkey, self.run):
                directory.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise PlaceError(f"{error.filename} cannot be made: {error.strerror}.") from error
        found = self.run.lstat()
        # Someone else could have made the directory in the temporary directory first.
        if self.run.is_symlink() or (found.st_uid != os.geteuid() and os.geteuid() != 0):
            raise PlaceError(f"{self.run} belongs to another user; remove it or set VAR_DIR.")
        self.run.chmod(0o700)


def of_environment(environment: dict[str, str]) -> Places:
    """The places under VAR_DIR, or under `var` in the repository."""
    return Places(var=(ROOT / (environment.get("VAR_DIR") or "var")).absolute())
