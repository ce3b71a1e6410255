"""Conversions of crypto money: entered once by the treasury, with what they gained."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import UnfoldAdminSplitDateTimeWidget, UnfoldAdminTextInputWidget

from accounts import crypto_treasury
from accounts.admin.base import AppendOnlyAdmin
from accounts.admin.columns import dai, linked, when
from accounts.admin.scope import VisibleFilter
from accounts.models import CryptoConversion, User
from accounts.money import decimal_string
from accounts.treasury import ConversionRefused
from tokens import quotes
from tokens.models import ChainAsset

_AMOUNT = re.compile(r"([0-9]{1,40})(?:\.([0-9]{1,36}))?")


class CryptoConversionForm(forms.ModelForm):  # type: ignore[type-arg]
    """What was sold, and what came of it."""

    sold_asset = forms.ModelChoiceField(
        label="Asset", queryset=ChainAsset.objects.all(), help_text="What was sold"
    )
    sold = forms.CharField(
        label="Sold",
        max_length=80,
        widget=UnfoldAdminTextInputWidget,
        help_text="What left, in the asset, gas and fees included: e.g. 1.25",
    )
    converted_at = forms.SplitDateTimeField(
        label="Converted (UTC)", widget=UnfoldAdminSplitDateTimeWidget, initial=timezone.now
    )

    class Meta:
        model = CryptoConversion
        fields = ("site", "bought_wei", "reference", "note")
        help_texts = {
            "site": "Whose money it was. Of one sale for several sites, enter each site's part",
            "reference": "The exchange's id of the sale, or the hash of the transfer",
        }

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        asset = cleaned.get("sold_asset")
        if isinstance(asset, ChainAsset) and "sold" in cleaned:
            match = _AMOUNT.fullmatch(str(cleaned["sold"]).strip())
            part = "" if match is None else match[2] or ""
            if match is None or len(part) > asset.decimals:
                said = f"Write a number with at most {asset.decimals} decimals, e.g. 1.25."
                self.add_error("sold", said)
            else:
                units = int(match[1]) * 10**asset.decimals
                cleaned["sold_units"] = units + int(part.ljust(asset.decimals, "0") or "0")
        if not self.errors:
            self._check(cleaned)
        return cleaned

    def _check(self, cleaned: dict[str, Any]) -> None:
        reference = cleaned["reference"] = cleaned["reference"].strip()
        asset = cleaned["booked_as"] = quotes.booked_as(cleaned["sold_asset"])
        if CryptoConversion.objects.filter(
            site=cleaned["site"], asset=asset.code, reference=reference
        ).exists():
            self.add_error("reference", "It is booked already for this site and asset.")
            return
        try:
            crypto_treasury.check(
                site=cleaned["site"],
                asset=asset,
                sold_units=cleaned["sold_units"],
                bought_wei=cleaned["bought_wei"],
                reference=reference,
                converted_at=cleaned["converted_at"],
                at=timezone.now(),
            )
        except ConversionRefused as error:
            self.add_error(None, f"{str(error)[:1].upper()}{str(error)[1:]}.")

    def _post_clean(self) -> None:
        """No row is made of the form itself: crypto_treasury.convert makes it, with its entry."""


@admin.register(CryptoConversion)
class CryptoConversionAdmin(AppendOnlyAdmin):
    """Crypto money turned into DAI of the treasury, with the result it realised."""

    operator_lookup = "site__operator"
    form = CryptoConversionForm
    list_display = (
        "reference",
        "site",
        "sold",
        dai("bought_wei", title="bought"),
        dai("cost_wei", title="cost when received"),
        dai("result_wei", title="FX result"),
        when("converted_at"),
        "made_by",
    )
    list_filter = (("site", VisibleFilter), "asset", "converted_at")
    list_select_related = ("site", "made_by")
    search_fields = ("reference__istartswith", "note__icontains")
    shown_fields = (
        linked("site"),
        "sold",
        "reference",
        dai("bought_wei", title="bought"),
        dai("cost_wei", title="cost when received"),
        dai("result_wei", title="realised FX result"),
        linked("entry"),
        "note",
        "made_by",
        when("converted_at"),
        when("recorded_at"),
    )

    @admin.display(description="sold")
    def sold(self, made: CryptoConversion) -> str:
        return f"{decimal_string(amount=made.sold_units, decimals=made.decimals)} {made.asset}"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        entered = ("site", "sold_asset", "sold", "bought_wei", "reference", "converted_at", "note")
        return self.shown_fields if obj else entered

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown_fields if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        told = form.cleaned_data
        assert isinstance(request.user, User)  # noqa: S101 - who is logged in
        made = crypto_treasury.convert(
            site=told["site"],
            asset=told["booked_as"],
            sold_units=told["sold_units"],
            bought_wei=told["bought_wei"],
            reference=told["reference"],
            converted_at=told["converted_at"],
            made_by=request.user,
            note=told["note"],
            at=timezone.now(),
        )
        obj.__dict__.update(made.__dict__)
