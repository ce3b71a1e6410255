"""Payments, and attaching what lies in suspense to a household."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import suspense
from accounts.admin.base import ReadOnlyAdmin, page_action
from accounts.admin.columns import dai, linked, local, when
from accounts.admin.scope import VisibleFilter, operator_id_of, sees_everything, visible
from accounts.models import Household, Payment
from accounts.payees import AmountMismatch, normalise_code
from accounts.site_rates import NoSiteRate


class AttachForm(forms.Form):
    """The household that a payment belongs to."""

    code = forms.CharField(
        label="Account code",
        max_length=20,
        widget=UnfoldAdminTextInputWidget,
        help_text="e.g. KIS0001",
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_code(self) -> Household:
        code = normalise_code(self.cleaned_data["code"])
        household = visible(self.request, Household).filter(code=code).first()
        if not isinstance(household, Household):
            raise forms.ValidationError(f"There is no household {code}.")
        if household.closed_at is not None:
            raise forms.ValidationError(f"Household {code} is closed.")
        return household


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Money that providers confirmed."""

    operator_lookup = "rail__operator"
    actions_detail = ("attach",)
    list_display = (
        "reference",
        "provider",
        local(),
        "state",
        "reason",
        "account_text",
        "household",
        dai("credited_wei", title="credited"),
        when("paid_at"),
    )
    list_filter = ("state", "provider", ("site", VisibleFilter), "paid_at")
    list_select_related = ("household",)
    search_fields = (
        "reference__istartswith",
        "account_text__icontains",
        "payer_phone__contains",
        "household__code__istartswith",
    )
    search_help_text = "reference, account as typed, phone or household"
    fields = (
        "provider",
        "reference",
        linked("rail"),
        local(),
        "state",
        "reason",
        "account_text",
        "payer_phone",
        linked("household"),
        linked("site"),
        linked("top_up"),
        linked("entry"),
        dai("credited_wei", title="credited"),
        when("paid_at"),
        when("recorded_at"),
        when("credited_at"),
    )

    def has_attach_permission(self, request: HttpRequest) -> bool:
        """Who may move money out of suspense: whoever has the right to change payments."""
        return request.user.has_perm("accounts.change_payment") and (
            sees_everything(request) or operator_id_of(request) is not None
        )

    @page_action("Attach to a household")
    def attach(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the account code; then credit the household out of suspense."""
        payment = self.row_to_attach(request, object_id)
        form = AttachForm(request.POST or None, request=request)
        if payment.state == Payment.State.CREDITED:
            self.message_user(request, "The payment is credited already.", messages.ERROR)
        elif request.method == "POST" and form.is_valid():
            household = form.cleaned_data["code"]
            try:
                suspense.attach(payment=payment, household=household, at=timezone.now())
            except (AmountMismatch, LookupError, NoSiteRate) as error:
                form.add_error("code", str(error))
            else:
                return self.back(request, row=payment, said=f"Credited to {household.code}.")
        return self.ask(request, row=payment, title="Attach to a household", form=form)

    def row_to_attach(self, request: HttpRequest, object_id: str) -> Payment:
        """Return the payment, if the person may see it and move it."""
        payment = self.get_object(request, object_id)
        if payment is None:
            raise Http404
        if not self.has_attach_permission(request):
            raise PermissionDenied
        assert isinstance(payment, Payment)  # noqa: S101 - the model of this page
        return payment
