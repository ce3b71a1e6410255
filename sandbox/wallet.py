"""Wallets of people on the development chain: /wallet/accounts, /wallet/<address>/send and /sign.

The people are four accounts of the node (6 to 9), which signs for them. Amounts are decimal text in
the asset itself: "12.5" of DAI, USDC, or NATIVE (also ETH and XDAI: whatever the chain's own is).
"""

from __future__ import annotations

import re

from eth_utils.address import is_address, to_checksum_address
from werkzeug.wrappers import Request, Response

from sandbox.chain import (
    DAI,
    DEPLOYER,
    PEOPLE,
    USDC,
    ChainError,
    Node,
    address_at,
    call_data,
)
from sandbox.web import Route, json_object, json_response, refuse, text_field

SERVICE = "wallet"
NATIVE = "NATIVE"
NATIVE_NAMES = (NATIVE, "ETH", "XDAI")
NATIVE_DECIMALS = 18
COINS = {each.name: each for each in (DAI, USDC)}

_AMOUNT = re.compile(r"([0-9]{1,30})(?:\.([0-9]{1,18}))?")


class Wallets:
    """The people's accounts at the node of chain_url; "" for none, and all of it is 503."""

    def __init__(self, *, chain_url: str) -> None:
        self._node = Node(url=chain_url) if chain_url else None

    def routes(self) -> list[Route]:
        """Every path under /wallet."""
        return [
            Route("GET", "/accounts", self.accounts),
            Route("POST", "/<address>/send", self.send),
            Route("POST", "/<address>/sign", self.sign),
        ]

    def accounts(self, _request: Request) -> Response:
        """The people's addresses, and what each holds."""
        return json_response(
            [
                {
                    "address": address,
                    "amounts": {
                        **{name: self._held(address, name) for name in COINS},
                        NATIVE: _text(
                            int(self._ask("eth_getBalance", address, "latest"), 16),
                            decimals=NATIVE_DECIMALS,
                        ),
                    },
                }
                for address in self._people()
            ]
        )

    def send(self, request: Request, address: str) -> Response:
        """{"to", "asset", "amount"} -> {"hash"}: sent, in a block a moment later."""
        sender, body = self._own(address), json_object(request)
        to = text_field(body, "to")
        if not is_address(to):
            refuse({"error": f"{to[:60]} is no address."}, status=400)
        asset = text_field(body, "asset").upper()
        if asset in NATIVE_NAMES:
            amount = _units(text_field(body, "amount"), decimals=NATIVE_DECIMALS)
            fields = {"to": to, "value": hex(amount)}
        elif asset in COINS:
            amount = _units(text_field(body, "amount"), decimals=COINS[asset].decimals)
            data = call_data("transfer(address,uint256)", to, amount)
            fields = {"to": self._token(asset), "data": data}
        else:
            known = ", ".join((*COINS, *NATIVE_NAMES))
            refuse({"error": f"{asset[:20]} is none of {known}."}, status=400)
        return json_response({"hash": self._ask_send({"from": sender, **fields})})

    def sign(self, request: Request, address: str) -> Response:
        """{"message"} -> {"signature"}, as a wallet signs text (EIP-191)."""
        signer = self._own(address)
        message = text_field(json_object(request), "message")
        signature = self._ask("personal_sign", "0x" + message.encode().hex(), signer)
        return json_response({"signature": signature})

    def _people(self) -> list[str]:
        accounts = self._ask("eth_accounts")
        return [str(to_checksum_address(accounts[number])) for number in PEOPLE]

    def _own(self, address: str) -> str:
        for known in self._people():
            if known.lower() == address.lower():
                return known
        refuse({"error": f"{address[:60]} is nobody's wallet here."}, status=404)

    def _token(self, name: str) -> str:
        deployer = str(to_checksum_address(self._ask("eth_accounts")[DEPLOYER]))
        return address_at(deployer=deployer, nonce=COINS[name].nonce)

    def _held(self, address: str, name: str) -> str:
        data = call_data("balanceOf(address)", address)
        told = self._ask("eth_call", {"to": self._token(name), "data": data}, "latest")
        return _text(int(told, 16) if told != "0x" else 0, decimals=COINS[name].decimals)

    def _ask_send(self, fields: dict[str, str]) -> str:
        node = self._connected()
        try:
            return node.send(**fields)
        except ChainError as error:
            refuse({"error": str(error)}, status=422)

    def _ask(self, method: str, *parameters: object) -> str:
        node = self._connected()
        try:
            told: str = node.ask(method, *parameters)
        except ChainError as error:
            refuse({"error": str(error)}, status=503)
        return told

    def _connected(self) -> Node:
        if self._node is None:
            refuse({"error": "There is no chain: start with --chain-url."}, status=503)
        return self._node


def _units(text: str, *, decimals: int) -> int:
    match = _AMOUNT.fullmatch(text.strip())
    part = "" if match is None else match[2] or ""
    if match is None or len(part) > decimals:
        refuse({"error": f"{text[:40]} is no amount with at most {decimals} decimals."}, status=400)
    units: int = int(match[1]) * 10**decimals + int(part.ljust(decimals, "0") or "0")
    if not 0 < units < 2**256:
        refuse({"error": "The amount is nothing, or too much."}, status=400)
    return units


def _text(units: int, *, decimals: int) -> str:
    whole, part = divmod(units, 10**decimals)
    return f"{whole}.{part:0{decimals}d}".rstrip("0").rstrip(".")
