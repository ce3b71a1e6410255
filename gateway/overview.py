"""The admin's first page: what settlement counts there, and what the edge adds."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from accounts import campaigns
from accounts.admin.columns import list_of
from accounts.admin.scope import visible
from gateway.providers.models import Difference
from settlement.admin import overview
from tokens.models import Deposit, StrayTransfer


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the counts that matter to the context of the admin's index (UNFOLD's callback)."""
    context = overview.dashboard(request, context)
    still_open = visible(request, Difference).filter(state=Difference.State.OPEN)
    context["needs_a_person"].insert(
        1, overview.item("differences to statements", still_open, list_of(Difference))
    )
    review = visible(request, Deposit).filter(state=Deposit.State.REVIEW)
    missed = visible(request, Deposit).filter(
        donation__in=[donation.pk for donation in campaigns.crypto_to_give_back()]
    )
    strays = visible(request, StrayTransfer).filter(dismissed_at__isnull=True)
    context["needs_a_person"][2:2] = [
        overview.item(
            "deposits on chain to look at",
            review,
            list_of(Deposit, state__exact=Deposit.State.REVIEW),
        ),
        overview.item(
            "crypto gifts to send back, as their campaign missed its goal",
            missed,
            list_of(Deposit, campaign="missed"),
        ),
        overview.item(
            "tokens that strayed to us", strays, list_of(StrayTransfer, dismissed_at__isempty=1)
        ),
    ]
    return context
