"""Donors and their donations."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet

from accounts.admin.base import Closable, OneInline, ReadOnlyAdmin, ReadOnlyInline
from accounts.admin.columns import dai, linked, local, when
from accounts.admin.scope import VisibleFilter
from accounts.models import Donation, Donor, DonorContact, DonorsIndex, Pledge


class ContactInline(OneInline):
    """Name and address, kept apart from what is public."""

    model = DonorContact
    fields = ("name", "email", "language")


class DonationInline(ReadOnlyInline):
    """What the donor gave."""

    model = Donation
    fields = ("site", dai("amount_wei"), when("donated_at"), when("vests_at"))

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related("site")


@admin.register(Donor)
class DonorAdmin(Closable):
    """Givers."""

    inlines = (ContactInline, DonationInline)
    list_display = ("uid", "called", when("created_at"), when("closed_at"))
    list_select_related = ("contact",)
    search_fields = ("contact__name__icontains", "contact__email__icontains")
    fields = ("uid", when("created_at"), when("closed_at"))
    readonly_fields = fields
    ordering = ("-id",)

    def of_operator(self, rows: QuerySet[Any], operator_id: int) -> QuerySet[Any]:
        gifts = Donation.objects.filter(donor=OuterRef("pk"), site__operator=operator_id)
        return rows.filter(Exists(gifts))

    @admin.display(description="name")
    def called(self, donor: Donor) -> str:
        return donor.contact.name if hasattr(donor, "contact") else ""


@admin.register(Pledge)
class PledgeAdmin(ReadOnlyAdmin):
    """What donors meant to pay."""

    operator_lookup = "site__operator"
    list_display = ("uid", "donor", local(), "state", "site", when("created_at"))
    list_filter = ("state", ("site", VisibleFilter), "created_at")
    list_select_related = ("donor", "site")
    search_fields = ("uid__iexact", "donor__contact__name__icontains")
    search_help_text = "the pledge's id, or the donor's name"
    fields = (
        "uid",
        linked("donor"),
        linked("site"),
        linked("rail"),
        local(),
        "state",
        when("created_at"),
        when("finished_at"),
    )


@admin.register(Donation)
class DonationAdmin(ReadOnlyAdmin):
    """Positions of the donors' index; tokens count when the position is touched."""

    operator_lookup = "site__operator"
    list_display = (
        "uid",
        "donor",
        "site",
        dai("amount_wei"),
        dai("claimed_wei", title="reckoned", asset="IT"),
        when("donated_at"),
        when("vests_at"),
        when("withdrawn_at"),
    )
    list_filter = (("site", VisibleFilter), ("withdrawn_at", admin.EmptyFieldListFilter))
    list_select_related = ("donor", "site")
    fields = (
        linked("donor"),
        linked("site"),
        dai("amount_wei"),
        dai("claimed_wei", title="reckoned", asset="IT"),
        "paid_index",
        "fraction",
        when("donated_at"),
        when("vests_at"),
        when("withdrawn_at"),
    )


@admin.register(DonorsIndex)
class DonorsIndexAdmin(ReadOnlyAdmin):
    """A site's running totals of donations and of what they were given."""

    operator_lookup = "site__operator"
    list_display = (
        "site",
        dai("donated_wei"),
        dai("rewarded_wei", asset="IT"),
        dai("unallocated_wei", asset="IT"),
    )
    list_select_related = ("site",)
    fields = (
        linked("site"),
        dai("donated_wei"),
        dai("rewarded_wei", asset="IT"),
        dai("unallocated_wei", asset="IT"),
        "accumulated",
        "remainder",
    )
