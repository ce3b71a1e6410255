"""The launcher: real PostgreSQL, Valkey and processes in directories of their own."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from launcher import process
from launcher.places import ROOT, Places
from launcher.progress import Progress
from launcher.stack import Stack, cache_urls, provider_environment
from launcher.supervisor import Program, StartError, Supervisor
from sandbox.context import Credentials


class Run:
    """A started stack; `processes` are its PostgreSQL and Valkey."""

    def __init__(self, var: Path) -> None:
        self.places = Places(var=var)
        self.output = io.StringIO()
        self.supervisor = Supervisor(progress=Progress(stream=self.output))
        self.stack = Stack(places=self.places, supervisor=self.supervisor, given=set())
        self.environment: dict[str, str] = {}

    def start(self) -> None:
        self.environment = self.stack.start()

    def stop(self) -> None:
        self.supervisor.stop()
        self.stack.release()

    def processes(self) -> list[int]:
        return [
            *process.processes_in(self.places.postgres),
            *process.processes_in(self.places.valkey),
        ]

    def tick_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < deadline, self.output.getvalue()
            self.supervisor.tick()

    def connect(self, name: str = "DATABASE_OWNER_URL") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.environment[name], autocommit=True)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path / "var")
    try:
        run.start()
        yield run
    finally:
        run.stop()


def wait_until(condition: Callable[[], bool], *, within_seconds: float = 10) -> None:
    deadline = time.monotonic() + within_seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def test_both_roles_reach_the_database_and_the_app_role_cannot_create_tables(running: Run) -> None:
    with running.connect() as owner:
        owner.execute("CREATE TABLE made_by_owner (id int)")
        owner.execute("CREATE EXTENSION btree_gist")
        assert owner.execute("SELECT current_user").fetchone() == ("gateway_owner",)
    with running.connect("DATABASE_URL") as app:
        assert app.execute("SELECT current_user").fetchone() == ("gateway_app",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("CREATE TABLE made_by_app (id int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("SELECT * FROM made_by_owner")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("CREATE DATABASE made_by_app")


def test_the_owner_can_create_databases_and_run_as_the_app_role(running: Run) -> None:
    with running.connect() as owner:
        owner.execute("CREATE DATABASE another")
        owner.execute("SET ROLE gateway_app")
        assert owner.execute("SELECT current_user").fetchone() == ("gateway_app",)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute("CREATE TABLE made_as_app (id int)")


def test_nothing_listens_on_tcp(running: Run) -> None:
    with running.connect() as owner:
        assert owner.execute("SHOW listen_addresses").fetchone() == ("",)
        assert owner.execute("SHOW fsync").fetchone() == ("on",)
    with redis.from_url(running.environment["CACHE_URL"]) as cache:
        assert cache.config_get("port") == {"port": "0"}
    assert running.places.run.stat().st_mode & 0o777 == 0o700


def test_data_survive_a_restart_and_roles_are_made_once(tmp_path: Path) -> None:
    for number in range(2):
        run = Run(tmp_path / "var")
        try:
            run.start()
            with run.connect() as owner, redis.from_url(run.environment["CACHE_URL"]) as cache:
                owner.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
                owner.execute("INSERT INTO kept VALUES (%s)", [number])
                assert owner.execute("SELECT count(*) FROM kept").fetchone() == (number + 1,)
                cache.rpush("kept", number)
                assert cache.llen("kept") == number + 1
        finally:
            run.stop()
        assert run.processes() == []


def test_committed_rows_survive_a_killed_postgres_which_is_started_again(running: Run) -> None:
    with running.connect() as owner:
        owner.execute("CREATE TABLE kept (number int)")
        owner.execute("INSERT INTO kept SELECT generate_series(1, 1000)")
    lock_file = running.places.postgres / "postmaster.pid"
    os.kill(int(lock_file.read_text().split()[0]), signal.SIGKILL)

    def answers() -> bool:
        try:
            with running.connect() as owner:
                return owner.execute("SELECT count(*) FROM kept").fetchone() == (1000,)
        except psycopg.OperationalError:
            return False

    running.tick_until(lambda: "starting it again" in running.output.getvalue())
    running.tick_until(answers)


def test_a_killed_valkey_is_started_again_with_its_data(running: Run) -> None:
    with redis.from_url(running.environment["CACHE_URL"]) as link:
        link.set("kept", "yes")
        pid = link.info("server")["process_id"]
        os.kill(pid, signal.SIGKILL)
        running.tick_until(running.stack.answers)
        assert link.get("kept") == b"yes"


def test_two_valkeys_cannot_share_one_socket(running: Run) -> None:
    second = Run(running.places.var)
    second.stack = Stack(
        places=running.places,
        supervisor=second.supervisor,
        given={"DATABASE_URL", "DATABASE_OWNER_URL"},
    )
    with pytest.raises(StartError, match="Another Valkey already uses"):
        second.start()
    second.stop()


def test_a_var_with_spaces_and_a_long_path_gets_a_short_socket_directory(tmp_path: Path) -> None:
    run = Run(tmp_path / "a directory with spaces" / ("long" * 20) / "var")
    try:
        run.start()
        assert run.places.run.parent != run.places.var
        assert run.places.run.stat().st_mode & 0o777 == 0o700
        with run.connect() as owner, redis.from_url(run.environment["CACHE_URL"]) as cache:
            assert owner.execute("SELECT 1").fetchone() == (1,)
            assert cache.ping()
    finally:
        run.stop()
    assert not run.places.run.exists()
    assert run.processes() == []


def test_a_stale_lock_file_with_the_number_of_a_living_process_does_not_stop_the_start(
    tmp_path: Path,
) -> None:
    first = Run(tmp_path / "var")
    try:
        first.start()
        stale = (first.places.postgres / "postmaster.pid").read_text()
    finally:
        first.stop()
    lines = [str(os.getpid()), *stale.splitlines()[1:]]
    (first.places.postgres / "postmaster.pid").write_text("\n".join(lines) + "\n")
    second = Run(tmp_path / "var")
    try:
        second.start()
        with second.connect() as owner:
            assert owner.execute("SELECT 1").fetchone() == (1,)
    finally:
        second.stop()


def test_only_one_of_the_two_database_urls_is_refused(tmp_path: Path) -> None:
    supervisor = Supervisor(progress=Progress(stream=io.StringIO()))
    try:
        with pytest.raises(StartError, match="Set both DATABASE_URL and DATABASE_OWNER_URL"):
            Stack(places=Places(var=tmp_path), supervisor=supervisor, given={"DATABASE_URL"})
    finally:
        supervisor.stop()


def test_every_user_of_the_valkey_has_databases_of_its_own() -> None:
    urls = [url for pair in range(32) for url in cache_urls(Path("/x"), pair=pair).values()]
    assert len({url.rpartition("=")[2] for url in urls}) == 64
    with pytest.raises(StartError, match="at most 32"):
        cache_urls(Path("/x"), pair=32)


def test_the_demo_presents_what_the_sandbox_takes() -> None:
    settings, takes = provider_environment("http://127.0.0.1:9"), Credentials()
    same = {
        "AFRICASTALKING_USERNAME": takes.africastalking_username,
        "AFRICASTALKING_API_KEY": takes.africastalking_api_key,
        "SMS_SHORT_CODE": takes.sms_short_code,
        "USSD_CODE": takes.ussd_service_code,
        "DARAJA_CONSUMER_KEY": takes.daraja_consumer_key,
        "DARAJA_CONSUMER_SECRET": takes.daraja_consumer_secret,
        "DARAJA_SHORT_CODE": takes.daraja_short_code,
        "DARAJA_PASSKEY": takes.daraja_passkey,
        "KOIOS_API_KEY": takes.koios_api_key,
        "KOIOS_API_SECRET": takes.koios_api_secret,
        "PLANT_API_KEY": takes.plant_api_key,
    }
    assert {name: settings[name] for name in same} == same


def test_a_program_that_ends_while_starting_is_reported_with_its_last_words(
    tmp_path: Path,
) -> None:
    supervisor = Supervisor(progress=Progress(stream=io.StringIO()))
    program = Program(
        name="broken",
        arguments=["/bin/sh", "-c", "echo last words; exit 3"],
        directory=tmp_path,
        log=tmp_path / "broken.log",
        is_ready=lambda: False,
    )
    try:
        with pytest.raises(StartError, match="exit 3") as caught:
            supervisor.start(program)
        assert caught.value.tail == ["last words"]
    finally:
        supervisor.stop()


def test_a_program_that_ignores_its_stop_signal_is_killed_with_its_children(
    tmp_path: Path,
) -> None:
    supervisor = Supervisor(progress=Progress(stream=io.StringIO()))
    ready = tmp_path / "ready"
    script = f"trap '' TERM; sleep 300 & trap '' TERM; touch {ready}; while :; do sleep 1; done"
    supervisor.start(
        Program(
            name="stubborn",
            arguments=["/bin/sh", "-c", script],
            directory=tmp_path,
            log=tmp_path / "stubborn.log",
            patience_seconds=0.5,
            is_ready=ready.exists,
        )
    )
    assert process.processes_in(tmp_path)
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 5
    wait_until(lambda: not process.processes_in(tmp_path))


# A launcher of its own, so that it can be killed; it prints a line when the stack is up.
_LAUNCHER = """
import sys
from pathlib import Path
from launcher.places import Places
from launcher.progress import Progress
from launcher.stack import Stack
from launcher.supervisor import Supervisor
supervisor = Supervisor(progress=Progress(stream=sys.stderr))
supervisor.catch_signals()
leftover = Path(sys.argv[1]) / "leftover"
supervisor.remove_at_end(leftover)
stack = Stack(places=Places(var=Path(sys.argv[1])), supervisor=supervisor, given=set())
stack.start()
leftover.touch()
print("up", flush=True)
supervisor.watch()
supervisor.stop()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_however_the_launcher_ends_no_process_stays(tmp_path: Path, number: signal.Signals) -> None:
    places = Places(var=tmp_path / "var")
    with subprocess.Popen(
        [sys.executable, "-c", _LAUNCHER, str(places.var)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as launcher:
        assert launcher.stdout is not None
        assert launcher.stdout.readline() == "up\n"
        assert len(process.processes_in(places.postgres)) > 3
        began = time.monotonic()
        launcher.send_signal(number)
        launcher.wait(timeout=10)
    wait_until(
        lambda: (
            not process.processes_in(places.postgres) and not process.processes_in(places.valkey)
        )
    )
    wait_until(lambda: not (places.var / "leftover").exists())
    assert time.monotonic() - began < 10
    again = Run(places.var)
    try:
        again.start()
    finally:
        again.stop()


class TestServer:
    """script/server's own refusals; they come before anything is started."""

    def run(self, var: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "launcher.server", *arguments],
            cwd=ROOT,
            env={**os.environ, "VAR_DIR": str(var), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def test_a_second_server_names_the_first_and_ends(self, tmp_path: Path) -> None:
        lock = tmp_path / "server.lock"
        holder = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); "
        holder += "import os; print(os.getpid(), 'http://127.0.0.1:1', file=f, flush=True); "
        holder += "print('held', flush=True); input()"
        with subprocess.Popen(
            [sys.executable, "-c", holder, str(lock)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as first:
            assert first.stdout is not None
            first.stdout.readline()
            second = self.run(tmp_path, "--fresh", PORT="18301")
            said, _ = second.communicate(timeout=20)
            first.communicate("\n")
        assert second.returncode == 1
        expected = f"script/server already runs on {tmp_path}: process {first.pid}"
        assert said == f"{expected} at http://127.0.0.1:1.\n"

    def test_a_taken_port_is_named_and_nothing_starts(self, tmp_path: Path) -> None:
        with subprocess.Popen(
            [
                *(sys.executable, "-c"),
                "import socket; s = socket.create_server(('127.0.0.1', 0)); "
                "print(s.getsockname()[1], flush=True); input()",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as holder:
            assert holder.stdout is not None
            port = holder.stdout.readline().strip()
            server = self.run(tmp_path, PORT=port)
            said, _ = server.communicate(timeout=20)
            holder.communicate("\n")
        assert server.returncode == 1
        assert said.startswith(f"Port {port} cannot be used")
        assert said.count("\n") == 1
        assert not (tmp_path / "postgres").exists()

    def test_a_malformed_port_is_named(self, tmp_path: Path) -> None:
        server = self.run(tmp_path, PORT="eighty")
        said, _ = server.communicate(timeout=20)
        assert server.returncode == 1
        assert said == "PORT must be a number from 1 to 65535, not 'eighty'.\n"
