"""One letter over SMTP with Django's own backend, and what the server's answer means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from enum import Enum
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.validators import validate_email

BACKEND = "django.core.mail.backends.smtp.EmailBackend"
PERMANENT_FROM = 500


class Result(Enum):
    """What became of one letter."""

    SENT = "sent"
    REFUSED = "refused"
    TRY_AGAIN = "try again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A result, and the server's words."""

    result: Result
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file that hangs on a letter."""

    name: str
    content: bytes
    media_type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """A letter as it leaves: uid names it for ever; unsubscribe_url is "" where there is none."""

    uid: UUID
    to: str
    subject: str
    text: str
    html: str
    attachments: Sequence[Attachment] = ()
    unsubscribe_url: str = ""


def is_set_up() -> bool:
    """Return whether there is a server to send over."""
    return bool(settings.EMAIL_HOST)


def send(*, mail: Mail) -> Outcome:
    """Send one letter. Never raises for what the server does.

    Refused is what the server says of this address or this content (5xx). Whatever it says of us
    (log-in, sender) or whatever broke is tried again, with the same Message-ID: of a connection
    that ended after the content nobody knows whether the letter arrived.
    """
    try:
        validate_email(mail.to)
    except ValidationError:
        return Outcome(result=Result.REFUSED, text="not an address")
    try:
        _message(mail).send()
    except SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        return _refused(code, text)
    except SMTPDataError as error:
        return _refused(error.smtp_code, error.smtp_error)
    except (SMTPException, OSError) as error:
        return Outcome(result=Result.TRY_AGAIN, text=f"{type(error).__name__}: {error}")
    return Outcome(result=Result.SENT)


def _message(mail: Mail) -> EmailMultiAlternatives:
    headers = {
        "Message-ID": f"<{mail.uid}@{parseaddr(settings.EMAIL_FROM)[1].rpartition('@')[2]}>",
        # RFC 3834: no out-of-office answers to these.
        "Auto-Submitted": "auto-generated",
    }
    if mail.unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message = EmailMultiAlternatives(
        # A line break would begin another header; Django refuses it, and the letter would wait.
        subject=" ".join(mail.subject.split()),
        body=mail.text,
        from_email=settings.EMAIL_FROM,
        to=[mail.to],
        headers=headers,
        # Named, as tests and debuggers put another backend in the settings' place.
        connection=get_connection(BACKEND),
    )
    message.attach_alternative(mail.html, "text/html")
    for each in mail.attachments:
        message.attach(each.name, each.content, each.media_type)
    return message


def _refused(code: int, text: bytes | str) -> Outcome:
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    result = Result.REFUSED if code >= PERMANENT_FROM else Result.TRY_AGAIN
    return Outcome(result=result, text=f"{code} {said}")
