"""Proposals of site rates, seen beside sources and exposure, and published by a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.widgets import UnfoldAdminSelectWidget

from accounts import exposure, rate_proposals, site_rates
from accounts.admin import fx
from accounts.admin.base import ReadOnlyAdmin, page_action
from accounts.admin.columns import EMPTY, linked, list_of, shown, shown_minor, shown_time, when
from accounts.admin.scope import VisibleFilter, operator_id_of, sees_everything, visible
from accounts.models import Operator, RateProposal, Site, SiteRate, User
from accounts.rate_agreement import describe
from accounts.rate_proposals import NoticeTooShort, NotOpen, SourcesDisagree
from accounts.site_rates import RateTooEarly


class ProposeForm(forms.Form):
    """The site that a rate is to be proposed for."""

    site = forms.ModelChoiceField(
        queryset=Site.objects.none(),
        widget=UnfoldAdminSelectWidget,
        help_text="An open proposal for the same period is replaced",
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sites = visible(request, Site).filter(closed_at__isnull=True)
        self.fields["site"].queryset = sites  # type: ignore[attr-defined]


@admin.register(RateProposal)
class RateProposalAdmin(ReadOnlyAdmin):
    """What the sources suggest for the next period of a site."""

    operator_lookup = "site__operator"
    actions_list = ("fx", "propose")
    actions_detail = ("publish", "reject")
    list_display = (
        "site",
        "local_per_dai",
        "currency",
        when("starts_at", title="from"),
        "state",
        when("proposed_at"),
    )
    list_filter = ("state", ("site", VisibleFilter))
    list_select_related = ("site",)
    fields = (
        "site",
        "local_per_dai",
        "currency",
        when("starts_at", title="from"),
        "publish_until",
        "in_force",
        "change",
        "told",
        "sources_now",
        "waiting",
        "reserve",
        "state",
        when("proposed_at"),
        when("decided_at"),
        linked("decided_by"),
        linked("site_rate"),
    )

    def has_publish_permission(self, request: HttpRequest) -> bool:
        """Who may decide on rates: whoever has the right to change proposals."""
        return request.user.has_perm("accounts.change_rateproposal") and (
            sees_everything(request) or operator_id_of(request) is not None
        )

    @admin.display(description="publish until (UTC)")
    def publish_until(self, proposal: RateProposal) -> str:
        return shown_time(proposal.starts_at - rate_proposals.notice())

    @admin.display(description="rate in force")
    def in_force(self, proposal: RateProposal) -> str:
        rate = _in_force(proposal)
        return EMPTY if rate is None else f"{rate.local_per_dai} {rate.currency}"

    @admin.display(description="change to the rate in force")
    def change(self, proposal: RateProposal) -> str:
        rate = _in_force(proposal)
        before = None if rate is None else rate.local_per_dai
        return fx.difference(before=before, after=proposal.local_per_dai)

    @admin.display(description="proposed from")
    def told(self, proposal: RateProposal) -> str:
        return _lines(
            f"{each['source']}: {each['local_per_dai']} {proposal.currency}, "
            f"{fx.age(datetime.fromisoformat(each['quoted_at']), at=proposal.proposed_at)} old "
            "when proposed"
            for each in proposal.sources
        )

    @admin.display(description="sources now")
    def sources_now(self, proposal: RateProposal) -> str:
        at = timezone.now()
        found = site_rates.agreement(currency=proposal.currency, at=at)
        ages = (f"{each.source}: {fx.age(each.quoted_at, at=at)} old" for each in found.opinions)
        return _lines([describe(found), *ages])

    @admin.display(description="waits to be converted")
    def waiting(self, proposal: RateProposal) -> str:
        seen = _seen(proposal)
        return _lines(
            f"{shown_minor(each.amount_minor, currency=each.currency)}, booked at "
            f"{shown(each.cost_wei)}, at the market {shown(each.market_wei)}, unrealised "
            f"{shown(each.unrealised_wei)}"
            for each in seen.positions
            if each.currency == proposal.currency
        )

    @admin.display(description="FX reserve")
    def reserve(self, proposal: RateProposal) -> str:
        seen = _seen(proposal)
        return f"{shown(seen.reserve_wei)}, limit {shown(-seen.operator.fx_reserve_limit_wei)}"

    @page_action("FX overview")
    def fx(self, request: HttpRequest) -> HttpResponse:
        """Show positions, reserve, rates and sources of every operator that the person may see."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        at = timezone.now()
        operators = list(visible(request, Operator).filter(closed_at__isnull=True))
        sites = Site.objects.filter(operator__in=operators, closed_at__isnull=True)
        tables = [table for each in operators for table in fx.tables(operator=each, at=at)]
        currencies = set(sites.values_list("currency", flat=True))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "FX",
            "at": shown_time(at),
            "tables": [*tables, fx.sources_table(currencies=currencies, at=at)],
        }
        return TemplateResponse(request, "accounts_admin/fx.html", context)

    @page_action("Propose now")
    def propose(self, request: HttpRequest) -> HttpResponse:
        """Ask for the site, and propose its next rate from what the sources say now."""
        if not self.has_publish_permission(request):
            raise PermissionDenied
        form = ProposeForm(request.POST or None, request=request)
        if request.method == "POST" and form.is_valid():
            try:
                made = rate_proposals.propose(site=form.cleaned_data["site"], at=timezone.now())
            except SourcesDisagree as error:
                form.add_error("site", f"{error}.")
            else:
                return self.back(request, row=made, said="Proposed. Look at it, then publish it.")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "original": "Rate proposals",
            "back": list_of(RateProposal),
            "title": "Propose now",
            "form": form,
        }
        return TemplateResponse(request, "accounts_admin/ask.html", context)

    @page_action("Publish")
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask once more, then publish the rate and give households notice of it."""
        proposal = self.row_to_decide(request, object_id)
        form = forms.Form(request.POST if request.method == "POST" else None)
        if request.method == "POST":
            try:
                rate_proposals.publish(proposal=proposal, by=_person(request), at=timezone.now())
            except (NotOpen, NoticeTooShort, SourcesDisagree, RateTooEarly) as error:
                form.is_valid()
                form.add_error(None, f"{error}.".replace("..", "."))
            else:
                return self.back(request, row=proposal, said="Published; households are told.")
        title = f"Publish {proposal.local_per_dai} {proposal.currency} per DAI from "
        title += f"{proposal.starts_at:%Y-%m-%d %H:%M} UTC"
        return self.ask(request, row=proposal, title=title, form=form)

    @page_action("Reject")
    def reject(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask once more, then set the proposal aside."""
        proposal = self.row_to_decide(request, object_id)
        form = forms.Form(request.POST if request.method == "POST" else None)
        if request.method == "POST":
            try:
                rate_proposals.reject(proposal=proposal, by=_person(request), at=timezone.now())
            except NotOpen as error:
                form.is_valid()
                form.add_error(None, f"{error}.")
            else:
                return self.back(request, row=proposal, said="Rejected: the last rate rolls on.")
        return self.ask(request, row=proposal, title="Reject the proposal", form=form)

    def row_to_decide(self, request: HttpRequest, object_id: str) -> RateProposal:
        """Return the proposal, if the person may see it and decide on it."""
        proposal = self.get_object(request, object_id)
        if proposal is None:
            raise Http404
        if not self.has_publish_permission(request):
            raise PermissionDenied
        assert isinstance(proposal, RateProposal)  # noqa: S101 - the model of this page
        return proposal


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - the admin lets nobody else in
    return request.user


def _in_force(proposal: RateProposal) -> SiteRate | None:
    return site_rates.in_force(sites=[proposal.site], at=timezone.now()).get(proposal.site_id)


def _seen(proposal: RateProposal) -> exposure.Overview:
    return exposure.of_operator(operator=proposal.site.operator, at=timezone.now())


def _lines(texts: Any) -> str:
    joined = format_html_join("", "<div>{}</div>", ((text,) for text in texts))
    return joined or format_html("{}", EMPTY)
