"""Epochs: what was closed, where it is on its way to the chain, and who claimed its energy."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin.base import ReadOnlyAdmin, page_action, row_of
from accounts.admin.columns import dai, kwh, linked, when
from accounts.admin.scope import VisibleFilter
from tokens import certificates
from tokens.models import Epoch


class CertificateForm(forms.Form):
    """Which certificate claimed the epoch's energy."""

    certificate = forms.CharField(
        max_length=certificates.LONGEST,
        widget=UnfoldAdminTextInputWidget,
        help_text="As its registry names it, e.g. D-REC KE-2026-17. This can't be taken back here.",
    )


@admin.register(Epoch)
class EpochAdmin(ReadOnlyAdmin):
    """Sealed when closed: nothing here can be changed but who claimed the energy."""

    operator_lookup = "site__operator"
    list_display = (
        "__str__",
        "attempt",
        "site",
        "state",
        kwh("milliwatt_hours"),
        dai("tokens_wei", title="tokens", asset="IT"),
        "is_balanced",
        "certificate",
        when("closed_at"),
        when("active_at"),
    )
    list_filter = (("site", VisibleFilter), "state", "is_balanced", "closed_at")
    list_select_related = ("site", "proposal", "activation")
    search_fields = ("root", "dataset_hash", "certificate__icontains")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "site",
                    "number",
                    "attempt",
                    "state",
                    when("closed_at"),
                    when("proposed_at"),
                    when("active_at"),
                )
            },
        ),
        (
            "What everybody has earned",
            {
                "fields": (
                    kwh("milliwatt_hours"),
                    dai("tokens_wei", title="tokens", asset="IT"),
                    kwh("carry_milliwatt_hours", title="carry of energy"),
                    dai("carry_wei", title="carry of tokens", asset="IT"),
                )
            },
        ),
        (
            "What proves it",
            {
                "fields": (
                    "root",
                    "dataset_hash",
                    "published",
                    "book_height",
                    "book_hash",
                    "chain_id",
                    linked("proposal"),
                    linked("activation"),
                )
            },
        ),
        (
            "Energy of its span",
            {"fields": (when("starts_at"), when("ends_at"), "is_balanced", "flows")},
        ),
        ("Certificate", {"fields": ("certificate", "co2")}),
    )
    actions_detail = ("claim",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("dataset")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return tuple(field for _, part in self.fieldsets for field in part["fields"])

    @admin.display(description="data set")
    def published(self, epoch: Epoch) -> SafeString:
        path = f"/api/v1/sites/{epoch.site.slug}/epochs/{epoch.number}/dataset/"
        return format_html('<a href="{0}?attempt={1}">{0}</a>', path, epoch.attempt)

    @admin.display(description="balance")
    def flows(self, epoch: Epoch) -> SafeString:
        """The energy balance as it was published, a line each."""
        lines = (
            (name.replace("_milliwatt_hours", " (mWh)").replace("_", " "), value)
            for name, value in epoch.balance.items()
            if name != "is_balanced"
        )
        return format_html_join("", "<div>{}: {}</div>", lines)

    @admin.display(description="CO2")
    def co2(self, epoch: Epoch) -> str:
        if epoch.certificate:
            return "claimed by the certificate: this epoch claims none"
        return "claimed by this epoch, as no certificate did"

    def has_claim_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """Who may say that a certificate claimed an epoch: whoever may change epochs."""
        return request.user.has_perm("tokens.change_epoch")

    @page_action("Claimed by a certificate", permission="claim")
    def claim(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask which certificate; then the epoch drops its CO2 claim."""
        epoch = row_of(self, request, object_id, may=self.has_claim_permission(request))
        form = CertificateForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                claimed = certificates.claim(
                    epoch=epoch, certificate=form.cleaned_data["certificate"]
                )
            except certificates.NotClaimable as error:
                form.add_error("certificate", str(error))
            else:
                self.log_change(request, claimed, f"Claimed by {claimed.certificate}")
                said = f"{claimed.certificate} claimed it: the epoch claims no CO2 any more."
                return self.back(request, row=claimed, said=said)
        return self.ask(request, row=epoch, title="Claimed by a certificate", form=form)
