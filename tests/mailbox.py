"""A real SMTP server that keeps what it is sent, and the mailboxes behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unittest import mock

import requests
from pytest_django import Settings

from accounts.models import Donor, DonorContact
from gateway import environment
from launcher.stack import DEMO_SENDER, sandbox_mail
from sandbox.app import Sandbox, create_sandbox

TIMEOUT_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """What came to the sandbox at `url`."""

    url: str

    def messages(self, to: str = "") -> list[dict[str, Any]]:
        """Messages to an address, or all, newest first."""
        query = {"to": to} if to else {}
        found: list[dict[str, Any]] = requests.get(
            f"{self.url}/mail/messages", params=query, timeout=TIMEOUT_SECONDS
        ).json()
        return found

    def file(self, message: dict[str, Any], number: int = 0) -> bytes:
        """What hangs on a message."""
        path = message["attachments"][number]["path"]
        return requests.get(f"{self.url}{path}", timeout=TIMEOUT_SECONDS).content

    def fault(self, kind: str, **more: Any) -> None:
        """Let the next letter (to topic=) go wrong."""
        answer = requests.post(
            f"{self.url}/mail/simulator/faults",
            json={"kind": kind, **more},
            timeout=TIMEOUT_SECONDS,
        )
        assert answer.status_code == 201, answer.text


@contextmanager
def serving(settings: Settings) -> Iterator[Mailbox]:
    """A sandbox with mail alone, which the settings point to."""
    sandbox = create_sandbox(product_url="http://127.0.0.1:1", state_path=":memory:")
    url = sandbox.start()
    try:
        point_to(sandbox, settings=settings)
        yield Mailbox(url=url)
    finally:
        sandbox.stop()


def point_to(sandbox: Sandbox, *, settings: Settings) -> None:
    """Let a sandbox take mail, and the settings know it."""
    use(sandbox_mail(sandbox.start_mail()), settings=settings)


def use(url: str, *, settings: Settings) -> None:
    """Set what EMAIL_URL would."""
    with mock.patch.dict(os.environ, {"EMAIL_URL": url}):
        for name, value in environment.mail("EMAIL_URL").items():
            setattr(settings, name, value)
    settings.EMAIL_FROM = DEMO_SENDER


def giver(*, at: datetime, email: str = "asha@example.org", **contact: Any) -> Donor:
    """A donor who gave an address."""
    donor = Donor.objects.create(created_at=at)
    DonorContact.objects.create(donor=donor, email=email, **contact)
    return donor
