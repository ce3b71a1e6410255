"""Operators and their rails."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin

from accounts import sites
from accounts.admin.base import Closable
from accounts.admin.columns import local, when
from accounts.models import Operator, Rail


@admin.register(Operator)
class OperatorAdmin(Closable, SimpleHistoryAdmin):
    """Organisations; a new one gets its book."""

    operator_lookup = "pk"
    list_display = ("name", "slug", when("created_at"), when("closed_at"))
    list_filter = (("closed_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "slug")
    fields = ("slug", "name", "legal_name", "fx_reserve_limit_wei", "fx_exposure_limit_wei")
    prepopulated_fields = {"slug": ("name",)}

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("slug", "name")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return {} if obj else self.prepopulated_fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("slug",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
        else:
            made = sites.open_operator(slug=obj.slug, name=obj.name, at=timezone.now())
            obj.__dict__.update(made.__dict__)


@admin.register(Rail)
class RailAdmin(Closable, SimpleHistoryAdmin):
    """Merchant accounts that money comes in by. What names its accounts stays as it was."""

    operator_lookup = "operator"
    set_on_add = {}
    list_display = (
        "code",
        "operator",
        "provider",
        "merchant_account",
        "currency",
        local("min_top_up_minor", title="smallest top-up"),
        local("max_top_up_minor", title="largest top-up"),
        when("closed_at"),
    )
    list_filter = ("provider", "currency", ("closed_at", admin.EmptyFieldListFilter))
    list_select_related = ("operator",)
    search_fields = ("code", "merchant_account")
    fields = (
        "operator",
        "provider",
        "code",
        "merchant_account",
        "currency",
        "min_top_up_minor",
        "max_top_up_minor",
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("operator", "provider", "code", "currency") if obj else ()
