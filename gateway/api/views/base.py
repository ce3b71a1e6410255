"""What views share: who may ask, and what they were asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from accounts.models import Household, Site, User
from accounts.payees import normalise_code
from dashboard import queries as public
from gateway.api import problems, queries, serializers
from gateway.api.permissions import IsOperatorStaff
from gateway.api.throttles import Anonymous, Known

PUBLIC_SECONDS = 5


class PublicView(APIView):
    """Open to everybody, and cached for a moment; no log-in is looked at."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (Anonymous,)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Let caches keep good answers for a few seconds."""
        finished: Response = super().finalize_response(request, response, *args, **kwargs)
        if finished.status_code == 200:
            patch_cache_control(finished, public=True, max_age=PUBLIC_SECONDS)
        return finished

    def site(self, slug: str) -> Site:
        """Return the open site or raise 404."""
        site = public.open_site(slug=slug)
        if site is None:
            raise Http404(slug)
        return site


class StaffView(APIView):
    """For staff of an operator; what belongs to another operator does not exist here."""

    permission_classes = (IsOperatorStaff,)
    throttle_classes = (Known,)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Keep personal data out of every cache."""
        finished: Response = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(finished, private=True, no_store=True)
        patch_vary_headers(finished, ("Authorization",))
        return finished

    @property
    def user(self) -> User:
        """The member of staff; permissions were checked before."""
        assert isinstance(self.request.user, User)  # noqa: S101 - narrows the type
        return self.request.user

    def household(self, code: str, *, at: datetime) -> Household:
        """Return the household, if it lives at a site of the user's operator, or raise 404."""
        found = queries.households_for(user=self.user, at=at)
        household = found.filter(code=normalise_code(code)).first()
        if household is None:
            raise Http404(code)
        return household


def checked(serializer: Serializer[Any]) -> dict[str, Any]:
    """Return the validated values or raise ValidationError."""
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values


def span(
    *, request: Request, at: datetime, default: timedelta, longest: timedelta
) -> tuple[datetime, datetime]:
    """Return the span [since, until) asked for. Raises ValidationError, also if it is too long."""
    asked = checked(serializers.Span(data=request.query_params))
    until = asked.get("until") or at
    since = asked.get("since") or until - default
    if since >= until:
        raise ValidationError({"since": "since must lie before until."})
    if until - since > longest:
        raise ValidationError({"since": f"Ask for {longest.days} days at most."})
    return since, until


def now() -> datetime:
    """The instant of this request; everything below gets it passed in."""
    return timezone.now()


@csrf_exempt
def nothing_here(request: HttpRequest, **_: Any) -> HttpResponse:
    """Answer an address under /api/ that does not exist; a missing last slash is put right."""
    if not request.path.endswith("/") and _leads_somewhere(f"{request.path}/"):
        query = request.META.get("QUERY_STRING", "")
        target = f"{request.path}/" + (f"?{query}" if query else "")
        return HttpResponsePermanentRedirect(target, preserve_request=True)
    return problems.plain(request, name="not-found")


def _leads_somewhere(path: str) -> bool:
    try:
        return resolve(path).func is not nothing_here
    except Resolver404:
        return False
