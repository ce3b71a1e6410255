"""What pawaPay posts to the merchant's callback URL when a payment reaches a final status."""

from __future__ import annotations

import json
from typing import Any

from sandbox.context import Context
from sandbox.courier import Callback
from sandbox.pawapay import signing
from sandbox.pawapay.access import SERVICE
from sandbox.pawapay.money import text_of

# Tried for about 15 minutes, as live.
ATTEMPTS, RETRY_SECONDS = 10, 90.0
LONG_DECIMALS = 4
OWN_FAULTS = (*signing.FAULTS, "long_decimals")


class Callbacks:
    """Queues callbacks; commanded faults spoil their signatures."""

    def __init__(self, *, context: Context) -> None:
        self._context = context

    def post(self, *, topic: str, data: dict[str, Any], url: str | None = None) -> None:
        """Queue one, to the merchant's hook where no URL is given."""
        fault = self._context.faults.take(service=SERVICE, kinds=signing.FAULTS, topic=topic)
        self._context.courier.post(
            Callback(
                service=SERVICE,
                topic=topic,
                url=url or self._context.hook("pawapay"),
                raw=json.dumps(data),
                content_type="application/json; charset=UTF-8",
                attempts=ATTEMPTS,
                retry_seconds=RETRY_SECONDS,
                signer=SERVICE if fault is None else f"{SERVICE}:{fault.kind}",
            )
        )

    def comes_first(self, *, topic: str) -> bool:
        """Whether a commanded fault wants the callback sent before the request's answer."""
        return any(
            fault["kind"] == "before_response" and fault["topic"] in (None, topic)
            for fault in self._context.faults.pending(service=SERVICE)
        )

    def amount(self, minor: int, *, currency: str) -> str:
        """An amount as answered; by a commanded fault `500.0000`, as seen of the live service."""
        fault = self._context.faults.take(service=SERVICE, kinds=("long_decimals",), topic=None)
        decimals = None if fault is None else LONG_DECIMALS
        return text_of(minor, currency=currency, decimals=decimals)
