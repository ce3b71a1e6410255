"""pawaPay as a Provider: deposits, refunds and payouts under ids of ours, one wallet a rail.

The rail's merchant account names the wallet: its country, and behind a slash the operator of the
numbers that no prefix of PAWAPAY_PREFIXES fits (`SEN`, `SEN/ORANGE_SEN`). A deposit's id is our own
and the reference of its payment, too: the statement shows it, while the operator's own id, which
the payer's receipt shows, is in no documented column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts.attempts import Answer
from accounts.models import PaymentAttempt, Rail, Refund
from accounts.money import CURRENCY_DECIMALS, decimal_string, minor_from_string
from accounts.refunds import RefundAnswer
from accounts.topups import ConfirmedPayment
from gateway.providers.interface import (
    Amount,
    BadSignature,
    Callback,
    Capabilities,
    Initiated,
    Movement,
    Notification,
    ProviderRefused,
    ProviderUnavailable,
    StatementEntry,
    UnreadableRow,
)
from gateway.providers.models import StatementRow
from gateway.providers.pawapay import keys, signatures, statement
from gateway.providers.pawapay.callbacks import UNREADABLE, Result, notification, result_of
from gateway.providers.pawapay.client import Pawapay, Wallet
from settlement.models import Payout
from settlement.payout_sending import PayoutAnswer

GRACE = timedelta(minutes=10)
"""A request that pawaPay never confirmed and does not know this long after never reached it."""
STATEMENT_LAG = timedelta(minutes=30)
"""pawaPay's statement of today may be 20 minutes behind."""
NOT_FOUND = "NOT_FOUND"
MESSAGE = "Solar power"
DEPOSIT, FEE, REFUND, WITHDRAWAL = "DEPOSIT", "DEPOSIT_FEE", "REFUND", "WITHDRAWAL"
PAYOUT = "PAYOUT"

Kind = StatementRow.Kind
State = PaymentAttempt.State
NEVER_CONFIRMED = (State.CREATED, State.SUBMITTING, State.UNKNOWN)
PAYOUT_NEVER_CONFIRMED = (Payout.State.SENDING, Payout.State.UNKNOWN)
REFUND_NEVER_CONFIRMED = (Refund.State.CREATED, Refund.State.SUBMITTING, Refund.State.UNKNOWN)


