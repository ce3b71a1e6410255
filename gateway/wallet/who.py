"""Who is looking: the donors of a session, as a wallet or a link by e-mail logged them in."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest

from accounts.models import Donor
from tokens import queries

MOST_DONORS = 200
"""Of one session: whoever gives without an account is a donor of its own each time."""


def donors_of_session(request: HttpRequest) -> list[Donor]:
    """Return the open donors who are logged in, oldest first: those whose wallet in effect is
    session["wallet"], session["donor"] (a uid), and session["donors"] (a list of uids)."""
    session = request.session
    uids = [*session.get("donors", []), *([session["donor"]] if "donor" in session else [])]
    wallet = session.get("wallet", "")
    by_wallet = [donor.pk for donor in queries.donors_of(wallet=wallet)] if wallet else []
    if not uids and not by_wallet:
        return []
    found = Donor.objects.filter(Q(uid__in=uids) | Q(pk__in=by_wallet), closed_at__isnull=True)
    return list(found.order_by("pk")[:MOST_DONORS])
