"""How messages speak one language: its sentences and its numbers."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.texts import numbers
from gateway.texts.fit import Line
from gateway.texts.languages import Language
from gateway.texts.sms import SMS

# Two parts of 153 septets each.
TWO_PARTS_SEPTETS: Final = 306


class Voice:
    """One language: sentences and numbers."""

    def __init__(self, language: Language) -> None:
        self.language: Final = language

    def line(self, key: str, *, rank: int = 0, **values: object) -> Line:
        return Line(SMS.say(self.language, key, **values), rank=rank)

    def money(self, minor: int, currency: str) -> str:
        return numbers.money(minor, currency, language=self.language)

    def paid(self, minor: int, currency: str) -> str:
        return numbers.money(minor, currency, language=self.language, exact=True)

    def kwh(self, energy_milliwatt_hours: int) -> str:
        return numbers.kwh(energy_milliwatt_hours, language=self.language)

    def lasts(self, params: Mapping[str, Any], *, rank: int) -> list[Line]:
        """How far the funds go: days if the recent use is known, and kWh."""
        days, energy = params.get("days_left"), params.get("energy_milliwatt_hours")
        if energy is None:
            return []
        kwh = self.kwh(energy)
        if days is None:
            return [self.line("lasts_energy", rank=rank, kwh=kwh)]
        if days < 2:
            return [self.line("lasts_one" if days else "lasts_none", rank=rank, kwh=kwh)]
        told = numbers.whole(days, language=self.language)
        return [self.line("lasts", rank=rank, days=told, kwh=kwh)]

    def title(self, told: Mapping[str, Any]) -> str:
        """A title, the French one for who reads French, if there is one."""
        french = told["title_fr"] if self.language == "fr" else ""
        return str(french or told["title"])
