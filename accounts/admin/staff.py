"""Log-ins. Only a superuser without an operator gives rights; the others see their colleagues."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.admin.base import DomainAdmin
from accounts.admin.columns import when
from accounts.admin.scope import VisibleFilter, sees_everything
from accounts.models import User


@admin.register(User)
class UserAdmin(DjangoUserAdmin, DomainAdmin):  # type: ignore[type-arg, misc]
    """Staff of one operator; without one, only a superuser sees anything."""

    operator_lookup = "operator"
    set_on_add = {}
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "operator", "is_active", "is_staff", "is_superuser", "seen")
    list_filter = (("operator", VisibleFilter), "is_active", "is_superuser", "groups")
    list_select_related = ("operator",)
    readonly_fields = ("last_login", "date_joined")
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "operator", "is_staff", "password1", "password2"),
            },
        ),
    )
    fieldsets = (
        (None, {"fields": ("username", "password", "operator")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "Rights",
            {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")},
        ),
        ("Dates (UTC)", {"fields": ("last_login", "date_joined")}),
    )
    seen = staticmethod(when("last_login", title="last log-in"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return sees_everything(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees_everything(request)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return ((None, {"fields": ("username", "operator", "first_name", "last_name", "email")}),)


admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Named sets of rights for staff."""
