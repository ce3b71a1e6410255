"""MoMo's subscription keys, API users and tokens, its error bodies and the common headers.

Two layers answer errors in two shapes: the gateway in front `{"statusCode", "message"}`, the
wallet platform `{"message", "code"}`. A wrong currency, target environment or callback host is an
HTTP 500 of the latter, though nothing was done. The gateway refuses the User-Agent that `requests`
sends by itself.
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from functools import partial
from typing import NoReturn
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.momo.market import MARKETS, Market
from sandbox.web import Route, json_object, json_response, refuse, refuse_text

SCHEMA = """
CREATE TABLE IF NOT EXISTS momo_user (
    user TEXT NOT NULL,
    product TEXT NOT NULL,        -- a user made under one product's key is unknown to the other
    callback_host TEXT NOT NULL,
    api_key TEXT,
    PRIMARY KEY (user, product)
);
CREATE TABLE IF NOT EXISTS momo_token (
    token TEXT PRIMARY KEY,
    product TEXT NOT NULL,
    user TEXT NOT NULL,
    expires_at REAL NOT NULL
);
"""
SERVICE = "momo"
COLLECTION, DISBURSEMENT = "collection", "disbursement"
PRODUCTS = (COLLECTION, DISBURSEMENT)
TOKEN_SECONDS = 3600
SANDBOX_ENVIRONMENT = "sandbox"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is signed in, and where. callback_host is None where any may be called back."""

    market: Market
    callback_host: str | None


