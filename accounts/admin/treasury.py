"""Conversions of the treasury: entered once, with what they gained by currency and month."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from accounts import treasury
from accounts.admin.base import AppendOnlyAdmin
from accounts.admin.columns import dai, linked, local, shown, shown_minor, when
from accounts.admin.scope import VisibleFilter, visible
from accounts.models import Rail, TreasuryConversion, User
from accounts.money import minor_from_string
from accounts.treasury import ConversionRefused

MONTHS_SHOWN = 12


class ConversionForm(forms.ModelForm):  # type: ignore[type-arg]
    """What left a float, what of it was kept on the way, and what came of it."""

    sold = forms.CharField(
        label="Sold",
        max_length=30,
        widget=UnfoldAdminTextInputWidget,
        help_text="What left the rail's account, in its currency, fees included: e.g. 25000.00",
    )
    fee = forms.CharField(
        label="Of it, fees",
        max_length=30,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="What bank and exchange kept of it, in the same currency; empty: nothing",
    )
    converted_at = forms.SplitDateTimeField(
        label="Converted (UTC)", widget=UnfoldAdminSplitDateTimeWidget, initial=timezone.now
    )

    class Meta:
        model = TreasuryConversion
        fields = ("site", "rail", "bought_wei", "reference", "note")
        help_texts = {
            "site": "Whose float it left. Of one payout for several sites, enter each site's part",
            "rail": "The account it left",
            "reference": "The provider's id of the payout, as its statement shows it",
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        rail = cleaned.get("rail")
        if not isinstance(rail, Rail):
            return cleaned
        for name in ("sold", "fee"):
            try:
                cleaned[f"{name}_minor"] = minor_from_string(
                    text=cleaned.get(name) or "0", currency=rail.currency
                )
            except ValueError as error:
                self.add_error(name, f"{error}.")
        if not self.errors:
            self._check(cleaned)
        return cleaned

    def _check(self, cleaned: dict[str, Any]) -> None:
        cleaned["reference"] = cleaned["reference"].strip()
        same = {name: cleaned[name] for name in ("site", "rail", "reference")}
        if TreasuryConversion.objects.filter(**same).exists():
            self.add_error("reference", "It is booked already for this site and rail.")
            return
        told = ("sold_minor", "fee_minor", "bought_wei", "converted_at")
        try:
            treasury.check(**same, **{name: cleaned[name] for name in told}, at=timezone.now())
        except ConversionRefused as error:
            self.add_error(None, f"{str(error)[:1].upper()}{str(error)[1:]}.")

    def _post_clean(self) -> None:
        """No row is made of the form itself: treasury.convert makes it, with its entry."""


@admin.register(TreasuryConversion)
class TreasuryConversionAdmin(AppendOnlyAdmin):
    """Received money turned into DAI, with the FX result it realised."""

    operator_lookup = "site__operator"
    form = ConversionForm
    list_before_template = "accounts_admin/treasury_totals.html"
    list_display = (
        "reference",
        "site",
        "rail",
        local("sold_minor", title="sold"),
        local("fee_minor", title="of it fees"),
        dai("bought_wei", title="bought"),
        dai("cost_wei", title="cost when received"),
        dai("result_wei", title="FX result"),
        when("converted_at"),
        "made_by",
    )
    list_filter = (("site", VisibleFilter), ("rail", VisibleFilter), "currency", "converted_at")
    list_select_related = ("site", "rail", "made_by")
    search_fields = ("reference__istartswith", "note__icontains")
    shown_fields = (
        linked("site"),
        linked("rail"),
        "reference",
        local("sold_minor", title="sold"),
        local("fee_minor", title="of it fees"),
        dai("fee_wei", title="fees at cost"),
        dai("bought_wei", title="bought"),
        dai("cost_wei", title="cost when received"),
        dai("result_wei", title="realised FX result"),
        linked("entry"),
        "note",
        "made_by",
        when("converted_at"),
        when("recorded_at"),
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        entered = ("site", "rail", "sold", "fee", "bought_wei", "reference", "converted_at", "note")
        return self.shown_fields if obj else entered

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown_fields if obj else ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """An address may bring what is known already: ?rail=1&reference=...&sold=500.00"""
        return {name: value for name, value in request.GET.items() if not name.startswith("_")}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        totals = _totals(request, since=timezone.now() - timedelta(days=31 * MONTHS_SHOWN))
        context = {**(extra_context or {}), "totals": totals}
        shown: HttpResponse = super().changelist_view(request, context)
        return shown

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        told = form.cleaned_data
        assert isinstance(request.user, User)  # noqa: S101 - who is logged in
        made = treasury.convert(
            site=told["site"],
            rail=told["rail"],
            sold_minor=told["sold_minor"],
            fee_minor=told["fee_minor"],
            bought_wei=told["bought_wei"],
            reference=told["reference"],
            converted_at=told["converted_at"],
            made_by=request.user,
            note=told["note"],
            at=timezone.now(),
        )
        obj.__dict__.update(made.__dict__)


def _totals(request: HttpRequest, *, since: datetime) -> dict[str, Any]:
    """Sums by month and currency of what the person may see, newest first, as a table."""
    sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    rows = visible(request, TreasuryConversion).filter(converted_at__gte=since)
    for made in rows.only("sold_minor", "fee_minor", "bought_wei", "cost_wei", "converted_at"):
        total = sums[f"{made.converted_at:%Y-%m}", made.currency]
        for place, amount in enumerate(
            (made.sold_minor, made.fee_wei, made.bought_wei, made.result_wei)
        ):
            total[place] += amount
    return {
        "headers": ["Month (UTC)", "Sold", "Fees at cost", "Bought", "Realised FX result"],
        "rows": [
            [
                month,
                shown_minor(sold, currency=currency),
                *(shown(wei) for wei in (fee, bought, result)),
            ]
            for (month, currency), (sold, fee, bought, result) in sorted(sums.items(), reverse=True)
        ],
    }
