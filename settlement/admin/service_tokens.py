"""Accepting what payees earned: milestones, and months of uptime beside what was measured."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.admin.base import AppendOnlyAdmin
from accounts.admin.columns import dai, linked, when
from accounts.admin.scope import VisibleFilter, visible
from accounts.models import Site, User
from accounts.money import decimal_string
from settlement import service_tokens, uptime
from settlement.models import Payee, ServiceToken
from settlement.service_tokens import NotEarned

Reason = ServiceToken.Reason
ACCEPTED = ((Reason.UPTIME, "a month of uptime"), (Reason.MILESTONE, "a milestone"))
MOST_SITES = 20


class AcceptForm(forms.ModelForm):  # type: ignore[type-arg]
    """What is accepted, of whom, and how that is known."""

    reason = forms.ChoiceField(choices=ACCEPTED, widget=UnfoldAdminSelectWidget)
    what = forms.CharField(
        label="Month or milestone",
        max_length=60,
        widget=UnfoldAdminTextInputWidget,
        help_text="A month as 2026-10, or what the milestone is called; accepted once",
    )

    class Meta:
        model = ServiceToken
        fields = ("site", "payee", "amount_wei", "note")
        help_texts = {"note": "The proof: a report, a photo's name, who was there"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "note" in self.fields:
            self.fields["note"].required = True

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        payee, what = cleaned["payee"], str(cleaned["what"]).strip()
        if cleaned["reason"] == Reason.UPTIME:
            cleaned["subject"] = self._month(what, payee=payee, site=cleaned["site"])
        else:
            cleaned["subject"] = f"milestone:{payee.code}:{what}"
        subject = cleaned["subject"]
        if subject and cleaned["site"].service_tokens.filter(subject=subject).exists():
            self.add_error("what", "It was accepted before.")
        if not self.errors:
            self._check(cleaned)
        return cleaned

    def _month(self, text: str, *, payee: Payee, site: Site) -> str:
        try:
            month = date.fromisoformat(f"{text}-01")
        except ValueError:
            self.add_error("what", "Write the month as year and month, e.g. 2026-10.")
            return ""
        if uptime.span(site=site, month=month)[1] > timezone.now():
            self.add_error("what", "This month is not over where the site is.")
        return service_tokens.uptime_subject(payee=payee, month=f"{month:%Y-%m}")

    def _check(self, cleaned: dict[str, Any]) -> None:
        try:
            service_tokens.check(
                site=cleaned["site"],
                payee=cleaned["payee"],
                reason=cleaned["reason"],
                subject=cleaned["subject"],
                amount_wei=cleaned["amount_wei"],
            )
        except NotEarned as error:
            self.add_error(None, f"{str(error)[:1].upper()}{str(error)[1:]}.")

    def _post_clean(self) -> None:
        """No row is made of the form itself: service_tokens.earn makes it, with its entry."""


@admin.register(ServiceToken)
class ServiceTokenAdmin(AppendOnlyAdmin):
    """Claims of payees, burned when they are paid."""

    operator_lookup = "site__operator"
    form = AcceptForm
    change_form_outer_before_template = "settlement_admin/uptime.html"
    list_display = (
        "subject",
        "site",
        linked("payee"),
        "reason",
        dai("amount_wei"),
        "state",
        "accepted_by",
        when("accepted_at"),
    )
    list_filter = ("state", "reason", ("site", VisibleFilter), ("payee", VisibleFilter))
    list_select_related = ("site", "payee", "accepted_by")
    search_fields = ("subject__icontains", "payee__code__istartswith")
    shown_fields = (
        linked("site"),
        linked("payee"),
        "reason",
        "subject",
        "note",
        dai("amount_wei"),
        "state",
        "accepted_by",
        when("accepted_at"),
        linked("entry"),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        accepted = ("site", "payee", "reason", "what", "amount_wei", "note")
        return self.shown_fields if obj else accepted

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown_fields if obj else ()

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        table = uptime_table(request, at=timezone.now())
        context = {**(extra_context or {}), "uptime": table}
        shown: HttpResponse = super().add_view(request, form_url, context)
        return shown

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        told = form.cleaned_data
        assert isinstance(request.user, User)  # noqa: S101 - who is logged in
        made = service_tokens.earn(
            site=told["site"],
            payee=told["payee"],
            reason=told["reason"],
            subject=told["subject"],
            amount_wei=told["amount_wei"],
            accepted_by=request.user,
            note=told["note"],
            at=timezone.now(),
        )
        obj.__dict__.update(made.__dict__)


def uptime_table(request: HttpRequest, *, at: datetime) -> dict[str, Any]:
    """Uptime of the last months of the sites that the person may see, as a table."""
    sites = visible(request, Site).filter(closed_at__isnull=True)[:MOST_SITES]
    months = uptime.last_months(at=at)
    return {
        "headers": ["Site", "Month", "Slots up", "Slots down", "Nobody told", "Uptime"],
        "rows": [_uptime_row(site, month, at=at) for site in sites for month in months],
    }


def _uptime_row(site: Site, month: date, *, at: datetime) -> list[str]:
    told = uptime.of_month(site=site, month=month, at=at)
    least, most = (
        decimal_string(amount=points, decimals=2)
        for points in (told.least_basis_points, told.most_basis_points)
    )
    shares = f"{least} %" if least == most else f"{least} to {most} %"
    return [
        str(site),
        f"{month:%Y-%m}",
        f"{told.up} of {told.slots}",
        str(told.down),
        str(told.unknown),
        shares if told.up + told.down else "not measured",
    ]
