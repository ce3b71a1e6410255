"""What every provider of payments can do. See docs/adding-a-provider.md; gateway/providers/momo
is a small one to replicate, gateway/providers/daraja one with every oddity.

Nothing here credits or takes back money: an adapter only asks and tells. What a callback claims is
a reason to ask, never a reason to credit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from accounts.attempts import Answer
from accounts.models import GivingPlan, PaymentAttempt, Refund
from accounts.refunds import RefundAnswer
from accounts.topups import ConfirmedPayment
from settlement.models import Payout
from settlement.payout_sending import PayoutAnswer


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


class BadSignature(Exception):
    """The callback is not signed as the provider signs: it must not even make us ask."""


class MalformedCallback(ValueError):
    """The body is not what the provider sends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What a provider can do; the rest of the service asks here, never for a provider's name."""

    prompts_phone: bool = False
    """The payer is asked on their phone, and pays there."""
    pays_on_page: bool = False
    """`initiate` returns a page where the payer pays."""
    takes_unasked: bool = False
    """Payers can pay to an account without being asked (a paybill)."""
    names_requests_ahead: bool = False
    """We choose the request's id (attempt.request_id): an unanswered submit can be asked after."""
    repeats_safely: bool = False
    """An unanswered `initiate` is simply asked again: the provider knows it by attempt.request_id
    and answers as it did the first time."""
    refunds: bool = False
    partial_refunds: bool = False
    has_statement: bool = False
    """`list_transactions` yields every movement of a span. Where it is false, reconciliation asks
    after each of our own payments by `query`."""
    tells_amount: bool = False
    """`balance` says what lies on the merchant's account."""
    plans: bool = False
    """`initiate` for the first month of a monthly donation begins one that the provider goes on
    charging by itself (PlanKeeping)."""
    signs_callbacks: bool = False
    whole_major_units: bool = False
    """Amounts with a part below one major unit are refused (M-Pesa: whole shillings)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Initiated:
    """The provider took the request. pay_url is the page where the payer pays, if there is one."""

    provider_request: str
    pay_url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Callback:
    """A callback as it came. subject is what its path named (a token), or ""."""

    body: str
    subject: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case; only those that a signature needs."""
    method: str = "POST"
    url: str = ""


class Event(StrEnum):
    """What a notification is about."""

    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    PLAN = "plan"
    PAYOUT = "payout"
    OTHER = "other"
    """Kept and ignored: an event this service has no use for, or does not know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """What a callback claims. It credits nothing: it only makes us ask.

    provider_request names the attempt (or refund, or payout) at the provider, subject the dispute,
    or the monthly donation.
    amount_minor and phone are None where it names none; reference is the receipt it names.
    """

    event: Event = Event.PAYMENT
    provider_request: str = ""
    subject: str = ""
    is_success: bool = False
    reference: str = ""
    amount_minor: int | None = None
    currency: str = ""
    phone: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """A row of the statement that is no payment: money that left again, or came back.

    kind is a StatementRow.Kind; reference the provider's id of this movement; payment_reference
    that of the payment it takes back, "" for payouts and fees. amount_minor is above zero.
    """

    kind: str
    reference: str
    payment_reference: str = ""
    amount_minor: int
    fee_minor: int = 0
    currency: str
    happened_at: datetime
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadableRow:
    """A row of the statement that could not be understood; a person has to look at it there."""

    reference: str
    detail: str


StatementEntry = ConfirmedPayment | Movement | UnreadableRow


@dataclass(frozen=True, kw_only=True, slots=True)
class DisputeAnswer:
    """What the provider says of a dispute now. state is a Dispute.State."""

    reference: str
    payment_reference: str
    amount_minor: int
    fee_minor: int
    currency: str
    reason: str
    state: str
    opened_at: datetime
    evidence_due_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanMonth:
    """One month of a monthly donation, as the provider tells of it.

    reference is its name of the month (an invoice), plan that of the plan; subject is what we call
    the plan, where the provider kept that, or "". is_first: it is paid by the attempt that began
    the plan.
    """

    reference: str
    plan: str
    subject: str
    is_first: bool
    is_paid: bool
    began_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanAnswer:
    """How a monthly donation stands now; names as in PlanMonth. state is a GivingPlan.State.

    failed_month is the month whose card was refused last, failure why; "" where none was. months
    are in order, those that are not paid included.
    """

    reference: str
    subject: str
    state: str
    failure: str = ""
    failed_month: str = ""
    months: tuple[PlanMonth, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """What lies on the merchant's account, pending included, in minor units."""

    amount_minor: int
    currency: str
    told_at: datetime


