"""Reconciliations: per day and rail, what agreed and what did not."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminDateWidget

from accounts import floats
from accounts.admin.base import AppendOnlyAdmin, page_action
from accounts.admin.columns import EMPTY, list_of, page_of, shown_minor, when
from accounts.admin.scope import VisibleFilter
from accounts.models import Rail
from gateway.providers import reconciliation
from gateway.providers.models import Difference, RailBalance, Reconciliation
from gateway.providers.tasks import reconcile_day


class DayForm(forms.ModelForm):  # type: ignore[type-arg]
    """A rail and a day, to be compared in the background."""

    day = forms.DateField(
        widget=UnfoldAdminDateWidget,
        help_text="A day where the rail's sites are. Comparing it again does no harm",
    )

    class Meta:
        model = Reconciliation
        fields = ("rail",)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        rail, day = cleaned.get("rail"), cleaned.get("day")
        if not isinstance(rail, Rail) or day is None:
            return cleaned
        if not reconciliation.is_reconciled(rail=rail):
            self.add_error("rail", "There is no provider to compare it with.")
        elif reconciliation.span(rail=rail, day=day)[0] > timezone.now():
            self.add_error("day", "The day has not begun.")
        return cleaned


@admin.register(Reconciliation)
class ReconciliationAdmin(AppendOnlyAdmin):
    """A rail's statement of one day beside our books."""

    operator_lookup = "rail__operator"
    form = DayForm
    actions_detail = ("compare_again",)
    list_display = (
        "day",
        "called",
        "outcome",
        "matched",
        "missing_here",
        "missing_there",
        "amount_differs",
        "open_now",
        "told",
        "held",
        when("made_at", title="compared"),
    )
    list_display_links = ("day",)
    list_filter = (("rail", VisibleFilter), "ends_at")
    list_select_related = ("rail",)
    shown_fields = (
        "day",
        "called",
        "outcome",
        "failure",
        "matched",
        "missing_here",
        "missing_there",
        "amount_differs",
        "open_now",
        "told",
        "held",
        when("begins_at"),
        when("ends_at"),
        when("made_at", title="compared"),
        "pages",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With what is open of it, and the last balance that the provider told on that day."""
        told = RailBalance.objects.filter(
            rail=OuterRef("rail"),
            told_at__gte=OuterRef("begins_at"),
            told_at__lt=OuterRef("ends_at"),
        ).order_by("-told_at")
        still_open = Q(differences__state=Difference.State.OPEN)
        rows: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = rows.annotate(
            still_open=Count("differences", filter=still_open),
            told_minor=Subquery(told.values("told_minor")[:1]),
            float_minor=Subquery(told.values("float_minor")[:1]),
        )
        return counted

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown_fields if obj else ("rail", "day")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown_fields if obj else ()

    @admin.display(description="day", ordering="begins_at")
    def day(self, made: Reconciliation) -> str:
        return f"{made.day}"

    @admin.display(description="rail", ordering="rail__code")
    def called(self, made: Reconciliation) -> str:
        return floats.rail_words(rail=made.rail)

    @admin.display(description="outcome")
    def outcome(self, made: Reconciliation) -> str:
        if made.made_at == made.begins_at:
            return "no statement yet" if made.failure else "not compared yet"
        differing = made.missing_here + made.missing_there + made.amount_differs
        words = "differs" if differing else "agrees"
        if made.is_young:
            words = f"so far {words}; the day is still young"
        return f"{words}; not all could be read" if made.failure else words

    @admin.display(description="open")
    def open_now(self, made: Any) -> str:
        if not made.still_open:
            return "0"
        path = list_of(Difference, reconciliation__id__exact=made.pk)
        return format_html('<a href="{}">{}</a>', path, made.still_open)

    @admin.display(description="balance there")
    def told(self, made: Any) -> str:
        return _amount(made, made.told_minor)

    @admin.display(description="our float")
    def held(self, made: Any) -> str:
        words = _amount(made, made.float_minor)
        return words if made.told_minor == made.float_minor else f"{words} (differs)"

    @admin.display(description="Differences")
    def pages(self, made: Reconciliation) -> str:
        path = list_of(Difference, reconciliation__id__exact=made.pk, state="all")
        return format_html('<a href="{}">All that were found on this day</a>', path)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        rail, day = form.cleaned_data["rail"], form.cleaned_data["day"]
        planned = reconciliation.plan(rail=rail, day=day)
        obj.__dict__.update(planned.__dict__)
        _compare_later(planned)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        self.message_user(request, "It is being compared: look again in a minute.")
        return HttpResponseRedirect(page_of(obj))

    def has_compare_permission(self, request: HttpRequest) -> bool:
        """Who may have a day compared: whoever may add one."""
        return bool(self.has_add_permission(request))

    @page_action("Compare again")
    def compare_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Read the day's statement again, in the background; moves no money."""
        made = self.get_object(request, object_id)
        if made is None or not self.has_compare_permission(request):
            self.message_user(request, "You may not do this.", messages.ERROR)
            return HttpResponseRedirect(list_of(Reconciliation))
        _compare_later(made)
        return self.back(request, row=made, said="It is being compared: look again in a minute.")


def _amount(made: Any, amount_minor: int | None) -> str:
    if amount_minor is None:
        return EMPTY
    return shown_minor(amount_minor, currency=made.rail.currency)


def _compare_later(made: Reconciliation) -> None:
    rail_id, day = made.rail_id, made.day.isoformat()
    transaction.on_commit(lambda: reconcile_day.delay(rail_id, day))
