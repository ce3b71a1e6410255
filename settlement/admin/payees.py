"""Who is paid out of the pools, and how."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from eth_utils.address import is_address, is_checksum_address, to_checksum_address

from accounts import rails
from accounts.admin.base import Closable
from accounts.admin.columns import when
from accounts.admin.scope import VisibleFilter
from accounts.models import Rail
from accounts.phones import BadPhone, normalise
from settlement import bank_file
from settlement.models import Payee, Payout

PAID_BY = {
    Payee.Way.MOBILE: ("rail", "phone"),
    Payee.Way.BANK: ("bank_account",),
    Payee.Way.CHAIN: ("wallet",),
}


class PayeeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A payee, with what their way of being paid needs."""

    class Meta:
        model = Payee
        fields = (
            "operator",
            "code",
            "role",
            "public_name",
            "way",
            "rail",
            "phone",
            "language",
            "bank_account",
            "bank_code",
            "wallet",
        )

    def clean_phone(self) -> str:
        text = str(self.cleaned_data["phone"]).strip()
        if not text:
            return ""
        try:
            return normalise(text=text)
        except BadPhone as error:
            raise forms.ValidationError(f"{error}.") from error

    def clean_bank_account(self) -> str:
        text = str(self.cleaned_data["bank_account"])
        try:
            return bank_file.checked_account(text) if text.strip() else ""
        except bank_file.BadAccount as error:
            raise forms.ValidationError(f"{error}.") from error

    def clean_bank_code(self) -> str:
        try:
            return bank_file.checked_code(str(self.cleaned_data["bank_code"]))
        except bank_file.BadAccount as error:
            raise forms.ValidationError(f"{error}.") from error

    def clean_wallet(self) -> str:
        text = str(self.cleaned_data["wallet"]).strip()
        if not text:
            return ""
        # One letter case tells nothing; mixed, it is the checksum.
        is_plain = text in (text.lower(), f"0x{text[2:].upper()}")
        if not is_address(text) or not (is_plain or is_checksum_address(text)):
            raise forms.ValidationError("No address, or its checksum (EIP-55) is wrong.")
        return str(to_checksum_address(text))

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        for name in PAID_BY.get(cleaned.get("way", ""), ()):
            if not cleaned.get(name) and name not in self.errors:
                self.add_error(name, "This way of being paid needs it.")
        rail = cleaned.get("rail")
        if isinstance(rail, Rail):
            if rail.provider not in rails.PAYING:
                self.add_error("rail", "This rail does not pay out to phones.")
            if rail.operator != (cleaned.get("operator") or self.instance.operator):
                self.add_error("rail", "This rail is another operator's.")
        return cleaned


@admin.register(Payee)
class PayeeAdmin(Closable):
    """Contractors, operators and grantees. What is approved goes where it was proposed to go."""

    operator_lookup = "operator"
    form = PayeeForm
    list_display = ("code", "public_name", "role", "way", "operator", when("closed_at"))
    list_filter = ("role", "way", ("operator", VisibleFilter))
    list_select_related = ("operator",)
    search_fields = ("code__istartswith", "public_name__icontains")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Its code names accounts of the ledger; operator and role are what it earned as."""
        if obj is None:
            return ()
        fixed = ("operator", "code", "role")
        is_waiting = Payout.objects.filter(payee=obj, state__in=Payout.OPEN).exists()
        where = ("way", "rail", "phone", "bank_account", "bank_code", "wallet")
        return (*fixed, *where) if is_waiting else fixed
