"""Who may ask about households."""

from __future__ import annotations

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import Agent, User


class IsOperatorStaff(BasePermission):
    """Staff of an operator, or a superuser without one, who sees every operator's.

    Not an agent: their log-in takes cash in the admin and does nothing else.
    """

    message = "Only staff of an operator may ask about households."

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        return (
            isinstance(user, User)
            and user.is_staff
            and (user.operator_id is not None or user.is_superuser)
            and not Agent.objects.filter(user=user).exists()
        )
