"""A site's impact on chain for everybody to see, and the program that checks it."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page

import tokens.queries
from dashboard import epoch_panel, holders, queries
from dashboard.energy_picture import picture
from tokens.queries import Impact

POLL_SECONDS = 30
_PUBLIC = [gzip_page, conditional_page, cache_control(public=True, no_cache=True)]


@method_decorator(_PUBLIC, name="dispatch")
class ImpactPage(View):
    """`/sites/<slug>/impact/`: tokens, epochs, energy balance, and how to check them."""

    def get(self, request: HttpRequest, slug: str) -> HttpResponse:
        site = queries.open_site(slug=slug)
        if site is None:
            raise Http404(slug)
        impact = tokens.queries.impact(site=site)
        _, verify_hash = _program(_modified_ns())
        published = None if impact.active is None else holders.published(epoch=impact.active)
        words = {
            "at": timezone.now(),
            "site": site,
            "impact": impact,
            "panel": epoch_panel.panel(epoch_panel.added(site=site)),
            "donors": holders.donors(site=site),
            "published": published,
            "rounds": holders.counted_rounds(
                site=site, anchored={} if published is None else published.rounds
            ),
            "supply": _supply(impact),
            "booked_at": queries.booked_at(site=site),
            "picture": None if impact.balance is None else picture(impact.balance.figures),
            "verify_hash": verify_hash,
            "public_url": settings.PUBLIC_URL,
            "poll_seconds": POLL_SECONDS,
        }
        with timezone.override(ZoneInfo(site.time_zone)):
            return render(request, "dashboard/impact.html", words)


@method_decorator(_PUBLIC, name="dispatch")
class VerifyProgram(View):
    """`/verify.py`: the program with which anybody checks a site, byte for byte."""

    def get(self, request: HttpRequest) -> HttpResponse:
        content, _ = _program(_modified_ns())
        return HttpResponse(content, content_type="text/x-python; charset=utf-8")


def _supply(impact: Impact) -> dict[str, str] | None:
    """What our own last check said of the supply; None where it was of another epoch."""
    ran, active = impact.verification, impact.active
    is_of_it = ran is not None and active is not None and ran.epoch_number == active.number
    checks = ran.checks if ran is not None and is_of_it else []
    return next((each for each in checks if each["name"] == "supply"), None)


def program() -> Path:
    """Where the program lies."""
    return settings.BASE_DIR / "verify.py"


def _modified_ns() -> int:
    return program().stat().st_mtime_ns


@lru_cache(maxsize=1)
def _program(_modified: int) -> tuple[bytes, str]:
    """Return the program and its SHA-256, read again when it changed."""
    content = program().read_bytes()
    return content, sha256(content).hexdigest()