class Provider(Protocol):
    """One merchant account at one provider."""

    capabilities: Capabilities

    def initiate(self, *, attempt: PaymentAttempt, hooks_url: str, at: datetime) -> Initiated:
        """Ask the payer. hooks_url is the base of our hooks, secret included; the adapter adds its
        own path behind it. Asking again with the same attempt.request_id does nothing twice.

        Raises ProviderRefused or ProviderUnreachable (nothing happened) or ProviderUnavailable
        (unknown).
        """

    def query(self, *, attempt: PaymentAttempt, at: datetime) -> Answer:
        """Return what became of an attempt. Raises ProviderUnavailable."""

    def verify(self, *, callback: Callback, at: datetime) -> None:
        """Check who sent it, without asking anybody. Raises BadSignature.

        Where the provider signs nothing, the secret in the path has already said all there is.
        """

    def parse_callback(self, *, callback: Callback) -> Notification:
        """Read what a callback claims. Raises MalformedCallback."""

    def refund(self, *, refund: Refund, hooks_url: str, at: datetime) -> RefundAnswer:
        """Give money back to the source that paid. The same refund.request_id gives once.

        Raises ProviderRefused, ProviderUnreachable, ProviderUnavailable as initiate does.
        """

    def query_refund(self, *, refund: Refund, at: datetime) -> RefundAnswer:
        """Return what became of a refund. Raises ProviderUnavailable."""

    def list_transactions(self, *, since: datetime, until: datetime) -> Iterator[StatementEntry]:
        """Yield the rows of the provider's own statement, any number of times the same.

        Raises ProviderUnavailable. Yields nothing where capabilities.has_statement is false.
        """

    def balance(self, *, at: datetime) -> Amount | None:
        """Return what lies on the merchant's account; None where the answer comes later, or never.

        Raises ProviderUnavailable.
        """


@runtime_checkable
class Disputing(Protocol):
    """What a provider of cards can do besides."""

    def query_dispute(self, *, reference: str, at: datetime) -> DisputeAnswer:
        """Return what became of a dispute. Raises ProviderUnavailable."""


@runtime_checkable
class PlanKeeping(Protocol):
    """What a provider can do besides that charges every month (accounts.rails.MONTHLY).

    `query` of an attempt that is named by a month says what was paid for it.
    """

    def find_plan(self, *, attempt: PaymentAttempt) -> str:
        """Return what the provider calls the plan that an attempt began, "" while there is none.

        Raises ProviderUnavailable.
        """

    def query_plan(self, *, reference: str, since: datetime) -> PlanAnswer:
        """Return how a plan stands, with at least the months that were paid since then.

        Raises ProviderUnavailable.
        """

    def query_month(self, *, reference: str) -> PlanMonth:
        """Return whose month it is. Raises ProviderUnavailable."""

    def end_plan(self, *, plan: GivingPlan) -> None:
        """Charge no further month. Ending one that has ended does nothing.

        Raises ProviderRefused, ProviderUnreachable, ProviderUnavailable as initiate does.
        """


@runtime_checkable
class Paying(Protocol):
    """What a provider can do besides that pays out to phones (accounts.rails.PAYING)."""

    def pay_out(self, *, payout: Payout, hooks_url: str, at: datetime) -> PayoutAnswer:
        """Send a payout to payout.destination. The same payout.request_id pays once.

        Raises ProviderRefused or ProviderUnreachable (nothing happened) or ProviderUnavailable
        (unknown).
        """

    def query_payout(self, *, payout: Payout, at: datetime) -> PayoutAnswer:
        """Return what became of a payout. Raises ProviderUnavailable."""
