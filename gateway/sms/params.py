"""The JSON-able parameters of every kind of message: the contract of whoever writes a notice.

Amounts are integers in minor units of `currency` and named `..._minor`; energy is in
milliwatt-hours; DAI in wei. What is NotRequired may be absent or None.
"""

from collections.abc import Sequence
from typing import Final, Literal, NotRequired, TypedDict

FailureReason = Literal["cancelled", "timeout", "insufficient", "wrong_pin", "other"]
FAILURE_REASONS: Final[tuple[FailureReason, ...]] = (
    "cancelled",
    "timeout",
    "insufficient",
    "wrong_pin",
    "other",
)


class TopUpCredited(TypedDict):
    """A payment was credited; funds after it, and how much of it went to arrears."""

    household_code: str
    currency: str
    amount_minor: int
    receipt: str
    funds_minor: int
    arrears_taken_minor: NotRequired[int]
    days_left: NotRequired[int | None]
    energy_milliwatt_hours: NotRequired[int | None]


class DepositCredited(TypedDict):
    """Money that came on chain was credited: its worth in local money, and units of the asset."""

    household_code: str
    currency: str
    amount_minor: int
    asset: str
    asset_units: int
    asset_decimals: int
    receipt: str
    funds_minor: int
    arrears_taken_minor: NotRequired[int]
    days_left: NotRequired[int | None]
    energy_milliwatt_hours: NotRequired[int | None]


class PaymentTaken(TypedDict):
    """A payment, or part of it, was given back or taken back; funds after it."""

    household_code: str
    currency: str
    amount_minor: int
    receipt: str
    funds_minor: int
    days_left: NotRequired[int | None]
    energy_milliwatt_hours: NotRequired[int | None]


class AgentTookCash(TypedDict):
    """To the agent: cash was booked for a household; what the float holds after it."""

    household_code: str
    currency: str
    amount_minor: int
    receipt: str
    float_minor: int


class FloatReply(TypedDict):
    """To an agent: what the float holds."""

    agent_code: str
    currency: str
    float_minor: int


class LowFunds(TypedDict):
    """Funds are nearly used up."""

    household_code: str
    currency: str
    funds_minor: int
    days_left: NotRequired[int | None]
    energy_milliwatt_hours: NotRequired[int | None]
    ussd_code: NotRequired[str]


class TopUpFailed(TypedDict):
    """The provider said for certain that nothing was taken."""

    household_code: str
    currency: str
    amount_minor: int
    reason: FailureReason
    ussd_code: NotRequired[str]


class TopUpInSuspense(TypedDict):
    """To the payer: money came for an account nobody knows; account as it was typed."""

    currency: str
    amount_minor: int
    receipt: str
    account: str
    help_phone: NotRequired[str | None]


class BalanceReply(TypedDict):
    """price_minor_per_kwh is to the nearest minor unit."""

    household_code: str
    currency: str
    funds_minor: int
    funds_wei: int
    arrears_minor: NotRequired[int]
    days_left: NotRequired[int | None]
    energy_milliwatt_hours: NotRequired[int | None]
    price_minor_per_kwh: NotRequired[int | None]


class PeriodUse(TypedDict):
    """period "today", "yesterday" or "days"; days only with the last."""

    period: Literal["today", "yesterday", "days"]
    energy_milliwatt_hours: int
    days: NotRequired[int]
    cost_minor: NotRequired[int | None]


class UsageReply(TypedDict):
    """Periods in the order in which they are told."""

    household_code: str
    currency: str
    periods: Sequence[PeriodUse]


class HelpReply(TypedDict):
    """How to go on."""

    ussd_code: NotRequired[str]
    help_phone: NotRequired[str | None]


class Payment(TypedDict):
    """day as ISO 8601 "2026-11-22", in the site's time zone."""

    day: str
    amount_minor: int
    currency: str
    receipt: str


