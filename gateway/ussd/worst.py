"""The longest figures and names that the screens must still hold; for the check at start."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

from gateway.texts.languages import Language
from gateway.texts.numbers import WEI_PER_DAI, exponent
from gateway.ussd.facts import (
    AccountFacts,
    AgentFacts,
    Context,
    HouseholdFacts,
    PaybillFacts,
    PaymentFacts,
    ProjectFacts,
    ReceiptFacts,
    TaxFacts,
    UsageFacts,
    UseFacts,
    VoteFacts,
)
from gateway.ussd.state import State

NOW: Final = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
CURRENCIES: Final = ("KES", "XOF")

_LONG_AGO: Final = NOW - timedelta(days=99)
_LOCAL_UNITS: Final = 10**9
_LOCAL_PER_DAI: Final = {"KES": Fraction(100), "XOF": Fraction(600)}
_AGENT: Final = "LONGAGENT001"
# As long as an account reference of M-Pesa may be.
_CODE: Final = "LONG00000001"
_TITLE: Final = "A second pump for the well at the school"


@dataclass(frozen=True, slots=True)
class WorstFacts:
    """A shared phone whose households own, owe and use a thousand million of the currency."""

    currency: str
    language: Language
    help_phone: str | None = "+254711000000"

    @property
    def households(self) -> Sequence[HouseholdFacts]:
        """More than two pages of them."""
        return [
            HouseholdFacts(code=f"LONG{n:08}", language=self.language, name="Wanjikũ Ndiaye")
            for n in range(1, 15)
        ]

    @property
    def _wei(self) -> int:
        return int(_LOCAL_UNITS * WEI_PER_DAI / _LOCAL_PER_DAI[self.currency])

    def account(self, household_code: str) -> AccountFacts:
        """Every line of the balance at its longest."""
        minor = 10 ** exponent(self.currency)
        return AccountFacts(
            code=household_code,
            currency=self.currency,
            funds_wei=self._wei,
            arrears_wei=self._wei,
            local_per_dai=_LOCAL_PER_DAI[self.currency],
            price_wei_per_kwh=999 * WEI_PER_DAI // 600,
            daily_spend_wei=1,
            as_of=_LONG_AGO,
            min_top_up_minor=10 * minor,
            max_top_up_minor=_LOCAL_UNITS * minor,
            paybill=PaybillFacts(service="Orange Money", business_number="1234567890"),
        )

    def usage(self, household_code: str) -> UsageFacts:
        """A thousand kWh at a thousand million."""
        use = UseFacts(energy_milliwatt_hours=9_999 * 10**6, cost_wei=self._wei)
        return UsageFacts(
            today=use,
            yesterday=use,
            days_7=use,
            days_30=use,
            currency=self.currency,
            local_per_dai=_LOCAL_PER_DAI[self.currency],
            as_of=_LONG_AGO,
        )

    def last_payments(self, household_code: str, *, at_most: int) -> Sequence[PaymentFacts]:
        """The most expensive and longest receipts."""
        payment = PaymentFacts(
            at=NOW,
            amount_minor=_LOCAL_UNITS * 10 ** exponent(self.currency),
            currency=self.currency,
            reference="ABCDEFGHIJ12345",
        )
        return [payment] * at_most

    def last_receipt(self, household_code: str) -> ReceiptFacts | None:
        """A credit note of several taxes with the longest signature."""
        minor = _LOCAL_UNITS * 10 ** exponent(self.currency)
        taxes = [
            TaxFacts(name=f"Tax on electricity no {n}", rate_basis_points=1_875, amount_minor=minor)
            for n in range(1, 4)
        ]
        return ReceiptFacts(
            number="a-rather-long-village/12345678",
            is_credit_note=True,
            at=NOW,
            gross_minor=minor,
            currency=self.currency,
            taxes=taxes,
            signing="signed",
            url="https://example.org/" + "x" * 180,
            device="ABCDEFGHIJ" * 4,
            device_number="12345678/12345678 NC",
            signature="ABCDEFGHIJKLMNOP" * 4,
        )

    def vote(self, household_code: str) -> VoteFacts | None:
        """Eight projects with the longest titles, at a thousand million each."""
        minor = _LOCAL_UNITS * 10 ** exponent(self.currency)
        return VoteFacts(
            round_number=999,
            currency=self.currency,
            receipt_code="WWWWWWWWWW",
            projects=[
                ProjectFacts(number=n, title=_TITLE, title_fr=_TITLE, cost_minor=minor)
                for n in range(1, 9)
            ],
        )

    @property
    def agent_code(self) -> str:
        """Somebody with a long code works from this phone."""
        return _AGENT

    def agent(self) -> AgentFacts:
        """A float of a thousand million."""
        minor = 10 ** exponent(self.currency)
        return AgentFacts(
            code=_AGENT,
            currency=self.currency,
            float_minor=_LOCAL_UNITS * minor,
            min_cash_minor=10 * minor,
            max_cash_minor=_LOCAL_UNITS * minor,
        )

    def float_after(self, amount_minor: int) -> int:
        """The longest figure, cents and all."""
        return int(_LOCAL_UNITS * 10 ** exponent(self.currency)) - 1

    def cash_household(self, typed: str) -> str:
        """Everybody is known."""
        return _CODE


def worst_context(*, currency: str, language: Language) -> Context:
    """A hop that finds everything at its longest; the PINs are not anybody's."""
    facts = WorstFacts(currency=currency, language=language)
    return Context(facts=facts, now=NOW, earlier=("0000", "1111"))


def worst_state(*, screen: str, currency: str, language: Language) -> State:
    """A session of a shared phone about to pay a thousand million."""
    return State(
        screen=screen,
        language=language,
        household_code=_CODE,
        shared_phone=True,
        amount_minor=_LOCAL_UNITS * 10 ** exponent(currency),
        currency=currency,
        old_pin_hop=0,
        new_pin_hop=1,
        agent_code=_AGENT,
        payee_code=_CODE,
        agent_pin_hop=1,
        round_number=999,
        choices="12345678",
        vote_pin_hop=1,
    )
