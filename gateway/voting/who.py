"""Who is looking: the donors of a session, as gateway.wallet or a link by e-mail logged them in."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest

from accounts.models import Donor
from tokens import queries


def donors_of(request: HttpRequest) -> list[Donor]:
    """Return the donors who are logged in: of the wallet of the session, and by its own uid."""
    found = {}
    if wallet := request.session.get("wallet", ""):
        found = {donor.pk: donor for donor in queries.donors_of(wallet=wallet)}
    if donor := _donor(str(request.session.get("donor", ""))):
        found[donor.pk] = donor
    return [found[pk] for pk in sorted(found)]


def _donor(uid: str) -> Donor | None:
    try:
        return Donor.objects.filter(uid=UUID(uid), closed_at__isnull=True).first()
    except ValueError:
        return None
