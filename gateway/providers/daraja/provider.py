"""Daraja as a Provider: prompts and their query, reversals, and the statement of the paybill."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings

from accounts.attempts import Answer
from accounts.models import PaymentAttempt, Rail, Refund
from accounts.money import minor_from_string, minor_per_major
from accounts.refunds import RefundAnswer
from gateway.providers.daraja import payouts, receipts, results, reversals, statement
from gateway.providers.daraja.callbacks import CURRENCY, UNREADABLE, stk_notification
from gateway.providers.daraja.client import Daraja
from gateway.providers.interface import (
    Amount,
    Callback,
    Capabilities,
    Initiated,
    MalformedCallback,
    Notification,
    ProviderRefused,
    ProviderUnavailable,
    StatementEntry,
)
from gateway.providers.models import ResultRequest
from settlement.models import Payout
from settlement.payout_sending import PayoutAnswer

PAID = "0"
UNDER_PROCESSING = "4999"
TOLD_LIFE = timedelta(minutes=5)
"""What the accounts held is not told again when it is older than this."""


class DarajaProvider:
    """The paybill of one rail."""

    def __init__(self, *, rail: Rail, client: Daraja) -> None:
        self.rail = rail
        self.client = client
        self.capabilities = Capabilities(
            prompts_phone=True,
            takes_unasked=True,
            has_statement=True,
            whole_major_units=True,
            refunds=client.can_command,
            partial_refunds=client.can_command,
            tells_amount=client.can_command,
        )

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
        """Ask for the result of a prompt, and whose the receipt is that a callback named.

        Paid with a reference: the receipt is known to be this prompt's. See Provider, receipts.
        """
        code, text = PAID, ""
        # The prompt's query said so already, and says nothing more.
        if attempt.state != PaymentAttempt.State.AWAITING_REFERENCE:
            result = self.client.stk_query(checkout_request_id=attempt.provider_request, at=at)
            if result is None or result[0] == UNDER_PROCESSING:
                return Answer(is_final=False)
            code, text = result
        if code != PAID or not attempt.claimed_reference:
            return Answer(is_final=True, is_paid=code == PAID, code=code, text=text)
        found = receipts.check(attempt=attempt, rail=self.rail, client=self.client, at=at)
        is_ours = found.verdict == receipts.Verdict.OURS
        return Answer(
            is_final=True,
            is_paid=True,
            code=code,
            text=text,
            reference=attempt.claimed_reference if is_ours else "",
            denies_reference=found.verdict == receipts.Verdict.NOT_OURS,
            paid_at=found.paid_at,
        )

    def verify(self, *, callback: Callback, at: datetime) -> None:
        """Nothing is signed: the secret and the token in the path say who calls."""

    def parse_callback(self, *, callback: Callback) -> Notification:
        """Read the result of a prompt; see Provider."""
        return stk_notification(callback.body)

    def refund(self, *, refund: Refund, hooks_url: str, at: datetime) -> RefundAnswer:
        """Ask for a reversal; its outcome comes to a result's path. See Provider."""
        return reversals.submit(
            refund=refund, rail=self.rail, client=self.client, hooks_url=hooks_url, at=at
        )

    def query_refund(self, *, refund: Refund, at: datetime) -> RefundAnswer:
        """Return what became of a reversal; see Provider."""
        return reversals.query(refund=refund, rail=self.rail, client=self.client, at=at)

    def pay_out(self, *, payout: Payout, hooks_url: str, at: datetime) -> PayoutAnswer:
        """Send money to a phone; its outcome comes to a result's path. See Paying."""
        return payouts.submit(
            payout=payout, rail=self.rail, client=self.client, hooks_url=hooks_url, at=at
        )

    def query_payout(self, *, payout: Payout, at: datetime) -> PayoutAnswer:
        """Return what became of a payout; see Paying."""
        return payouts.query(payout=payout, rail=self.rail, client=self.client, at=at)

    def list_transactions(self, *, since: datetime, until: datetime) -> Iterator[StatementEntry]:
        """Yield the rows of the pulled statement; see Provider."""
        for row in statement.rows(client=self.client, since=since, until=until):
            yield statement.entry(row=row, rail=self.rail)

    def balance(self, *, at: datetime) -> Amount | None:
        """Ask what the accounts hold, and return what they held minutes ago, all together.

        None where that was not told: the answer comes to a result's path. Raises
        ProviderUnavailable.
        """
        last = results.latest(rail=self.rail, kind=results.Kind.BALANCE)
        if self.client.can_command and (last is None or at - last.requested_at > results.PATIENCE):
            request = results.opened(rail=self.rail, kind=results.Kind.BALANCE, at=at)
            try:
                results.send(
                    request=request,
                    command=lambda url: self.client.ask_balance(result_url=url, at=at),
                )
            except ProviderRefused as refusal:
                raise ProviderUnavailable(f"balance refused: {refusal}") from refusal
        if last is None or not last.answered_at or at - last.answered_at > TOLD_LIFE:
            return None
        try:
            return told_amount(request=last)
        except MalformedCallback as error:
            raise ProviderUnavailable(str(error)) from error


def told_amount(*, request: ResultRequest) -> Amount | None:
    """Read an answered question for the accounts; None where the answer tells no amounts.

    Charges are an account of their own, below zero. Raises MalformedCallback.
    """
    if request.result_code != results.DONE or request.answered_at is None:
        return None
    try:
        accounts = str(request.result["AccountBalance"]).split("&")
        parts = [account.split("|") for account in accounts]
        amounts = [
            minor_from_string(text=amount, currency=CURRENCY)
            for _name, currency, amount, *_rest in parts
            if currency == CURRENCY
        ]
    except UNREADABLE as error:
        raise MalformedCallback(f"balance: {error!r}"[:200]) from error
    told_at = results.instant(str(request.result.get("BOCompletedTime", "")))
    return Amount(
        amount_minor=sum(amounts), currency=CURRENCY, told_at=told_at or request.answered_at
    )


@lru_cache(maxsize=16)
def shared_client() -> Daraja:
    """Return the process's client, so that its token and connections are kept."""
    return Daraja(
        base_url=settings.DARAJA_URL,
        consumer_key=settings.DARAJA_CONSUMER_KEY,
        consumer_secret=settings.DARAJA_CONSUMER_SECRET,
        short_code=settings.DARAJA_SHORT_CODE,
        passkey=settings.DARAJA_PASSKEY,
        initiator=settings.DARAJA_INITIATOR_NAME,
        security_credential=settings.DARAJA_SECURITY_CREDENTIAL,
    )
