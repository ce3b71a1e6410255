"""Daraja's OAuth token, its error bodies and the checks every call goes through."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta, timezone
from typing import NoReturn
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.web import Route, json_response, refuse

SCHEMA = """
CREATE TABLE IF NOT EXISTS daraja_token (token TEXT PRIMARY KEY, expires_at REAL NOT NULL);
"""
SERVICE = "daraja"
TOKEN_SECONDS = 3600
FORBIDDEN_WORDS = ("mpesa", "safaricom", "cmd", "sql", "query")
# Kenya keeps no summer time.
EAST_AFRICA = timezone(timedelta(hours=3))


def local_time(seconds: float) -> datetime:
    """An epoch second in East Africa Time, which every Daraja timestamp is in."""
    return datetime.fromtimestamp(seconds, EAST_AFRICA)


def stamp(seconds: float) -> str:
    """`20260101130559`, East Africa Time."""
    return local_time(seconds).strftime("%Y%m%d%H%M%S")


class Access:
    """Issues tokens and checks them."""

    def __init__(self, *, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        """`GET /oauth/v1/generate`."""
        return [Route("GET", "/oauth/v1/generate", self.generate)]

    def error(self, code: str, message: str, *, status: int | None = None) -> NoReturn:
        """Answer Daraja's error body; the HTTP status is the code's first three digits."""
        request_id = f"{self._context.ids.hexadecimal('request')[:8]}-1"
        body = {"requestId": request_id, "errorCode": code, "errorMessage": message}
        refuse(body, status=int(code[:3]) if status is None else status)

    def generate(self, request: Request) -> Response:
        """Basic authentication by consumer key and secret -> a token for an hour."""
        if request.args.get("grant_type") != "client_credentials":
            self.error("400.008.02", "Invalid grant type passed")
        given, credentials = request.authorization, self._context.credentials
        right = (
            given is not None
            and given.type == "basic"
            and _same(given.username, credentials.daraja_consumer_key)
            and _same(given.password, credentials.daraja_consumer_secret)
        )
        if not right:
            self.error("400.008.01", "Invalid Authentication passed")
        token = self._context.ids.hexadecimal("token")
        now = self._context.now()
        with self._context.store.transaction() as db:
            db.execute("DELETE FROM daraja_token WHERE expires_at < ?", (now,))
            db.execute("INSERT INTO daraja_token VALUES (?, ?)", (token, now + TOKEN_SECONDS))
        return json_response({"access_token": token, "expires_in": str(TOKEN_SECONDS - 1)})

    def check(self, request: Request) -> None:
        """Require an unexpired bearer token; otherwise 404.001.03, with HTTP 404 as it is."""
        given = request.authorization
        if given is None or given.type != "bearer" or not given.token:
            self.error("404.001.04", "Invalid Authentication Header")
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT expires_at FROM daraja_token WHERE token = ?", (given.token,)
            ).fetchone()
        if row is None or row["expires_at"] <= self._context.now():
            self.error("404.001.03", "Invalid Access Token")

    def check_short_code(self, short_code: object, *, field: str) -> None:
        """Require the sandbox's own short code, as text or number."""
        if str(short_code) != self._context.credentials.daraja_short_code:
            self.error("400.002.02", f"Bad Request - Invalid {field}")

    def check_url(self, url: object, *, field: str) -> str:
        """Require an http(s) URL without the words Safaricom refuses."""
        parts = urlsplit(url) if isinstance(url, str) else None
        if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
            self.error("400.002.02", f"Bad Request - Invalid {field}")
        lowered = parts.geturl().lower()
        if any(word in lowered for word in FORBIDDEN_WORDS):
            self.error("400.002.02", f"Bad Request - Invalid {field}")
        return str(url)


def _same(given: str | None, expected: str) -> bool:
    return hmac.compare_digest((given or "").encode(), expected.encode())
