"""What somebody fills in who pays in crypto money; any amount may come, so none has to be told."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import sites
from accounts.models import Household
from accounts.payees import normalise_code
from dashboard.buy import quantity


class CryptoDonationForm(forms.Form):
    """A gift towards a site. The nonce makes a form that is sent twice one donor."""

    name = forms.CharField(
        label=_("Your name"),
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
        help_text=_("Not shown to anybody but the operator."),
    )
    email = forms.EmailField(
        label=_("Your e-mail address"),
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    nonce = forms.RegexField(regex=r"^[A-Za-z0-9_-]{16,64}$", widget=forms.HiddenInput)


class CryptoTopUpForm(forms.Form):
    """A top-up of somebody's household, by the code on their receipts."""

    code = forms.CharField(
        label=_("Account code of the household"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "autocomplete": "off"}),
        help_text=_("On every receipt, for example KIS0001."),
    )
    amount = forms.CharField(
        label=_("Amount in local money"),
        max_length=13,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        help_text=_("If you like the code for your wallet to carry it."),
    )

    def __init__(self, *args: Any, at: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at = at

    def clean_amount(self) -> str:
        amount = str(self.cleaned_data["amount"]).strip()
        if amount and quantity(amount) is None:
            raise forms.ValidationError(_("Write the amount in figures, for example 200."))
        return amount

    def clean_code(self) -> Household:
        code = normalise_code(self.cleaned_data["code"])
        household = Household.objects.filter(code=code, closed_at__isnull=True).first()
        site = None if household is None else sites.site_of(household=household, at=self._at)
        if household is None or site is None:
            raise forms.ValidationError(
                _("There is no household with the code %(code)s. Look at a receipt."),
                params={"code": code or "?"},
            )
        self.cleaned_data["site"] = site
        return household
