"""JSON-RPC to one node over HTTP: one question, one answer, within an exact time, or an error.

The node's address may hold a key and never stands in an error.
"""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

CONNECT_SECONDS = 3.05
ANSWER_SECONDS = 10.0
"""From the question to the last byte of the answer, however slowly it trickles in."""
LONGEST_ANSWER_BYTES = 32 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


class ChainUnavailable(Exception):
    """The node gave no answer, or none in its form. Nothing is known; try again later."""


class NodeRefused(ChainUnavailable):
    """The node answered with an error of its own: `code` and what it `said`, and its `data`."""

    def __init__(self, *, method: str, code: int, said: str, data: Any) -> None:
        super().__init__(f"{method} failed: {said[:200]} ({code})")
        self.code = code
        self.said = said
        self.data = data


class ChainLies(Exception):
    """What the node says can't be: another chain, logs of blocks that are not, another's hash."""


class CallReverted(Exception):
    """A call or an estimate reverted: `reason` in the contract's words, or "" without any."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(f"reverted: {reason}" if reason else "reverted without a reason")
        self.reason = reason


class TransferRefused(Exception):
    """The node refused the bytes of a transfer.

    `code` is nonce_too_low, already_known, underpriced, insufficient_funds or other.
    """

    def __init__(self, *, code: str, said: str) -> None:
        super().__init__(f"{code}: {said[:200]}")
        self.code = code
        self.said = said


class Node:
    """One node. Connections are kept open; nothing is asked twice by itself."""

    def __init__(self, *, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=0))
        self._numbers = itertools.count(1)

    def ask(self, method: str, params: list[Any]) -> Any:
        """Return the result of a method; NodeRefused for the node's own error."""
        number = next(self._numbers)
        question = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        status, body = self._exchange(method, question)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ChainUnavailable(f"{method} answered no JSON (HTTP {status})") from error
        if not isinstance(answer, dict):
            raise ChainUnavailable(f"{method} answered no object (HTTP {status})")
        if (told := answer.get("error")) is not None:
            raise _refusal(method, told)
        if status != requests.codes.ok or answer.get("id") != number or "result" not in answer:
            raise ChainUnavailable(f"{method} answered {body[:80]!r} (HTTP {status})")
        return answer["result"]

    def _exchange(self, method: str, question: dict[str, Any]) -> tuple[int, bytes]:
        deadline = time.monotonic() + ANSWER_SECONDS
        try:
            with self._session.post(
                self._url,
                json=question,
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                stream=True,
                allow_redirects=False,
            ) as response:
                return response.status_code, _body(method, response, deadline)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise ChainUnavailable(f"{method}: {type(error).__name__}") from None


def _body(method: str, response: requests.Response, deadline: float) -> bytes:
    """Read an answer to its end. A socket's time-out alone begins anew with every byte."""
    body = bytearray()
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        body += chunk
        if time.monotonic() > deadline:
            raise ChainUnavailable(f"{method} took more than {ANSWER_SECONDS:.0f} s")
        if len(body) > LONGEST_ANSWER_BYTES:
            raise ChainUnavailable(f"{method} answered more than {LONGEST_ANSWER_BYTES} bytes")
    return bytes(body)


def _refusal(method: str, told: Any) -> ChainUnavailable:
    if not isinstance(told, dict):
        return ChainUnavailable(f"{method} failed: {str(told)[:80]}")
    code, said = told.get("code"), told.get("message")
    if not isinstance(code, int) or not isinstance(said, str):
        return ChainUnavailable(f"{method} failed: {str(told)[:80]}")
    return NodeRefused(method=method, code=code, said=said, data=told.get("data"))
