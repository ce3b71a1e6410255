"""What somebody who votes or proposes fills in."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import site_rates
from accounts.models import Household, Site
from accounts.money import minor_from_string, wei_from_minor
from accounts.payees import normalise_code
from gateway.voting.rows import title_of
from tokens.models import Proposal, Round


class BallotForm(forms.Form):
    """Projects of a round; one or several. A nonce makes a form that is sent twice one vote."""

    options = forms.MultipleChoiceField(
        label=_("Projects"), widget=forms.CheckboxSelectMultiple, required=False
    )
    nonce = forms.RegexField(regex=r"^[A-Za-z0-9_-]{16,64}$", widget=forms.HiddenInput)

    def __init__(self, *args: Any, round_: Round, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        on_ballot = round_.proposals.filter(state=Proposal.State.ADMITTED).order_by("number")
        self.fields["options"].choices = [  # type: ignore[attr-defined]
            (str(project.number), f"{project.number}. {title_of(project)}") for project in on_ballot
        ]

    @property
    def numbers(self) -> list[int]:
        """The chosen projects, of a valid form."""
        return [int(number) for number in self.cleaned_data["options"]]


class ProposalForm(forms.Form):
    """A project to be put to the vote. A household is named by its code and told of it."""

    code = forms.CharField(
        label=_("Account code of your household"),
        max_length=20,
        required=False,
        widget=forms.TextInput(attrs={"autocapitalize": "characters", "autocomplete": "off"}),
        help_text=_("On every receipt, for example KIS0001. Its phones are told of the proposal."),
    )
    title = forms.CharField(label=_("What is to be paid for, in a few words"), max_length=40)
    cost = forms.CharField(
        max_length=20, widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    )
    text = forms.CharField(
        label=_("Why, and who does it"),
        max_length=2_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 5}),
    )

    def __init__(self, *args: Any, site: Site, at: Any, is_donor: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._site, self._at, self._is_donor = site, at, is_donor
        self.fields["cost"].label = _("What it costs, in %(currency)s") % {
            "currency": site.currency
        }
        if is_donor:
            del self.fields["code"]

    def clean_code(self) -> Household:
        code = normalise_code(self.cleaned_data["code"])
        household = Household.objects.filter(code=code, closed_at__isnull=True).first()
        if household is None:
            raise forms.ValidationError(
                _("There is no household with the code %(code)s. Look at a receipt."),
                params={"code": code or "?"},
            )
        return household

    def clean_cost(self) -> int:
        """Return wei of DAI at the site's rate."""
        typed = str(self.cleaned_data["cost"]).replace(" ", "").replace(",", "")
        try:
            minor = minor_from_string(text=typed, currency=self._site.currency)
        except ValueError:
            raise forms.ValidationError(
                _("Write the amount in figures, for example 5000.")
            ) from None
        rate = site_rates.at_site(site=self._site, at=self._at)
        return wei_from_minor(
            amount_minor=minor, currency=self._site.currency, local_per_dai=Fraction(rate)
        )
