"""What people write about payouts: which pool, why not, the bank's reference, files of the bank."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from accounts import amounts, site_rates
from accounts.admin.columns import shown
from accounts.models import Operator
from settlement import bank_file
from settlement.models import BankFile, Payout, ServiceToken
from settlement.payouts import NotPayable, amounts_of


class ProposalForm(forms.ModelForm):  # type: ignore[type-arg]
    """A service token and the pool that is to pay it."""

    pool = forms.CharField(
        max_length=24,
        widget=UnfoldAdminTextInputWidget,
        help_text="A line of the site's split, e.g. contractor; grants are paid out of grant",
    )

    class Meta:
        model = Payout
        fields = ("service_token",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("service_token")
        if not isinstance(field, forms.ModelChoiceField):
            # The page of a payout that is there shows it, and asks for nothing.
            return
        tokens: Any = field.queryset
        field.queryset = tokens.filter(state=ServiceToken.State.EARNED).select_related(
            "site", "payee"
        )
        field.label_from_instance = _described  # type: ignore[method-assign, assignment]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        token, pool = cleaned.get("service_token"), str(cleaned.get("pool", "")).strip()
        if token is None or not pool:
            return cleaned
        cleaned["pool"] = pool
        held = amounts.pools(site=token.site)
        if pool not in held:
            known = ", ".join(sorted(held)) or "none that has been paid into"
            self.add_error("pool", f"{token.site} has no such pool; it has: {known}.")
            return cleaned
        try:
            amounts_of(token=token, at=timezone.now())
        except (NotPayable, site_rates.NoSiteRate) as error:
            self.add_error("service_token", f"{error}.")
        return cleaned

    def _post_clean(self) -> None:
        """No row is made of the form itself: payouts.propose makes it."""


class ReferenceForm(forms.Form):
    """What the bank says of a transfer that arrived."""

    reference = forms.CharField(
        label="The bank's reference", max_length=80, widget=UnfoldAdminTextInputWidget
    )
    paid_at = forms.SplitDateTimeField(
        label="Paid (UTC)", widget=UnfoldAdminSplitDateTimeWidget, initial=timezone.now
    )


class BankFileForm(forms.Form):
    """From which account the bank is to pay."""

    operator = forms.ModelChoiceField(
        queryset=Operator.objects.none(), widget=UnfoldAdminSelectWidget
    )
    currency = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    debtor_account = forms.CharField(
        label="Your account (IBAN or number)", max_length=42, widget=UnfoldAdminTextInputWidget
    )
    debtor_code = forms.CharField(
        label="Your bank (BIC)",
        max_length=11,
        required=False,
        widget=UnfoldAdminTextInputWidget,
    )

    def __init__(self, *args: Any, operators: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["operator"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - as declared
        field.queryset = operators
        waiting: set[str] = set()
        for operator in operators:
            waiting |= set(bank_file.waiting_currencies(operator=operator))
        currency = self.fields["currency"]
        assert isinstance(currency, forms.ChoiceField)  # noqa: S101 - as declared
        currency.choices = [(code, code) for code in sorted(waiting)]
        last = BankFile.objects.filter(operator__in=operators).first()
        if last is not None:
            self.fields["debtor_account"].initial = last.debtor_account
            self.fields["debtor_code"].initial = last.debtor_code


class StatementForm(forms.Form):
    """What the bank tells, as its CSV file has it."""

    operator = forms.ModelChoiceField(
        queryset=Operator.objects.none(), widget=UnfoldAdminSelectWidget
    )
    rows = forms.CharField(
        label="The bank's file (CSV)",
        max_length=1_000_000,
        strip=False,
        widget=UnfoldAdminTextareaWidget,
        help_text="With a first line: EndToEndId,Reference,Amount,Currency,Date and, if told, "
        "Status (paid or returned)",
    )

    def __init__(self, *args: Any, operators: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["operator"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - as declared
        field.queryset = operators


def _described(token: Any) -> str:
    return f"{token.site}, {token}: {shown(token.amount_wei)}"
