"""What every provider of payments can do. See gateway/providers/daraja for one that does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from accounts.attempts import Answer
from accounts.models import TopUpAttempt
from accounts.topups import ConfirmedPayment


class ProviderUnavailable(Exception):
    """The provider did not answer, or not in its form: what it did is unknown. Ask again."""


class ProviderUnreachable(ProviderUnavailable):
    """The provider could not be asked at all: nothing happened there."""


class ProviderRefused(Exception):
    """The provider said no, and did nothing. code is its own."""

    def __init__(self, *, code: str, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """What a callback claims of an attempt. It credits nothing: it only makes us ask.

    amount_minor and phone are None where it names none.
    """

    provider_request: str
    is_success: bool
    reference: str = ""
    amount_minor: int | None = None
    phone: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadableRow:
    """A row of the statement that could not be understood; a person has to look at it there."""

    reference: str
    detail: str


class Provider(Protocol):
    """One merchant account at one provider."""

    def initiate(self, *, attempt: TopUpAttempt, callback_url: str, at: datetime) -> str:
        """Ask the payer; return what the provider calls it.

        Raises ProviderRefused or ProviderUnreachable (nothing happened) or ProviderUnavailable
        (unknown).
        """

    def query(self, *, attempt: TopUpAttempt, at: datetime) -> Answer:
        """Return what became of an attempt. Raises ProviderUnavailable."""

    def payments(
        self, *, since: datetime, until: datetime
    ) -> Iterator[ConfirmedPayment | UnreadableRow]:
        """Yield the rows of the provider's own statement. Raises ProviderUnavailable."""
