"""Callbacks: sent once, by POST or PUT, and without the reference id unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.courier import Callback
from sandbox.momo.access import SERVICE
from sandbox.web import Route, json_object, json_response, refuse

METHODS = ("POST", "PUT")


class Callbacks:
    """Tells merchants of what became final."""

    def __init__(self, *, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        """The simulator's switch: `/simulator/callback-form`."""
        return [
            Route("GET", "/simulator/callback-form", self.show),
            Route("POST", "/simulator/callback-form", self.change),
        ]

    def show(self, _request: Request) -> Response:
        """`{"method", "reference_id"}`: how callbacks are sent."""
        return json_response({"method": self._method(), "reference_id": self._names_reference()})

    def change(self, request: Request) -> Response:
        """Send them by `{"method": "PUT"}`, and with `{"reference_id": true}` in the body."""
        body = json_object(request)
        method = body.get("method", self._method())
        names_reference = body.get("reference_id", self._names_reference())
        if method not in METHODS or not isinstance(names_reference, bool):
            refuse({"error": "method is POST or PUT, reference_id true or false."}, status=400)
        self._context.store.set_setting("momo_callback_method", method)
        self._context.store.set_setting("momo_callback_reference", str(int(names_reference)))
        return self.show(request)

    def send(self, *, topic: str, url: str | None, reference: str, body: Mapping[str, Any]) -> None:
        """Queue one callback; nothing where no URL was given."""
        if url is None:
            return
        payload = {"referenceId": reference, **body} if self._names_reference() else dict(body)
        self._context.courier.post(
            Callback(service=SERVICE, topic=topic, url=url, payload=payload, method=self._method())
        )

    def _method(self) -> str:
        return self._context.store.setting("momo_callback_method") or METHODS[0]

    def _names_reference(self) -> bool:
        return self._context.store.setting("momo_callback_reference") == "1"
