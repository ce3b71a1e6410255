"""Agents: who they are, what their float holds, and cash that credits a household exactly once."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import agents, amounts, attempts, audit, sites
from accounts.agents import BadAgent, FloatTooSmall, KeyReused, NoSuchHousehold, NotBooked
from accounts.models import (
    Agent,
    AgentFloatChange,
    Household,
    JournalEntry,
    Notice,
    Payment,
    Site,
    User,
)
from gateway.providers import refunding
from gateway.sms.wording import words
from tests.cash_village import AGENT_PHONE, FLOAT_MINOR, cashier, hire, open_cash_rail, sell
from tests.integration.test_concurrency import run_together
from tests.village import Village

pytestmark = pytest.mark.django_db

DAI = 10**18


@pytest.fixture
def agent(village: Village, now: datetime) -> Agent:
    """AG01 of Kisima with a float of KES 1,000; KIS0001 lives there."""
    village.household("KIS0001")
    return hire(village, at=now)


def take(
    agent: Agent, amount_minor: int, *, at: datetime, key: str = "k1", code: str = "KIS0001"
) -> Payment:
    return agents.take_cash(
        agent=agent, household_code=code, amount_minor=amount_minor, idempotency_key=key, at=at
    )


def stands(site: Site) -> dict[tuple[str, str], int]:
    """What stands in the site's book in KES, by kind and name."""
    return {
        (kind, name): amount
        for (kind, name, asset), amount in amounts.of_site(site=site).items()
        if asset == "KES" and amount
    }


def assert_books_hold() -> None:
    wrong = [finding for result in audit.run(checks=audit.CHECKS) for finding in result.findings]
    assert wrong == []


class TestFloat:
    """What an agent bought and gave back."""

    def test_float_is_bought_and_given_back_against_the_operators_cash(
        self, village: Village, agent: Agent, now: datetime
    ) -> None:
        assert stands(village.site) == {
            ("float", "cash"): -100_000,
            ("agent_float", "AG01"): 100_000,
        }
        change = agents.return_float(
            agent=agent, amount_minor=30_000, made_by=cashier(agent), idempotency_key="r", at=now,
            note="left the shop",
        )  # fmt: skip
        assert stands(village.site) == {("float", "cash"): -70_000, ("agent_float", "AG01"): 70_000}
        assert agents.float_minor(agent=agent) == 70_000
        assert (change.kind, change.note, change.currency) == ("returned", "left the shop", "KES")
        assert change.made_by.username == "cashier-kisima-operator"
        assert JournalEntry.objects.get(pk=change.entry_id).kind == "agent_float"
        assert_books_hold()

    def test_the_same_key_sells_once_and_never_something_else(
        self, agent: Agent, now: datetime
    ) -> None:
        for _ in range(3):
            sell(agent, amount_minor=500, at=now, key="one")
        assert agents.float_minor(agent=agent) == FLOAT_MINOR + 500
        with pytest.raises(KeyReused):
            sell(agent, amount_minor=501, at=now, key="one")
        with pytest.raises(KeyReused):
            agents.return_float(
                agent=agent, amount_minor=500, made_by=cashier(agent), idempotency_key="one", at=now
            )
        assert AgentFloatChange.objects.count() == 2

    def test_no_more_is_taken_back_than_the_float_holds(self, agent: Agent, now: datetime) -> None:
        with pytest.raises(FloatTooSmall, match=r"holds only KES 1000\.00") as caught:
            agents.return_float(
                agent=agent, amount_minor=FLOAT_MINOR + 1, made_by=cashier(agent),
                idempotency_key="r", at=now,
            )  # fmt: skip
        assert caught.value.left_minor == FLOAT_MINOR
        assert agents.float_minor(agent=agent) == FLOAT_MINOR
        assert AgentFloatChange.objects.count() == 1

    @pytest.mark.parametrize("amount_minor", [0, -5])
    def test_an_amount_is_above_zero(self, agent: Agent, now: datetime, amount_minor: int) -> None:
        with pytest.raises(NotBooked, match="above zero"):
            sell(agent, amount_minor=amount_minor, at=now, key="odd")

    def test_each_agent_has_a_float_of_its_own(
        self, village: Village, agent: Agent, now: datetime
    ) -> None:
        other = hire(village, at=now, code="AG02", phone="+254711000092", float_minor=700)
        take(agent, 5_000, at=now)
        assert agents.floats_minor(agents=[agent, other]) == {agent.pk: 95_000, other.pk: 700}


