"""The sandbox's mail server, spoken to with the standard library."""

from __future__ import annotations

import smtplib
import socket
from email.message import EmailMessage

import pytest
import requests

from sandbox.app import Sandbox
from tests.sandbox.conftest import StartSandbox

ASHA = "asha@example.org"
PASSWORD = "sandbox-key"


@pytest.fixture
def served(start_sandbox: StartSandbox) -> tuple[str, int, Sandbox]:
    sandbox, url = start_sandbox()
    return url, sandbox.start_mail(), sandbox


def letter(to: str = ASHA, subject: str = "Reçu") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "letters@gateway.invalid", to, subject
    message.set_content("Voilà: http://127.0.0.1:1/donor/ <script>\n")
    message.add_alternative("<p>Voilà</p>", subtype="html")
    message.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="r.pdf")
    return message


def send(port: int, message: EmailMessage, *, password: str = PASSWORD) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=5) as link:
        if password:
            link.login("sandbox", password)
        link.send_message(message)


def command(url: str, kind: str, **more: object) -> None:
    answer = requests.post(f"{url}/mail/simulator/faults", json={"kind": kind, **more}, timeout=5)
    assert answer.status_code == 201, answer.text


def subjects(url: str, to: str = "") -> list[str]:
    found = requests.get(f"{url}/mail/messages", params={"to": to} if to else {}, timeout=5)
    return [message["subject"] for message in found.json()]


def test_what_came_is_shown_newest_first_with_its_parts(served: tuple[str, int, Sandbox]) -> None:
    url, port, _ = served
    send(port, letter("Asha@Example.org"))
    send(port, letter("other@example.org", subject="Second"))
    assert subjects(url) == ["Second", "Reçu"]
    assert subjects(url, ASHA) == ["Reçu"]
    (message,) = requests.get(f"{url}/mail/messages?to={ASHA}", timeout=5).json()
    assert message["text"].startswith("Voilà: http://127.0.0.1:1/donor/")
    assert message["html"].strip() == "<p>Voilà</p>"
    (file,) = message["attachments"]
    assert (file["name"], file["type"], file["size"]) == ("r.pdf", "application/pdf", 8)
    assert requests.get(f"{url}{file['path']}", timeout=5).content == b"%PDF-1.4"


def test_the_page_for_people_writes_mail_as_text(served: tuple[str, int, Sandbox]) -> None:
    url, port, _ = served
    send(port, letter(subject="<b>x</b>"))
    page = requests.get(f"{url}/mail/", timeout=5).text
    assert '<a href="http://127.0.0.1:1/donor/">' in page
    assert "&lt;script&gt;" in page
    assert "<b>x</b>" not in page


def test_there_is_no_file_where_none_hangs(served: tuple[str, int, Sandbox]) -> None:
    url, port, _ = served
    send(port, letter())
    for path in ("messages/1/attachments/1", "messages/7/attachments/0"):
        assert requests.get(f"{url}/mail/{path}", timeout=5).status_code == 404


def test_nobody_sends_without_the_log_in(served: tuple[str, int, Sandbox]) -> None:
    url, port, _ = served
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="530"):
        send(port, letter(), password="")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        send(port, letter(), password="wrong")
    assert subjects(url) == []


@pytest.mark.parametrize(
    ("kind", "code"), [("refuse_temporarily", 451), ("refuse_permanently", 550)]
)
def test_a_recipient_is_refused_once_as_commanded(
    served: tuple[str, int, Sandbox], kind: str, code: int
) -> None:
    url, port, _ = served
    command(url, kind, topic=ASHA)
    send(port, letter("other@example.org"))
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(port, letter())
    assert refused.value.recipients[ASHA][0] == code
    send(port, letter())
    assert len(subjects(url)) == 2


def test_content_is_refused_and_connections_are_cut_as_commanded(
    served: tuple[str, int, Sandbox],
) -> None:
    url, port, _ = served
    command(url, "refuse_content")
    with pytest.raises(smtplib.SMTPDataError, match="554"):
        send(port, letter())
    assert subjects(url) == []
    command(url, "cut")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(port, letter())
    assert subjects(url) == ["Reçu"]


def test_a_taken_port_is_told_and_a_stopped_server_is_gone(
    served: tuple[str, int, Sandbox], start_sandbox: StartSandbox
) -> None:
    _, port, sandbox = served
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(OSError, match="in use"):
            start_sandbox()[0].start_mail(other.getsockname()[1])
    sandbox.stop()
    with pytest.raises(OSError, match="refused"):
        send(port, letter())
