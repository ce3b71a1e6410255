"""The people of the USSD tests: facts in memory that count what was asked of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from gateway.ussd.facts import (
    AccountFacts,
    AgentFacts,
    Context,
    HouseholdFacts,
    PaybillFacts,
    PaymentFacts,
    ReceiptFacts,
    TaxFacts,
    UsageFacts,
    UseFacts,
    VoteFacts,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAI = 10**18

AMINA = HouseholdFacts(code="KIS0001", language="en", name="Amina")
JUMA = HouseholdFacts(code="KIS0002", language="sw", name="Juma")
FATOU = HouseholdFacts(code="LOF0001", language="fr", name="Fatou")

# 10 DAI at 129.5 KES, half a DAI a day, 0.07 DAI per kWh.
AMINAS_ACCOUNT = AccountFacts(
    code="KIS0001",
    currency="KES",
    funds_wei=10 * DAI,
    arrears_wei=0,
    local_per_dai=Fraction(259, 2),
    price_wei_per_kwh=7 * DAI // 100,
    daily_spend_wei=DAI // 2,
    as_of=NOW - timedelta(minutes=2),
    min_top_up_minor=10_00,
    max_top_up_minor=150_000_00,
    paybill=PaybillFacts(service="M-Pesa", business_number="174379"),
)
FATOUS_ACCOUNT = replace(
    AMINAS_ACCOUNT,
    code="LOF0001",
    currency="XOF",
    local_per_dai=Fraction(600),
    min_top_up_minor=100,
    max_top_up_minor=1_000_000,
)


AGENT = AgentFacts(
    code="AG01",
    currency="KES",
    float_minor=20_000_00,
    min_cash_minor=10_00,
    max_cash_minor=5_000_00,
)

AMINAS_RECEIPT = ReceiptFacts(
    number="kisima/12",
    is_credit_note=False,
    at=NOW,
    gross_minor=500_00,
    currency="KES",
    taxes=[TaxFacts(name="VAT", rate_basis_points=1_600, amount_minor=68_97)],
    signing="signed",
    url="https://example.org/receipts/1/",
    device="KRACU0000000001",
    device_number="12/15 NS",
    signature="QUII27MATATSHFRB",
)


def use(kwh: str, dai: str) -> UseFacts:
    """Energy in kWh and cost in DAI, written as decimals."""
    return UseFacts(
        energy_milliwatt_hours=int(Fraction(kwh) * 10**6), cost_wei=int(Fraction(dai) * DAI)
    )


@dataclass
class People:
    """Facts of one phone; `asked` lists what the screens wanted to know."""

    members: Sequence[HouseholdFacts] = (AMINA,)
    accounts: dict[str, AccountFacts] = field(default_factory=dict)
    language: str = "en"
    help_phone: str | None = "+254711999999"
    payments: Sequence[PaymentFacts] = ()
    receipt: ReceiptFacts | None = None
    works_for: AgentFacts | None = None
    payees: Sequence[str] = ("KIS0001", "KIS0002")
    open_vote: VoteFacts | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def households(self) -> Sequence[HouseholdFacts]:
        self.asked.append("households")
        return self.members

    def account(self, household_code: str) -> AccountFacts:
        self.asked.append("account")
        return self.accounts.get(household_code, replace(AMINAS_ACCOUNT, code=household_code))

    def usage(self, household_code: str) -> UsageFacts:
        self.asked.append("usage")
        return UsageFacts(
            today=use("0.35", "0.0245"),
            yesterday=use("1.2", "0.084"),
            days_7=use("8.4", "0.588"),
            days_30=use("36", "2.52"),
            currency="KES",
            local_per_dai=Fraction(259, 2),
            as_of=NOW,
        )

    def last_payments(self, household_code: str, *, at_most: int) -> Sequence[PaymentFacts]:
        self.asked.append("last_payments")
        return self.payments[:at_most]

    def last_receipt(self, household_code: str) -> ReceiptFacts | None:
        self.asked.append("last_receipt")
        return self.receipt

    def vote(self, household_code: str) -> VoteFacts | None:
        self.asked.append("vote")
        return self.open_vote

    @property
    def agent_code(self) -> str:
        return "" if self.works_for is None else self.works_for.code

    def agent(self) -> AgentFacts:
        self.asked.append("agent")
        assert self.works_for is not None
        return self.works_for

    def float_after(self, amount_minor: int) -> int:
        return self.agent().float_minor - amount_minor

    def cash_household(self, typed: str) -> str:
        self.asked.append("cash_household")
        code = typed.upper().replace(" ", "")
        return code if code in self.payees else ""


def context(people: People | None = None) -> Context:
    """A hop at noon."""
    return Context(facts=people or People(), now=NOW)


def with_account(**changes: object) -> People:
    """Amina's phone with a changed account."""
    return People(accounts={"KIS0001": replace(AMINAS_ACCOUNT, **changes)})  # type: ignore[arg-type]
