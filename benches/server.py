"""The web server as the launcher starts it, with the benchmarks' paths beside the service's."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from launcher import process
from launcher.places import ROOT

READY_WITHIN_SECONDS = 60.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """granian with 2 workers x 4 blocking threads on a port that was free."""

    def __init__(self) -> None:
        self.port = _free_port()
        self._log = tempfile.NamedTemporaryFile(prefix="granian-", suffix=".log")  # noqa: SIM115

    def __enter__(self) -> Server:
        self._handle = process.start(
            [
                *(sys.executable, "-m", "granian", "--interface", "wsgi"),
                *("--workers", "2", "--blocking-threads", "4", "--host", "127.0.0.1"),
                *("--port", str(self.port), "gateway.wsgi:application"),
            ],
            environment={**os.environ, "DJANGO_SETTINGS_MODULE": "benches.settings"},
            directory=ROOT,
            output=self._log.fileno(),
        )
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while not self._answers():
            if self._handle.poll() is not None or time.monotonic() > deadline:
                text = Path(self._log.name).read_text(errors="replace")
                self._stop()
                raise RuntimeError(f"the web server did not start:\n{text[-4000:]}")
            time.sleep(0.1)
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._stop()
        if error is not None:
            text = Path(self._log.name).read_text(errors="replace")
            error.add_note(f"the web server's log ends:\n{text[-4000:]}")
        self._log.close()

    def cpu_seconds(self) -> float:
        """Processor time of the server and its workers so far; 0 where there is no /proc."""
        pids = [self._handle.pid, *process.descendants_of(self._handle.pid)]
        ticks = 0
        for pid in pids:
            path = Path(f"/proc/{pid}/stat")
            if path.exists():
                fields = path.read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / CLOCK_TICKS

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/bench/empty")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def _stop(self) -> None:
        self._handle.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._handle.wait(timeout=5)
        process.kill_group(self._handle.pid, signal.SIGKILL)
        self._handle.wait()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
