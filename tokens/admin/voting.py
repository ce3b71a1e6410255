"""Votes: rounds are planned and ended, proposals vetted, projects awarded; ballots only looked at.

Nobody here sees who chose what: a receipt code would lead to the published choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin

from accounts.admin.base import DomainAdmin, ReadOnlyAdmin, ReadOnlyInline, page_action
from accounts.admin.columns import dai, linked, links, list_of, percent, when
from accounts.admin.scope import VisibleFilter
from settlement.service_tokens import NotEarned
from tokens.admin.voting_forms import (
    AdmitForm,
    NewProposalForm,
    NewsForm,
    PayeeChoiceForm,
    ReasonForm,
)
from tokens.models import Ballot, Proposal, Round
from tokens.voting import proposals, rounds
from tokens.voting.refusals import Refused

Act = Callable[[dict[str, Any]], object]


class Acting(DomainAdmin):
    """Rows whose page has actions that ask for something first."""

    def act(
        self, request: HttpRequest, *, row: Any, title: str, form: forms.Form, do: Act, said: str
    ) -> HttpResponse:
        """Ask, do, and return to the row's page; what is refused is told in the form."""
        if request.method == "POST" and form.is_valid():
            try:
                do(form.cleaned_data)
            except (Refused, NotEarned) as error:
                form.add_error(None, str(error))
            else:
                self.log_change(request, row, said)
                return self.back(request, row=row, said=said)
        return self.ask(request, row=row, title=title, form=form)


class ProposalInline(ReadOnlyInline):
    """What a round can fund."""

    model = Proposal
    fields = ("number", "title", dai("cost_wei"), "state", "payee", when("proposed_at"))


