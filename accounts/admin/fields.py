"""Form fields of amounts: people type DAI, we keep wei."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.money import WEI_PER_DAI, decimal_string

DECIMALS = 18
AMOUNT = re.compile(r"(-?)(\d{1,60})(?:[.,](\d{1,18}))?")


class EighteenDecimalsField(forms.Field):
    """An amount of DAI or IT with up to 18 decimals; cleans to an integer of wei."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        text = decimal_string(amount=value, decimals=DECIMALS)
        return text.rstrip("0").rstrip(".")

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        if isinstance(value, int):
            return value
        match = AMOUNT.fullmatch(str(value).strip())
        if match is None:
            raise forms.ValidationError("Write a number with at most 18 decimals, e.g. 0.25.")
        sign, whole, part = match.groups()
        wei = int(whole) * WEI_PER_DAI + int((part or "").ljust(DECIMALS, "0"))
        return -wei if sign else wei
