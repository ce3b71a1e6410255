"""A mail server that keeps what it is sent: SMTP on a port of its own, and `/mail/` to read it.

Faults, by the recipient's address as topic: `refuse_temporarily` (451 to RCPT),
`refuse_permanently` (550 to RCPT), `refuse_content` (554 after DATA), `cut` (the message is kept
and the connection ends before the client is told).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.web import Route, iso, json_response, refuse

SERVICE = "mail"
SCHEMA = """
CREATE TABLE IF NOT EXISTS mail_message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    raw BLOB NOT NULL,
    received_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS mail_message_recipient ON mail_message (recipient);
"""
REFUSALS = {
    "refuse_temporarily": "451 4.2.1 Mailbox busy, try again later",
    "refuse_permanently": "550 5.1.1 No such mailbox",
}
CONTENT_REFUSAL = "554 5.7.1 Message refused"
OWN_FAULTS = (*REFUSALS, "refuse_content", "cut")
MOST_SHOWN = 100
MOST_BYTES = 10_000_000
STARTS_WITHIN_SECONDS = 10.0


class Mail:
    """What came, and the pages that show it."""

    def __init__(self, *, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        """`/messages?to=` as JSON, newest first, what hangs on them, and a page for people."""
        return [
            Route("GET", "/", self.page),
            Route("GET", "/messages", self.listing),
            Route("GET", "/messages/<int:number>/attachments/<int:part>", self.attachment),
        ]

    def refusal(self, *, recipient: str) -> str:
        """What a commanded fault answers to a recipient, "" for none."""
        fault = self._take(recipient, *REFUSALS)
        return "" if fault is None else REFUSALS[fault]

    def keep(self, *, sender: str, recipients: list[str], raw: bytes) -> str:
        """Keep a message for each recipient; returns the fault it is to end with, "" for none."""
        fault = self._take(recipients[0], "refuse_content", "cut") or ""
        if fault == "refuse_content":
            return fault
        with self._context.store.transaction() as db:
            db.executemany(
                "INSERT INTO mail_message (sender, recipient, raw, received_at)"
                " VALUES (?, ?, ?, ?)",
                [(sender, each.lower(), raw, self._context.now()) for each in recipients],
            )
        return fault

    def accepts(self, *, user: bytes, password: bytes) -> bool:
        """Whether somebody may send."""
        known = self._context.credentials
        return (user, password) == (known.mail_user.encode(), known.mail_password.encode())

    def listing(self, request: Request) -> Response:
        """Messages (to one address, or all), newest first."""
        rows = self._rows(to=request.args.get("to"))
        return json_response([_told(number, raw, at) for number, raw, at in rows])

    def attachment(self, _request: Request, number: int, part: int) -> Response:
        """One file as it hung on a message."""
        with self._context.store.transaction() as db:
            row = db.execute("SELECT raw FROM mail_message WHERE id = ?", (number,)).fetchone()
        files = [] if row is None else list(_parsed(row["raw"]).iter_attachments())
        if not 0 <= part < len(files):
            refuse({"error": "There is no such attachment."}, status=404)
        content = files[part].get_payload(decode=True)
        assert isinstance(content, bytes)  # noqa: S101 - attachments are single parts here
        return Response(content, content_type=files[part].get_content_type())

    def page(self, _request: Request) -> Response:
        """What came, for people."""
        articles = "".join(
            _article(_told(number, raw, at)) for number, raw, at in self._rows(to=None)
        )
        body = (
            "<!doctype html><html lang=en><meta charset=utf-8><title>Mail</title>"
            '<meta name=viewport content="width=device-width"><h1>Mail of the sandbox</h1>'
            f"{articles or '<p>Nothing came yet.</p>'}</html>"
        )
        return Response(body, content_type="text/html; charset=utf-8")

    def _rows(self, *, to: str | None) -> Iterator[tuple[int, bytes, float]]:
        with self._context.store.transaction() as db:
            rows = db.execute(
                "SELECT id, raw, received_at FROM mail_message"
                " WHERE ? IS NULL OR recipient = ? ORDER BY id DESC LIMIT ?",
                (to, None if to is None else to.lower(), MOST_SHOWN),
            ).fetchall()
        return ((row["id"], row["raw"], row["received_at"]) for row in rows)

    def _take(self, recipient: str, *kinds: str) -> str | None:
        fault = self._context.faults.take(service=SERVICE, kinds=kinds, topic=recipient)
        return None if fault is None else fault.kind


class _Handler:
    """What aiosmtpd asks about a message on its way in."""

    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or refuse as commanded."""
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        if refusal := self._mail.refusal(recipient=address):
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the message, or end as commanded."""
        fault = self._mail.keep(
            sender=envelope.mail_from or "",
            recipients=envelope.rcpt_tos,
            raw=envelope.original_content or b"",
        )
        if fault == "refuse_content":
            return CONTENT_REFUSAL
        if fault == "cut" and server.transport is not None:
            server.transport.abort()  # type: ignore[attr-defined]
        return "250 OK"


class SmtpServer:
    """SMTP on 127.0.0.1 in a thread of its own, with a log-in."""

    def __init__(self, *, mail: Mail) -> None:
        self._mail = mail
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sandbox-smtp", daemon=True)
        self._started = threading.Event()
        self._server: asyncio.Server | None = None
        self._asked_port = 0
        self._error: OSError | None = None

    def start(self, port: int = 0) -> int:
        """Serve; returns the port (0 picks a free one). Raises OSError where it is taken."""
        self._asked_port = port
        self._thread.start()
        if not self._started.wait(STARTS_WITHIN_SECONDS) or self._server is None:
            raise self._error or TimeoutError("the mail server did not start")
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Stop serving; connections that are open end."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=3.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._server = self._loop.run_until_complete(
                self._loop.create_server(self._session, "127.0.0.1", self._asked_port)
            )
        except OSError as error:
            self._error = error
            return
        finally:
            self._started.set()
        self._loop.run_forever()
        self._server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _session(self) -> SMTP:
        return SMTP(
            _Handler(self._mail),
            hostname="mail.sandbox.invalid",
            data_size_limit=MOST_BYTES,
            enable_SMTPUTF8=True,
            loop=self._loop,
            authenticator=self._authenticated,
            auth_require_tls=False,
        )

    def _authenticated(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, told: Any
    ) -> AuthResult:
        is_known = isinstance(told, LoginPassword) and self._mail.accepts(
            user=told.login, password=told.password
        )
        return AuthResult(success=is_known, handled=False)


def _parsed(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - the default policy makes these
    return message


def _told(number: int, raw: bytes, received_at: float) -> dict[str, Any]:
    message = _parsed(raw)
    bodies = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
    texts = {kind: "" if part is None else part.get_content() for kind, part in bodies.items()}
    return {
        "id": number,
        "received_at": iso(received_at),
        "from": str(message["From"]),
        "to": str(message["To"]),
        "subject": str(message["Subject"]),
        "headers": {name: str(value) for name, value in message.items()},
        "text": texts["plain"],
        "html": texts["html"],
        "attachments": [
            {
                "name": part.get_filename() or "",
                "type": part.get_content_type(),
                "size": len(part.get_payload(decode=True) or b""),
                "path": f"/{SERVICE}/messages/{number}/attachments/{position}",
            }
            for position, part in enumerate(message.iter_attachments())
        ],
    }


def _article(told: dict[str, Any]) -> str:
    words = [
        f'<a href="{escape(word)}">{escape(word)}</a>'
        if word.startswith(("http://", "https://"))
        else escape(word)
        for word in told["text"].replace("\n", " \n ").split(" ")
    ]
    files = "".join(
        f'<li><a href="{escape(each["path"])}">{escape(each["name"])}</a> ({each["size"]} bytes)'
        for each in told["attachments"]
    )
    return (
        f"<article><h2>{escape(told['subject'])}</h2>"
        f"<p>To {escape(told['to'])}, {escape(told['received_at'])}"
        f'<pre style="white-space:pre-wrap">{" ".join(words)}</pre><ul>{files}</ul></article><hr>'
    )