@admin.register(Round)
class RoundAdmin(SimpleHistoryAdmin, Acting):
    """A draft is opened at its time if a project was admitted, and counted after it has closed."""

    operator_lookup = "site__operator"
    actions_detail = ("cancel_round",)
    inlines = (ProposalInline,)
    list_display = (
        "__str__",
        "title",
        "state",
        dai("budget_wei"),
        dai("reserved_wei"),
        when("opens_at"),
        when("closes_at"),
        when("counted_at"),
    )
    list_filter = (("site", VisibleFilter), "state", "closes_at")
    list_select_related = ("site",)
    search_fields = ("title__icontains", "site__slug")
    rules = (
        "title",
        "title_fr",
        "budget_wei",
        "opens_at",
        "closes_at",
        "household_share_basis_points",
        "support_basis_points",
        "household_weight",
        "donor_weight",
        "method",
    )
    shown = (
        linked("site"),
        "number",
        "title",
        "title_fr",
        "state",
        "reason",
        dai("budget_wei"),
        dai("reserved_wei"),
        when("opens_at"),
        when("closes_at"),
        when("counted_at"),
        percent("household_share_basis_points", title="households decide over"),
        percent("support_basis_points", title="support needed of the voting households"),
        "household_weight",
        "donor_weight",
        "method",
        "result_hash",
        "pages",
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("site", *self.rules)
        return self.rules if self.is_draft(request, obj) else self.shown

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None or self.is_draft(request, obj) else self.shown

    def is_draft(self, request: HttpRequest, obj: Round) -> bool:
        """Whether the rules may still be changed, by somebody who may."""
        return obj.state == Round.State.DRAFT and self.has_change_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        told = {name: form.cleaned_data[name] for name in ("site", *self.rules)}
        planned = rounds.plan(at=timezone.now(), **told)
        obj.pk = planned.pk
        obj.refresh_from_db()

    @admin.display(description="pages")
    def pages(self, round_: Round) -> str:
        return links(
            [
                ("Projects", list_of(Proposal, round__id__exact=round_.pk)),
                ("Ballots", list_of(Ballot, round__id__exact=round_.pk)),
                ("As published", f"/sites/{round_.site.slug}/rounds/{round_.number}/"),
            ]
        )

    @page_action("End without a count", permission="change")
    def cancel_round(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End a round; the reason is published, and told if people could vote."""
        round_ = self.row_to_change(request, object_id)
        return self.act(
            request,
            row=round_,
            title="End without a count",
            form=ReasonForm(request.POST or None),
            do=lambda told: rounds.cancel(round_=round_, reason=told["reason"], at=timezone.now()),
            said=f"{round_} was ended without a count.",
        )


@admin.register(Proposal)
class ProposalAdmin(SimpleHistoryAdmin, Acting):
    """What people proposed: admitted or refused, and after the count awarded or vetoed."""

    operator_lookup = "round__site__operator"
    actions_detail = ("admit", "refuse", "award", "veto", "tell_voters")
    list_display = (
        "title",
        "number",
        linked("round"),
        dai("cost_wei"),
        "state",
        "payee",
        when("proposed_at"),
    )
    list_filter = (("round", VisibleFilter), "state")
    list_select_related = ("round__site", "payee")
    search_fields = ("title__icontains", "household__code")
    fields = (
        "title",
        "title_fr",
        "text",
        dai("cost_wei"),
        linked("round"),
        "number",
        "state",
        "reason",
        "decided_by",
        linked("household"),
        "donor",
        linked("payee"),
        "what_became",
        when("what_became_at"),
        when("proposed_at"),
    )

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = NewProposalForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("round", "code", "title", "title_fr", "cost_wei", "text")
        return self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self.fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            return
        told = form.cleaned_data
        made = proposals.propose(
            round_=told["round"],
            title=told["title"],
            title_fr=told["title_fr"],
            text=told["text"],
            cost_wei=told["cost_wei"],
            household=told["code"],
            at=timezone.now(),
        )
        obj.pk = made.pk
        obj.refresh_from_db()

    @page_action("Put on the ballot", permission="change")
    def admit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give a proposal its number."""
        row = self.row_to_change(request, object_id)
        return self.act(
            request,
            row=row,
            title="Put on the ballot",
            form=AdmitForm(request.POST or None, proposal=row),
            do=lambda told: proposals.admit(
                proposal=row,
                by=request.user,  # type: ignore[arg-type]
                payee=told["payee"],
                title_fr=told["title_fr"],
                at=timezone.now(),
            ),
            said=f"{row.title} is on the ballot.",
        )

    @page_action("Refuse", permission="change")
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Keep a proposal off the ballot."""
        row = self.row_to_change(request, object_id)
        return self.act(
            request,
            row=row,
            title="Refuse",
            form=ReasonForm(request.POST or None),
            do=lambda told: proposals.refuse(
                proposal=row,
                reason=told["reason"],
                by=request.user,  # type: ignore[arg-type]
                at=timezone.now(),
            ),
            said=f"{row.title} was refused.",
        )

    @page_action("Award to the payee", permission="change")
    def award(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let the payee of a funded project earn its service token; then there is no veto."""
        row = self.row_to_change(request, object_id)
        return self.act(
            request,
            row=row,
            title="Award to the payee",
            form=PayeeChoiceForm(request.POST or None, proposal=row),
            do=lambda told: proposals.award(
                proposal=row,
                by=request.user,  # type: ignore[arg-type]
                payee=told["payee"],
                at=timezone.now(),
            ),
            said=f"{row.title} was awarded.",
        )

    @page_action("Veto", permission="change")
    def veto(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give the money of a funded project back to the grant pool."""
        row = self.row_to_change(request, object_id)
        return self.act(
            request,
            row=row,
            title="Veto",
            form=ReasonForm(request.POST or None),
            do=lambda told: proposals.veto(
                proposal=row,
                reason=told["reason"],
                by=request.user,  # type: ignore[arg-type]
                at=timezone.now(),
            ),
            said=f"{row.title} was vetoed.",
        )

    @page_action("Tell what became of it", permission="change")
    def tell_voters(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Publish what became of a project, and tell its voters."""
        row = self.row_to_change(request, object_id)
        return self.act(
            request,
            row=row,
            title="Tell what became of it",
            form=NewsForm(request.POST or None),
            do=lambda told: proposals.tell(proposal=row, text=told["text"], at=timezone.now()),
            said=f"What became of {row.title} is published.",
        )


@admin.register(Ballot)
class BallotAdmin(ReadOnlyAdmin):
    """That somebody voted, and how the vote came; not what was chosen."""

    operator_lookup = "round__site__operator"
    list_display = (
        linked("round"),
        "household",
        "donor",
        "channel",
        "weight",
        when("cast_at"),
    )
    list_display_links = None
    list_filter = (("round", VisibleFilter), "channel")
    list_select_related = ("round__site", "household", "donor")
    search_fields = ("household__code",)
    fields = (linked("round"), linked("household"), "donor", "channel", "weight", when("cast_at"))
