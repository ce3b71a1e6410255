"""What a donor's page shows of monthly gifts."""

from __future__ import annotations

from typing import Any

from django import template

from accounts.models import Donor
from gateway.checkout import plans

register = template.Library()


@register.simple_tag
def plans_of(donors: list[Donor] | None) -> list[dict[str, Any]]:
    """Return the monthly gifts of donors, as gateway.checkout.plans.shown does."""
    return plans.shown(donors=donors or [])
