"""The price feed: a contract with AggregatorV3Interface, and what the simulator does to it."""

from __future__ import annotations

import json
from typing import Any, Final

from werkzeug.wrappers import Request, Response

from sandbox.chainlink import abi
from sandbox.context import Context
from sandbox.web import Route, json_object, json_response, refuse

SERVICE = "chainlink"
FEED_ADDRESS = "0xAed0c38402a5d19df6E4c03F4E2DceD6e29c1ee9"
HEARTBEAT_SECONDS = 3_600
NO_DATA = "No data present"

# A proxy's round id holds the number of the contract behind it in its upper bits.
_PHASE: Final = 6 << 64
_START: Final[dict[str, Any]] = {
    "chain_id": 1,
    "answer": 99_990_000,
    "decimals": 8,
    "description": "DAI / USD",
    "age_seconds": None,  # of updatedAt; None: the last full hour
    "round_id": None,  # None: counts hours
    "answered_in_round": None,  # None: the round itself
    "is_reverting": False,
}
_OPTIONAL_NUMBERS: Final = ("age_seconds", "round_id", "answered_in_round")


class Reverted(Exception):
    """The contract reverted; its argument is the reason, "" for none."""


class Feed:
    """The contract's state in the state file. `call` is what eth_call runs."""

    def __init__(self, *, context: Context) -> None:
        self._context = context

    def state(self) -> dict[str, Any]:
        """What stands in the contract, after the simulator's changes."""
        stored = self._context.store.setting(SERVICE)
        return {**_START, **json.loads(stored or "{}")}

    def call(self, data: str) -> str:
        """Run calldata (hexadecimal without 0x) and return the encoded result. Raises Reverted."""
        state = self.state()
        selector, arguments = data[:8].lower(), data[8:]
        if state["is_reverting"]:
            raise Reverted(NO_DATA)
        if selector == abi.LATEST_ROUND_DATA:
            return self._round(state)
        if selector == abi.GET_ROUND_DATA:
            if len(arguments) != 2 * abi.WORD_BYTES:
                raise Reverted("")
            if int(arguments, 16) != self._round_id(state):
                raise Reverted(NO_DATA)
            return self._round(state)
        if selector == abi.DECIMALS:
            return abi.words(state["decimals"])
        if selector == abi.DESCRIPTION:
            return abi.string(state["description"])
        if selector == abi.VERSION:
            return abi.words(4)
        raise Reverted("")

    def _round_id(self, state: dict[str, Any]) -> int:
        given = state["round_id"]
        return _PHASE + self._hour() if given is None else int(given)

    def _hour(self) -> int:
        return int(self._context.now()) // HEARTBEAT_SECONDS

    def _round(self, state: dict[str, Any]) -> str:
        round_id, age = self._round_id(state), state["age_seconds"]
        answered = state["answered_in_round"]
        updated_at = (
            self._hour() * HEARTBEAT_SECONDS if age is None else int(self._context.now()) - age
        )
        return abi.words(
            round_id,
            state["answer"],
            updated_at,
            updated_at,
            round_id if answered is None else answered,
        )

    def routes(self) -> list[Route]:
        """`/simulator/feed`: GET shows, POST changes some fields, DELETE goes back to the start."""
        path = "/simulator/feed"
        return [
            Route("GET", path, self.show),
            Route("POST", path, self.change),
            Route("DELETE", path, self.reset),
        ]

    def show(self, _request: Request) -> Response:
        """The fields that the simulator may change."""
        return json_response({**self.state(), "address": FEED_ADDRESS})

    def change(self, request: Request) -> Response:
        """Take the fields of the body; a whole number, text or true/false, as each stands."""
        body = json_object(request)
        for name, value in body.items():
            if name not in _START:
                refuse({"error": f"{name} is not known here."}, status=400)
            if name in _OPTIONAL_NUMBERS and value is None:
                continue
            kind = int if name in _OPTIONAL_NUMBERS else type(_START[name])
            if type(value) is not kind:
                refuse({"error": f"{name} is not {kind.__name__}."}, status=400)
        with self._context.store.transaction():
            self._context.store.set_setting(SERVICE, json.dumps({**self.state(), **body}))
        return self.show(request)

    def reset(self, request: Request) -> Response:
        """Forget every change."""
        self._context.store.set_setting(SERVICE, "{}")
        return self.show(request)
