"""What is filled in about agents. A nonce makes a form that is sent twice one booking."""

from __future__ import annotations

import re
import secrets
from typing import Any

from django import forms
from django.conf import settings
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts import agents, pins
from accounts.admin.columns import shown_minor
from accounts.agents import NotBooked
from accounts.models import Agent, Language
from accounts.money import minor_from_string
from accounts.payees import normalise_code
from accounts.phones import BadPhone, normalise

# A comma before three digits parts thousands: 2,500 is never 2.50.
AMOUNT = re.compile(
    r"(?P<units>[0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,3})(?:[.,](?P<part>[0-9]{1,2}))?"
)
FOUR_DIGITS = re.compile(r"[0-9]{4}")


class PinField(forms.CharField):
    """A PIN of four digits; cleans to what is stored of it, "" for none."""

    def __init__(self, **kwargs: Any) -> None:
        widget = UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "inputmode": "numeric"})
        super().__init__(max_length=4, widget=widget, **kwargs)

    def clean(self, value: Any) -> str:
        pin = str(super().clean(value) or "")
        if not pin:
            return ""
        if FOUR_DIGITS.fullmatch(pin) is None:
            raise forms.ValidationError("A PIN has four digits.")
        if pins.is_weak(pin):
            raise forms.ValidationError("That PIN is too easy to guess.")
        return pins.hash_pin(pin=pin, pepper=settings.PIN_PEPPER)


class AgentForm(forms.ModelForm):  # type: ignore[type-arg]
    """Who the agent is, and where they work from."""

    language = forms.ChoiceField(choices=Language, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Agent
        fields: tuple[str, ...] = ("name", "phone", "user", "language")
        labels = {"user": "Log-in"}
        help_texts = {"user": "of your staff, if any; it then can do nothing but take cash here"}

    def clean_phone(self) -> str:
        typed = str(self.cleaned_data["phone"])
        try:
            return normalise(text=typed) if typed else ""
        except BadPhone as error:
            raise forms.ValidationError(f"{error}. Write it like +254711000091.") from error

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if not self.errors:
            try:
                self.check()
            except NotBooked as error:
                self.add_error(None, str(error))

    def check(self) -> None:
        """Raise BadAgent where the agent could not work like that."""
        agents.check_access(agent=self.instance)


class NewAgentForm(AgentForm):
    """An agent to open."""

    pin = PinField(
        label="PIN", required=False, help_text="four digits, for cash taken by phone; told to them"
    )

    class Meta(AgentForm.Meta):
        fields = ("site", "code", "name", "phone", "user", "language")

    def clean_code(self) -> str:
        code = normalise_code(str(self.cleaned_data["code"]))
        if agents.CODE.fullmatch(code) is None:
            raise forms.ValidationError("A code has 3 to 12 letters and digits.")
        return code

    def check(self) -> None:
        self.instance.pin_hash = self.cleaned_data["pin"]
        agents.check_new(agent=self.instance)


class PinForm(forms.Form):
    """A new PIN for an agent."""

    pin = PinField(label="New PIN", help_text="four digits; tell it to nobody but the agent")


class AmountForm(forms.Form):
    """An amount of the agent's cash rail; request_key is the nonce of this form."""

    amount = forms.CharField(
        max_length=20,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    nonce = forms.RegexField(regex=r"^[A-Za-z0-9_-]{16,64}$", widget=forms.HiddenInput)

    def __init__(self, *args: Any, agent: Agent, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agent = agent
        self.fields["nonce"].initial = secrets.token_urlsafe(24)
        held = shown_minor(agents.float_minor(agent=agent), currency=agent.rail.currency)
        self.fields["amount"].label = f"Amount ({agent.rail.currency})"
        self.fields["amount"].help_text = f"the float holds {held}"

    def clean_amount(self) -> int:
        """Return the amount in minor units."""
        found = AMOUNT.fullmatch(str(self.cleaned_data["amount"]).replace(" ", ""))
        if found is None:
            raise forms.ValidationError("Write the amount in figures, for example 500.")
        text = f"{found['units'].replace(',', '')}.{found['part'] or '0'}"
        try:
            amount_minor = minor_from_string(text=text, currency=self.agent.rail.currency)
        except ValueError as error:
            raise forms.ValidationError(f"{error}.") from error
        if amount_minor <= 0:
            raise forms.ValidationError("Write an amount above zero.")
        return amount_minor


class FloatForm(AmountForm):
    """Float that is sold to an agent, or taken back."""

    note = forms.CharField(
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="e.g. the number of the paper receipt",
    )


class CashForm(AmountForm):
    """Cash taken for a household."""

    code = forms.CharField(
        label="Account code",
        max_length=20,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="e.g. KIS0001; the code decides whose the money is",
    )

    field_order = ("code", "amount")

    def clean_code(self) -> str:
        """Return the code of a household that the agent may take cash for."""
        try:
            household = agents.find_household(
                agent=self.agent, code=self.cleaned_data["code"], at=timezone.now()
            )
        except NotBooked as error:
            raise forms.ValidationError(str(error)) from error
        return household.code
