"""Who may call a hook: whoever knows the secret in its path (two are valid, for rotation).

The providers' callbacks carry no signature, so a wrong secret must not even show that there is
anything here.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.views.decorators.csrf import csrf_exempt

View = Callable[..., HttpResponse]


def knows_secret(secret: str) -> bool:
    """Compare with every valid secret in constant time."""
    offered = secret.encode("utf-8", errors="replace")
    matches = [hmac.compare_digest(offered, valid.encode()) for valid in settings.HOOK_SECRETS]
    return any(matches)


def hook(*methods: str) -> Callable[[View], View]:
    """Guard a view: secret, allowed addresses, method."""

    def guard(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def guarded(request: HttpRequest, secret: str, **kwargs: Any) -> HttpResponse:
            if not knows_secret(secret) or not _is_allowed(request):
                raise Http404
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            return view(request, **kwargs)

        return guarded

    return guard


def _is_allowed(request: HttpRequest) -> bool:
    allowed = settings.HOOK_ALLOWED_IPS
    return not allowed or request.META.get("REMOTE_ADDR") in allowed
