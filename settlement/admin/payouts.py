"""Payouts: proposed by one person, approved by another, rejected, confirmed, and their history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin.base import AppendOnlyAdmin, page_action, row_of
from accounts.admin.columns import dai, linked, list_of, local, shown, shown_minor, when
from accounts.admin.scope import VisibleFilter, visible
from accounts.models import Operator, User
from settlement import bank_file, bank_statement, payout_sending, payouts
from settlement.admin.payout_forms import (
    BankFileForm,
    ProposalForm,
    ReferenceForm,
    StatementForm,
)
from settlement.models import BankFile, Payee, Payout
from settlement.payouts import NotCovered, NotPayable, WrongState

State = Payout.State
MOST_TROUBLE = 10


class ReasonForm(forms.Form):
    """Why, in the words of whoever decides."""

    reason = forms.CharField(max_length=200, widget=UnfoldAdminTextInputWidget)


@admin.register(Payout)
class PayoutAdmin(AppendOnlyAdmin):
    """Money out of the pools. Who may change payouts approves those of others."""

    operator_lookup = "site__operator"
    form = ProposalForm
    actions_list = ("make_bank_file", "take_statement")
    actions_detail = ("approve", "reject", "confirm", "came_back")
    list_display = (
        "site",
        "pool",
        linked("payee"),
        "gets",
        dai("amount_wei", title="out of the pool"),
        "state",
        "proposed_by",
        "approved_by",
        when("proposed_at"),
        when("finished_at"),
    )
    list_filter = ("state", "way", ("site", VisibleFilter), ("payee", VisibleFilter), "proposed_at")
    list_select_related = ("site", "payee", "proposed_by", "approved_by")
    search_fields = ("reference__istartswith", "payee__code__istartswith", "request_id")
    search_help_text = "reference, payee or our id at the provider"
    shown_fields = (
        linked("site"),
        "pool",
        linked("payee"),
        linked("service_token"),
        "gets",
        dai("amount_wei", title="out of the pool"),
        "state",
        "failure_text",
        "way",
        linked("rail"),
        "destination",
        "destination_code",
        linked("bank_file"),
        "reference",
        "request_id",
        "proposed_by",
        when("proposed_at"),
        "approved_by",
        when("approved_at"),
        when("sent_at"),
        when("finished_at"),
        when("reconciled_at", title="in the rail's statement"),
        linked("entry", title="set aside by"),
        linked("paid_entry", title="paid by"),
    )

    @admin.display(description="payee gets", ordering="amount_minor")
    def gets(self, payout: Payout) -> str:
        if payout.amount_minor is None:
            return shown(payout.amount_wei)
        return shown_minor(payout.amount_minor, currency=payout.currency)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown_fields if obj else ("service_token", "pool")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown_fields if obj else ()

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The pool may have been paid out of between the form's check and ours."""
        try:
            answer: HttpResponse = super().add_view(request, form_url, extra_context)
        except (NotPayable, NotCovered) as error:
            self.message_user(request, f"Not proposed: {error}.", messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return answer

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = payouts.propose(
            service_token=form.cleaned_data["service_token"],
            pool=form.cleaned_data["pool"],
            proposed_by=_user(request),
            at=timezone.now(),
        )
        obj.__dict__.update(made.__dict__)

    def has_approve_permission(self, request: HttpRequest, _object_id: str = "") -> bool:
        """Who may approve and settle payouts: whoever has the right to change them."""
        return request.user.has_perm("settlement.change_payout")

    def has_reject_permission(self, request: HttpRequest, _object_id: str = "") -> bool:
        """Who proposed may withdraw, who approves may reject."""
        return self.has_approve_permission(request) or request.user.has_perm(
            "settlement.add_payout"
        )

    has_confirm_permission = has_approve_permission
    has_came_back_permission = has_approve_permission

    def has_make_bank_file_permission(self, request: HttpRequest) -> bool:
        """Who may have the bank pay: whoever has the right to add bank files."""
        return request.user.has_perm("settlement.add_bankfile")

    has_take_statement_permission = has_make_bank_file_permission

    @page_action("Approve", permission="approve")
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask once more; then the money leaves the pool, and is sent."""

        def act(payout: Payout, _form: forms.Form) -> str:
            payouts.approve(payout=payout, approved_by=_user(request), at=timezone.now())
            return f"Approved: {self.gets(payout)} to {payout.payee}."

        may = self.has_approve_permission(request)
        return self._act(request, object_id, title="Approve", form=forms.Form, act=act, may=may)

    @page_action("Reject", permission="reject")
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why; what was set aside is in the pool again."""

        def act(payout: Payout, form: forms.Form) -> str:
            reason = str(form.cleaned_data["reason"])
            payouts.reject(payout=payout, text=reason, at=timezone.now())
            return f"Rejected: {reason}"

        may = self.has_reject_permission(request)
        return self._act(request, object_id, title="Reject", form=ReasonForm, act=act, may=may)

    @page_action("The bank has paid", permission="confirm")
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the bank's reference; the payout is paid then."""

        def act(payout: Payout, form: forms.Form) -> str:
            at = timezone.now()
            if payout.way != Payee.Way.BANK or payout.bank_file_id is None:
                raise WrongState("only what is in a bank file is confirmed by a person")
            payout_sending.paid(
                payout=payout,
                reference=form.cleaned_data["reference"],
                paid_at=min(form.cleaned_data["paid_at"], at),
                at=at,
            )
            return f"Paid, as {form.cleaned_data['reference']}."

        may = self.has_approve_permission(request)
        return self._act(request, object_id, title="Paid", form=ReferenceForm, act=act, may=may)

    @page_action("The bank sent it back", permission="came_back")
    def came_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why; the money is in the pool again, and the service token stands."""

        def act(payout: Payout, form: forms.Form) -> str:
            if payout.way != Payee.Way.BANK or payout.bank_file_id is None:
                raise WrongState("only what is in a bank file comes back by a person's word")
            payout_sending.failed(
                payout=payout,
                code=bank_statement.RETURNED,
                text=str(form.cleaned_data["reason"]),
                reference=payout.reference,
                at=timezone.now(),
            )
            return "It is in the pool again."

        may = self.has_approve_permission(request)
        return self._act(request, object_id, title="Came back", form=ReasonForm, act=act, may=may)

    def _act(
        self,
        request: HttpRequest,
        object_id: str,
        *,
        title: str,
        form: Callable[..., forms.Form],
        act: Callable[[Payout, forms.Form], str],
        may: bool,
    ) -> HttpResponse:
        payout = row_of(self, request, object_id, may=may)
        filled = form(request.POST if request.method == "POST" else None)
        if filled.is_bound and filled.is_valid():
            try:
                said = act(payout, filled)
            except (NotPayable, NotCovered) as error:
                filled.add_error(None, f"{str(error)[:1].upper()}{str(error)[1:]}.")
            else:
                self.log_change(request, payout, f"{title}: {said}")
                return self.back(request, row=payout, said=said)
        what = f"{title}: {self.gets(payout)} out of {payout.pool} to {payout.payee}"
        return self.ask(request, row=payout, title=what, form=filled)

    @page_action("Make a bank file", permission="make_bank_file")
    def make_bank_file(self, request: HttpRequest) -> HttpResponse:
        """Ask from which account; then every approved bank payout is in a new file."""
        if not self.has_make_bank_file_permission(request):
            raise PermissionDenied
        operators = _operators(request)
        filled = BankFileForm(request.POST or None, operators=operators)
        if request.method == "POST" and filled.is_valid():
            try:
                made = bank_file.make(made_by=_user(request), at=timezone.now(), **told(filled))
            except (bank_file.NothingToPay, bank_file.BadAccount) as error:
                filled.add_error(None, f"{str(error)[:1].upper()}{str(error)[1:]}.")
            else:
                page = admin.site.get_model_admin(BankFile)
                page.log_addition(request, made, f"{made.payout_count} payouts")
                assert isinstance(page, BankFileAdmin)  # noqa: S101 - as registered
                return page.back(request, row=made, said="Made: download it and give it the bank.")
        return self._ask_list(request, title="Make a bank file", form=filled)

    @page_action("Take in the bank's file", permission="take_statement")
    def take_statement(self, request: HttpRequest) -> HttpResponse:
        """Ask for the rows; each payout they name is paid, or in its pool again."""
        if not self.has_take_statement_permission(request):
            raise PermissionDenied
        filled = StatementForm(request.POST or None, operators=_operators(request))
        if request.method == "POST" and filled.is_valid():
            try:
                taken = bank_statement.take(
                    operator=filled.cleaned_data["operator"],
                    text=filled.cleaned_data["rows"],
                    at=timezone.now(),
                )
            except bank_statement.NotAStatement as error:
                filled.add_error("rows", f"{str(error)[:1].upper()}{str(error)[1:]}.")
            else:
                said = f"{taken.paid} paid, {taken.returned} came back."
                self.message_user(request, said, messages.SUCCESS)
                for each in taken.trouble[:MOST_TROUBLE]:
                    self.message_user(request, f"Not taken in: {each}.", messages.WARNING)
                return HttpResponseRedirect(list_of(Payout))
        return self._ask_list(request, title="Take in the bank's file", form=filled)

    def _ask_list(self, request: HttpRequest, *, title: str, form: forms.Form) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "original": "Payouts",
            "title": title,
            "form": form,
            "back": list_of(Payout),
        }
        return TemplateResponse(request, "accounts_admin/ask.html", context)


@admin.register(BankFile)
class BankFileAdmin(AppendOnlyAdmin):
    """Files for the bank, as they were made; the list of payouts makes them."""

    operator_lookup = "operator"
    actions_detail = ("download",)
    list_display = (
        "message_id",
        "operator",
        "payout_count",
        local("amount_minor", title="sum"),
        "made_by",
        when("made_at"),
    )
    list_filter = (("operator", VisibleFilter), "currency", "made_at")
    list_select_related = ("operator", "made_by")
    search_fields = ("message_id__istartswith",)
    fields = (*list_display, "debtor_account", "debtor_code")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_download_permission(self, request: HttpRequest, _object_id: str = "") -> bool:
        """A file names accounts: whoever may make files may have it."""
        return request.user.has_perm("settlement.add_bankfile")

    @page_action("Download", permission="download")
    def download(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The same file, as often as it is asked for."""
        file = row_of(self, request, object_id, may=self.has_download_permission(request))
        name = f"pain.001-{file.message_id}.xml"
        return HttpResponse(
            file.content,
            content_type="application/xml; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def told(form: BankFileForm) -> dict[str, Any]:
    """What a bank file is made of."""
    names = ("operator", "currency", "debtor_account", "debtor_code")
    return {name: form.cleaned_data[name] for name in names}


def _operators(request: HttpRequest) -> QuerySet[Operator]:
    return visible(request, Operator).order_by("name")


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - who is logged in
    return request.user
