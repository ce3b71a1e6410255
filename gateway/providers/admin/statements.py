"""Rows of providers' statements, and balances beside our floats, as they were told."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.columns import linked, local, when
from accounts.admin.scope import VisibleFilter
from gateway.providers.models import RailBalance, StatementRow


@admin.register(StatementRow)
class StatementRowAdmin(ReadOnlyAdmin):
    """What a provider says of one movement."""

    operator_lookup = "rail__operator"
    list_display = (
        "reference",
        "rail",
        "kind",
        local(),
        local("fee_minor", title="fee"),
        "payment_reference",
        "account_text",
        when("happened_at"),
    )
    list_filter = (("rail", VisibleFilter), "kind", "happened_at")
    list_select_related = ("rail",)
    search_fields = (
        "reference__istartswith",
        "payment_reference__istartswith",
        "account_text__istartswith",
    )
    fields = (
        linked("rail"),
        "kind",
        "reference",
        "payment_reference",
        local(),
        local("fee_minor", title="fee"),
        "account_text",
        "payer_phone",
        when("happened_at"),
        when("first_seen_at"),
    )


@admin.register(RailBalance)
class RailBalanceAdmin(ReadOnlyAdmin):
    """What a provider said lies on a rail's account, beside our floats of that instant."""

    operator_lookup = "rail__operator"
    list_display = (
        "rail",
        local("told_minor", title="the provider's balance"),
        local("float_minor", title="our float"),
        local("difference_minor", title="the provider has more by"),
        when("told_at"),
    )
    list_filter = (("rail", VisibleFilter), "told_at")
    list_select_related = ("rail",)
    fields = (
        linked("rail"),
        local("told_minor", title="the provider's balance"),
        local("float_minor", title="our float"),
        local("difference_minor", title="the provider has more by"),
        when("told_at"),
    )
