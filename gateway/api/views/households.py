"""Households and what they were charged: only for staff of their operator."""

from __future__ import annotations

from datetime import timedelta

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api import bodies, queries, serializers
from gateway.api.pagination import ChargePages, Pages
from gateway.api.schema import answers
from gateway.api.views.base import StaffView, checked, now, span

LONGEST_SPAN = timedelta(days=366)
DEFAULT_SPAN = timedelta(days=31)


class HouseholdList(StaffView):
    """`/households/`."""

    @extend_schema(
        operation_id="households_list",
        parameters=[serializers.Search, serializers.Paging],
        responses=answers(ok=serializers.Households, problems=(400, 401, 403)),
    )
    def get(self, request: Request) -> Response:
        """List the operator's households by code, or those that a search finds."""
        at = now()
        asked = checked(serializers.Search(data=request.query_params))
        found = queries.matching(
            queries.households_for(user=self.user, at=at),
            text=asked["search"],
            site=asked["site"],
            at=at,
        )
        pages = Pages()
        page = pages.paginate_queryset(found, request, view=self) or []
        listed = queries.views_of(households=page, at=at)
        return pages.get_paginated_response([bodies.household(view=view, at=at) for view in listed])


class HouseholdView(StaffView):
    """`/households/<code>/`."""

    @extend_schema(
        operation_id="households_retrieve",
        responses=answers(ok=serializers.HouseholdDetail, problems=(401, 403, 404)),
    )
    def get(self, request: Request, code: str) -> Response:
        """Return one household: funds, arrears, impact tokens, energy, price."""
        at = now()
        (view,) = queries.views_of(households=[self.household(code, at=at)], at=at)
        return Response(bodies.household(view=view, at=at))


class HouseholdCharges(StaffView):
    """`/households/<code>/charges/`."""

    @extend_schema(
        operation_id="households_charges",
        parameters=[
            serializers.Span,
            serializers.Limit,
            OpenApiParameter("cursor", str, description="as in `next` and `previous`"),
        ],
        responses=answers(ok=serializers.Charges, problems=(400, 401, 403, 404)),
    )
    def get(self, request: Request, code: str) -> Response:
        """Return what the household was charged slot by slot, newest first; of the last 31 days
        if no span is given, of a year at most. Lifeline rebates come on top, block by block."""
        at = now()
        household = self.household(code, at=at)
        since, until = span(request=request, at=at, default=DEFAULT_SPAN, longest=LONGEST_SPAN)
        pages = ChargePages()
        page = pages.paginate_queryset(
            queries.charges_of(household=household, since=since, until=until), request, view=self
        )
        return pages.get_paginated_response([bodies.charged_slot(charge) for charge in page or []])
