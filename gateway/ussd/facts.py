"""What the screens may ask about the person who dialled; filled in by the caller, lazily.

A hop that shows a menu asks nothing: each attribute or call of `Facts` may cost a query.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Final, Literal, Protocol

from gateway.texts.numbers import MILLIWATT_HOURS_PER_KWH, WEI_PER_DAI, exponent, nearest

ALL_BASIS_POINTS: Final = 10_000

Period = Literal["today", "yesterday", "days_7", "days_30"]
PERIODS: Final[tuple[Period, ...]] = ("today", "yesterday", "days_7", "days_30")


@dataclass(frozen=True, slots=True)
class HouseholdFacts:
    """A household that this phone may speak for; language is "en", "fr" or "sw"."""

    code: str
    language: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class PaybillFacts:
    """Where to pay without a prompt: "M-Pesa", business number "174379"."""

    service: str
    business_number: str


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """A household's money at `as_of`, the end of the last settled slot.

    local_per_dai is the site's published rate in units (not minor units) per DAI;
    price_wei_per_kwh the price in force now, None if none is published;
    daily_spend_wei the mean cost per day of the last 7 days, 0 if nothing was used;
    arrears_share_bp how much of a top-up may go to arrears, in basis points.
    """

    code: str
    currency: str
    funds_wei: int
    arrears_wei: int
    local_per_dai: Fraction
    price_wei_per_kwh: int | None
    daily_spend_wei: int
    as_of: datetime
    min_top_up_minor: int
    max_top_up_minor: int
    arrears_share_bp: int = 3_000
    rail_available: bool = True
    paybill: PaybillFacts | None = None
    site_closed: bool = False

    @property
    def funds_minor(self) -> int:
        """Funds in minor units at the site rate, to the nearest: a credit floors to the wei,
        so that cutting here would show 499.99 to somebody who just paid 500."""
        return nearest(local_minor(self.funds_wei, self.local_per_dai, self.currency))

    @property
    def arrears_minor(self) -> int:
        """Arrears in minor units at the site rate, rounded up: it is what we ask for."""
        return -int(-local_minor(self.arrears_wei, self.local_per_dai, self.currency) // 1)

    @property
    def price_units_per_kwh(self) -> Fraction | None:
        """The price now in units of local money per kWh, exact."""
        if self.price_wei_per_kwh is None:
            return None
        return Fraction(self.price_wei_per_kwh, WEI_PER_DAI) * self.local_per_dai

    @property
    def days_left(self) -> int | None:
        """Whole days the funds last at the recent spend; None if nothing was spent."""
        return self.funds_wei // self.daily_spend_wei if self.daily_spend_wei > 0 else None

    @property
    def energy_left_milliwatt_hours(self) -> int | None:
        """Energy the funds buy at the price now; None without a price."""
        if not self.price_wei_per_kwh:
            return None
        return self.funds_wei * MILLIWATT_HOURS_PER_KWH // self.price_wei_per_kwh

    def arrears_part_minor(self, amount_minor: int) -> int:
        """The most that a top-up of `amount_minor` gives to arrears, rounded up."""
        share = -(-amount_minor * self.arrears_share_bp // ALL_BASIS_POINTS)
        return min(share, self.arrears_minor)


@dataclass(frozen=True, slots=True)
class UseFacts:
    """Energy and its cost over one period."""

    energy_milliwatt_hours: int
    cost_wei: int


@dataclass(frozen=True, slots=True)
class UsageFacts:
    """Use of today and yesterday (the site's days) and of the last 7 and 30 days until as_of."""

    today: UseFacts
    yesterday: UseFacts
    days_7: UseFacts
    days_30: UseFacts
    currency: str
    local_per_dai: Fraction
    as_of: datetime

    def of(self, period: Period) -> UseFacts:
        """The use of one period."""
        uses: dict[Period, UseFacts] = {
            "today": self.today,
            "yesterday": self.yesterday,
            "days_7": self.days_7,
            "days_30": self.days_30,
        }
        return uses[period]

    def cost_minor(self, period: Period) -> int:
        """The cost of one period in minor units at the site rate, to the nearest."""
        return nearest(local_minor(self.of(period).cost_wei, self.local_per_dai, self.currency))


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """A credited payment; `at` in the site's own time zone, reference the provider's receipt."""

    at: datetime
    amount_minor: int
    currency: str
    reference: str


@dataclass(frozen=True, slots=True)
class TaxFacts:
    """A tax or levy contained in a receipt; the rate is of the net amount."""

    name: str
    rate_basis_points: int
    amount_minor: int


SigningState = Literal["signed", "waiting", "unsigned"]


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """A fiscal receipt, or a credit note; `at` is its tax point in the site's own time zone.

    number is the site's own ("kisima/12"), device_number the fiscal device's; both the device's
    fields and the signature are empty unless it is signed. url leads to the public copy.
    """

    number: str
    is_credit_note: bool
    at: datetime
    gross_minor: int
    currency: str
    taxes: Sequence[TaxFacts]
    signing: SigningState
    url: str
    device: str = ""
    device_number: str = ""
    signature: str = ""


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """An agent's float, and the limits of one payment, in minor units of `currency`.

    is_open is False while the site, or cash there, is closed.
    """

    code: str
    currency: str
    float_minor: int
    min_cash_minor: int
    max_cash_minor: int
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """A project on the ballot; title_fr may be empty, cost_minor None without a site rate."""

    number: int
    title: str
    title_fr: str
    cost_minor: int | None

    def title_in(self, language: str) -> str:
        """Its title as a household reads it."""
        return self.title_fr if language == "fr" and self.title_fr else self.title


@dataclass(frozen=True, slots=True)
class VoteFacts:
    """The open round of a household's site; receipt_code is empty until the household voted."""

    round_number: int
    projects: Sequence[ProjectFacts]
    currency: str
    receipt_code: str = ""


class Facts(Protocol):
    """Loads what a screen asks for; codes come from `households` of the same session."""

    @property
    def households(self) -> Sequence[HouseholdFacts]:
        """Households of the phone that dialled, in a stable order; empty for an unknown one."""

    @property
    def language(self) -> str:
        """Language before a household is chosen: of an unknown or a shared phone."""

    @property
    def help_phone(self) -> str | None:
        """Number to call for registration."""

    def account(self, household_code: str) -> AccountFacts:
        """Money of one household."""

    def usage(self, household_code: str) -> UsageFacts:
        """Energy of one household."""

    def last_payments(self, household_code: str, *, at_most: int) -> Sequence[PaymentFacts]:
        """Credited payments of one household, newest first."""

    def last_receipt(self, household_code: str) -> ReceiptFacts | None:
        """The newest fiscal receipt or credit note of one household."""

    def vote(self, household_code: str) -> VoteFacts | None:
        """The open round at one household's site, if there is one."""

    @property
    def agent_code(self) -> str:
        """The agent who works from the phone that dialled; "" where there is none."""

    def agent(self) -> AgentFacts:
        """What that agent's float holds."""

    def float_after(self, amount_minor: int) -> int:
        """What it would hold after taking so much cash; below zero where it does not hold it."""

    def cash_household(self, typed: str) -> str:
        """The code of the open household of that agent's site that was meant; "" for none."""


@dataclass(frozen=True, slots=True)
class Context:
    """What one hop may know: facts, the instant, and the inputs of the session before this one.

    `earlier` may hold PINs, so it is not in the repr; `engine.advance` fills it in.
    """

    facts: Facts
    now: datetime
    earlier: tuple[str, ...] = field(default=(), repr=False)

    def typed_at(self, hop: int | None) -> str | None:
        """The input of an earlier hop, None if the caller did not hand it over."""
        if hop is None or not 0 <= hop < len(self.earlier):
            return None
        return self.earlier[hop]


def local_minor(amount_wei: int, local_per_dai: Fraction, currency: str) -> Fraction:
    """An amount of DAI in minor units of local money, exact."""
    return Fraction(amount_wei * 10 ** exponent(currency), WEI_PER_DAI) * local_per_dai