class PawapayProvider:
    """The wallet of one rail."""

    capabilities = Capabilities(
        prompts_phone=True,
        names_requests_ahead=True,
        refunds=True,
        partial_refunds=True,
        has_statement=True,
        tells_amount=True,
        signs_callbacks=True,
    )

    def __init__(self, *, rail: Rail, client: Pawapay) -> None:
        self.rail = rail
        self.client = client

    def initiate(self, *, attempt: PaymentAttempt, hooks_url: str, at: datetime) -> Initiated:
        """Put the prompt on the payer's phone; see Provider. Callbacks go where pawaPay was told
        to on its own pages: hooks_url has no say."""
        intent = attempt.intent
        if not attempt.phone:
            raise ProviderRefused(code="phone", text="pawaPay asks on a phone, and none is named")
        deposit_id = str(attempt.request_id)
        keys.ensure(client=self.client)
        self.client.deposit(
            deposit_id=deposit_id,
            phone=attempt.phone,
            operator=self._operator(phone=attempt.phone),
            amount=_amount(intent.amount_minor, currency=intent.currency),
            currency=intent.currency,
            account=intent.account_text,
            message=MESSAGE,
        )
        return Initiated(provider_request=deposit_id)

    def query(self, *, attempt: PaymentAttempt, at: datetime) -> Answer:
        """Ask for the status of a deposit; see Provider."""
        deposit_id = str(attempt.request_id)
        fields = self.client.deposit_status(deposit_id=deposit_id)
        if fields is None:
            # What pawaPay confirmed once is somewhere, even if it does not find it now.
            asked_at = attempt.submitted_at or attempt.created_at
            is_gone = attempt.state in NEVER_CONFIRMED and at - asked_at > GRACE
            return Answer(is_final=is_gone, code=NOT_FOUND, text="pawaPay knows no such deposit")
        told = _read(fields)
        if told.amount_minor is None:
            raise ProviderUnavailable(f"pawapay status: an amount in {told.currency}")
        return Answer(
            is_final=told.is_done or told.is_failed,
            is_paid=told.is_done,
            code=told.code,
            text=told.text,
            reference=deposit_id if told.is_done else "",
            amount_minor=told.amount_minor,
            currency=told.currency,
            paid_at=told.created_at,
            provider_request=deposit_id,
        )

    def verify(self, *, callback: Callback, at: datetime) -> None:
        """Check the signature where PAWAPAY_CALLBACKS_SIGNED asks for one; see Provider."""
        if not settings.PAWAPAY_CALLBACKS_SIGNED:
            return
        known = keys.remembered(at=at)
        try:
            _verify(callback, known=known, at=at)
        except BadSignature:
            # Perhaps with a key that is newer than what we remember.
            if keys.learned(at=at) == known:
                raise
            _verify(callback, known=keys.remembered(at=at), at=at)

    def parse_callback(self, *, callback: Callback) -> Notification:
        """Read the result of a deposit, a refund or a payout; see Provider."""
        return notification(callback.body)

    def refund(self, *, refund: Refund, hooks_url: str, at: datetime) -> RefundAnswer:
        """Give (part of) a deposit back to who paid it; see Provider."""
        refund_id = str(refund.request_id)
        self.client.refund(
            refund_id=refund_id,
            deposit_id=refund.payment.reference,
            amount=_amount(refund.amount_minor, currency=refund.currency),
            currency=refund.currency,
        )
        return RefundAnswer(is_final=False, provider_request=refund_id)

    def query_refund(self, *, refund: Refund, at: datetime) -> RefundAnswer:
        """Ask for the status of a refund; see Provider."""
        refund_id = str(refund.request_id)
        fields = self.client.refund_status(refund_id=refund_id)
        if fields is None:
            asked_at = refund.submitted_at or refund.created_at
            is_gone = refund.state in REFUND_NEVER_CONFIRMED and at - asked_at > GRACE
            return RefundAnswer(
                is_final=is_gone, code=NOT_FOUND, text="pawaPay knows no such refund"
            )
        told = _read(fields)
        return RefundAnswer(
            is_final=told.is_done or told.is_failed,
            is_done=told.is_done,
            code=told.code,
            text=told.text,
            reference=refund_id if told.is_done else "",
            provider_request=refund_id,
        )

    def pay_out(self, *, payout: Payout, hooks_url: str, at: datetime) -> PayoutAnswer:
        """Send money to a phone out of the wallet; see Paying."""
        payout_id = str(payout.request_id)
        keys.ensure(client=self.client)
        self.client.pay_out(
            payout_id=payout_id,
            phone=payout.destination,
            operator=self._operator(phone=payout.destination),
            amount=_amount(payout.amount_minor or 0, currency=payout.currency),
            currency=payout.currency,
            reference=str(payout.uid),
            message=MESSAGE,
        )
        return PayoutAnswer(is_final=False, provider_request=payout_id)

    def query_payout(self, *, payout: Payout, at: datetime) -> PayoutAnswer:
        """Ask for the status of a payout; see Paying."""
        payout_id = str(payout.request_id)
        fields = self.client.payout_status(payout_id=payout_id)
        if fields is None:
            sent_at = payout.sent_at or payout.proposed_at
            is_gone = payout.state in PAYOUT_NEVER_CONFIRMED and at - sent_at > GRACE
            return PayoutAnswer(
                is_final=is_gone, code=NOT_FOUND, text="pawaPay knows no such payout"
            )
        told = _read(fields)
        if told.is_done and (told.amount_minor, told.currency) != (
            payout.amount_minor,
            payout.currency,
        ):
            raise ProviderUnavailable(f"pawapay payout: {told.amount_minor} {told.currency}")
        return PayoutAnswer(
            is_final=told.is_done or told.is_failed,
            is_done=told.is_done,
            code=told.code,
            text=told.text,
            reference=payout_id if told.is_done else "",
        )

    def list_transactions(self, *, since: datetime, until: datetime) -> Iterator[StatementEntry]:
        """Yield the rows of the wallet's statement; see Provider."""
        rows = list(
            statement.read(
                client=self.client,
                wallet=self._wallet(),
                since=since - STATEMENT_LAG,
                until=until + timedelta(seconds=1),
            )
        )
        good = [row for row in rows if isinstance(row, statement.Line)]
        fees_minor = {row.reference: row.amount_minor for row in good if row.kind == FEE}
        accounts = _accounts(row.reference for row in good if row.kind == DEPOSIT)
        paid = {row.reference for row in good if row.kind == DEPOSIT}
        seen: set[tuple[str, str]] = set()
        for row in rows:
            if isinstance(row, statement.BadLine):
                yield UnreadableRow(reference=row.reference, detail=row.detail)
                continue
            is_new = (row.kind, row.reference) not in seen
            seen.add((row.kind, row.reference))
            # Files of neighbouring spans share the second between them.
            if is_new and not (row.kind == FEE and row.reference in paid):
                yield self._entry(row, fees_minor=fees_minor, accounts=accounts)

    def _entry(
        self, row: statement.Line, *, fees_minor: Mapping[str, int], accounts: Mapping[str, str]
    ) -> StatementEntry:
        if row.kind == DEPOSIT:
            return ConfirmedPayment(
                rail=self.rail,
                reference=row.reference,
                amount_minor=row.amount_minor,
                currency=row.currency,
                paid_at=row.at,
                account_text=row.metadata.get("account") or accounts.get(row.reference, ""),
                payer_phone=f"+{row.phone}" if row.phone.isdigit() else row.phone,
                fee_minor=fees_minor.get(row.reference),
                provider_request=row.reference,
            )
        kinds = {
            REFUND: Kind.REFUND,
            PAYOUT: Kind.PAYOUT,
            WITHDRAWAL: Kind.PAYOUT,
            FEE: Kind.FEE,
        }
        if row.kind not in kinds:
            way = "out of" if row.is_out else "into"
            return UnreadableRow(
                reference=row.reference,
                detail=f"{row.kind}: {row.amount_minor} minor units of {row.currency} {way} it",
            )
        return Movement(
            kind=kinds[row.kind],
            reference=row.reference,
            payment_reference=row.reference if row.kind == FEE else row.metadata.get("deposit", ""),
            amount_minor=row.amount_minor,
            currency=row.currency,
            happened_at=row.at,
            detail=row.kind.lower(),
        )

    def balance(self, *, at: datetime) -> Amount | None:
        """Return what the wallet holds; see Provider."""
        wallet = self._wallet()
        for told in self.client.balances(country=wallet.country):
            # A wallet of one operator alone is another rail's.
            if told.get("currency") == wallet.currency and not told.get("provider"):
                return Amount(
                    amount_minor=_told_minor(told, currency=wallet.currency),
                    currency=wallet.currency,
                    told_at=at,
                )
        raise ProviderUnavailable(f"pawapay: no {wallet.currency} wallet in {wallet.country}")

    def _wallet(self) -> Wallet:
        country = self.rail.merchant_account.partition("/")[0]
        return Wallet(country=country, currency=self.rail.currency)

    def _operator(self, *, phone: str) -> str:
        """The mobile money operator of a number (E.164). Raises ProviderRefused."""
        digits = phone.removeprefix("+")
        fitting = [prefix for prefix in settings.PAWAPAY_PREFIXES if digits.startswith(prefix)]
        if fitting:
            return str(settings.PAWAPAY_PREFIXES[max(fitting, key=len)])
        default = self.rail.merchant_account.partition("/")[2]
        if not default:
            raise ProviderRefused(code="operator", text="no operator is known for this number")
        return default


