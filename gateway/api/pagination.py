"""How lists are paged."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import CursorPagination, LimitOffsetPagination
from rest_framework.request import Request

LAST_OFFSET = 1_000_000_000


class Pages(LimitOffsetPagination):
    """`?limit=&offset=`, 100 at a time unless told, 500 at most."""

    default_limit = 100
    max_limit = 500

    def get_offset(self, request: Request) -> int:
        """Return an offset that the database can count to."""
        return min(super().get_offset(request), LAST_OFFSET)


class ChargePages(CursorPagination):
    """By position instead of number: charges are too many to count. `?limit=`, 500 at most."""

    ordering: Any = ("-starts_at", "-meter_id")
    page_size = 100
    page_size_query_param = "limit"
    max_page_size = 500
