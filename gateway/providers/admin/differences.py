"""Differences: what does not agree, and what a person decides about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin

from accounts import floats
from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.columns import EMPTY, linked, page_of, shown_minor, shown_time, when
from accounts.admin.scope import VisibleFilter
from accounts.models import User
from accounts.money import CURRENCY_DECIMALS, decimal_string
from gateway.providers import reconciliation, resolutions
from gateway.providers.models import Difference, StatementRow
from gateway.providers.resolutions import NotResolved
from gateway.providers.tasks import resolve_difference

Kind = Difference.Kind
LOOK_AGAIN = "look_again"


class StateFilter(admin.SimpleListFilter):
    """Open differences, unless others are asked for."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        states = [(str(value), str(label)) for value, label in Difference.State.choices]
        return [*(state for state in states if state[0] != Difference.State.OPEN), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        """The first choice is what is shown unless something else is chosen."""
        chosen = self.value()
        for value, words in ((None, "Open"), *self.lookup_choices):
            link = changelist.get_query_string(
                {} if value is None else {self.parameter_name: value},
                [self.parameter_name] if value is None else [],
            )
            yield {"selected": chosen == value, "query_string": link, "display": words}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(state=self.value() or Difference.State.OPEN)


@admin.register(Difference)
class DifferenceAdmin(ReadOnlyAdmin, SimpleHistoryAdmin):
    """Movements on which a statement and our books do not agree."""

    operator_lookup = "rail__operator"
    change_form_outer_before_template = "providers_admin/resolutions.html"
    actions = ("take_in", "take_back", "correct", "accept")
    list_display = (
        "reference",
        "what",
        "called",
        "day",
        "ours",
        "theirs",
        "state",
        when("found_at"),
    )
    list_filter = (StateFilter, "kind", "movement", ("rail", VisibleFilter), "found_at")
    list_select_related = ("rail", "reconciliation")
    search_fields = ("reference__istartswith",)
    fields = (
        "what",
        "reference",
        "called",
        "day",
        "ours",
        "theirs",
        "told_of_it",
        linked("payment", title="our payment"),
        "state",
        "note",
        when("found_at"),
        when("resolved_at"),
        "resolved_by",
        linked("reconciliation"),
    )

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:object_id>/resolve/",
                self.admin_site.admin_view(self.resolve_one),
                name="gateway_providers_difference_resolve",
            ),
            *super().get_urls(),
        ]

    @admin.display(description="what")
    def what(self, difference: Difference) -> str:
        words = f"{difference.get_movement_display()}: {difference.get_kind_display()}"
        return words[:1].upper() + words[1:]

    @admin.display(description="rail", ordering="rail__code")
    def called(self, difference: Difference) -> str:
        return floats.rail_words(rail=difference.rail)

    @admin.display(description="day", ordering="reconciliation__begins_at")
    def day(self, difference: Difference) -> str:
        return f"{difference.reconciliation.day}"

    @admin.display(description="in our books", ordering="ours_minor")
    def ours(self, difference: Difference) -> str:
        if difference.kind == Kind.MISSING_HERE:
            return EMPTY
        payment = difference.payment
        currency = payment.currency if payment is not None else difference.currency
        return shown_minor(difference.ours_minor, currency=currency)

    @admin.display(description="in the statement", ordering="theirs_minor")
    def theirs(self, difference: Difference) -> str:
        if difference.kind == Kind.MISSING_THERE:
            return EMPTY
        return shown_minor(difference.theirs_minor, currency=difference.currency)

    @admin.display(description="the statement says")
    def told_of_it(self, difference: Difference) -> str:
        row = difference.row
        if row is None:
            return EMPTY
        parts = [f"{row.get_kind_display()} at {shown_time(row.happened_at)} UTC"]
        parts += [f"account {row.account_text}"] if row.account_text else []
        parts += [f"by {row.payer_phone}"] if row.payer_phone else []
        parts += [f"of {row.payment_reference}"] if row.payment_reference else []
        if row.fee_minor:
            parts.append(f"fee {shown_minor(row.fee_minor, currency=row.currency)}")
        return ", ".join(parts)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Who may decide: whoever has the right to change differences."""
        return request.user.has_perm("gateway_providers.change_difference")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        difference = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if difference is not None and self.has_resolve_permission(request):
            context["resolutions"] = resolutions.offered(difference=difference)
            context["resolve_path"] = _resolve_path(difference)
            context["conversion_path"] = _conversion_path(difference)
        shown: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **context}
        )
        return shown

    def resolve_one(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """What a button on a difference's page does."""
        difference = self.get_object(request, str(object_id))
        if difference is None:
            raise Http404
        if request.method != "POST" or not self.has_resolve_permission(request):
            raise PermissionDenied
        name = request.POST.get("resolution", "")
        if name == LOOK_AGAIN:
            gone = reconciliation.look_again(rail=difference.rail, at=timezone.now())
            said = (
                f"{gone} of the rail's differences agree by now." if gone else "It still differs."
            )
            self.message_user(request, said)
        else:
            self._resolve(request, [difference], name, note=request.POST.get("note", ""))
        return HttpResponseRedirect(page_of(difference))

    @admin.action(description="Take in", permissions=["resolve"])
    def take_in(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Book what the statement shows and our books lack."""
        self._resolve(request, list(rows), "take_in")

    @admin.action(description="Take back our credit", permissions=["resolve"])
    def take_back(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Undo credits that the statement does not show."""
        self._resolve(request, list(rows), "take_back")

    @admin.action(description="Correct the float", permissions=["resolve"])
    def correct(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Bring our float to what the statement says."""
        self._resolve(request, list(rows), "correct")

    @admin.action(description="Accept with a note", permissions=["resolve"])
    def accept(self, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        """Ask for the note, then book the differences as unexplained."""
        note = request.POST.get("note", "")
        if note.strip():
            self._resolve(request, list(rows), "accept", note=note)
            return None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": "Accept with a note",
            "differences": rows,
        }
        return TemplateResponse(request, "providers_admin/accept.html", context)

    def _resolve(
        self, request: HttpRequest, rows: Sequence[Difference], name: str, *, note: str = ""
    ) -> None:
        if not self.has_resolve_permission(request):
            raise PermissionDenied
        assert isinstance(request.user, User)  # noqa: S101 - who is logged in
        done = later = 0
        for row in rows:
            chosen = {each.name: each for each in resolutions.offered(difference=row)}.get(name)
            if chosen is not None and chosen.asks_provider:
                _resolve_later(row, name=name, by=request.user, note=note)
                later += 1
                continue
            try:
                resolved = resolutions.resolve(
                    difference=row, name=name, by=request.user, note=note, at=timezone.now()
                )
            except NotResolved as error:
                self.message_user(request, f"{row.reference}: {error}", messages.ERROR)
            else:
                said = f"{resolved.get_state_display()}. {resolved.note}"
                self.log_change(request, resolved, said)
                done += 1
        if done:
            self.message_user(request, f"Resolved {done}.", messages.SUCCESS)
        if later:
            said = f"Asking the provider about {later}: look again in a minute."
            self.message_user(request, said, messages.INFO)


def _resolve_later(row: Difference, *, name: str, by: User, note: str) -> None:
    """The provider is never called while a person waits for a page."""
    transaction.on_commit(lambda: resolve_difference.delay(row.pk, name, by.pk, note))


def _resolve_path(difference: Difference) -> str:
    return reverse("admin:gateway_providers_difference_resolve", args=[difference.pk])


def _conversion_path(difference: Difference) -> str:
    """Where the treasury enters what it did with a payout that nobody has entered."""
    is_payout = difference.movement == StatementRow.Kind.PAYOUT
    if not is_payout or difference.kind != Kind.MISSING_HERE:
        return ""
    sold = decimal_string(
        amount=difference.theirs_minor, decimals=CURRENCY_DECIMALS[difference.currency]
    )
    known = {"rail": difference.rail_id, "reference": difference.reference, "sold": sold}
    return f"{reverse('admin:accounts_treasuryconversion_add')}?{urlencode(known)}"
