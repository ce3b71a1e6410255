"""The load generator: keep-alive connections in a process of its own, one thread. Runs as a peer.

Flat out, each connection sends its next request when it has the answer to the last. Paced, requests
are due at fixed times whatever the answers do, and a delay counts from when a request was due.
"""

from __future__ import annotations

import selectors
import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from benches.peer import Message, serve
from benches.requests import Session, Step, sessions

LONGEST_WAIT_SECONDS = 20.0
APART = 100
"""Paced: how many requests lie between two steps of one session."""


class BadAnswer(Exception):
    """The server said something else than what was expected."""


@dataclass(kw_only=True)
class Line:
    """One connection, and what it waits for."""

    socket: socket.socket
    session: deque[Step] = field(default_factory=deque)
    expected: bytes = b""
    since: float = 0.0
    received: bytes = b""


class Generator:
    """Drives the connections; delays of every answer are in `delays`, in seconds."""

    def __init__(self, *, port: int, connections: int, supply: Iterator[Session]) -> None:
        self._supply = supply
        self._selector = selectors.DefaultSelector()
        self._lines = []
        self.delays: list[float] = []
        for _ in range(connections):
            link = socket.create_connection(("127.0.0.1", port), timeout=LONGEST_WAIT_SECONDS)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = Line(socket=link)
            self._lines.append(line)
            self._selector.register(link, selectors.EVENT_READ, line)

    def close(self) -> None:
        """Close every connection."""
        self._selector.close()
        for line in self._lines:
            line.socket.close()

    def flat_out(self, *, seconds: float) -> float:
        """Send until the time is over; return the seconds until the last answer."""
        began = perf_counter()
        for line in self._lines:
            self._send_next(line)
        open_lines = len(self._lines)
        while open_lines:
            for line in self._answered(LONGEST_WAIT_SECONDS):
                if perf_counter() - began < seconds:
                    self._send_next(line)
                else:
                    open_lines -= 1
        return perf_counter() - began

    def paced(self, *, seconds: float, per_second: float) -> float:
        """Send on time; return the seconds until the last answer."""
        steps = self._in_order(int(seconds * per_second))
        free = deque(self._lines)
        began = perf_counter()
        sent = answered = 0
        while answered < len(steps):
            due = began + sent / per_second if sent < len(steps) else perf_counter() + 1.0
            if sent < len(steps) and free and perf_counter() >= due:
                self._send(free.popleft(), steps[sent], since=due)
                sent += 1
                continue
            wait = LONGEST_WAIT_SECONDS if not free else max(due - perf_counter(), 0.0)
            for line in self._answered(wait, is_patient=bool(free)):
                answered += 1
                free.append(line)
        return perf_counter() - began

    def _in_order(self, total: int) -> list[Step]:
        """Sessions interleaved, so that the steps of each lie APART requests from each other."""
        steps: list[Step] = []
        while len(steps) < total:
            group = [next(self._supply) for _ in range(APART)]
            for position in range(len(group[0])):
                steps.extend(session[position] for session in group)
        return steps[:total]

    def _send_next(self, line: Line) -> None:
        if not line.session:
            line.session.extend(next(self._supply))
        self._send(line, line.session.popleft(), since=perf_counter())

    def _send(self, line: Line, step: Step, *, since: float) -> None:
        request, line.expected = step
        line.since = since
        line.socket.sendall(request)

    def _answered(self, wait_seconds: float, *, is_patient: bool = False) -> Iterator[Line]:
        events = self._selector.select(wait_seconds)
        if not events and not is_patient:
            raise BadAnswer(f"no answer within {wait_seconds:.0f} s")
        for key, _ in events:
            line: Line = key.data
            line.received += line.socket.recv(65536)
            if is_whole(line.received, expected=line.expected):
                self.delays.append(perf_counter() - line.since)
                line.received = b""
                yield line


def is_whole(received: bytes, *, expected: bytes) -> bool:
    """Whether a response is complete. Raises BadAnswer unless it is 200 and begins as expected."""
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        if not received:
            raise BadAnswer("the server closed a connection")
        return False
    name = b"content-length: "
    at = head.lower().find(name)
    if not head.startswith(b"HTTP/1.1 200") or at < 0:
        raise BadAnswer(received[:500].decode(errors="replace"))
    if len(body) < int(head[at + len(name) :].split(b"\r\n", 1)[0]):
        return False
    if not body.startswith(expected):
        raise BadAnswer(f"expected {expected!r}, got {body[:200]!r}")
    return True


def measure(message: Message) -> Message:
    """Answer one order: requests answered, seconds, and the delays' 50th and 99th percentile."""
    options: dict[str, Any] = dict(message)
    seconds = options.pop("seconds")
    per_second = options.pop("per_second", None)
    port, connections = options.pop("port"), options.pop("connections")
    generator = Generator(port=port, connections=connections, supply=sessions(**options))
    try:
        if per_second is None:
            taken = generator.flat_out(seconds=seconds)
        else:
            taken = generator.paced(seconds=seconds, per_second=per_second)
    finally:
        generator.close()
    delays = sorted(generator.delays)
    return {
        "requests": len(delays),
        "seconds": taken,
        "p50_ms": 1_000 * delays[len(delays) // 2],
        "p99_ms": 1_000 * delays[min(len(delays) * 99 // 100, len(delays) - 1)],
    }


if __name__ == "__main__":
    serve(measure)