class Access:
    """Provisions API users, issues tokens and checks every call."""

    def __init__(self, *, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        """`POST /v1_0/apiuser`, its key, and `POST /<product>/token/`."""
        return [
            Route("POST", "/v1_0/apiuser", self.create_user),
            Route("GET", "/v1_0/apiuser/<user>", self.show_user),
            Route("POST", "/v1_0/apiuser/<user>/apikey", self.create_key),
            *(
                Route("POST", f"/{product}/token/", partial(self.token, product=product))
                for product in PRODUCTS
            ),
        ]

    def error(self, code: str, message: str, *, status: int = 500) -> NoReturn:
        """Answer the wallet platform's error body."""
        refuse({"message": message, "code": code}, status=status)

    def bad_request(self, message: str) -> NoReturn:
        """Answer the gateway's HTTP 400."""
        refuse({"statusCode": 400, "message": message}, status=400)

    def create_user(self, request: Request) -> Response:
        """Sandbox provisioning: X-Reference-Id becomes the API user of the key's product."""
        product = self._product_of_key(request)
        host = json_object(request).get("providerCallbackHost")
        if not isinstance(host, str) or not host or "/" in host:
            self.bad_request("providerCallbackHost is a host")
        user = self.reference_id(request)
        with self._context.store.transaction() as db:
            added = db.execute(
                "INSERT INTO momo_user (user, product, callback_host) VALUES (?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (user, product, host),
            ).rowcount
        if not added:
            self.duplicate()
        return Response(status=201)

    def show_user(self, request: Request, user: str) -> Response:
        """The API user's callback host and target environment."""
        product = self._product_of_key(request)
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT callback_host FROM momo_user WHERE user = ? AND product = ?",
                (user, product),
            ).fetchone()
        if row is None:
            self.not_found()
        return json_response(
            {
                "providerCallbackHost": row["callback_host"],
                "targetEnvironment": SANDBOX_ENVIRONMENT,
            }
        )

    def create_key(self, request: Request, user: str) -> Response:
        """A new API key, over the earlier one."""
        product = self._product_of_key(request)
        key = self._context.ids.hexadecimal("momo key")
        with self._context.store.transaction() as db:
            changed = db.execute(
                "UPDATE momo_user SET api_key = ? WHERE user = ? AND product = ?",
                (key, user, product),
            ).rowcount
        if not changed:
            self.not_found()
        return json_response({"apiKey": key}, status=201)

    def token(self, request: Request, *, product: str) -> Response:
        """Basic authentication by API user and key -> a token of one product for an hour."""
        self._check_key(request, product=product)
        given = request.authorization
        user = given.username if given is not None and given.type == "basic" else None
        if user is None or not self._knows(user, given.password if given else None, product):
            refuse({"error": "invalid_client"}, status=401)
        token = self._context.ids.hexadecimal("momo token")
        now = self._context.now()
        with self._context.store.transaction() as db:
            db.execute("DELETE FROM momo_token WHERE expires_at < ?", (now,))
            db.execute(
                "INSERT INTO momo_token VALUES (?, ?, ?, ?)",
                (token, product, user, now + TOKEN_SECONDS),
            )
        body = {"access_token": token, "token_type": "access_token", "expires_in": TOKEN_SECONDS}
        return json_response(body)

    def check(self, request: Request, *, product: str) -> Caller:
        """Require the product's key, an unexpired token of it and a known target environment."""
        self._check_key(request, product=product)
        given = request.authorization
        token = given.token if given is not None and given.type == "bearer" else None
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT user, expires_at FROM momo_token WHERE token = ? AND product = ?",
                (token, product),
            ).fetchone()
            if row is None or row["expires_at"] <= self._context.now():
                refuse({"statusCode": 401, "message": "Unauthorized"}, status=401)
            user = db.execute(
                "SELECT callback_host FROM momo_user WHERE user = ? AND product = ?",
                (row["user"], product),
            ).fetchone()
        environment = request.headers.get("X-Target-Environment", "")
        market = MARKETS.get(environment)
        if market is None or (user is not None and environment != SANDBOX_ENVIRONMENT):
            self.error(
                "NOT_ALLOWED_TARGET_ENVIRONMENT", "Access to target environment is forbidden."
            )
        return Caller(market=market, callback_host=None if user is None else user["callback_host"])

    def reference_id(self, request: Request) -> str:
        """X-Reference-Id, which has to be a UUID of version 4."""
        text = request.headers.get("X-Reference-Id", "")
        try:
            reference = uuid.UUID(text)
        except ValueError:
            self.bad_request("X-Reference-Id is not a UUID")
        if reference.version != 4 or str(reference) != text.lower():
            self.bad_request("X-Reference-Id is not a UUID of version 4")
        return str(reference)

    def callback_url(self, request: Request, caller: Caller) -> str | None:
        """X-Callback-Url, if there is one; its host has to be the API user's."""
        text = request.headers.get("X-Callback-Url")
        if text is None:
            return None
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            self.bad_request("X-Callback-Url is not a URL")
        if caller.callback_host not in (None, parts.hostname):
            self.error(
                "INVALID_CALLBACK_URL_HOST", "Callback URL does not match the configured value."
            )
        return text

    def duplicate(self) -> NoReturn:
        """Answer that the reference id was used before."""
        self.error(
            "RESOURCE_ALREADY_EXIST",
            "Duplicated reference id. Creation of resource failed.",
            status=409,
        )

    def not_found(self) -> NoReturn:
        """Answer that there is no such resource."""
        self.error("RESOURCE_NOT_FOUND", "Requested resource was not found.", status=404)

    def _keys(self) -> dict[str, str]:
        credentials = self._context.credentials
        return {
            COLLECTION: credentials.momo_collection_key,
            DISBURSEMENT: credentials.momo_disbursement_key,
        }

    def _check_key(self, request: Request, *, product: str) -> None:
        if "python-requests" in request.headers.get("User-Agent", ""):
            refuse_text("<html><head><title>403 Forbidden</title></head></html>", status=403)
        given = request.headers.get("Ocp-Apim-Subscription-Key")
        if given is None or not _same(given, self._keys()[product]):
            self._refuse_key(given)

    def _product_of_key(self, request: Request) -> str:
        given = request.headers.get("Ocp-Apim-Subscription-Key")
        for product, key in self._keys().items():
            if given is not None and _same(given, key):
                return product
        self._refuse_key(given)

    def _refuse_key(self, given: str | None) -> NoReturn:
        message = (
            "Access denied due to missing subscription key. Make sure to include subscription key"
            " when making requests to an API."
            if given is None
            else "Access denied due to invalid subscription key. Make sure to provide a valid key"
            " for an active subscription."
        )
        refuse({"statusCode": 401, "message": message}, status=401)

    def _knows(self, user: str, key: str | None, product: str) -> bool:
        credentials = self._context.credentials
        if _same(user, credentials.momo_api_user):
            return _same(key, credentials.momo_api_key)
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT api_key FROM momo_user WHERE user = ? AND product = ?", (user, product)
            ).fetchone()
        return row is not None and row["api_key"] is not None and _same(key, row["api_key"])


def _same(given: str | None, expected: str) -> bool:
    return hmac.compare_digest((given or "").encode(), expected.encode())
