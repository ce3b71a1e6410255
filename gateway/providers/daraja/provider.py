"""Daraja as a Provider: prompts, their query, and the statement of the paybill."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings

from accounts.attempts import Answer
from accounts.models import Rail, TopUpAttempt
from accounts.money import minor_from_string, minor_per_major
from accounts.topups import ConfirmedPayment
from gateway.providers.daraja.callbacks import CURRENCY, UNREADABLE, printable
from gateway.providers.daraja.client import PULL_PAGE_ROWS, Daraja
from gateway.providers.interface import (
    ProviderRefused,
    ProviderUnavailable,
    UnreadableRow,
)

PAID = "0"
UNDER_PROCESSING = "4999"
LONGEST_PULL = timedelta(hours=48)
MOST_MINOR = 10**12


class DarajaProvider:
    """The paybill of one rail."""

    def __init__(self, *, rail: Rail, client: Daraja) -> None:
        self.rail = rail
        self.client = client

    def initiate(self, *, attempt: TopUpAttempt, callback_url: str, at: datetime) -> str:
        """Put the prompt on the payer's phone; see Provider."""
        top_up = attempt.top_up
        shillings, cents = divmod(top_up.amount_minor, minor_per_major(currency=CURRENCY))
        if cents:
            raise ProviderRefused(code="amount", text="M-Pesa takes whole shillings")
        return self.client.stk_push(
            phone=top_up.phone,
            amount_shillings=shillings,
            account=top_up.household.code,
            description="Solar power",
            callback_url=callback_url,
            at=at,
        )

    def query(self, *, attempt: TopUpAttempt, at: datetime) -> Answer:
        """Ask for the result of a prompt; see Provider."""
        result = self.client.stk_query(checkout_request_id=attempt.provider_request, at=at)
        if result is None or result[0] == UNDER_PROCESSING:
            return Answer(is_final=False)
        code, text = result
        return Answer(is_final=True, is_paid=code == PAID, code=code, text=text)

    def payments(
        self, *, since: datetime, until: datetime
    ) -> Iterator[ConfirmedPayment | UnreadableRow]:
        """Yield the rows of the pulled statement; see Provider."""
        begin = since
        while begin < until:
            end = min(begin + LONGEST_PULL, until)
            offset = 0
            while True:
                rows = self._page(since=begin, until=end, offset=offset)
                yield from map(self._payment, rows)
                if len(rows) < PULL_PAGE_ROWS:
                    break
                offset += len(rows)
            begin = end

    def _page(self, *, since: datetime, until: datetime, offset: int) -> list[dict[str, Any]]:
        try:
            return self.client.pull(since=since, until=until, offset=offset, at=until)
        except ProviderRefused as refusal:
            raise ProviderUnavailable(f"statement refused: {refusal}") from refusal

    def _payment(self, row: Any) -> ConfirmedPayment | UnreadableRow:
        reference = ""
        try:
            reference = printable(row["transactionId"])[:64]
            paid_at = datetime.fromisoformat(str(row["trxDate"]))
            amount_minor = minor_from_string(text=str(row["amount"]), currency=CURRENCY)
            if not reference or not 0 < amount_minor <= MOST_MINOR:
                raise ValueError("no receipt, or an amount that is none")
            return ConfirmedPayment(
                rail=self.rail,
                reference=reference,
                amount_minor=amount_minor,
                currency=CURRENCY,
                paid_at=paid_at if paid_at.tzinfo else paid_at.replace(tzinfo=UTC),
                account_text=printable(row.get("billreference") or ""),
                payer_phone=printable(row.get("msisdn") or ""),
            )
        except UNREADABLE as error:
            return UnreadableRow(reference=reference, detail=repr(error)[:200])


@lru_cache(maxsize=16)
def shared_client() -> Daraja:
    """Return the process's client, so that its token and connections are kept."""
    return Daraja(
        base_url=settings.DARAJA_URL,
        consumer_key=settings.DARAJA_CONSUMER_KEY,
        consumer_secret=settings.DARAJA_CONSUMER_SECRET,
        short_code=settings.DARAJA_SHORT_CODE,
        passkey=settings.DARAJA_PASSKEY,
    )