class TestOpening:
    """Who can be an agent."""

    def test_a_site_needs_a_cash_rail_in_its_currency(
        self, village: Village, now: datetime
    ) -> None:
        open_cash_rail(village, currency="UGX")
        with pytest.raises(BadAgent, match="no open cash rail in KES"):
            agents.open_agent(site=village.site, code="AG01", name="A", phone=AGENT_PHONE, at=now)

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"phone": ""}, "a phone or a log-in"),
            ({"code": "AG02", "pin_hash": ""}, "needs a PIN"),
            ({"code": "AG02"}, "another agent's phone"),
            ({"code": "ag-01", "phone": "+254711000092"}, "another agent's code"),
            ({"code": "A"}, "3 to 12 letters"),
        ],
    )
    def test_what_could_not_work_is_refused(
        self, village: Village, agent: Agent, now: datetime, fields: dict[str, Any], reason: str
    ) -> None:
        with pytest.raises(BadAgent, match=reason):
            hire(village, at=now, **{"code": "AG02", **fields})

    def test_a_log_in_is_the_operators_own_and_no_superusers(
        self, village: Village, agent: Agent, now: datetime
    ) -> None:
        stranger = sites.open_operator(slug="other", name="Other", at=now)
        for number, (operator, is_staff, is_superuser) in enumerate(
            (
                (stranger, True, False),
                (village.operator, False, False),
                (village.operator, True, True),
            )
        ):
            user = User.objects.create_user(
                f"u{number}", operator=operator, is_staff=is_staff, is_superuser=is_superuser
            )
            with pytest.raises(BadAgent, match="has to be staff of Jua Power"):
                hire(village, at=now, code="AG02", phone="", user=user)
        clerk = User.objects.create_user("clerk", operator=village.operator, is_staff=True)
        assert hire(village, at=now, code="AG02", phone="", user=clerk).user == clerk
        with pytest.raises(BadAgent, match="another agent's log-in"):
            hire(village, at=now, code="AG03", phone="", user=clerk)

    def test_an_agent_is_closed_once_the_float_is_given_back(
        self, village: Village, agent: Agent, now: datetime
    ) -> None:
        with pytest.raises(BadAgent, match=r"still holds a float of KES 1000\.00"):
            agents.close_agent(agent=agent, at=now)
        agents.return_float(
            agent=agent, amount_minor=FLOAT_MINOR, made_by=cashier(agent), idempotency_key="r",
            at=now,
        )  # fmt: skip
        agents.close_agent(agent=agent, at=now)
        later = now + timedelta(hours=1)
        assert agents.close_agent(agent=agent, at=later).closed_at == now
        with pytest.raises(NotBooked, match="is closed"):
            sell(agent, amount_minor=500, at=later)
        with pytest.raises(NotBooked, match="takes no cash any more"):
            take(agent, 1_000, at=later)
        assert agents.of_phone(phone=AGENT_PHONE) is None
        assert hire(village, at=later, code="AG02").phone == AGENT_PHONE


