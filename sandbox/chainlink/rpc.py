"""JSON-RPC 2.0 of an Ethereum node: the calls that reading a contract takes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.chainlink import abi
from sandbox.chainlink.feed import FEED_ADDRESS, Feed, Reverted
from sandbox.context import Context
from sandbox.web import Route, json_response

SLOT_SECONDS = 12
MOST_BATCHED = 100
_HEX = re.compile(r"0x([0-9a-fA-F]{2})*")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_CODE = "0x6080604052"  # how compiled contracts begin

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
PLAIN_REVERT, REVERT_WITH_REASON = -32000, 3


class RpcError(Exception):
    """An error object of JSON-RPC: code, message, and data where there is some."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.body = {"code": code, "message": message, **({"data": data} if data else {})}


class Rpc:
    """`POST /chainlink`: one request, or several in an array."""

    def __init__(self, *, context: Context, feed: Feed) -> None:
        self._context = context
        self._feed = feed
        self._methods: dict[str, Callable[[list[Any]], str]] = {
            "eth_chainId": self._chain_id,
            "net_version": self._net_version,
            "eth_blockNumber": self._block_number,
            "eth_getCode": self._code,
            "eth_call": self._call,
        }

    def routes(self) -> list[Route]:
        """The node's one path."""
        return [Route("POST", "", self.serve)]

    def serve(self, request: Request) -> Response:
        """Answer what was asked; always HTTP 200, as nodes do."""
        try:
            body = json.loads(request.get_data())
        except (ValueError, RecursionError):
            return json_response(_failed(None, RpcError(PARSE_ERROR, "parse error")))
        if not isinstance(body, list):
            return json_response(self._one(body))
        if not body:
            return json_response(_failed(None, RpcError(INVALID_REQUEST, "empty batch")))
        if len(body) > MOST_BATCHED:
            return json_response(_failed(None, RpcError(INVALID_REQUEST, "batch too large")))
        return json_response([self._one(each) for each in body])

    def _one(self, asked: Any) -> dict[str, Any]:
        if not isinstance(asked, dict) or asked.get("jsonrpc") != "2.0" or "id" not in asked:
            return _failed(None, RpcError(INVALID_REQUEST, "invalid request"))
        params = asked.get("params", [])
        method = self._methods.get(str(asked.get("method")))
        try:
            if method is None:
                raise RpcError(
                    NO_METHOD, f"the method {asked.get('method')} does not exist/is not available"
                )
            if not isinstance(params, list):
                raise RpcError(INVALID_PARAMS, "non-array args")
            return {"jsonrpc": "2.0", "id": asked["id"], "result": method(params)}
        except RpcError as error:
            return _failed(asked["id"], error)

    def _chain_id(self, _params: list[Any]) -> str:
        return hex(self._feed.state()["chain_id"])

    def _net_version(self, _params: list[Any]) -> str:
        return str(self._feed.state()["chain_id"])

    def _block_number(self, _params: list[Any]) -> str:
        return hex(int(self._context.now()) // SLOT_SECONDS)

    def _code(self, params: list[Any]) -> str:
        return _CODE if _is_feed(_address(params)) else "0x"

    def _call(self, params: list[Any]) -> str:
        """A call of an address without code answers nothing, and does not fail."""
        wanted = params[0] if params and isinstance(params[0], dict) else {}
        data = wanted.get("input", wanted.get("data", "0x"))
        if not isinstance(data, str) or _HEX.fullmatch(data) is None:
            raise RpcError(INVALID_PARAMS, "invalid argument 0: cannot unmarshal hex string")
        if not _is_feed(_address([wanted.get("to")])):
            return "0x"
        try:
            return "0x" + self._feed.call(data[2:])
        except Reverted as error:
            reason = str(error)
            if not reason:
                raise RpcError(PLAIN_REVERT, "execution reverted") from error
            raise RpcError(
                REVERT_WITH_REASON,
                f"execution reverted: {reason}",
                f"0x{abi.REVERT_REASON}{abi.string(reason)}",
            ) from error


def _address(params: list[Any]) -> str:
    address = params[0] if params else None
    if not isinstance(address, str) or _ADDRESS.fullmatch(address) is None:
        raise RpcError(INVALID_PARAMS, "invalid argument 0: not an address")
    return address


def _is_feed(address: str) -> bool:
    return address.lower() == FEED_ADDRESS.lower()


def _failed(asked_id: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": asked_id, "error": error.body}
