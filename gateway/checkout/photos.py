"""`/donate/<slug>/photos/<hash>.jpg`: a milestone's photo, named after its content."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from accounts.models import Campaign, Milestone

FOREVER = "public, max-age=31536000, immutable"
NOT_SHOWN_YET = "private, no-store"


@require_safe
def photo(request: HttpRequest, slug: str, content_hash: str) -> HttpResponseBase:
    """Serve a photo; of a campaign that is a draft yet, to staff only."""
    rows = Milestone.objects.filter(photo_hash=content_hash, campaign__site__slug=slug)
    published = rows.exclude(campaign__state=Campaign.State.DRAFT).first()
    found = published or (rows.first() if request.user.is_staff else None)
    if found is None or found.photo is None:
        raise Http404(content_hash)
    etag = f'"{content_hash}"'
    answer: HttpResponse
    if request.headers.get("If-None-Match") == etag:
        answer = HttpResponseNotModified()
    else:
        answer = HttpResponse(bytes(found.photo), content_type="image/jpeg")
    answer["ETag"] = etag
    answer["Cache-Control"] = FOREVER if published is not None else NOT_SHOWN_YET
    return answer
