"""What somebody who pays by card fills in. A nonce makes a form that is sent twice one payment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import rails, sites
from accounts.attempts import BadAmount, check_amount
from accounts.models import Household, Rail, Site
from accounts.models.topups import as_money
from accounts.money import minor_from_string
from accounts.payees import normalise_code

_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")
"""25,000 and 1,250.50; in 12,50 the comma stands for the point."""
_REACHES_SOMEBODY = re.compile(
    r"@|://|www\.|([0-9][^0-9A-Za-z]{0,2}){6}|\b[\w-]{2,}\.[a-z]{2,}\b", re.IGNORECASE
)
"""An e-mail address, a web page, or six digits and more."""


ONCE, MONTHLY = "once", "monthly"


class _CardForm(forms.Form):
    """An amount in the currency of a rail."""

    amount = forms.CharField(
        label=_("Amount"),
        max_length=20,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    nonce = forms.RegexField(regex=r"^[A-Za-z0-9_-]{16,64}$", widget=forms.HiddenInput)

    def _amount_minor(self, *, rail: Rail) -> int:
        """Return the amount over a rail; a complaint that says what to do where it can't be."""
        typed = str(self.cleaned_data.get("amount", "")).replace(" ", "")
        typed = typed.replace(",", "" if _THOUSANDS.fullmatch(typed) else ".")
        try:
            amount_minor = minor_from_string(text=typed, currency=rail.currency)
            check_amount(rail=rail, amount_minor=amount_minor)
        except BadAmount:
            least, most = (
                as_money(amount_minor=minor, currency=rail.currency)
                for minor in (rail.min_top_up_minor, rail.max_top_up_minor)
            )
            raise forms.ValidationError(
                _("Choose an amount from %(least)s to %(most)s."),
                params={"least": least, "most": most},
            ) from None
        except ValueError:
            raise forms.ValidationError(
                _("Write the amount in figures, for example 20 (in %(currency)s)."),
                params={"currency": rail.currency},
            ) from None
        return amount_minor


if TYPE_CHECKING:
    _RailField = forms.ModelChoiceField[Rail]
else:
    _RailField = forms.ModelChoiceField


class CurrencyField(_RailField):
    """A choice of rails, shown as their currencies."""

    def label_from_instance(self, rail: Rail) -> str:
        return rail.currency


class DonationForm(_CardForm):
    """A gift towards a site. campaign is the uid of the one that the page was about, "" for none:
    whoever gives means that one, and no other that was opened meanwhile."""

    campaign = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)
    rail = CurrencyField(
        label=_("Currency"), queryset=Rail.objects.none(), to_field_name="code", empty_label=None
    )
    rhythm = forms.ChoiceField(
        label=_("How often"),
        choices=((ONCE, _("Once")), (MONTHLY, _("Every month, until I end it"))),
        widget=forms.RadioSelect,
        initial=ONCE,
        required=False,
    )
    public_name = forms.CharField(
        label=_("Show my name among the donors as"),
        max_length=60,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("For everybody to see. Leave it empty to stay anonymous."),
    )
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
        help_text=_("For the receipt, and to see later what became of your gift."),
    )

    field_order = ("amount", "rail", "rhythm", "public_name", "name", "email")

    def __init__(self, *args: Any, site: Site, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = rails.for_donations(site=site)
        self.fields["rail"].queryset = offered  # type: ignore[attr-defined]
        if not any(rails.gives_monthly(rail=rail) for rail in offered):
            del self.fields["rhythm"]

    def clean_public_name(self) -> str:
        """What everybody sees leads nowhere, and reaches nobody."""
        shown = " ".join(str(self.cleaned_data["public_name"]).split())
        if not shown.isprintable() or _REACHES_SOMEBODY.search(shown):
            raise forms.ValidationError(
                _("Write a name only: no address, telephone number or web page.")
            )
        return shown

    def clean(self) -> dict[str, Any]:
        rail = self.cleaned_data.get("rail")
        if isinstance(rail, Rail) and "amount" in self.cleaned_data:
            try:
                self.cleaned_data["amount_minor"] = self._amount_minor(rail=rail)
            except forms.ValidationError as error:
                self.add_error("amount", error)
        self.cleaned_data["is_monthly"] = self.cleaned_data.get("rhythm") == MONTHLY
        if self.cleaned_data["is_monthly"]:
            self._check_monthly(rail=rail)
        return self.cleaned_data

    def _check_monthly(self, *, rail: Rail | None) -> None:
        if rail is not None and not rails.gives_monthly(rail=rail):
            self.add_error(
                "rhythm",
                forms.ValidationError(
                    _("%(currency)s can't be given every month: choose another, or give once."),
                    params={"currency": rail.currency},
                ),
            )
        if not self.cleaned_data.get("email") and "email" not in self.errors:
            self.add_error(
                "email",
                _(
                    "To give every month, write your e-mail address: we tell you there when a "
                    "month can't be paid, and it leads you to where you can end it."
                ),
            )


class TopUpForm(_CardForm):
    """A top-up of somebody's household, by the code on their receipts."""

    code = forms.CharField(
        label=_("Account code of the household"),
        max_length=20,
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "autocomplete": "off"}),
        help_text=_("On every receipt, for example KIS0001."),
    )

    field_order = ("code", "amount")

    def __init__(self, *args: Any, at: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at = at

    def clean_code(self) -> Household:
        code = normalise_code(self.cleaned_data["code"])
        household = Household.objects.filter(code=code, closed_at__isnull=True).first()
        if household is None:
            raise forms.ValidationError(
                _("There is no household with the code %(code)s. Look at a receipt."),
                params={"code": code or "?"},
            )
        return household

    def clean(self) -> dict[str, Any]:
        household = self.cleaned_data.get("code")
        if not isinstance(household, Household):
            return self.cleaned_data
        site = sites.site_of(household=household, at=self._at)
        rail = None if site is None else rails.card(site=site)
        if site is None or rail is None:
            self.add_error("code", _("This household's operator takes no cards yet."))
            return self.cleaned_data
        self.cleaned_data |= {"site": site, "rail": rail}
        if "amount" in self.cleaned_data:
            try:
                self.cleaned_data["amount_minor"] = self._amount_minor(rail=rail)
            except forms.ValidationError as error:
                self.add_error("amount", error)
        return self.cleaned_data
