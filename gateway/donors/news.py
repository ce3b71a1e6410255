"""The address of the page where a donor has enough of news: signed, so that nobody guesses it."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse

from accounts.models import Donor

_SALT = "gateway.donors.news"


def url_of(*, donor: Donor) -> str:
    """Return the page's full address; it is good for ever, as old letters are."""
    token = _signer().sign(str(donor.uid))
    return settings.PUBLIC_URL + reverse("donors:news", args=[token])


def donor_of(*, token: str) -> Donor | None:
    """Return the donor whose page it is, or None for what we did not sign."""
    try:
        uid = UUID(_signer().unsign(token))
    except (BadSignature, ValueError):
        return None
    return Donor.objects.filter(uid=uid).first()


def _signer() -> Signer:
    return Signer(salt=_SALT, sep=".")
