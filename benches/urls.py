"""The service's paths, and an empty view behind the same server and middleware."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from gateway import urls


@csrf_exempt
def empty(request: HttpRequest) -> HttpResponse:
    """Answer nothing."""
    return HttpResponse()


# First, so that nothing is matched before it: the baseline is as fast as the stack can be.
urlpatterns = [
    path("bench/empty", empty),
    *urls.urlpatterns,
]
