"""Whose rows a member of staff may see."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.filters import RelatedFieldListFilter
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest

from accounts.models import Agent, User


def agent_of(request: HttpRequest) -> Agent | None:
    """Return the agent whose log-in it is, open or closed, or None.

    Such a log-in is good for nothing else, whatever operator and rights it has.
    """
    if not isinstance(request.user, User):
        return None
    try:
        return request.user.agent
    except Agent.DoesNotExist:
        return None


def operator_id_of(request: HttpRequest) -> int | None:
    """Return the operator whose rows the person who asks may see, or None."""
    user = request.user
    if not isinstance(user, User) or user.operator_id is None:
        return None
    return user.operator_id if agent_of(request) is None else None


def sees_everything(request: HttpRequest) -> bool:
    """A superuser without an operator sees every operator."""
    user = request.user
    return isinstance(user, User) and user.is_superuser and user.operator_id is None


def is_staff_of_an_operator(request: HttpRequest) -> bool:
    """Staff of an operator may look at all that is theirs; changes need a right of their own."""
    user = request.user
    return isinstance(user, User) and user.is_staff and operator_id_of(request) is not None


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
