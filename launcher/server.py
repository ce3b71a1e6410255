"""script/server: everything the service needs, in the foreground, from one command."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import http.client
import json
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from launcher import places, process
from launcher.chain import EPOCHS, DevChain, demo_environment
from launcher.places import ROOT, PlaceError
from launcher.ports import Ports, of_environment, refuse_taken
from launcher.progress import Progress
from launcher.stack import DEMO_SENDER, Stack, given_names, provider_environment, sandbox_mail
from launcher.supervisor import Program, StartError, Stopped, Supervisor

_DATA = ("postgres", "postgres.new", "valkey", "chain", "log", "run", "secret_key", "server.json")
_WAIT_FOR_OLD_RUN_SECONDS = 15.0
# Settings that manage.py reads from server.json while this server runs.
_SHARED = (
    *("DATABASE_URL", "DATABASE_OWNER_URL", "BROKER_URL", "CACHE_URL", "SECRET_KEY", "DEMO"),
    *("PUBLIC_URL", "HOOK_SECRETS", "ALLOWED_HOSTS", "SANDBOX_URL", "EMAIL_URL", "EMAIL_FROM"),
    *("CHAIN_RPC_URL", *demo_environment(), *EPOCHS),
    *provider_environment(""),
)


class Server:
    """One run of script/server on one var directory."""

    def __init__(self, *, progress: Progress, ports: Ports) -> None:
        self._progress = progress
        self._ports = ports
        self._places = places.of_environment(dict(os.environ))
        # A node of the caller's own: then no dev chain, and the caller says who signs.
        self._has_dev_chain = not _is_given("CHAIN_RPC_URL")
        self._sandbox_chain_url = ""  # of a chain that people's wallets of the sandbox are on
        self._began = time.monotonic()

    def run(self, *, fresh: bool) -> int:
        """Start everything, stay until asked to stop, stop everything; gives the exit code."""
        try:
            self._places.make()
            with (self._places.var / "server.lock").open("a+") as lock:
                self._take(lock)
                for port in self._own_ports:
                    refuse_taken(port)
                if fresh:
                    self._remove_data()
                return self._run_locked(lock)
        except StartError as error:
            _explain(error)
        except PlaceError as error:
            _explain(StartError(str(error)))
        return 1

    def _take(self, lock: TextIO) -> None:
        """One server per var directory: hold the lock as long as we live."""
        deadline = time.monotonic() + _WAIT_FOR_OLD_RUN_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                lock.seek(0)
                pid, _, address = lock.read().strip().partition(" ")
                if time.monotonic() > deadline or not pid or process.is_alive(int(pid)):
                    raise StartError(
                        f"script/server already runs on {self._places.var}: "
                        f"process {pid or 'unknown'} at {address or 'an unknown address'}."
                    ) from None
                time.sleep(0.1)  # the guard of a killed run is still cleaning up
        lock.truncate(0)
        lock.write(f"{os.getpid()} {self._address}\n")
        lock.flush()

    def _remove_data(self) -> None:
        self._progress.begin("Removing the data of earlier runs")
        for name in _DATA:
            path = self._places.var / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for path in self._places.var.glob("sandbox.sqlite3*"):
            path.unlink()
        self._places.make()
        self._progress.done()

    def _run_locked(self, lock: TextIO) -> int:
        process.adopt_orphans()
        supervisor = Supervisor(progress=self._progress, guard_holds=[lock.fileno()])
        supervisor.catch_signals()
        supervisor.remove_at_end(self._places.state)
        stack: Stack | None = None
        code = 0
        try:
            stack = Stack(
                places=self._places, supervisor=supervisor, given=given_names(dict(os.environ))
            )
            self._start(supervisor, stack)
            supervisor.watch()
        except Stopped:
            pass
        except StartError as error:
            self._progress.failed()
            _explain(error)
            code = 1
        finally:
            self._stop(supervisor, stack)
        return code

    def _start(self, supervisor: Supervisor, stack: Stack) -> None:
        # After this the children inherit it; what the caller has set stays as it is.
        os.environ.update(stack.start())
        # Fixed, as the sandbox calls back with this secret and the demo data need DEMO.
        os.environ.update({"DEMO": "1", "HOOK_SECRETS": "demo"})
        self._set(self._demo_environment())
        if self._has_dev_chain:
            self._start_chain(supervisor)
        elif not _is_given("CHAIN_ID"):
            # An anvil of the caller's own. On any other chain the caller says who signs.
            self._progress.begin("Putting sandbox money on the chain of CHAIN_RPC_URL")
            self._sandbox_chain_url = _read("CHAIN_RPC_URL")
            self._put_money(supervisor, self._sandbox_chain_url)
            self._set({**demo_environment(), **EPOCHS})
        self._write_state()
        self._progress.begin("Starting the sandbox of the outside services")
        supervisor.start(self._sandbox())
        self._progress.done()
        # One process for both: most of a second start is Django's own.
        self._manage(
            supervisor,
            "Migrating the database and loading the demo",
            *("load_demo", "--migrate"),
            show_lines=True,
        )
        # The web server first: together they would share the cores and all come late.
        self._progress.begin("Starting the web server, the worker and the scheduler")
        supervisor.start(self._web())
        supervisor.start(self._worker())
        supervisor.start(self._beat())
        self._progress.done()
        self._welcome()

    def _start_chain(self, supervisor: Supervisor) -> None:
        chain = DevChain(places=self._places, port=self._ports.chain)
        self._progress.begin("Starting the dev chain")
        chain.prepare()
        supervisor.start(chain.node())
        supervisor.start(chain.clock())
        self._sandbox_chain_url = chain.url
        self._put_money(supervisor, chain.url)
        # The dev chain's own id and keys, whatever stood there; epochs as long as the caller wants.
        os.environ.update(chain.environment())
        self._set(EPOCHS)

    def _put_money(self, supervisor: Supervisor, url: str) -> None:
        """What money and prices stand on in the demo, at the same addresses on every new chain."""
        supervisor.run_step(
            [sys.executable, "-m", "sandbox.chain", "--rpc", url],
            directory=ROOT,
            log=self._places.log / "sandbox-chain.log",
        )
        self._progress.done()

    @staticmethod
    def _set(values: dict[str, str]) -> None:
        """What the caller has set stays as it is."""
        for name, value in values.items():
            if f"{name}_FILE" not in os.environ:
                os.environ.setdefault(name, value)

    def _manage(
        self, supervisor: Supervisor, title: str, *arguments: str, show_lines: bool = False
    ) -> None:
        self._progress.begin(title)
        supervisor.run_step(
            [sys.executable, "manage.py", *arguments],
            directory=ROOT,
            log=self._places.log / f"{arguments[0]}.log",
            show_lines=show_lines,
        )
        self._progress.done()

    def _sandbox(self) -> Program:
        return self._python(
            "sandbox",
            *("sandbox", "--port", str(self._ports.sandbox), "--product-url", self._address),
            *("--mail-port", str(self._ports.mail)),
            *("--state", str(self._places.var / "sandbox.sqlite3"), "--autopilot"),
            *("--chain-url", self._sandbox_chain_url),
            is_ready=lambda: _is_healthy(self._ports.sandbox),
        )

    def _worker(self) -> Program:
        return self._python(
            "worker",
            *("celery", "-A", "gateway", "worker", "--concurrency", "2", "--loglevel", "INFO"),
            *("--without-gossip", "--without-mingle"),
        )

    def _beat(self) -> Program:
        scheduler = "django_celery_beat.schedulers:DatabaseScheduler"
        return self._python(
            "beat",
            *("celery", "-A", "gateway", "beat", "--scheduler", scheduler, "--pidfile="),
        )

    def _web(self) -> Program:
        # A dial on the demo's handset holds a thread while the hook that it leads to needs one.
        return self._python(
            "web",
            *("granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "64"),
            *("--host", "127.0.0.1", "--port", str(self._ports.web), "--respawn-failed-workers"),
            *("--workers-kill-timeout", "2", "gateway.wsgi:application"),
            is_ready=lambda: _is_healthy(self._ports.web),
        )

    def _python(
        self, name: str, *module: str, is_ready: Callable[[], bool] = lambda: True
    ) -> Program:
        return Program(
            name=name,
            arguments=[sys.executable, "-m", *module],
            directory=ROOT,
            log=self._places.log / f"{name}.log",
            environment={**os.environ, "PYTHONUNBUFFERED": "1"},
            is_ready=is_ready,
        )

    def _demo_environment(self) -> dict[str, str]:
        sandbox = f"http://127.0.0.1:{self._ports.sandbox}"
        return {
            "SECRET_KEY": _kept_secret(self._places.var / "secret_key"),
            "PUBLIC_URL": self._address,
            "ALLOWED_HOSTS": "127.0.0.1,localhost,[::1]",
            "SANDBOX_URL": sandbox,
            "EMAIL_URL": sandbox_mail(self._ports.mail),
            "EMAIL_FROM": DEMO_SENDER,
            **provider_environment(sandbox),
        }

    def _write_state(self) -> None:
        """For manage.py; closed to others, as it holds the demo's secret key."""
        names = [form for name in _SHARED for form in (name, f"{name}_FILE")]
        found = {name: os.environ[name] for name in names if name in os.environ}
        fresh = self._places.state.with_suffix(".new")
        with open(fresh, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            json.dump({"pid": os.getpid(), "environment": found}, file, indent=1)
        fresh.replace(self._places.state)

    def _stop(self, supervisor: Supervisor, stack: Stack | None) -> None:
        # A second Ctrl-C must not break off the orderly end, which is bounded anyway.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(BrokenPipeError):
            self._progress.begin("Stopping")
        self._places.state.unlink(missing_ok=True)
        supervisor.stop()
        if stack is not None:
            stack.release()
        process.end_orphans(patience_seconds=1.0)
        with contextlib.suppress(BrokenPipeError):
            self._progress.done()

    @property
    def _own_ports(self) -> list[int]:
        """Those that this run listens on."""
        chain = [self._ports.chain] if self._has_dev_chain else []
        return [self._ports.web, self._ports.sandbox, self._ports.mail, *chain]

    @property
    def _address(self) -> str:
        return f"http://127.0.0.1:{self._ports.web}"

    @property
    def _chain_line(self) -> str:
        if not self._has_dev_chain:
            return "of your own (CHAIN_RPC_URL)"
        return f"http://127.0.0.1:{self._ports.chain}/      (JSON-RPC, chain id 31337)"

    def _welcome(self) -> None:
        seconds = time.monotonic() - self._began
        self._progress.say(
            f"""
Ready after {seconds:.0f} s; Ctrl-C stops everything.

  Dashboard   {self._address}/
  Phone       {self._address}/handset/      (KIS0001 is +254711000001, PIN 4826, dial *384*4826#)
  Operators   {self._address}/admin/        (log-in operator, password demo)
  API         {self._address}/api/docs/     (Authorization: Token demo-operator-token)
  Sandbox     http://127.0.0.1:{self._ports.sandbox}/
  Mail        http://127.0.0.1:{self._ports.sandbox}/mail/   (what was sent by e-mail)
  Chain       {self._chain_line}
  Logs        {self._places.log}
"""
        )


def _is_healthy(port: int) -> bool:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        link.request("GET", "/healthz")
        return link.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


def _kept_secret(path: Path) -> str:
    """The demo's secret key: made once, so that sessions outlive a restart."""
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(50))
    return path.read_text()


def _explain(error: StartError) -> None:
    for line in error.tail:
        print(f"    {line}", file=sys.stderr)
    print(error, file=sys.stderr)


def _is_given(name: str) -> bool:
    """Whether the caller set it, itself or as NAME_FILE; empty is not given."""
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def _read(name: str) -> str:
    """What the caller set, itself or as NAME_FILE."""
    file = os.environ.get(f"{name}_FILE")
    return os.environ.get(name) or (Path(file).read_text().strip() if file else "")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="script/server", description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="remove the data of earlier runs")
    options = parser.parse_args(arguments)
    try:
        ports = of_environment()
    except StartError as error:
        _explain(error)
        return 1
    return Server(progress=Progress(), ports=ports).run(fresh=options.fresh)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
