"""Meters, whom they measure, and how reading them goes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from simple_history.admin import SimpleHistoryAdmin
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from accounts.admin.base import Closable, ReadOnlyAdmin, ReadOnlyInline, page_action
from accounts.admin.columns import kwh, linked, percent, shown_time, when
from accounts.admin.scope import VisibleFilter, visible
from accounts.models import Household
from accounts.payees import normalise_code
from settlement.assignments import BadAssignment, assign
from settlement.models import HeadEndCursor, Meter, MeterAssignment, MeterGap, SlotTelemetry


class AssignmentInline(ReadOnlyInline):
    """Whom the meter measures and measured."""

    model = MeterAssignment
    show_change_link = False
    fields = (linked("household"), "since", "until")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related("household").order_by("-validity")

    @admin.display(description="since (UTC)")
    def since(self, row: MeterAssignment) -> str:
        return shown_time(row.validity.lower)

    @admin.display(description="until (UTC)")
    def until(self, row: MeterAssignment) -> str:
        return shown_time(row.validity.upper)


class AssignForm(forms.Form):
    """The household a meter is to measure, and from when on."""

    code = forms.CharField(
        label="Account code",
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="e.g. KIS0001; empty: nobody",
    )
    starts_at = forms.SplitDateTimeField(
        label="From (UTC)", widget=UnfoldAdminSplitDateTimeWidget, initial=timezone.now
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_code(self) -> Household | None:
        code = normalise_code(self.cleaned_data["code"])
        household = visible(self.request, Household).filter(code=code).first() if code else None
        if code and not isinstance(household, Household):
            raise forms.ValidationError(f"There is no household {code}.")
        return household


@admin.register(Meter)
class MeterAdmin(Closable, SimpleHistoryAdmin):
    """Devices. Serial and role stay: readings and charges were made by them."""

    operator_lookup = "site__operator"
    inlines = (AssignmentInline,)
    actions_detail = ("assign",)
    list_display = (
        "serial",
        "site",
        "role",
        "measures",
        "max_power_watts",
        when("created_at"),
        when("closed_at"),
    )
    list_filter = (("site", VisibleFilter), "role", ("closed_at", admin.EmptyFieldListFilter))
    list_select_related = ("site",)
    search_fields = ("serial__icontains", "assignments__household__code__istartswith")
    search_help_text = "serial or household"
    fields = ("site", "serial", "role", "max_power_watts")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("assignments__household")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("site", "serial", "role") if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj else ()

    @admin.display(description="measures")
    def measures(self, meter: Meter) -> str:
        at = timezone.now()
        rows = meter.assignments.all()
        return ", ".join(row.household.code for row in rows if _holds(row, at=at))

    @page_action("Assign to a household")
    def assign(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the account code and the instant; then hand the meter over."""
        meter = self.row_to_change(request, object_id)
        form = AssignForm(request.POST or None, request=request)
        if request.method == "POST" and form.is_valid():
            household = form.cleaned_data["code"]
            try:
                assign(meter=meter, household=household, starts_at=form.cleaned_data["starts_at"])
            except BadAssignment as error:
                form.add_error(None, str(error))
            else:
                whom = "nobody" if household is None else household.code
                return self.back(request, row=meter, said=f"{meter.serial} measures {whom}.")
        return self.ask(request, row=meter, title="Assign to a household", form=form)


class Health(admin.SimpleListFilter):
    """Head-ends that answer, and those that do not."""

    title = "health"
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("failing", "failing"), ("well", "answering")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "failing":
            return queryset.filter(failures_in_a_row__gt=0)
        return queryset.filter(failures_in_a_row=0) if self.value() == "well" else queryset


@admin.register(HeadEndCursor)
class HeadEndCursorAdmin(ReadOnlyAdmin):
    """How far each head-end was read."""

    operator_lookup = "site__operator"
    list_display = (
        "site",
        when("read_until"),
        "failures_in_a_row",
        "last_failure",
        when("last_success_at"),
        when("next_pull_at"),
    )
    list_filter = (Health, ("site", VisibleFilter))
    list_select_related = ("site",)
    fields = (linked("site"), *list_display[1:])


@admin.register(MeterGap)
class MeterGapAdmin(ReadOnlyAdmin):
    """Slots that never came, and how often they were asked for."""

    operator_lookup = "meter__site__operator"
    list_display = (
        "meter",
        "site",
        "day",
        "missing_slots",
        "asked_count",
        when("asked_at"),
        when("found_at"),
        when("closed_at"),
    )
    list_filter = (("closed_at", admin.EmptyFieldListFilter), "day")
    list_select_related = ("meter__site",)
    search_fields = ("meter__serial__icontains",)
    fields = (linked("meter"), *list_display[1:])

    @admin.display(description="site")
    def site(self, gap: MeterGap) -> str:
        return str(gap.meter.site)


@admin.register(SlotTelemetry)
class SlotTelemetryAdmin(ReadOnlyAdmin):
    """What the plant said of each slot."""

    operator_lookup = "site__operator"
    list_display = (
        "site",
        when("starts_at"),
        percent("state_of_charge_basis_points", title="state of charge"),
        kwh("production_milliwatt_hours", title="production"),
        kwh("battery_in_milliwatt_hours", title="into battery"),
        kwh("battery_out_milliwatt_hours", title="out of battery"),
        kwh("feeder_milliwatt_hours", title="feeder"),
        percent("solar_share_basis_points", title="solar"),
    )
    list_filter = (("site", VisibleFilter), "starts_at")
    list_select_related = ("site",)
    fields = (linked("site"), *list_display[1:], when("ends_at"), when("received_at"))


def _holds(row: MeterAssignment, *, at: datetime) -> bool:
    begun = row.validity.lower is None or row.validity.lower <= at
    return begun and (row.validity.upper is None or at < row.validity.upper)
