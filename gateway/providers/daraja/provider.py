"""Daraja as a Provider: prompts, their query, and the statement of the paybill."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings

from accounts.attempts import Answer
from accounts.models import PaymentAttempt, Rail, Refund
from accounts.money import minor_from_string, minor_per_major
from accounts.refunds import RefundAnswer
from accounts.topups import ConfirmedPayment
from gateway.providers.daraja.callbacks import CURRENCY, UNREADABLE, printable, stk_notification
from gateway.providers.daraja.client import PULL_PAGE_ROWS, Daraja
from gateway.providers.interface import (
    Amount,
    Callback,
    Capabilities,
    Initiated,
    Notification,
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

    capabilities = Capabilities(
        prompts_phone=True,
        takes_unasked=True,
        has_statement=True,
        whole_major_units=True,
    )

    def __init__(self, *, rail: Rail, client: Daraja) -> None:
        self.rail = rail
        self.client = client

    def initiate(self, *, attempt: PaymentAttempt, hooks_url: str, at: datetime) -> Initiated:
        """Put the prompt on the payer's phone; see Provider."""
        intent = attempt.intent
        shillings, cents = divmod(intent.amount_minor, minor_per_major(currency=CURRENCY))
        if cents:
            raise ProviderRefused(code="amount", text="M-Pesa takes whole shillings")
        request = self.client.stk_push(
            phone=attempt.phone,
            amount_shillings=shillings,
            account=intent.account_text,
            description="Solar power",
            callback_url=f"{hooks_url}/daraja/stk/{attempt.token}",
            at=at,
        )
        return Initiated(provider_request=request)

    def query(self, *, attempt: PaymentAttempt, at: datetime) -> Answer:
        """Ask for the result of a prompt; see Provider."""
        result = self.client.stk_query(checkout_request_id=attempt.provider_request, at=at)
        if result is None or result[0] == UNDER_PROCESSING:
            return Answer(is_final=False)
        code, text = result
        return Answer(is_final=True, is_paid=code == PAID, code=code, text=text)

    def verify(self, *, callback: Callback, at: datetime) -> None:
        """Nothing is signed: the secret and the token in the path say who calls."""

    def parse_callback(self, *, callback: Callback) -> Notification:
        """Read the result of a prompt; see Provider."""
        return stk_notification(callback.body)

    def refund(self, *, refund: Refund, hooks_url: str, at: datetime) -> RefundAnswer:
        """Not offered yet."""
        raise ProviderRefused(code="refund", text="reverse it at the provider")

    def query_refund(self, *, refund: Refund, at: datetime) -> RefundAnswer:
        """Not offered yet."""
        return RefundAnswer(is_final=False)

    def balance(self, *, at: datetime) -> Amount | None:
        """Not told at once; see Provider."""
        return None

    def list_transactions(
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
