"""How lists are paged."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import CursorPagination, LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from gateway.api.serializers import MOST_PER_PAGE, Limit, Paging

PER_PAGE = 100


class Pages(LimitOffsetPagination):
    """`?limit=&offset=`, 100 at a time unless told; refuses what is no number of either."""

    default_limit = PER_PAGE
    max_limit = MOST_PER_PAGE

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        """Return the page asked for. Raises ValidationError."""
        Paging(data=request.query_params).is_valid(raise_exception=True)
        return super().paginate_queryset(queryset, request, view)


class ChargePages(CursorPagination):
    """By position instead of number: charges are too many to count. `?limit=&cursor=`."""

    ordering: Any = ("-starts_at", "-meter_id")
    page_size = PER_PAGE
    page_size_query_param = "limit"
    max_page_size = MOST_PER_PAGE

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        """Return the page asked for. Raises ValidationError; NotFound for a broken cursor."""
        Limit(data=request.query_params).is_valid(raise_exception=True)
        return super().paginate_queryset(queryset, request, view)