class TestCash:
    """Cash for a household."""

    def test_cash_credits_the_household_off_the_agents_float(
        self, village: Village, agent: Agent, now: datetime
    ) -> None:
        payment = take(agent, 25_000, at=now, code=" kis-0001 ")

        assert (payment.state, payment.provider, payment.agent) == ("credited", "cash", agent)
        household = Household.objects.get(code="KIS0001")
        assert (payment.household, payment.account_text) == (household, "KIS0001")
        assert re.fullmatch(r"CASH[A-Z2-7]{12}", payment.reference)
        assert stands(village.site) == {
            ("float", "cash"): -100_000,
            ("agent_float", "AG01"): 75_000,
            ("fx_position", ""): 25_000,
        }
        funds_wei = amounts.of_household(household=household).funds_wei
        assert funds_wei == 25_000 * DAI // 12_925 == payment.credited_wei
        assert_books_hold()

    def test_the_household_and_the_agent_are_told(self, agent: Agent, now: datetime) -> None:
        agent.language = "sw"
        agent.save()
        village_price(agent, now)
        payment = take(agent, 25_000, at=now)
        household, to_agent = Notice.objects.order_by("id")
        assert (household.kind, household.phone) == ("top_up_credited", "+254711000001")
        assert words(notice=household, at=now).startswith("KES 250 received for KIS0001.")
        assert (to_agent.kind, to_agent.phone) == ("agent_took_cash", AGENT_PHONE)
        assert words(notice=to_agent, at=now) == (
            f"Umepokea KES 250 taslimu kwa KIS0001. Risiti {payment.reference}. "
            "Salio la wakala KES 750."
        )

    def test_the_same_key_returns_the_first_payment(self, agent: Agent, now: datetime) -> None:
        first = take(agent, 90_000, at=now)
        agents.return_float(
            agent=agent, amount_minor=10_000, made_by=cashier(agent), idempotency_key="r", at=now
        )
        Household.objects.update(closed_at=now)
        assert take(agent, 90_000, at=now + timedelta(minutes=5)) == first
        assert Payment.objects.count() == 1
        assert Notice.objects.filter(kind="agent_took_cash").count() == 1

    def test_a_key_stands_for_one_amount_and_one_household(
        self, village: Village, agent: Agent, now: datetime
    ) -> None:
        village.household("KIS0002", phone="+254711000002")
        take(agent, 5_000, at=now)
        for amount_minor, code in ((5_001, "KIS0001"), (5_000, "KIS0002")):
            with pytest.raises(KeyReused, match="was taken for KIS0001 already"):
                take(agent, amount_minor, at=now, code=code)
        other = hire(village, at=now, code="AG02", phone="+254711000092")
        assert take(other, 7_000, at=now, code="KIS0002").agent == other

    def test_the_float_limits_what_is_taken(
        self, village: Village, agent: Agent, now: datetime
    ) -> None:
        take(agent, 60_000, at=now)
        with pytest.raises(
            FloatTooSmall, match=r"The float of AG01 holds only KES 400\.00\."
        ) as caught:
            take(agent, 40_001, at=now, key="k2")
        assert caught.value.left_minor == 40_000
        take(agent, 40_000, at=now, key="k3")
        assert agents.float_minor(agent=agent) == 0
        with pytest.raises(FloatTooSmall):
            take(agent, 1_000, at=now, key="k4")
        assert Payment.objects.count() == 2
        assert_books_hold()

    @pytest.mark.parametrize("amount_minor", [999, 100_001, 0, -1_000])
    def test_the_rail_has_limits(self, agent: Agent, now: datetime, amount_minor: int) -> None:
        with pytest.raises(attempts.BadAmount):
            take(agent, amount_minor, at=now)
        assert not Payment.objects.exists()

    def test_only_households_of_the_agents_own_site(
        self, village: Village, agent: Agent, now: datetime
    ) -> None:
        beside = Village.found(at=now, slug="mlima", beside=village)
        beside.household("MLI0001", phone="+254711000001")
        for code in ("MLI0001", "KIS9999", "", "???"):
            with pytest.raises(NoSuchHousehold, match="There is no account"):
                take(agent, 5_000, at=now, code=code)
        assert not Payment.objects.exists()
        assert agents.float_minor(agent=agent) == FLOAT_MINOR

    def test_closed_households_sites_and_rails_take_nothing(
        self, village: Village, agent: Agent, now: datetime
    ) -> None:
        gone = village.household("KIS0002", phone="+254711000002")
        gone.closed_at = now
        gone.save()
        with pytest.raises(NotBooked, match="account KIS0002 is closed"):
            take(agent, 5_000, at=now, code="KIS0002")
        for row in (agent.site, agent.rail):
            row.closed_at = now
            row.save()
            with pytest.raises(NotBooked):
                take(agent, 5_000, at=now)
            row.closed_at = None
            row.save()
        assert take(agent, 5_000, at=now).state == "credited"

    def test_a_commission_stays_with_the_agent(
        self, village: Village, agent: Agent, now: datetime
    ) -> None:
        agent.rail.fee_basis_points = 200
        agent.rail.save()
        payment = take(agent, 50_000, at=now)
        assert payment.fee_minor == 1_000
        assert agents.float_minor(agent=agent) == FLOAT_MINOR - 49_000
        assert payment.credited_wei == 50_000 * DAI // 12_925
        assert_books_hold()

    def test_cash_given_back_is_the_agents_float_again(
        self, village: Village, agent: Agent, now: datetime
    ) -> None:
        payment = take(agent, 50_000, at=now)
        refunding.request(
            payment=payment, amount_minor=20_000, reason="wrong code", requested_by=None,
            idempotency_key="r1", at=now,
        )  # fmt: skip
        assert agents.float_minor(agent=agent) == FLOAT_MINOR - 30_000
        assert ("payback_due", "cash") not in stands(village.site)
        assert_books_hold()


