"""Whose rows a member of staff may see."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.filters import RelatedFieldListFilter
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest

from accounts.models import User


def operator_id_of(request: HttpRequest) -> int | None:
    """Return the operator of the person who asks, or None."""
    return request.user.operator_id if isinstance(request.user, User) else None


def sees_everything(request: HttpRequest) -> bool:
    """A superuser without an operator sees every operator."""
    user = request.user
    return isinstance(user, User) and user.is_superuser and user.operator_id is None


def is_staff_of_an_operator(request: HttpRequest) -> bool:
    """Staff of an operator may look at all that is theirs; changes need a right of their own."""
    user = request.user
    return isinstance(user, User) and user.is_staff and user.operator_id is not None


def visible(request: HttpRequest, model: type[Model]) -> QuerySet[Any]:
    """Return the rows of a registered model that the person may see."""
    return admin.site.get_model_admin(model).get_queryset(request)


class VisibleFilter(RelatedFieldListFilter):
    """Filters by a related row; offers only those that the person may see."""

    def field_choices(
        self, field: Field[Any, Any], request: HttpRequest, model_admin: Any
    ) -> list[Any]:
        shown = visible(request, field.remote_field.model)  # type: ignore[union-attr]
        return [(str(row.pk), str(row)) for row in shown]
