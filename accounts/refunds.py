"""Refunds: money given back to the source that paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundAnswer:
    """What a provider said of a refund.

    is_final and is_done: the money is on its way back; is_final and not is_done: it will not be,
    code and text say why. reference is the provider's id of the refund, provider_request what it
    calls our request, where it tells them. fee_minor is what the provider charges for it.
    """

    is_final: bool
    is_done: bool = False
    code: str = ""
    text: str = ""
    reference: str = ""
    provider_request: str = ""
    fee_minor: int = 0
    done_at: datetime | None = None
