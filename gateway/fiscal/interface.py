"""What every fiscal device can do. See gateway/fiscal/etims for one that does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class DeviceUnavailable(Exception):
    """The device did not answer, or not in its form: it may have signed. Ask again."""


class DeviceUnreachable(DeviceUnavailable):
    """The device could not be asked, or is not ready: it signed nothing."""


class DeviceRefused(Exception):
    """The device said no to this document, and signed nothing. code is its own."""

    def __init__(self, *, code: str, text: str) -> None:
        super().__init__(f"{code} {text}".strip())
        self.code = code
        self.text = text


class AlreadySigned(Exception):
    """The device has signed this number before; what it signed has to be asked for."""


class NumberTaken(Exception):
    """The device has signed something else under this number, for another till."""


class CannotAsk(Exception):
    """The device does not tell what it signed under a number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One tax or levy contained in a document. kind is "tax" or "levy", code the authority's."""

    kind: str
    name: str
    code: str
    rate_basis_points: int
    amount_minor: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A receipt, or a credit note, as a device is to sign it.

    number follows the last one of its device without a gap; original_number is the number of the
    receipt that a credit note takes back. reference is ours and unique, paid_by the provider's
    name (accounts.models.Rail.Provider). Amounts are minor units and above zero for credit notes
    as well.
    """

    number: int
    reference: str
    gross_minor: int
    currency: str
    parts: tuple[Part, ...]
    paid_by: str
    tax_point_at: datetime
    issued_at: datetime
    original_number: int | None = None

    @property
    def is_credit_note(self) -> bool:
        """Whether it takes back what an earlier one said."""
        return self.original_number is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """A device's signature, as it has to be printed.

    device names the control unit, number is its own count; verification_url leads the public to
    the authority's copy, "" where there is none.
    """

    device: str
    number: str
    signature: str
    signed_at: datetime
    verification_url: str = ""


class FiscalDevice(Protocol):
    """One control unit of a tax authority."""

    def sign(self, *, document: Document) -> Signed:
        """Have a document signed.

        Raises DeviceRefused or DeviceUnreachable (nothing was signed), DeviceUnavailable
        (unknown), AlreadySigned.
        """

    def find(self, *, document: Document) -> Signed | None:
        """Return what was signed under the document's number, None if nothing was.

        Raises NumberTaken, CannotAsk, DeviceUnavailable.
        """
