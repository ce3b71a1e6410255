"""Links that log a donor in: asked for by an address, sent to it, good once and for half an hour.

Whoever asks learns nothing: a request is stored whether anybody has the address or not, and a
worker looks it up. The token is made while its letter is sent (issue) and only its hash is kept,
so neither staff nor whoever has a copy of the database can log in with it.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from hashlib import sha256

from django.db import transaction

from accounts import addresses, letters
from accounts.models import Donor, DonorLink, Letter, LinkRequest

LASTS = timedelta(minutes=30)
WINDOW = timedelta(minutes=15)
MOST_A_WINDOW = 3
"""Letters that one address gets, so that nobody fills a mailbox by asking."""
MOST_WAIT = timedelta(minutes=30)
"""A request that no worker answered for so long was given up by whoever asked."""
_TOKEN_BYTES = 32


class LinkSpent(ValueError):
    """The link is not good: it never was, it was used, or its time is over."""


def ask(*, email: str, language: str, at: datetime) -> LinkRequest:
    """Store that somebody asks for a link; the same work whoever has the address."""
    return LinkRequest.objects.create(email=email.strip(), language=language, asked_at=at)


def answer_asked(*, at: datetime, limit: int = 200) -> int:
    """Queue a letter to each asked-for address that donors have; return how many requests it was.

    Two workers answer a request once: whoever deletes it writes the letter.
    """
    waiting = list(LinkRequest.objects.order_by("pk")[:limit])
    for request in waiting:
        with transaction.atomic():
            if LinkRequest.objects.filter(pk=request.pk).delete()[0]:
                _answer(request, at=at)
    return len(waiting)


def issue(*, donor: Donor, email: str, at: datetime) -> str:
    """Return a token that logs in whoever has the address; the caller sends it and forgets it."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    DonorLink.objects.create(
        donor=donor,
        email=addresses.plain(email),
        token_hash=_hash(token),
        issued_at=at,
        expires_at=at + LASTS,
    )
    return token


def is_good(*, token: str, at: datetime) -> bool:
    """Return whether a token would log in; looking changes nothing."""
    return DonorLink.objects.filter(
        token_hash=_hash(token), used_at__isnull=True, expires_at__gt=at
    ).exists()


def use(*, token: str, at: datetime) -> list[Donor]:
    """Use a link up; return every open donor with its address, oldest first.

    The address counts as proved from here on, and its other links are good no more. Raises
    LinkSpent.
    """
    with transaction.atomic():
        good = DonorLink.objects.filter(
            token_hash=_hash(token), used_at__isnull=True, expires_at__gt=at
        )
        if not good.update(used_at=at):
            raise LinkSpent("this link was used, or is older than half an hour")
        link = DonorLink.objects.get(token_hash=_hash(token))
        others = DonorLink.objects.filter(email=link.email, used_at__isnull=True)
        others.filter(expires_at__gt=at).update(expires_at=at)
        donors = addresses.donors_of(email=link.email)
        addresses.prove(donors=donors, email=link.email)
    if not donors:
        raise LinkSpent("nobody has the address of this link any more")
    return donors


def _answer(request: LinkRequest, *, at: datetime) -> None:
    donors = addresses.donors_of(email=request.email)
    if not donors or request.asked_at + MOST_WAIT <= at:
        return
    sent_lately = Letter.objects.filter(
        donor=donors[0], kind=letters.LOGIN_LINK, created_at__gt=at - WINDOW
    )
    if sent_lately.count() >= MOST_A_WINDOW:
        return
    letters.write(
        donor=donors[0],
        kind=letters.LOGIN_LINK,
        key=f"{letters.LOGIN_LINK}:{request.pk}",
        params={},
        language=request.language,
        at=at,
    )


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
