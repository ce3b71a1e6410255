"""A node that does not tell all: a proxy before anvil that refuses, leaves out, or makes up."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Twist = Callable[[str, list[Any], Any], Any]
"""Gets method, parameters and the true result; returns what is told. Raises Refusal."""


class Refusal(Exception):
    """The node answers with an error."""


class TwistedNode:
    """Speaks JSON-RPC like the node behind it, twisted by `twist`; counts what it was asked."""

    def __init__(self, *, port: int) -> None:
        self.twist: Twist | None = None
        self.asked: list[str] = []
        self.is_gone = False
        self._port = port
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self.is_gone = True
        self._server.shutdown()
        self._server.server_close()

    def answer(self, body: bytes) -> bytes:
        question = json.loads(body)
        self.asked.append(question["method"])
        link = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            link.request("POST", "/", body, {"Content-Type": "application/json"})
            told = json.loads(link.getresponse().read())
        finally:
            link.close()
        if self.twist is not None and "result" in told:
            try:
                told["result"] = self.twist(question["method"], question["params"], told["result"])
            except Refusal as error:
                del told["result"]
                told["error"] = {"code": -32005, "message": str(error)}
        return json.dumps(told).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        node = self

        class Handler(BaseHTTPRequestHandler):
            """One question."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if node.is_gone:
                    self.close_connection = True
                    return
                told = node.answer(body)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def before(*, port: int) -> Iterator[TwistedNode]:
    """Stand before a node for a while."""
    node = TwistedNode(port=port)
    try:
        yield node
    finally:
        node.stop()
