"""A node that says what a test tells it to say: over HTTP on loopback, one answer a method."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[list[Any]], Any]


class Refusal(Exception):
    """What a node answers as an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.told = {"code": code, "message": message, "data": data}


class LyingNode:
    """answers: what a method results in, a value or a function of its parameters.

    raw, when set, is the whole body of the next answers, whatever was asked; trickle_seconds is
    the pause after each byte of it.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, list[Any]]] = []
        self.raw: bytes | None = None
        self.status = 200
        self.trickle_seconds = 0.0
        self.id_offset = 0
        self.url = ""

    def body(self, question: dict[str, Any]) -> bytes:
        method, params = question["method"], question["params"]
        self.asked.append((method, params))
        if self.raw is not None:
            return self.raw
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": question["id"] + self.id_offset}
        try:
            told = self.answers[method]
            answer["result"] = told(params) if callable(told) else told
        except Refusal as error:
            answer["error"] = error.told
        return json.dumps(answer).encode()


@contextmanager
def lying_node() -> Iterator[LyingNode]:
    """Serve one until the end."""
    node = LyingNode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = node.body(question)
            self.send_response(node.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                if not node.trickle_seconds:
                    self.wfile.write(body)
                    return
                for number in range(len(body)):
                    self.wfile.write(body[number : number + 1])
                    self.wfile.flush()
                    time.sleep(node.trickle_seconds)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    node.url = f"http://127.0.0.1:{server.server_address[1]}/key-of-ours"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield node
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
