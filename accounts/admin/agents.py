"""Agents: opened, sold float to, and the cash they take.

An agent's log-in sees its own page only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html_join
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from accounts import agents
from accounts.admin.agent_forms import AgentForm, CashForm, FloatForm, NewAgentForm, PinForm
from accounts.admin.base import DomainAdmin, ReadOnlyAdmin, page_action, row_of
from accounts.admin.columns import linked, links, list_of, local, shown_minor, shown_time, when
from accounts.admin.scope import VisibleFilter, agent_of, visible
from accounts.agents import NotBooked
from accounts.attempts import BadAmount
from accounts.models import Agent, AgentFloatChange, Payment, User

LAST_SHOWN = 10

Book = Callable[..., AgentFloatChange]


class AgentChangeList(ChangeList):
    """A page of agents with their floats: one query for all of them."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)  # type: ignore[has-type]
        held = agents.floats_minor(agents=rows)
        for row in rows:
            row.float_held_minor = held[row.pk]
        self.result_list = rows


@admin.register(Agent)
class AgentAdmin(SimpleHistoryAdmin, DomainAdmin):
    """People who take cash and credit households."""

    operator_lookup = "site__operator"
    actions_detail = ("take_cash", "sell_float", "take_float_back", "set_pin", "close_agent")
    list_display = ("code", "name", "site", "phone", "user", "float_held", when("closed_at"))
    list_filter = (("site", VisibleFilter), ("closed_at", admin.EmptyFieldListFilter))
    search_fields = ("code__istartswith", "name__icontains", "phone__contains")
    search_help_text = "code, name or phone"
    new_fields = ("site", "code", "name", "phone", "pin", "user", "language")
    open_fields = ("name", "phone", "user", "language")
    fields = (
        "code",
        *open_fields,
        linked("site"),
        linked("rail"),
        "float_held",
        "last_taken",
        "pages",
        when("created_at"),
        when("closed_at"),
    )
    own_fields = ("code", "name", "float_held", "last_taken")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        own = agent_of(request)
        rows: QuerySet[Any] = (
            super().get_queryset(request)
            if own is None
            else ModelAdmin.get_queryset(self, request).filter(pk=own.pk)
        )
        return rows.select_related("site__book", "site__operator", "rail", "user")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return agent_of(request) is not None or super().has_view_permission(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return agent_of(request) is not None or super().has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return agent_of(request) is None and bool(super().has_add_permission(request))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return agent_of(request) is None and bool(super().has_change_permission(request, obj))

    def has_take_cash_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        """Who may take cash: the agents themselves, and whoever may change agents."""
        return agent_of(request) is not None or self.has_change_permission(request)

    def has_float_permission(self, request: HttpRequest, _object_id: Any = None) -> bool:
        """Who may sell float and take it back: whoever has the right to add float changes."""
        may = request.user.has_perm("accounts.add_agentfloatchange")
        return may and agent_of(request) is None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AgentChangeList

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        kwargs["form"] = AgentForm if obj else NewAgentForm
        return super().get_form(request, obj, change, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user":
            kwargs["queryset"] = visible(request, User).filter(is_staff=True, is_superuser=False)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.new_fields
        return self.fields if agent_of(request) is None else self.own_fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ()
        return [each for each in self.get_fields(request, obj) if each not in self.open_fields]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        made = agents.open_agent(
            at=timezone.now(),
            pin_hash=form.cleaned_data["pin"],
            **{name: form.cleaned_data[name] for name in NewAgentForm.Meta.fields},
        )
        obj.__dict__.update(made.__dict__)

    @admin.display(description="float")
    def float_held(self, agent: Any) -> str:
        held_minor = getattr(agent, "float_held_minor", None)
        if held_minor is None:
            held_minor = agents.float_minor(agent=agent)
        return shown_minor(held_minor, currency=agent.rail.currency)

    @admin.display(description="last taken")
    def last_taken(self, agent: Agent) -> str:
        rows = agent.payments.order_by("-id")[:LAST_SHOWN]
        told = [
            (
                shown_time(row.paid_at),
                row.account_text,
                shown_minor(row.amount_minor, currency=row.currency),
                row.reference,
            )
            for row in rows
        ]
        return format_html_join("", "<div>{} UTC &middot; {} &middot; {} &middot; {}</div>", told)

    @admin.display(description="pages")
    def pages(self, agent: Agent) -> str:
        return links(
            [
                ("Payments", list_of(Payment, agent__id__exact=agent.pk)),
                ("Float changes", list_of(AgentFloatChange, agent__id__exact=agent.pk)),
            ]
        )

    @page_action("Take cash", permission="take_cash")
    def take_cash(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for whom and how much, and book it; the form sent again books nothing more."""
        agent = self._row(request, object_id, may=self.has_take_cash_permission(request))
        form, at = CashForm(request.POST or None, agent=agent), timezone.now()
        if request.method == "POST" and form.is_valid():
            told = form.cleaned_data
            try:
                payment = agents.take_cash(
                    agent=agent,
                    household_code=told["code"],
                    amount_minor=told["amount"],
                    idempotency_key=f"admin:{request.user.pk}:{told['nonce']}",
                    at=at,
                )
            except (NotBooked, BadAmount) as error:
                form.add_error(None, _words(error, agent=agent))
            else:
                taken = shown_minor(payment.amount_minor, currency=payment.currency)
                said = f"{taken} booked for {payment.account_text}, receipt {payment.reference}."
                return self._done(request, agent, said=said, is_new=payment.recorded_at == at)
        return self.ask(request, row=agent, title="Take cash", form=form)

    @page_action("Sell float", permission="float")
    def sell_float(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Book money that the agent handed to the operator."""
        return self._change_float(request, object_id, title="Sell float", book=agents.buy_float)

    @page_action("Take float back", permission="float")
    def take_float_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Book money that the operator handed to the agent."""
        return self._change_float(
            request, object_id, title="Take float back", book=agents.return_float
        )

    @page_action("Set a new PIN", permission="change")
    def set_pin(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give an agent who forgot the PIN another one."""
        agent = self.row_to_change(request, object_id)
        form = PinForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            agent.pin_hash = form.cleaned_data["pin"]
            agent.save(update_fields=["pin_hash"])
            return self._done(request, agent, said=f"{agent.code} has a new PIN.")
        return self.ask(request, row=agent, title="Set a new PIN", form=form)

    @page_action("Close agent", permission="change")
    def close_agent(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Close an agent whose float is given back."""
        agent = self.row_to_change(request, object_id)
        form = forms.Form(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                agents.close_agent(agent=agent, at=timezone.now())
            except NotBooked as error:
                form.add_error(None, str(error))
            else:
                return self._done(request, agent, said=f"{agent.code} is closed.")
        return self.ask(request, row=agent, title=f"Close {agent.code}", form=form)

    def _change_float(
        self, request: HttpRequest, object_id: str, *, title: str, book: Book
    ) -> HttpResponse:
        agent = self._row(request, object_id, may=self.has_float_permission(request))
        form, at = FloatForm(request.POST or None, agent=agent), timezone.now()
        if request.method == "POST" and form.is_valid():
            told = form.cleaned_data
            try:
                change = book(
                    agent=agent,
                    amount_minor=told["amount"],
                    made_by=request.user,
                    idempotency_key=f"admin:{request.user.pk}:{told['nonce']}",
                    note=told["note"],
                    at=at,
                )
            except NotBooked as error:
                form.add_error(None, str(error))
            else:
                amount = shown_minor(change.amount_minor, currency=change.currency)
                said = f"{agent.code}: float of {amount} {change.kind}."
                return self._done(request, agent, said=said, is_new=change.made_at == at)
        return self.ask(request, row=agent, title=title, form=form)

    def _row(self, request: HttpRequest, object_id: str, *, may: bool) -> Agent:
        agent = row_of(self, request, object_id, may=may)
        assert isinstance(agent, Agent)  # noqa: S101 - the model of this page
        return agent

    def _done(
        self, request: HttpRequest, agent: Agent, *, said: str, is_new: bool = True
    ) -> HttpResponse:
        """Return to the agent's page; what is new is in the log of the admin."""
        if is_new:
            self.log_change(request, agent, said)
        return self.back(request, row=agent, said=said)


@admin.register(AgentFloatChange)
class AgentFloatChangeAdmin(ReadOnlyAdmin):
    """Float bought and given back."""

    operator_lookup = "agent__site__operator"
    list_display = ("agent", "kind", local(), "note", "made_by", when("made_at"))
    list_filter = (("agent", VisibleFilter), "kind", "made_at")
    list_select_related = ("agent", "made_by")
    search_fields = ("agent__code__istartswith", "note__icontains")
    fields = (
        linked("agent"),
        "kind",
        local(),
        "note",
        "made_by",
        linked("entry"),
        when("made_at"),
    )


def _words(error: Exception, *, agent: Agent) -> str:
    if not isinstance(error, BadAmount):
        return str(error)
    least, most = (
        shown_minor(minor, currency=agent.rail.currency)
        for minor in (agent.rail.min_top_up_minor, agent.rail.max_top_up_minor)
    )
    return f"Choose an amount from {least} to {most}."
