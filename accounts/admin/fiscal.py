"""Taxes and levies, begun and ended but never changed; fiscal receipts, and signing them again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from simple_history.admin import SimpleHistoryAdmin
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from accounts import fiscal
from accounts.admin.base import (
    AppendOnlyAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    page_action,
    row_of,
)
from accounts.admin.columns import linked, local, percent, shown_minor, shown_time, when
from accounts.admin.scope import VisibleFilter
from accounts.models import FiscalLine, FiscalReceipt, Site, TaxLine

ETIMS_TAX_CODES = ("A", "B", "C", "D", "E")


class TaxLineForm(forms.ModelForm):  # type: ignore[type-arg]
    """A tax or levy from an instant on; the one of its name before ends there."""

    starts_at = forms.SplitDateTimeField(
        label="From (UTC)", widget=UnfoldAdminSplitDateTimeWidget, initial=timezone.now
    )

    class Meta:
        model = TaxLine
        fields = ("site", "kind", "name", "code", "rate_basis_points")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        site, starts_at = cleaned.get("site"), cleaned.get("starts_at")
        if site is None or starts_at is None:
            return cleaned
        is_tax = cleaned.get("kind") == TaxLine.Kind.TAX
        signs_with_etims = site.fiscal_device == Site.FiscalDevice.ETIMS
        if is_tax and signs_with_etims and cleaned.get("code") not in ETIMS_TAX_CODES:
            raise forms.ValidationError("eTIMS knows the tax codes A, B, C, D and E.")
        try:
            fiscal.check_start(
                site=site, name=str(cleaned.get("name", "")), starts_at=starts_at, at=timezone.now()
            )
        except fiscal.WrongPeriod as error:
            raise forms.ValidationError(str(error)) from error
        return cleaned


class EndForm(forms.Form):
    """When a tax or levy ends."""

    ends_at = forms.SplitDateTimeField(
        label="Until (UTC)", widget=UnfoldAdminSplitDateTimeWidget, initial=timezone.now
    )


@admin.register(TaxLine)
class TaxLineAdmin(AppendOnlyAdmin, SimpleHistoryAdmin):
    """What is contained in what households pay."""

    operator_lookup = "site__operator"
    form = TaxLineForm
    actions_detail = ("end",)
    rate = percent("rate_basis_points", title="rate")
    list_display = ("name", "site", "kind", "code", rate, "begins", "ends")
    list_filter = (("site", VisibleFilter), "kind")
    list_select_related = ("site",)
    search_fields = ("name__icontains", "site__slug__istartswith")
    fields = ("site", "kind", "name", "code", rate, "begins", "ends")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else (*TaxLineForm.Meta.fields, "starts_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ()

    @admin.display(description="from (UTC)", ordering="validity")
    def begins(self, line: TaxLine) -> str:
        return shown_time(line.validity.lower)

    @admin.display(description="until (UTC)")
    def ends(self, line: TaxLine) -> str:
        return shown_time(line.validity.upper)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = fiscal.begin_line(
            site=obj.site,
            kind=obj.kind,
            name=obj.name,
            code=obj.code,
            rate_basis_points=obj.rate_basis_points,
            starts_at=form.cleaned_data["starts_at"],
            at=timezone.now(),
        )
        obj.__dict__.update(made.__dict__)

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Who may end a tax: whoever may write one."""
        return request.user.has_perm("accounts.add_taxline")

    @page_action("End")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask from when on the line is no longer contained in payments."""
        line = row_of(self, request, object_id, may=self.has_end_permission(request))
        form = EndForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                fiscal.end_line(line=line, ends_at=form.cleaned_data["ends_at"], at=timezone.now())
            except fiscal.WrongPeriod as error:
                form.add_error("ends_at", str(error))
            else:
                return self.back(request, row=line, said=f"{line.name} ends.")
        return self.ask(request, row=line, title=f"End {line}", form=form)


class FiscalLineInline(ReadOnlyInline):
    """What is contained in the receipt."""

    model = FiscalLine
    show_change_link = False
    fields = ("name", "kind", "code", percent("rate_basis_points", title="rate"), "amount")

    @admin.display(description="amount")
    def amount(self, line: FiscalLine) -> str:
        return shown_minor(line.amount_minor, currency=line.receipt.currency)


@admin.register(FiscalReceipt)
class FiscalReceiptAdmin(ReadOnlyAdmin):
    """Receipts of payments, and credit notes of what was taken back."""

    operator_lookup = "site__operator"
    inlines = (FiscalLineInline,)
    actions_detail = ("sign_again",)
    list_display = (
        "name",
        "kind",
        local("gross_minor", title="gross"),
        local("net_minor", title="net"),
        "state",
        "device_number",
        "failure",
        when("tax_point_at"),
    )
    list_filter = ("state", "kind", ("site", VisibleFilter), "tax_point_at")
    list_select_related = ("site",)
    search_fields = (
        "number__iexact",
        "signature__istartswith",
        "payment__reference__istartswith",
        "payment__household__code__istartswith",
    )
    search_help_text = "number, signature, payment's reference or household"
    fields = (
        "name",
        "kind",
        linked("payment"),
        linked("original"),
        local("gross_minor", title="gross"),
        local("net_minor", title="net"),
        when("tax_point_at"),
        when("issued_at"),
        "state",
        "device",
        "device_number",
        "signature",
        when("signed_at"),
        "attempts",
        when("next_attempt_at"),
        "failure",
        "pages",
    )

    @admin.display(description="number", ordering="number")
    def name(self, receipt: FiscalReceipt) -> str:
        return f"{receipt.site.slug}/{receipt.number}"

    @admin.display(description="Public page")
    def pages(self, receipt: FiscalReceipt) -> str:
        own = reverse("fiscal:receipt", args=[receipt.uid])
        return format_html('<a href="{}">{}</a>', receipt.verification_url or own, own)

    def has_sign_again_permission(self, request: HttpRequest) -> bool:
        """Who may have a receipt signed again: whoever has the right to change receipts."""
        return request.user.has_perm("accounts.change_fiscalreceipt")

    @page_action("Sign again")
    def sign_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then queue the receipt for its site's device."""
        receipt = row_of(self, request, object_id, may=self.has_sign_again_permission(request))
        form = forms.Form(request.POST or None)
        if request.method == "POST":
            try:
                fiscal.resend(receipt=receipt, at=timezone.now())
            except fiscal.NotToBeSigned as error:
                self.message_user(request, f"{error}.", messages.ERROR)
            else:
                return self.back(request, row=receipt, said="It will be signed in a moment.")
        return self.ask(request, row=receipt, title=f"Sign {receipt} again", form=form)