def village_price(agent: Agent, now: datetime) -> None:
    """Households of the agent's site see a price."""
    village = Village(
        operator=agent.site.operator,
        site=agent.site,
        rail=agent.rail,
        tariff=agent.site.tariffs.get(),
        founded_at=now,
    )
    village.price(ticks=2_500, starts_at=now - timedelta(days=1))


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
class TestAtOnce:
    """Two clerks, a double tap: exactly what fits."""

    @pytest.fixture
    def agent(self, transactional_db: None) -> Agent:
        now = timezone.now()
        village = Village.found(at=now)
        village.household("KIS0001")
        return hire(village, at=now)

    def test_takes_that_exceed_the_float_together_book_exactly_what_fits(
        self, agent: Agent
    ) -> None:
        refused: list[str] = []

        def clerk(number: int) -> None:
            try:
                take(agent, 30_000, at=timezone.now(), key=f"clerk-{number}")
            except FloatTooSmall as error:
                refused.append(f"{number}: {error.left_minor}")

        run_together(*[lambda number=number: clerk(number) for number in range(8)])
        assert Payment.objects.count() == 3
        assert len(refused) == 5
        assert {each.split(": ")[1] for each in refused} == {"10000"}
        assert agents.float_minor(agent=agent) == 10_000
        assert_books_hold()

    def test_a_double_tap_takes_once(self, agent: Agent) -> None:
        taken: list[int] = []

        def tap() -> None:
            taken.append(take(agent, 80_000, at=timezone.now(), key="tap").pk)

        run_together(*[tap] * 6)
        assert len(taken) == 6
        assert len(set(taken)) == Payment.objects.count() == 1
        assert agents.float_minor(agent=agent) == 20_000
        assert Notice.objects.filter(kind="agent_took_cash").count() == 1
        assert_books_hold()

    def test_sales_returns_and_takes_at_once_add_up(self, agent: Agent) -> None:
        refused: list[str] = []
        by = cashier(agent)

        def sell_some() -> None:
            for number in range(5):
                sell(agent, amount_minor=10_000, at=timezone.now(), key=f"s{number}")

        def give_back() -> None:
            for number in range(5):
                try:
                    agents.return_float(
                        agent=agent, amount_minor=20_000, made_by=by,
                        idempotency_key=f"r{number}", at=timezone.now(),
                    )  # fmt: skip
                except FloatTooSmall:
                    refused.append("return")

        def take_some(name: str) -> None:
            for number in range(5):
                try:
                    take(agent, 20_000, at=timezone.now(), key=f"{name}{number}")
                except FloatTooSmall:
                    refused.append("take")

        run_together(sell_some, give_back, lambda: take_some("a"), lambda: take_some("b"))
        left = FLOAT_MINOR + 50_000 - 20_000 * (15 - len(refused))
        assert agents.float_minor(agent=agent) == left >= 0
        assert refused
        assert_books_hold()
