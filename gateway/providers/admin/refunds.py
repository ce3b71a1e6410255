"""Giving money back, on a payment's page: over the rail that it came by, and only what is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import take_backs
from accounts.admin.base import page_action, row_of
from accounts.admin.columns import shown_minor
from accounts.admin.payments import PaymentAdmin
from accounts.models import Payment, Refund, User
from accounts.money import CURRENCY_DECIMALS, decimal_string, minor_from_string
from accounts.refunds import RefundKeyReused
from accounts.take_backs import NotTaken
from gateway.providers import refunding
from gateway.providers.refunding import NotRefundable
from gateway.providers.registry import is_served
from gateway.providers.tasks import submit_refund

IN_SUSPENSE = (Payment.State.SUSPENSE, Payment.State.MISMATCH)


class GiveBackForm(forms.Form):
    """Why a payment is given back. key makes a second click the same refund."""

    reason = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)
    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def __init__(self, *args: Any, payment: Payment, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.payment = payment

    @property
    def amount_minor(self) -> int:
        """What is to be given back."""
        return self.payment.amount_minor


class RefundForm(GiveBackForm):
    """How much of a payment is given back, and why."""

    amount = forms.CharField(max_length=20, widget=UnfoldAdminTextInputWidget)
    field_order = ("amount", "reason", "key")

    def __init__(self, *args: Any, payment: Payment, **kwargs: Any) -> None:
        super().__init__(*args, payment=payment, **kwargs)
        most_minor = take_backs.unspent_minor(payment=payment)
        field = self.fields["amount"]
        field.label = f"Amount ({payment.currency})"
        field.help_text = f"{shown_minor(most_minor, currency=payment.currency)} of it is unspent"
        field.initial = decimal_string(
            amount=most_minor, decimals=CURRENCY_DECIMALS[payment.currency]
        )

    def clean_amount(self) -> int:
        text = str(self.cleaned_data["amount"]).replace(",", ".")
        try:
            return minor_from_string(text=text, currency=self.payment.currency)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    @property
    def amount_minor(self) -> int:
        """What is to be given back."""
        return int(self.cleaned_data["amount"])


admin.site.unregister(Payment)


@admin.register(Payment)
class RefundablePaymentAdmin(PaymentAdmin):
    """Adds giving back to the page of a payment."""

    actions_detail = (*PaymentAdmin.actions_detail, "refund", "give_back")

    def has_refund_permission(self, request: HttpRequest) -> bool:
        """Who may give money back: whoever has the right to add refunds."""
        return request.user.has_perm("accounts.add_refund")

    has_give_back_permission = has_refund_permission

    @page_action("Refund")
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how much and why; then take it back and give it to who paid."""
        return self._give_back(
            request, object_id, title="Refund", form=RefundForm, states=(Payment.State.CREDITED,)
        )

    @page_action("Give back")
    def give_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why; then give a payment in suspense back to who paid, whole."""
        return self._give_back(
            request, object_id, title="Give back", form=GiveBackForm, states=IN_SUSPENSE
        )

    def _give_back(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        title: str,
        form: Callable[..., GiveBackForm],
        states: tuple[str, ...],
    ) -> HttpResponse:
        payment = row_of(self, request, object_id, may=self.has_refund_permission(request))
        filled = form(request.POST or None, payment=payment)
        if payment.state not in states or not payment.left_minor:
            said = f"The payment is {payment.get_state_display().lower()}"
            left = f", {shown_minor(payment.left_minor, currency=payment.currency)} of it is left."
            self.message_user(request, said + left, messages.ERROR)
        elif request.method == "POST" and filled.is_valid():
            try:
                refund = _requested(filled, request)
            except (NotRefundable, NotTaken, RefundKeyReused, LookupError) as error:
                filled.add_error(None, str(error))
            else:
                amount = shown_minor(refund.amount_minor, currency=refund.currency)
                self.log_change(request, payment, f"{title} of {amount}: {refund.reason}")
                return self.back(request, row=refund, said=f"{amount} is given back.")
        return self.ask(request, row=payment, title=title, form=filled)


def _requested(form: GiveBackForm, request: HttpRequest) -> Refund:
    assert isinstance(request.user, User)  # noqa: S101 - who is logged in
    refund = refunding.request(
        payment=form.payment,
        amount_minor=form.amount_minor,
        reason=str(form.cleaned_data["reason"]),
        requested_by=request.user,
        idempotency_key=f"admin:{form.cleaned_data['key']}",
        at=timezone.now(),
    )
    if is_served(rail=form.payment.rail):
        transaction.on_commit(lambda: submit_refund.delay(refund.pk))
    return refund
