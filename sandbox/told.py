"""What a service says was paid, where it is to say something else than what was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.web import Route, json_object, json_response, refuse

FIELDS = ("amount", "currency")


class Told:
    """Lays other fields over what is answered of one payment from now on."""

    def __init__(self, *, context: Context, service: str) -> None:
        self._context = context
        self._service = service

    def routes(self) -> list[Route]:
        """`POST /simulator/told/<id>`: `{"amount", "currency"}`, one of them or both."""
        return [Route("POST", "/simulator/told/<reference>", self.change)]

    def change(self, request: Request, reference: str) -> Response:
        """Remember what to say; an empty body says the truth again."""
        body = json_object(request)
        if not set(body) <= set(FIELDS) or not all(isinstance(text, str) for text in body.values()):
            refuse({"error": f"Give {' and '.join(FIELDS)}, as text."}, status=400)
        self._context.store.set_setting(self._name(reference), json.dumps(body))
        return json_response(body)

    def over(self, body: Mapping[str, Any], *, reference: str) -> dict[str, Any]:
        """The body with what is to be said of the payment instead."""
        told = self._context.store.setting(self._name(reference))
        return {**body, **(json.loads(told) if told else {})}

    def _name(self, reference: str) -> str:
        return f"{self._service}_told:{reference.lower()}"
