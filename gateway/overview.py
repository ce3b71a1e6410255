"""The admin's first page: what settlement counts there, and what the edge adds."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from accounts.admin.columns import list_of
from accounts.admin.scope import visible
from gateway.providers.models import Difference
from settlement.admin import overview


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the counts that matter to the context of the admin's index (UNFOLD's callback)."""
    context = overview.dashboard(request, context)
    still_open = visible(request, Difference).filter(state=Difference.State.OPEN)
    context["needs_a_person"].insert(
        1, overview.item("differences to statements", still_open, list_of(Difference))
    )
    return context
