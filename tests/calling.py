"""Callers of the API, and the form that every problem has."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client
from rest_framework.authtoken.models import Token

from accounts.models import User


def client_of(user: User) -> Client:
    """A client with the user's token."""
    token, _ = Token.objects.get_or_create(user=user)
    return Client(headers={"authorization": f"Token {token.key}"})


def post(client: Client, path: str, body: Any, key: str | None = None) -> Any:
    """Post JSON, with an Idempotency-Key or without."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def problem_of(response: Any, *, status: int, kind: str) -> dict[str, Any]:
    """Check that the answer is a problem of this kind and return its body."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == f"/problems/{kind}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == response.wsgi_request.path
    return body
