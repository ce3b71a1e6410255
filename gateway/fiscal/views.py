"""The public page of a receipt: what it says, and nobody's name."""

from __future__ import annotations

from uuid import UUID
from zoneinfo import ZoneInfo

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from accounts.models import FiscalReceipt


@require_safe
@cache_control(private=True, no_cache=True)
def receipt(request: HttpRequest, uid: UUID) -> HttpResponse:
    """`/receipts/<uid>/`: for whoever was given the link."""
    found = (
        FiscalReceipt.objects.filter(uid=uid)
        .select_related("site", "original")
        .prefetch_related("lines", "credit_notes")
        .first()
    )
    if found is None:
        raise Http404(str(uid))
    with timezone.override(ZoneInfo(found.site.time_zone)):
        answer = render(request, "fiscal/receipt.html", {"receipt": found})
    answer["X-Robots-Tag"] = "noindex"
    return answer
