"""How lists are paged."""

from __future__ import annotations

from rest_framework.pagination import LimitOffsetPagination


class Pages(LimitOffsetPagination):
    """`?limit=&offset=`, 100 at a time unless told, 500 at most."""

    default_limit = 100
    max_limit = 500
