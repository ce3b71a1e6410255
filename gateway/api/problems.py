"""Errors as RFC 9457 problem details, each kind with a stable `type`.

`{"type", "title", "status", "detail", "instance"}`; a refused body or query adds `errors`, a list
of `{"field", "code", "detail"}` that names each field ("" is the whole request).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """A kind of problem: the last part of its type, HTTP status, title, and what to do."""

    name: str
    status: int
    title: str
    meaning: str

    @property
    def uri(self) -> str:
        """The `type` of RFC 9457; also a page that says what it means."""
        return f"/problems/{self.name}"


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="invalid",
            status=400,
            title="The request has wrong values",
            meaning="`errors` names each field and what it should be.",
        ),
        Kind(
            name="malformed",
            status=400,
            title="The request can't be read",
            meaning="The body is not the JSON its content type says, or the URL is broken.",
        ),
        Kind(
            name="not-authenticated",
            status=401,
            title="Say who you are",
            meaning="Send a header `Authorization: Token ...` with a valid token.",
        ),
        Kind(
            name="not-allowed",
            status=403,
            title="This is not yours to do",
            meaning="The log-in is known, but may not do this.",
        ),
        Kind(
            name="not-found",
            status=404,
            title="There is nothing here",
            meaning="The address is wrong, or what it names is closed or not yours to see.",
        ),
        Kind(
            name="method-not-allowed",
            status=405,
            title="This address takes other methods",
            meaning="The `Allow` header lists the methods of this address.",
        ),
        Kind(
            name="not-acceptable",
            status=406,
            title="Answers are JSON only",
            meaning="Leave out the `Accept` header, or accept application/json.",
        ),
        Kind(
            name="key-reused",
            status=409,
            title="The Idempotency-Key was used for another request",
            meaning="Repeat a request with the same body, or use a new key for a new request.",
        ),
        Kind(
            name="no-crypto",
            status=409,
            title="No crypto money is taken here",
            meaning="`detail` says why: no licence of the operator, no chain, or no contracts.",
        ),
        Kind(
            name="household-closed",
            status=409,
            title="The household's account is closed",
            meaning="A closed account takes no top-up.",
        ),
        Kind(
            name="no-rail",
            status=409,
            title="The site takes no such payment",
            meaning="The site has no open way to ask a phone for money.",
        ),
        Kind(
            name="unsupported-media-type",
            status=415,
            title="Bodies are JSON only",
            meaning="Send the body as `Content-Type: application/json`.",
        ),
        Kind(
            name="too-many-requests",
            status=429,
            title="Too many requests",
            meaning="Wait as many seconds as the `Retry-After` header says.",
        ),
        Kind(
            name="server-error",
            status=500,
            title="Something went wrong on our side",
            meaning="It was recorded. Repeating a request with its Idempotency-Key is safe.",
        ),
    )
}


class Conflict(exceptions.APIException):
    """The request is well formed, but the state of things does not allow it."""

    status_code = 409

    def __init__(self, *, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = KINDS[kind]


_KIND_OF: tuple[tuple[type[exceptions.APIException], str], ...] = (
    (exceptions.ValidationError, "invalid"),
    (exceptions.ParseError, "malformed"),
    (exceptions.NotAuthenticated, "not-authenticated"),
    (exceptions.AuthenticationFailed, "not-authenticated"),
    (exceptions.PermissionDenied, "not-allowed"),
    (exceptions.NotFound, "not-found"),
    (exceptions.MethodNotAllowed, "method-not-allowed"),
    (exceptions.NotAcceptable, "not-acceptable"),
    (exceptions.UnsupportedMediaType, "unsupported-media-type"),
    (exceptions.Throttled, "too-many-requests"),
)


def handle(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Return the problem an exception stands for; None (a fault of ours) is raised further."""
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if not isinstance(exc, exceptions.APIException):
        return None
    kind = _kind(exc)
    # 403 instead of 401 where no authenticator can challenge: then the status decides.
    if exc.status_code == 403:
        kind = KINDS["not-allowed"]
    body = problem(kind=kind, detail=_detail(exc, kind), instance=context["request"].path)
    if isinstance(exc, exceptions.ValidationError):
        body["errors"] = list(_errors(exc.detail))
        body["detail"] = "; ".join(
            f"{error['field']}: {error['detail']}" if error["field"] else error["detail"]
            for error in body["errors"]
        )
    headers: dict[str, str] = {}
    # Attributes that the framework sets without declaring them.
    challenge: str | None = getattr(exc, "auth_header", None)
    if challenge:
        headers["WWW-Authenticate"] = challenge
    wait: float | None = getattr(exc, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(int(wait) + 1)
    return Response(body, status=kind.status, headers=headers, content_type=CONTENT_TYPE)


def problem(*, kind: Kind, detail: str, instance: str) -> dict[str, Any]:
    """Return the body of a problem."""
    return {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": instance,
    }


def plain(request: HttpRequest, *, name: str, detail: str = "") -> JsonResponse:
    """Return a problem outside of any API view, e.g. for an address that does not exist."""
    kind = KINDS[name]
    body = problem(kind=kind, detail=detail or kind.meaning, instance=request.path)
    return JsonResponse(body, status=kind.status, content_type=CONTENT_TYPE)


def _kind(exc: exceptions.APIException) -> Kind:
    if isinstance(exc, Conflict):
        return exc.kind
    for exception, name in _KIND_OF:
        if isinstance(exc, exception):
            return KINDS[name]
    return KINDS["malformed" if exc.status_code < 500 else "server-error"]


def _detail(exc: exceptions.APIException, kind: Kind) -> str:
    if isinstance(exc, exceptions.NotFound):
        return kind.meaning
    return str(exc.detail) if isinstance(exc.detail, str) else kind.meaning


def _errors(detail: Any, *, field: str = "") -> Iterator[dict[str, str]]:
    """Flatten the framework's nested details: {"a": {"b": ["x"]}} names the field "a.b"."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            part = "" if name == "non_field_errors" else str(name)
            yield from _errors(inner, field=".".join(filter(None, (field, part))))
    elif isinstance(detail, (list, tuple)):
        for position, inner in enumerate(detail):
            nested = isinstance(inner, (dict, list))
            yield from _errors(inner, field=f"{field}.{position}" if nested and field else field)
    else:
        yield {
            "field": field,
            "code": str(getattr(detail, "code", "invalid")),
            "detail": str(detail),
        }
