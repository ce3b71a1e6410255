"""Money taken back: refunds, reversals, disputes, and claims on payers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts import claims, refunds
from accounts.admin.base import ReadOnlyAdmin, page_action, row_of
from accounts.admin.columns import Column, dai, linked, local, shown_minor, when
from accounts.admin.scope import VisibleFilter
from accounts.models import Dispute, PayerClaim, Refund, Reversal, User
from accounts.take_backs import NotTaken

OF_TAKE_BACK: tuple[str | Column, ...] = (
    dai("take_back__taken_wei", title="taken"),
    dai("take_back__claim_wei", title="claimed from the payer"),
    linked("take_back__entry", title="entry"),
    linked("take_back__paid_entry", title="paid out by"),
    linked("take_back__put_back_entry", title="put back by"),
)


class NoteForm(forms.Form):
    """Why, in the words of whoever decides."""

    note = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)


class OfPayments(ReadOnlyAdmin):
    """Rows about a payment, seen by who may see the payment."""

    operator_lookup = "payment__rail__operator"
    list_select_related: tuple[str, ...] = ("payment__rail", "payment__household")
    search_fields = (
        "reference__istartswith",
        "payment__reference__istartswith",
        "payment__household__code__istartswith",
    )
    search_help_text = "reference, payment's reference or household"

    @admin.display(description="household")
    def household(self, row: Any) -> str:
        return str(row.payment.household or "")

    @admin.display(description="amount", ordering="amount_minor")
    def amount(self, row: Any) -> str:
        return shown_minor(row.amount_minor, currency=row.payment.currency)


@admin.register(Refund)
class RefundAdmin(OfPayments):
    """Money given back to the source that paid. One is requested on its payment's page."""

    actions_detail = ("give_up",)
    list_display = (
        "payment",
        "household",
        "amount",
        "state",
        "failure_text",
        "requested_by",
        when("created_at"),
        when("finished_at"),
    )
    list_filter = ("state", ("payment__rail", VisibleFilter), "created_at")
    list_select_related = (*OfPayments.list_select_related, "requested_by")
    fields = (
        linked("payment"),
        local(),
        "reason",
        "requested_by",
        "state",
        "failure_code",
        "failure_text",
        "reference",
        "provider_request",
        "request_id",
        *OF_TAKE_BACK,
        when("created_at"),
        when("submitted_at"),
        when("next_poll_at"),
        when("finished_at"),
    )

    def has_give_up_permission(self, request: HttpRequest) -> bool:
        """Who may say that nothing was given back: whoever has the right to change refunds."""
        return request.user.has_perm("accounts.change_refund")

    @page_action("Nothing was given back")
    def give_up(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how that is known; then put back what was taken for the refund."""
        refund = row_of(self, request, object_id, may=self.has_give_up_permission(request))
        form = NoteForm(request.POST or None)
        if refund.state not in (Refund.State.PENDING, Refund.State.UNKNOWN):
            said = "Only a refund that nobody knows the end of can be given up."
            self.message_user(request, said, messages.ERROR)
        elif request.method == "POST" and form.is_valid():
            note = str(form.cleaned_data["note"])
            refunds.give_up(refund=refund, text=note, at=timezone.now())
            self.log_change(request, refund, f"Given up: {note}")
            return self.back(request, row=refund, said="Put back.")
        return self.ask(request, row=refund, title="Nothing was given back", form=form)


@admin.register(Reversal)
class ReversalAdmin(OfPayments):
    """Money that providers took back by themselves."""

    list_display = (
        "payment",
        "household",
        "amount",
        "reference",
        when("reversed_at"),
        when("recorded_at"),
    )
    list_filter = ("provider", ("payment__rail", VisibleFilter), "reversed_at")
    fields = (
        linked("payment"),
        "amount",
        "provider",
        "reference",
        *OF_TAKE_BACK,
        when("reversed_at"),
        when("recorded_at"),
    )


@admin.register(Dispute)
class DisputeAdmin(OfPayments):
    """Payments contested at the payer's bank. Evidence is handed in at the provider."""

    list_display = (
        "payment",
        "household",
        "amount",
        "fee",
        "reason",
        "state",
        when("evidence_due_at", title="evidence due"),
        when("opened_at"),
        when("closed_at"),
    )
    list_filter = (
        "state",
        ("closed_at", admin.EmptyFieldListFilter),
        "reason",
        ("payment__rail", VisibleFilter),
        "evidence_due_at",
    )
    ordering = ("closed_at", "evidence_due_at")
    fields = (
        linked("payment"),
        "amount",
        "fee",
        "provider",
        "reference",
        "reason",
        "state",
        when("evidence_due_at", title="evidence due"),
        *OF_TAKE_BACK,
        when("opened_at"),
        when("recorded_at"),
        when("closed_at"),
    )

    @admin.display(description="fee", ordering="fee_minor")
    def fee(self, dispute: Dispute) -> str:
        return shown_minor(dispute.fee_minor, currency=dispute.payment.currency)


@admin.register(PayerClaim)
class PayerClaimAdmin(ReadOnlyAdmin):
    """What payers owe who took back credit that was spent. Not the households' arrears."""

    operator_lookup = "take_back__payment__rail__operator"
    actions_detail = ("settle", "write_off")
    list_display = (
        "payment",
        "payer",
        "household",
        dai("amount_wei"),
        "state",
        "note",
        when("created_at"),
        when("closed_at"),
    )
    list_filter = ("state", ("take_back__payment__rail", VisibleFilter), "created_at")
    list_select_related = ("take_back__payment__household",)
    search_fields = (
        "take_back__payment__reference__istartswith",
        "take_back__payment__payer_phone__contains",
        "take_back__payment__household__code__istartswith",
    )
    search_help_text = "payment's reference, payer's phone or household"
    fields = (
        linked("take_back__payment", title="payment"),
        "payer",
        dai("amount_wei"),
        "state",
        "note",
        "closed_by",
        when("created_at"),
        when("closed_at"),
    )

    @admin.display(description="payment")
    def payment(self, claim: PayerClaim) -> str:
        return str(claim.take_back.payment)

    @admin.display(description="payer")
    def payer(self, claim: PayerClaim) -> str:
        return claim.take_back.payment.payer_phone

    @admin.display(description="spent by")
    def household(self, claim: PayerClaim) -> str:
        return str(claim.take_back.payment.household or "")

    def has_close_permission(self, request: HttpRequest) -> bool:
        """Who may close claims: whoever has the right to change them."""
        return request.user.has_perm("accounts.change_payerclaim")

    has_settle_permission = has_write_off_permission = has_close_permission

    @page_action("Paid by hand")
    def settle(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how the payer paid the operator; then close the claim."""
        return self._close(request, object_id, title="Paid by hand", close=claims.settle)

    @page_action("Write off")
    def write_off(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why; then let the operator's pool bear the claim."""
        return self._close(request, object_id, title="Write off", close=claims.write_off)

    def _close(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        title: str,
        close: Callable[..., PayerClaim],
    ) -> HttpResponse:
        claim = row_of(self, request, object_id, may=self.has_close_permission(request))
        form = NoteForm(request.POST or None)
        if claim.state != PayerClaim.State.OPEN:
            self.message_user(request, "The claim is closed already.", messages.ERROR)
        elif request.method == "POST" and form.is_valid():
            return self._closed(request, claim, form=form, title=title, close=close)
        return self.ask(request, row=claim, title=title, form=form)

    def _closed(
        self,
        request: HttpRequest,
        claim: PayerClaim,
        *,
        form: forms.Form,
        title: str,
        close: Callable[..., PayerClaim],
    ) -> HttpResponse:
        assert isinstance(request.user, User)  # noqa: S101 - who is logged in
        at: datetime = timezone.now()
        note = str(form.cleaned_data["note"])
        try:
            closed = close(claim=claim, note=note, by=request.user, at=at)
        except (claims.ClaimClosed, NotTaken) as error:
            form.add_error("note", str(error))
            return self.ask(request, row=claim, title=title, form=form)
        self.log_change(request, closed, f"{title}: {note}")
        return self.back(request, row=closed, said=f"{closed.get_state_display()}.")
