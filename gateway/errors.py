"""Answers to what no view answered: problems below /api/, pages elsewhere."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from gateway.api import problems
from gateway.api.problems import KINDS


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: a host or a body that Django refused."""
    if _is_api(request):
        return problems.plain(request, name="malformed")
    return HttpResponse("This request can't be read.\n", status=400, content_type="text/plain")


def not_allowed(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403."""
    if _is_api(request):
        return problems.plain(request, name="not-allowed")
    return HttpResponse("You may not do this.\n", status=403, content_type="text/plain")


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form that came without the cookie it was given out with."""
    told = (
        "This form has expired, or cookies are switched off. Go back, load the page again and send"
        " it once more; nothing was done.\n"
    )
    return HttpResponse(told, status=403, content_type="text/plain")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404."""
    if _is_api(request):
        return problems.plain(request, name="not-found")
    return render(request, "dashboard/404.html", status=404)


def fault(request: HttpRequest) -> HttpResponse:
    """500: nothing is read from anywhere, as that may be what failed."""
    if _is_api(request):
        return problems.plain(request, name="server-error")
    return HttpResponse(render_to_string("dashboard/500.html"), status=500)


def problem_page(request: HttpRequest, name: str) -> HttpResponse:
    """The page behind a problem's `type`: what it means."""
    kind = KINDS.get(name)
    if kind is None:
        raise Http404(name)
    return render(request, "dashboard/problem.html", {"kind": kind})


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
