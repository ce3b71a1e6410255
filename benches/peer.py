"""A helper process of a benchmark: it answers each line of JSON with a line of JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from launcher.places import ROOT

Message = dict[str, Any]


class Peer:
    """Starts `python -m MODULE`, waits until it is ready, and stops it at the end.

    tell and hear are apart, so that several peers can work at the same time.
    """

    def __init__(self, *, module: str, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            env=dict(environment),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.module = module

    def __enter__(self) -> Peer:
        self.hear()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tell(self, **message: Any) -> None:
        """Send a message without waiting for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def hear(self) -> Message:
        """Wait for the next answer. Raises RuntimeError where the peer ended instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.module} ended; see its output above")
        answer: Message = json.loads(line)
        return answer

    def ask(self, **message: Any) -> Message:
        """Send a message and wait for its answer."""
        self.tell(**message)
        return self.hear()


def serve(answer: Callable[[Message], Message]) -> None:
    """Run as a peer: say that we are ready, then answer until our input ends."""
    print(json.dumps({"is_ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
