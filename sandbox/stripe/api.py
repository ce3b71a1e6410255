"""What every call of the API has in common: keys, versions, parameters, idempotency, errors."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.stripe.errors import ApiError, invalid
from sandbox.stripe.objects import Body, Objects
from sandbox.stripe.params import Params, parse
from sandbox.web import Route

SERVICE = "stripe"
# Objects have the shape of this version, whatever version a call asks for.
API_VERSION = "2026-10-28.endive"
# key_in_use: the next POST with a key finds it in use; the others answer one API call.
OWN_FAULTS = ("key_in_use", "rate_limited", "server_error")
KEY_SECONDS = 24 * 3600.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS stripe_key (
    key TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    digest TEXT NOT NULL,         -- of the parameters
    request_id TEXT NOT NULL,
    at REAL NOT NULL,
    status INTEGER,               -- NULL while the first request is carried out
    answer TEXT
);
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated API request; base_url is where the service is, without a slash."""

    id: str
    path: str
    params: Params
    digest: str
    idempotency_key: str | None
    base_url: str


Handler = Callable[..., Body]
# Told of the call about to be carried out, and None when it is over.
Listener = Callable[[Call | None], None]


class Api:
    """Wraps handlers `(call, **path arguments) -> object` into routes."""

    def __init__(
        self, *, context: Context, objects: Objects, before: Callable[[], None], listener: Listener
    ) -> None:
        self._context = context
        self._objects = objects
        self._before = before
        self._listener = listener
        with context.store.transaction() as db:
            db.execute("DELETE FROM stripe_key WHERE status IS NULL")

    def route(self, method: str, path: str, handler: Handler) -> Route:
        """A route under /v1."""

        def answer(request: Request, **arguments: str) -> Response:
            return self._answer(request, handler, arguments)

        return Route(method, f"/v1{path}", answer)

    def unknown_routes(self) -> list[Route]:
        """Whatever no other route knows, answered as the vendor does."""

        def unknown(call: Call, rest: str) -> Body:
            raise ApiError(
                f"Unrecognized request URL (/v1/{rest}). Please see https://stripe.com/docs or we"
                " can help at https://support.stripe.com/.",
                status=404,
                executed=False,
            )

        methods = ("GET", "POST", "DELETE")
        return [self.route(method, "/<path:rest>", unknown) for method in methods]

    def _answer(self, request: Request, handler: Handler, arguments: dict[str, str]) -> Response:
        request_id = self._objects.new_id("req", length=14)
        headers = {"Request-Id": request_id, "Stripe-Version": _version(request)}
        try:
            _authenticate(request)
            _check_version(headers["Stripe-Version"])
            self._commanded_error()
            call = self._call(request, request_id)
            if call.idempotency_key is not None:
                headers["Idempotency-Key"] = call.idempotency_key
            status, text, original = self._carried_out(call, handler, arguments)
            if original is not None:
                headers.update({"Idempotent-Replayed": "true", "Original-Request": original})
        except ApiError as error:
            status, text = error.status, _text(error.body())
            if status == 401:
                headers["WWW-Authenticate"] = 'Basic realm="Stripe"'
            if status == 409:
                headers["Stripe-Should-Retry"] = "true"
        return Response(text, status=status, headers=headers, content_type="application/json")

    def _commanded_error(self) -> None:
        kinds = ("rate_limited", "server_error")
        fault = self._context.faults.take(service=SERVICE, kinds=kinds, topic=None)
        if fault is None:
            return
        if fault.kind == "rate_limited":
            raise ApiError(
                "Request rate limit exceeded. You can learn more about rate limits here"
                " https://stripe.com/docs/rate-limits.",
                status=429,
                code="rate_limit",
            )
        raise ApiError(
            "An unknown error occurred while processing the request.", status=500, kind="api_error"
        )

    def _call(self, request: Request, request_id: str) -> Call:
        pairs = parse_qsl(request.query_string.decode("latin-1"), keep_blank_values=True)
        if request.method == "POST":
            body = request.get_data().decode("utf-8", "replace")
            if request.mimetype not in ("", "application/x-www-form-urlencoded"):
                raise invalid(
                    f"Invalid request (check that your POST content type is"
                    f" application/x-www-form-urlencoded, not {request.mimetype}).",
                    param=None,
                )
            pairs += parse_qsl(body, keep_blank_values=True)
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        if key is not None and not 1 <= len(key) <= 255:
            raise invalid("Idempotency keys are of 1 to 255 characters.", param=None)
        return Call(
            id=request_id,
            path=request.path.removeprefix(f"/{SERVICE}"),
            params=Params(parse(pairs)),
            digest=hashlib.sha256(json.dumps(sorted(pairs)).encode()).hexdigest(),
            idempotency_key=key,
            base_url=f"{request.host_url}{SERVICE}",
        )

    def _carried_out(
        self, call: Call, handler: Handler, arguments: dict[str, str]
    ) -> tuple[int, str, str | None]:
        """Return status, JSON text and, for a replay, the id of the request it repeats."""
        if call.idempotency_key is None:
            return *self._run(call, handler, arguments)[:2], None
        earlier = self._claim_key(call, call.idempotency_key)
        if earlier is not None:
            return earlier
        executed = False
        try:
            status, text, executed = self._run(call, handler, arguments)
        finally:
            if not executed:
                self._finish_key(call.idempotency_key, None, "")
        if executed:
            self._finish_key(call.idempotency_key, status, text)
        return status, text, None

    def _run(
        self, call: Call, handler: Handler, arguments: dict[str, str]
    ) -> tuple[int, str, bool]:
        self._before()
        self._listener(call)
        try:
            paths = call.params.texts("expand")
            body = handler(call, **arguments)
            return 200, _text(self._objects.expand(body, paths)), True
        except ApiError as error:
            return error.status, _text(error.body()), error.executed
        finally:
            self._listener(None)

    def _claim_key(self, call: Call, key: str) -> tuple[int, str, str] | None:
        """Note that the key is in use; the earlier answer if it has been answered before."""
        commanded = self._context.faults.take(service=SERVICE, kinds=("key_in_use",), topic=None)
        now = self._context.now()
        with self._context.store.transaction() as db:
            db.execute("DELETE FROM stripe_key WHERE at < ?", (now - KEY_SECONDS,))
            row = db.execute("SELECT * FROM stripe_key WHERE key = ?", (key,)).fetchone()
            if row is None and commanded is None:
                db.execute(
                    "INSERT INTO stripe_key (key, path, digest, request_id, at)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (key, call.path, call.digest, call.id, now),
                )
                return None
        if commanded is not None or row["status"] is None:
            raise ApiError(
                "There is currently another in-progress request using this Idempotent Key (that"
                " probably means you submitted twice, and the other request is still going"
                f" through): {key}. Please try again later.",
                status=409,
                code="idempotency_key_in_use",
            )
        if row["path"] != call.path:
            raise _mismatch(
                "for the same endpoint they were first used for"
                f" ('{call.path}' vs '{row['path']}')",
                key,
            )
        if row["digest"] != call.digest:
            raise _mismatch("with the same parameters they were first used with", key)
        return row["status"], row["answer"], row["request_id"]

    def _finish_key(self, key: str, status: int | None, text: str) -> None:
        """Keep the answer of a key's first request; None frees the key."""
        with self._context.store.transaction() as db:
            if status is None:
                db.execute("DELETE FROM stripe_key WHERE key = ? AND status IS NULL", (key,))
            else:
                db.execute(
                    "UPDATE stripe_key SET status = ?, answer = ? WHERE key = ?",
                    (status, text, key),
                )


def _text(body: Any) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False)


def _mismatch(what: str, key: str) -> ApiError:
    return ApiError(
        f"Keys for idempotent requests can only be used {what}. Try using a key other than"
        f" '{key}' if you meant to execute a different request.",
        kind="idempotency_error",
        executed=False,
    )


def _version(request: Request) -> str:
    return request.headers.get("Stripe-Version") or API_VERSION


def _check_version(version: str) -> None:
    if re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}(\.[a-z]+)?", version) is None:
        raise invalid(f"Invalid Stripe API version: {version}", param=None)


def _authenticate(request: Request) -> None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    elif scheme.lower() != "bearer":
        value = ""
    if not value:
        raise ApiError(
            "You did not provide an API key. You need to provide your API key in the Authorization"
            " header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            status=401,
            executed=False,
        )
    if re.fullmatch(r"sk_test_[A-Za-z0-9_]+", value) is None:
        shown = f"{value[:8]}{'*' * max(0, len(value) - 12)}{value[-4:]}"
        raise ApiError(f"Invalid API Key provided: {shown}", status=401, executed=False)
