"""The wire of OSCU: device, items, sales, and the lookup of a sale."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import requests

from gateway.fiscal.interface import (
    AlreadySigned,
    CannotAsk,
    DeviceRefused,
    DeviceUnavailable,
    DeviceUnreachable,
)
from gateway.outbound import was_never_sent

TIMEOUT_SECONDS = (5, 20)
DONE = {"000", "0000", "00"}
"""The specification's code, and those seen from its gateways."""
NOTHING_FOUND = "001"
DUPLICATES = {"921", "994"}
NOT_READY = {"900", "901", "902", "903", "905", "990"}
"""The credentials, the device or a quota stand in the way: nothing was signed."""
REFUSALS = {"910", "911", "912", "913", "922"}
"""The document is wrong. After any other code it may be signed all the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a call brought: data is None where there is nothing."""

    code: str
    data: dict[str, Any] | None


class Etims:
    """A thin client of one device: a PIN and a branch."""

    def __init__(self, *, base_url: str, tin: str, branch: str, key: str, lookup_path: str) -> None:
        self.base_url = base_url.rstrip("/")
        self.tin = tin
        self.branch = branch
        self._key = key
        self._lookup_path = lookup_path
        self._session = requests.Session()
        self._registered: set[tuple[str, str]] = set()

    def initialise(self, *, serial: str) -> dict[str, Any]:
        """Install an approved device; return what eTIMS says of it, its key (cmcKey) included.

        The key is told once. Raises DeviceUnreachable where the device is installed already or
        not approved.
        """
        body = {"tin": self.tin, "bhfId": self.branch, "dvcSrlNo": serial}
        answer = self._post("/selectInitOsdcInfo", body)
        info = (answer.data or {}).get("info")
        if not isinstance(info, dict) or not info.get("cmcKey"):
            raise DeviceUnavailable("etims: the device was told no key")
        return info

    def register(self, *, item: dict[str, Any]) -> None:
        """Register an item once; it has to be known before it is sold."""
        mark = (str(item["itemCd"]), str(item["taxTyCd"]))
        if mark in self._registered:
            return
        try:
            self._post("/saveItem", item)
        except AlreadySigned:
            pass
        except DeviceRefused as refusal:
            raise DeviceUnreachable(f"etims item {mark[0]}: {refusal}") from refusal
        except DeviceUnavailable as error:
            # Whatever became of the item, no document was sent yet.
            raise DeviceUnreachable(str(error)) from error
        self._registered.add(mark)

    def save_sale(self, *, sale: dict[str, Any]) -> dict[str, Any]:
        """Have a sale or a credit note signed; return curRcptNo, rcptSign and the rest."""
        answer = self._post("/saveTrnsSalesOsdc", sale)
        if answer.data is None or not answer.data.get("rcptSign"):
            raise DeviceUnavailable("etims: signed without a signature")
        return answer.data

    def look_up(self, *, invoice: int) -> dict[str, Any] | None:
        """Return what was signed under a number, None if nothing was. Raises CannotAsk."""
        if not self._lookup_path:
            raise CannotAsk("no lookup")
        try:
            answer = self._post(self._lookup_path, {"invcNo": invoice})
        except DeviceRefused as refusal:
            raise CannotAsk(str(refusal)) from refusal
        return None if answer.code == NOTHING_FOUND else answer.data

    def _post(self, path: str, body: dict[str, Any]) -> Answer:
        own = {"tin": self.tin, "bhfId": self.branch}
        try:
            response = self._session.post(
                self.base_url + path,
                data=encode({**own, **body}).encode(),
                headers={**own, "cmcKey": self._key, "Content-Type": "application/json"},
                timeout=TIMEOUT_SECONDS,
            )
            answer = json.loads(response.text, parse_float=Decimal)
        except requests.RequestException as error:
            kind = DeviceUnreachable if was_never_sent(error) else DeviceUnavailable
            raise kind(f"etims {path}: {type(error).__name__}") from error
        except (ValueError, RecursionError) as error:
            raise DeviceUnavailable(f"etims {path}: HTTP {response.status_code}") from error
        if not isinstance(answer, dict) or "resultCd" not in answer:
            if response.status_code == requests.codes.not_found:
                raise DeviceRefused(code="404", text=f"no {path} there")
            raise DeviceUnavailable(f"etims {path}: HTTP {response.status_code}, no result")
        return _judged(path, answer)


def encode(value: Any) -> str:
    """Write JSON with amounts (Decimal) as exact numbers."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        inner = ",".join(f"{json.dumps(str(name))}:{encode(each)}" for name, each in value.items())
        return "{" + inner + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(encode(each) for each in value) + "]"
    return json.dumps(value)


def _judged(path: str, answer: dict[str, Any]) -> Answer:
    code, text = str(answer["resultCd"]).strip(), str(answer.get("resultMsg") or "").strip()
    if code in DONE or code == NOTHING_FOUND:
        data = answer.get("data")
        # The specification's own sample has keys with a stray space.
        kept = (
            {str(name).strip(): each for name, each in data.items()}
            if isinstance(data, dict)
            else None
        )
        return Answer(code=code, data=kept)
    told = f"etims {path}: {code} {text}"
    if code in DUPLICATES:
        raise AlreadySigned(told)
    if code in NOT_READY:
        raise DeviceUnreachable(told)
    if code in REFUSALS:
        raise DeviceRefused(code=code, text=text)
    raise DeviceUnavailable(told)
