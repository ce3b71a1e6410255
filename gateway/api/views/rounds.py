"""Voting rounds: open to everybody; ballots once they are counted."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api import round_bodies, round_serializers
from gateway.api.pagination import Pages
from gateway.api.schema import answers
from gateway.api.serializers import Paging
from gateway.api.views.base import PublicView
from tokens.models import Round
from tokens.voting import queries

FOR_EVER_SECONDS = 365 * 86_400


class _RoundView(PublicView):
    """One round of a site."""

    def round(self, slug: str, number: int) -> Round:
        """Return the round or raise 404."""
        found = queries.round_of(site=self.site(slug), number=number)
        if found is None:
            raise Http404(number)
        return found


@method_decorator(conditional_page, name="dispatch")
class SiteRounds(PublicView):
    """`/sites/<slug>/rounds/`."""

    @extend_schema(
        operation_id="sites_rounds",
        parameters=[Paging],
        responses=answers(ok=round_serializers.Rounds, problems=(400, 404)),
    )
    def get(self, request: Request, slug: str) -> Response:
        """List the site's voting rounds, newest first."""
        pages = Pages()
        found = queries.rounds_of(site=self.site(slug))
        page = pages.paginate_queryset(found, request, view=self) or []
        return pages.get_paginated_response([round_bodies.summary(each) for each in page])


@method_decorator(conditional_page, name="dispatch")
class SiteRound(_RoundView):
    """`/sites/<slug>/rounds/<number>/`."""

    @extend_schema(
        operation_id="sites_round",
        responses=answers(ok=round_serializers.RoundDetail, problems=(404,)),
    )
    def get(self, request: Request, slug: str, number: int) -> Response:
        """Return one round with its projects, and what became of them."""
        found = self.round(slug, number)
        return Response(round_bodies.detail(found, projects=queries.vetted(round_=found)))


@method_decorator(conditional_page, name="dispatch")
class RoundBallots(_RoundView):
    """`/sites/<slug>/rounds/<number>/ballots/`."""

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """A count is final, so its bytes may be kept for ever."""
        finished = super().finalize_response(request, response, *args, **kwargs)
        if finished.status_code == 200:
            del finished["Cache-Control"]
            patch_cache_control(finished, public=True, immutable=True, max_age=FOR_EVER_SECONDS)
        return finished

    @extend_schema(
        operation_id="sites_round_ballots",
        responses=answers(ok=OpenApiTypes.OBJECT, problems=(404,)),
    )
    def get(self, request: Request, slug: str, number: int) -> HttpResponse:
        """Return rules, projects, ballots and result of a counted round, byte for byte as
        published: the result follows from the rest, and their SHA-256 is result_hash. 404 before
        the count."""
        found = self.round(slug, number)
        if found.state != Round.State.COUNTED:
            raise Http404(number)
        answer = HttpResponse(found.result.encode(), content_type="application/json")
        answer["ETag"] = f'"{found.result_hash}"'
        return answer