class LastPaymentsReply(TypedDict):
    """Newest first; the first three are told."""

    household_code: str
    payments: Sequence[Payment]


class Tax(TypedDict):
    """A tax or levy contained in a receipt."""

    name: str
    rate_basis_points: int
    amount_minor: int


class FiscalReceiptReply(TypedDict):
    """The last fiscal receipt; number None where there is none yet, then the rest is absent.

    day as ISO 8601, in the site's time zone; signing "signed", "waiting" or "unsigned".
    """

    household_code: str
    number: str | None
    is_credit_note: NotRequired[bool]
    day: NotRequired[str]
    gross_minor: NotRequired[int]
    currency: NotRequired[str]
    taxes: NotRequired[Sequence[Tax]]
    signing: NotRequired[str]
    device: NotRequired[str]
    device_number: NotRequired[str]
    signature: NotRequired[str]
    url: NotRequired[str]


class TopUpPromptSent(TypedDict):
    """The provider's own prompt is on its way."""

    household_code: str
    currency: str
    amount_minor: int


class RateCompensation(TypedDict):
    """The site rate of the month changed; funds in local money, the same before and after."""

    household_code: str
    currency: str
    funds_minor: int
    arrears_minor: NotRequired[int]


class RatePublished(TypedDict):
    """A site rate that is to come: day as ISO 8601, units of the currency for one DAI as text."""

    household_code: str
    currency: str
    local_per_dai: str
    day: str


class RoundOpened(TypedDict):
    """A vote is open until the end of day (ISO 8601); title_fr may be empty."""

    round_number: int
    title: str
    title_fr: str
    day: str
    ussd_code: NotRequired[str]


class RoundCounted(TypedDict):
    """Titles of what was funded, in the order of being chosen, in both languages."""

    round_number: int
    titles: Sequence[str]
    titles_fr: Sequence[str]


class RoundCancelled(TypedDict):
    """A vote was ended without a count; news says why."""

    round_number: int
    news: str


class VoteReceived(TypedDict):
    """A household's vote was taken, or had been taken before."""

    household_code: str
    round_number: int
    receipt_code: str


class OnBallot(TypedDict):
    """A project of the open round."""

    number: int
    title: str
    title_fr: str


class VoteHow(TypedDict):
    """What can be voted on, and how."""

    round_number: int
    projects: Sequence[OnBallot]


class ProjectNews(TypedDict):
    """What became of a project that the household voted for, as the operator wrote it."""

    round_number: int
    title: str
    title_fr: str
    news: str


class ProposalMade(TypedDict):
    """Somebody proposed a project in the household's name."""

    household_code: str
    title: str


class PayoutTold(TypedDict):
    """To a payee: a payout arrived, or came back; minor units of the currency, or wei of DAI."""

    site_name: str
    amount_minor: int | None
    currency: str
    amount_wei: int
    receipt: str


class WhichAccount(TypedDict):
    """Several households share the phone; their codes, at least one."""

    household_codes: Sequence[str]


class NotRegistered(TypedDict):
    """The phone belongs to no household."""

    help_phone: NotRequired[str | None]


class AmountWrong(TypedDict):
    """TOPUP without an amount we can take."""

    currency: str
    min_top_up_minor: int
    max_top_up_minor: int


class PayByPaybill(TypedDict):
    """Prompts cannot be sent: business number and account; None where there is no paybill."""

    household_code: str
    service: NotRequired[str | None]
    business_number: NotRequired[str | None]


class ProofReply(TypedDict):
    """Where a household sees its tokens and links a wallet; the address is the password."""

    household_code: str
    proof_url: str


class AboutHousehold(TypedDict):
    """Nothing but the household."""

    household_code: str


class WalletComing(TypedDict):
    """A wallet was linked and waits; the day as ISO 8601 from which tokens go to it."""

    household_code: str
    wallet: str
    day: str


class Nothing(TypedDict):
    """No parameters."""
