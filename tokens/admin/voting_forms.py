"""What operators fill in about votes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.admin.fields import EighteenDecimalsField
from accounts.admin.scope import visible
from accounts.models import Household
from accounts.payees import normalise_code
from settlement.models import Payee
from tokens.models import Proposal, Round
from tokens.voting import voters


class ReasonForm(forms.Form):
    """Why: it is published, and told to those whom it concerns."""

    reason = forms.CharField(max_length=400, widget=UnfoldAdminTextareaWidget)


class NewsForm(forms.Form):
    """What became of a project."""

    text = forms.CharField(
        label="What became of it",
        max_length=1_000,
        widget=UnfoldAdminTextareaWidget,
        help_text="Published; its beginning goes by SMS to the households that voted for it.",
    )


class PayeeChoiceForm(forms.Form):
    """Who is paid for a project."""

    payee = forms.ModelChoiceField(
        queryset=Payee.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="A grantee of your own; may be named later.",
    )

    def __init__(self, *args: Any, proposal: Proposal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["payee"].queryset = Payee.objects.filter(  # type: ignore[attr-defined]
            operator=proposal.round.site.operator,
            role=Payee.Role.GRANTEE,
            closed_at__isnull=True,
        )
        self.fields["payee"].initial = proposal.payee_id


class AdmitForm(PayeeChoiceForm):
    """What goes on the ballot beside what was proposed."""

    title_fr = forms.CharField(
        label="Title in French", max_length=40, required=False, widget=UnfoldAdminTextInputWidget
    )

    field_order = ("title_fr", "payee")


class NewProposalForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a household asked the operator to write down."""

    request: Any
    code = forms.CharField(
        label="Account code of the household",
        max_length=12,
        widget=UnfoldAdminTextInputWidget,
        help_text="Its phones are told of the proposal.",
    )
    cost_wei = EighteenDecimalsField(label="Cost (DAI)")

    class Meta:
        model = Proposal
        fields = ("round", "title", "title_fr", "text")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        drafts = visible(self.request, Round).filter(state=Round.State.DRAFT)
        self.fields["round"].queryset = drafts  # type: ignore[attr-defined]

    def clean_code(self) -> Household:
        code = normalise_code(self.cleaned_data["code"])
        found = Household.objects.filter(code=code, closed_at__isnull=True).first()
        if found is None:
            raise forms.ValidationError(f"There is no household {code}.")
        return found

    def clean(self) -> dict[str, Any]:
        """Refuse what propose would refuse for the household's sake."""
        told: dict[str, Any] = super().clean() or {}
        household, round_ = told.get("code"), told.get("round")
        if isinstance(household, Household) and isinstance(round_, Round):
            homes = voters.households_of(site=round_.site, at=timezone.now())
            if not homes.filter(pk=household.pk).exists():
                self.add_error("code", f"{household} does not live at {round_.site}.")
        return told
