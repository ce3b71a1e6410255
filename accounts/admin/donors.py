"""Donors and their donations."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin.base import (
    Closable,
    OneInline,
    ReadOnlyAdmin,
    ReadOnlyInline,
    page_action,
    row_of,
)
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
    actions_detail: tuple[str, ...] = ("hide_name",)
    list_display = ("uid", "donor", local(), "state", "site", "public_name", when("created_at"))
    list_filter = ("state", ("site", VisibleFilter), ("campaign", VisibleFilter), "created_at")
    list_select_related = ("donor", "site")
    search_fields = ("uid__iexact", "donor__contact__name__icontains")
    search_help_text = "the pledge's id, or the donor's name"
    fields = (
        "uid",
        linked("donor"),
        linked("site"),
        linked("rail"),
        linked("campaign"),
        "public_name",
        local(),
        "state",
        when("created_at"),
        when("finished_at"),
    )

    def has_hide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """Who may hide what a donor is called in public: whoever may change pledges."""
        return request.user.has_perm("accounts.change_pledge")

    @page_action("Hide the public name", permission="hide")
    def hide_name(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the gift as anonymous: a name that nobody should have to read."""
        pledge = row_of(self, request, object_id, may=self.has_hide_permission(request))
        form = forms.Form(request.POST or None)
        if request.method != "POST":
            return self.ask(request, row=pledge, title="Hide the public name", form=form)
        hidden = pledge.public_name
        pledge.public_name = ""
        pledge.save(update_fields=["public_name"])
        self.log_change(request, pledge, f"Hid the public name {hidden!r}")
        return self.back(request, row=pledge, said="The gift is anonymous now.")


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
