"""Households: only for staff of their operator."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Household
from accounts.money import minor_from_wei
from gateway.api import queries, serializers, shapes
from gateway.api.pagination import Pages
from gateway.api.queries import HouseholdView
from gateway.api.schema import answers
from gateway.api.views.base import StaffView, checked, now
from gateway.api.views.sites import _PAGE, price_in_force
from settlement.models import Charge


class HouseholdList(StaffView):
    """`/households/`."""

    @extend_schema(
        operation_id="households_list",
        parameters=[serializers.Search, *PAGE],
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
        page: list[Household] = pages.paginate_queryset(found, request, view=self) or []
        listed = queries.views_of(households=page, at=at)
        return pages.get_paginated_response([_household(view=view, at=at) for view in listed])


class HouseholdDetail(StaffView):
    """`/households/<code>/`."""

    @extend_schema(
        operation_id="households_retrieve",
        responses=answers(ok=serializers.HouseholdDetail, problems=(401, 403, 404)),
    )
    def get(self, request: Request, code: str) -> Response:
        """Return one household: funds, arrears, impact tokens, energy, price."""
        at = now()
        (view,) = queries.views_of(households=[self.household(code, at=at)], at=at)
        return Response(_household(view=view, at=at))
