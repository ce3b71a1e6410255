"""What all asking of providers shares: where they call us back, how long one round takes."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

LONGEST_ROUND = timedelta(seconds=60)


def hooks_url() -> str:
    """Return the base of our hooks as providers see it, the newest secret included."""
    return f"{settings.PUBLIC_URL}/hooks/{settings.HOOK_SECRETS[0]}"
