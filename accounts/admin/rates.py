"""Site rates, published and never changed, and what sources said."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from accounts import rate_proposals, site_rates
from accounts.admin.base import AppendOnlyAdmin, ReadOnlyAdmin
from accounts.admin.columns import dai, linked, shown_time, when
from accounts.admin.scope import VisibleFilter
from accounts.models import RateQuote, SiteRate, User
from accounts.site_rates import RateTooEarly


class SiteRateForm(forms.ModelForm):  # type: ignore[type-arg]
    """A rate from an instant on; the one before ends there."""

    starts_at = forms.SplitDateTimeField(
        label="From (UTC)",
        widget=UnfoldAdminSplitDateTimeWidget,
        initial=timezone.now,
        help_text="By hand, for a site whose currency no sources tell; others have proposals",
    )

    class Meta:
        model = SiteRate
        fields = ("site", "local_per_dai")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        site, starts_at = cleaned.get("site"), cleaned.get("starts_at")
        if site is not None and starts_at is not None:
            try:
                site_rates.check_start(site=site, starts_at=starts_at)
            except RateTooEarly as error:
                self.add_error("starts_at", str(error))
        return cleaned


@admin.register(SiteRate)
class SiteRateAdmin(AppendOnlyAdmin):
    """What a site credits at and shows prices in."""

    operator_lookup = "site__operator"
    form = SiteRateForm
    list_display = (
        "site",
        "local_per_dai",
        "currency",
        "begins",
        "ends",
        when("published_at"),
        dai("compensation_wei", title="given to households"),
    )
    list_filter = (("site", VisibleFilter), "currency")
    list_select_related = ("site",)
    fields = (
        "site",
        "currency",
        "local_per_dai",
        "begins",
        "ends",
        "sources",
        "published_at",
        linked("published_by"),
        when("compensated_at"),
        dai("compensation_wei", title="given to households"),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("site", "local_per_dai", "starts_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ()

    @admin.display(description="from (UTC)", ordering="validity")
    def begins(self, rate: SiteRate) -> str:
        return shown_time(rate.validity.lower)

    @admin.display(description="until (UTC)")
    def ends(self, rate: SiteRate) -> str:
        return shown_time(rate.validity.upper)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Somebody else may publish between the form's check and ours."""
        try:
            answer: HttpResponse = super().add_view(request, form_url, extra_context)
        except RateTooEarly as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return answer

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        at = timezone.now()
        made = site_rates.publish(
            site=obj.site,
            local_per_dai=obj.local_per_dai,
            starts_at=form.cleaned_data["starts_at"],
            at=at,
            by=request.user if isinstance(request.user, User) else None,
        )
        if made.validity.lower > at:
            rate_proposals.announce(rate=made, at=at)
        obj.__dict__.update(made.__dict__)


@admin.register(RateQuote)
class RateQuoteAdmin(ReadOnlyAdmin):
    """What sources said of currencies."""

    list_display = (
        "currency",
        "local_per_dai",
        "source",
        when("quoted_at"),
        when("expires_at"),
    )
    list_filter = ("currency", "source")
    fields = ("currency", "local_per_dai", "source", when("quoted_at"), when("expires_at"))
