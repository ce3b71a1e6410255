"""Payments, and attaching what lies in suspense to a household or a pledge."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import suspense
from accounts.admin.base import ReadOnlyAdmin, page_action, row_of
from accounts.admin.columns import dai, linked, local, when
from accounts.admin.scope import VisibleFilter, operator_id_of, sees_everything, visible
from accounts.models import Household, Payment, Pledge
from accounts.payees import AmountMismatch, normalise_code, pledge_named


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


class AttachToPledgeForm(forms.Form):
    """The pledge that a payment answers."""

    pledge = forms.CharField(
        label="Pledge",
        max_length=60,
        widget=UnfoldAdminTextInputWidget,
        help_text="its id, as on the pledge's page",
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_pledge(self) -> Pledge:
        text = str(self.cleaned_data["pledge"]).strip().removeprefix("donation").strip()
        named = pledge_named(f"donation {text}")
        if named is None or not visible(self.request, Pledge).filter(pk=named.pk).exists():
            raise forms.ValidationError(f"There is no pledge {text}.")
        return named


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    """Money that providers confirmed."""

    operator_lookup = "rail__operator"
    actions_detail: tuple[str, ...] = ("attach", "attach_to_pledge")
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
        local("fee_minor", title="kept by the provider"),
        local("taken_back_minor", title="taken back"),
        "state",
        "reason",
        "account_text",
        "payer_phone",
        linked("household"),
        linked("site"),
        linked("top_up"),
        linked("agent"),
        linked("pledge"),
        "agent",
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

    has_attach_to_pledge_permission = has_attach_permission

    @page_action("Attach to a household")
    def attach(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the account code; then credit the household out of suspense."""
        payment = row_of(self, request, object_id, may=self.has_attach_permission(request))
        form = AttachForm(request.POST or None, request=request)
        return self._attach(
            request, payment, form=form, field="code", title="Attach to a household"
        )

    @page_action("Attach to a pledge")
    def attach_to_pledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the pledge; then make the payment a donation out of suspense."""
        payment = row_of(self, request, object_id, may=self.has_attach_permission(request))
        form = AttachToPledgeForm(request.POST or None, request=request)
        return self._attach(request, payment, form=form, field="pledge", title="Attach to a pledge")

    def _attach(
        self, request: HttpRequest, payment: Payment, *, form: forms.Form, field: str, title: str
    ) -> HttpResponse:
        if payment.state not in (Payment.State.SUSPENSE, Payment.State.MISMATCH):
            said = f"The payment is {payment.get_state_display().lower()} already."
            self.message_user(request, said, messages.ERROR)
        elif request.method == "POST" and form.is_valid():
            payee = form.cleaned_data[field]
            try:
                attached = _attached(payment, payee=payee, at=timezone.now())
            except (AmountMismatch, LookupError) as error:
                form.add_error(field, str(error))
            else:
                # Who, and when, the log says by itself.
                named = payee.account_text if isinstance(payee, Pledge) else payee.code
                said = f"Attached to {named}; the payer had written {payment.account_text!r}."
                self.log_change(request, attached, said)
                return self.back(request, row=payment, said=f"Credited to {payee}.")
        return self.ask(request, row=payment, title=title, form=form)


def _attached(payment: Payment, *, payee: Household | Pledge, at: datetime) -> Payment:
    if isinstance(payee, Household):
        return suspense.attach(payment=payment, household=payee, at=at)
    return suspense.attach_to_pledge(payment=payment, pledge=payee, at=at)