def _verify(callback: Callback, *, known: Mapping[str, bytes], at: datetime) -> None:
    signatures.verify(callback=callback, keys=known, public_url=settings.PUBLIC_URL, at=at)


def _accounts(deposit_ids: Iterator[str]) -> dict[str, str]:
    """What each deposit of ours was for, where the statement's metadata does not say."""
    ours = PaymentAttempt.objects.filter(request_id__in=list(filter(_is_uuid, deposit_ids)))
    return {
        str(attempt.request_id): attempt.intent.account_text
        for attempt in ours.select_related("top_up__household", "pledge")
    }


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _read(fields: dict[str, Any]) -> Result:
    try:
        return result_of(fields)
    except UNREADABLE as error:
        raise ProviderUnavailable(f"pawapay status: {error!r}"[:200]) from error


def _told_minor(told: Mapping[str, Any], *, currency: str) -> int:
    try:
        return minor_from_string(text=str(told.get("balance")), currency=currency)
    except ValueError as error:
        raise ProviderUnavailable(f"pawapay balance: {error}") from error


def _amount(amount_minor: int, *, currency: str) -> str:
    """As pawaPay's schema wants it: no zeros behind the last digit."""
    decimals = CURRENCY_DECIMALS.get(currency)
    if decimals is None:
        raise ProviderRefused(code="currency", text=f"{currency} is not counted in here")
    text = decimal_string(amount=amount_minor, decimals=decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text
