"""Agents in the admin: opened, sold float to, taking cash; a log-in of theirs sees nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings
from rest_framework.authtoken.models import Token

from accounts import agents, pins, sites
from accounts.models import (
    Agent,
    AgentFloatChange,
    Household,
    Operator,
    Payment,
    Site,
    User,
)
from tests.cash_village import hire, open_cash_rail
from tests.village import Village

pytestmark = pytest.mark.django_db

CLERK_RIGHTS = ("accounts.change_agent", "accounts.add_agent", "accounts.add_agentfloatchange")


@pytest.fixture
def kisima(db: None) -> Village:
    """Kisima today, with KIS0001 and a cash rail."""
    village = Village.found(at=timezone.now())
    village.household("KIS0001")
    open_cash_rail(village)
    return village


@pytest.fixture
def agent(kisima: Village) -> Agent:
    """AG01 with a float of KES 1,000."""
    return hire(kisima, at=timezone.now())


def log_in(operator: Operator | None, *rights: str, name: str = "") -> tuple[User, Client]:
    """Somebody of an operator, with rights such as accounts.change_agent."""
    user = User.objects.create_user(
        name or f"staff{User.objects.count()}", is_staff=True, operator=operator
    )
    for right in rights:
        app, codename = right.split(".")
        user.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    client = Client()
    client.force_login(user)
    return user, client


@pytest.fixture
def clerk(kisima: Village) -> Client:
    """Who sells float at the operator's office."""
    return log_in(kisima.operator, *CLERK_RIGHTS, name="clerk")[1]


def page(agent: Agent, action: str = "change") -> str:
    return reverse(f"admin:accounts_agent_{action}", args=[agent.pk])


def nonce_of(client: Client, path: str) -> str:
    """The nonce in a form, as a browser would send it again."""
    found = re.search(r'name="nonce" value="([^"]+)"', client.get(path).content.decode())
    assert found is not None
    return found[1]


def send(client: Client, agent: Agent, action: str, nonce: str = "", **form: str) -> Any:
    path = page(agent, action)
    return client.post(path, {"nonce": nonce or nonce_of(client, path), **form})


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def logged() -> list[tuple[str, str]]:
    """(who, what) in the log of the admin, oldest first."""
    rows = LogEntry.objects.order_by("id").values_list("user__username", "change_message")
    return list(rows)


class TestOpening:
    """Opening, changing and closing agents."""

    def new(self, kisima: Village, **changes: str) -> dict[str, str]:
        return {
            "site": str(kisima.site.pk),
            "code": "ag-02",
            "name": "Duka la Juma",
            "phone": "0711 000 092",
            "pin": "2580",
            "language": "sw",
            **changes,
        }

    def test_an_agent_is_opened_with_phone_and_pin(
        self, kisima: Village, clerk: Client, settings: Settings
    ) -> None:
        add = reverse("admin:accounts_agent_add")
        assert clerk.get(add).status_code == 200
        assert clerk.post(add, self.new(kisima)).status_code == 302
        agent = Agent.objects.get()
        assert (agent.code, agent.phone, agent.language) == ("AG02", "+254711000092", "sw")
        assert agent.rail.code == "cash"
        assert pins.is_right(pin="2580", stored=agent.pin_hash, pepper=settings.PIN_PEPPER)
        assert agent.history.count() == 1
        assert "2580" not in clerk.get(page(agent)).content.decode()

    @pytest.mark.parametrize(
        ("changes", "complaint"),
        [
            ({"pin": ""}, "needs a PIN"),
            ({"pin": "1234"}, "too easy to guess"),
            ({"pin": "25a0"}, "four digits"),
            ({"phone": "nobody"}, "is not a phone number"),
            ({"phone": "", "pin": ""}, "a phone or a log-in"),
            ({"code": "AG01"}, "already exists"),
            ({"code": "A"}, "3 to 12 letters"),
            ({"phone": "+254711000091"}, "another agent&#x27;s phone"),
        ],
    )
    def test_what_could_not_work_is_complained_about(
        self,
        kisima: Village,
        agent: Agent,
        clerk: Client,
        changes: dict[str, str],
        complaint: str,
    ) -> None:
        answer = clerk.post(reverse("admin:accounts_agent_add"), self.new(kisima, **changes))
        assert answer.status_code == 200
        assert complaint in answer.content.decode()
        assert Agent.objects.count() == 1

    def test_an_agent_is_changed_given_a_pin_and_closed(
        self, agent: Agent, clerk: Client, settings: Settings
    ) -> None:
        form = {"name": "Duka", "phone": agent.phone, "language": "fr", "code": "OTHER"}
        assert clerk.post(page(agent), form).status_code == 302
        agent.refresh_from_db()
        assert (agent.name, agent.code, agent.language) == ("Duka", "AG01", "fr")

        assert clerk.post(page(agent, "set_pin"), {"pin": "7391"}).status_code == 302
        agent.refresh_from_db()
        assert pins.is_right(pin="7391", stored=agent.pin_hash, pepper=settings.PIN_PEPPER)

        closing = page(agent, "close_agent")
        assert clerk.get(closing).status_code == 200
        assert "still holds a float of KES 1000.00" in clerk.post(closing).content.decode()
        send(clerk, agent, "take_float_back", amount="1000")
        assert clerk.post(closing).status_code == 302
        agent.refresh_from_db()
        assert agent.closed_at is not None
        assert agent.history.first().closed_at == agent.closed_at
        assert [what for _, what in logged()][1:] == [
            "AG01 has a new PIN.",
            "AG01: float of 1000.00 KES returned.",
            "AG01 is closed.",
        ]


class TestFloat:
    """Selling float and taking it back."""

    def test_float_is_sold_once_however_often_the_form_is_sent(
        self, agent: Agent, clerk: Client
    ) -> None:
        nonce = nonce_of(clerk, page(agent, "sell_float"))
        for _ in range(3):
            answer = send(clerk, agent, "sell_float", nonce, amount="2,500.50", note="slip 7")
            assert answer.status_code == 302
        assert "AG01: float of 2500.50 KES bought." in said(answer)
        assert agents.float_minor(agent=agent) == 100_000 + 250_050
        change = AgentFloatChange.objects.first()
        assert change is not None
        assert (change.made_by.username, change.note, change.kind) == ("clerk", "slip 7", "bought")
        assert logged() == [("clerk", "AG01: float of 2500.50 KES bought.")]
        other = send(clerk, agent, "sell_float", nonce, amount="9")
        assert "was sent before, with something else" in other.content.decode()

    def test_no_more_is_taken_back_than_there_is(self, agent: Agent, clerk: Client) -> None:
        answer = send(clerk, agent, "take_float_back", amount="1000.01")
        assert "holds only KES 1000.00" in answer.content.decode()
        send(clerk, agent, "take_float_back", amount="400")
        assert agents.float_minor(agent=agent) == 60_000

    @pytest.mark.parametrize(
        ("typed", "amount_minor"),
        [("2,500", 250_000), ("2 500", 250_000), ("25,5", 2_550), ("1,000,000.50", 100_000_050)],
    )
    def test_a_comma_before_three_digits_parts_thousands(
        self, agent: Agent, clerk: Client, typed: str, amount_minor: int
    ) -> None:
        send(clerk, agent, "sell_float", amount=typed)
        assert agents.float_minor(agent=agent) == 100_000 + amount_minor

    @pytest.mark.parametrize(
        "amount", ["", "-5", "0", "abc", "1e9", "5.001", "2.500", "1,00,0", "٥٠٠"]
    )
    def test_an_amount_is_a_number_above_zero(
        self, agent: Agent, clerk: Client, amount: str
    ) -> None:
        assert send(clerk, agent, "sell_float", amount=amount).status_code == 200
        assert AgentFloatChange.objects.count() == 1

    def test_the_list_shows_each_float_with_its_unit(
        self, kisima: Village, agent: Agent, clerk: Client, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(2, 9):
            hire(
                kisima,
                at=timezone.now(),
                code=f"AG0{number}",
                phone=f"+25471100019{number}",
                float_minor=number * 1_111,
            )
        with django_assert_max_num_queries(18):
            listed = clerk.get(reverse("admin:accounts_agent_changelist")).content.decode()
        for amount in ("1000.00 KES", "22.22 KES", "88.88 KES"):
            assert amount in listed

    def test_changes_are_listed_and_never_changed(self, agent: Agent, clerk: Client) -> None:
        listed = clerk.get(reverse("admin:accounts_agentfloatchange_changelist"))
        assert "1000.00 KES" in listed.content.decode()
        change = AgentFloatChange.objects.get()
        path = reverse("admin:accounts_agentfloatchange_change", args=[change.pk])
        assert clerk.get(path).status_code == 200
        assert clerk.post(path, {"amount_minor": "1"}).status_code == 403
        assert clerk.get(reverse("admin:accounts_agentfloatchange_add")).status_code == 403


class TestCash:
    """Taking cash for a household."""

    def test_cash_is_taken_once_however_often_the_form_is_sent(
        self, agent: Agent, clerk: Client
    ) -> None:
        nonce = nonce_of(clerk, page(agent, "take_cash"))
        for _ in range(3):
            answer = send(clerk, agent, "take_cash", nonce, code="kis 0001", amount="250")
            assert answer.status_code == 302
        payment = Payment.objects.get()
        assert (payment.account_text, payment.amount_minor) == ("KIS0001", 25_000)
        told = f"250.00 KES booked for KIS0001, receipt {payment.reference}."
        assert told in said(answer)
        assert logged() == [("clerk", told)]
        shown = clerk.get(page(agent)).content.decode()
        assert "750.00 KES" in shown
        assert payment.reference in shown
        other = send(clerk, agent, "take_cash", nonce, code="KIS0001", amount="300")
        assert "was taken for KIS0001 already" in other.content.decode()
        assert send(clerk, agent, "take_cash", code="KIS0001", amount="300").status_code == 302
        assert Payment.objects.count() == 2

    @pytest.mark.parametrize(
        ("form", "complaint"),
        [
            ({"code": "KIS9999", "amount": "50"}, "There is no account KIS9999 at Kisima"),
            ({"code": "", "amount": "50"}, "This field is required"),
            ({"code": "KIS0001", "amount": "5"}, "Choose an amount from 10.00 KES to 1000.00 KES"),
            ({"code": "KIS0001", "amount": "1001"}, "Choose an amount from"),
            ({"code": "KIS0001", "amount": "50", "nonce": "x"}, "nonce"),
        ],
    )
    def test_what_can_not_be_taken_is_complained_about(
        self, agent: Agent, clerk: Client, form: dict[str, str], complaint: str
    ) -> None:
        answer = send(clerk, agent, "take_cash", **form)
        assert answer.status_code == 200
        assert complaint in answer.content.decode()
        assert not Payment.objects.exists()

    def test_the_float_limits_it(self, agent: Agent, clerk: Client) -> None:
        send(clerk, agent, "take_cash", code="KIS0001", amount="700")
        answer = send(clerk, agent, "take_cash", code="KIS0001", amount="300.01")
        assert "The float of AG01 holds only KES 300.00." in answer.content.decode()
        assert "the float holds 300.00 KES" in answer.content.decode()


class TestRights:
    """Who may do what."""

    ACTIONS = ("take_cash", "sell_float", "take_float_back", "set_pin", "close_agent")

    def test_staff_without_rights_only_look(self, kisima: Village, agent: Agent) -> None:
        _, looking = log_in(kisima.operator)
        shown = looking.get(page(agent)).content.decode()
        assert "1000.00 KES" in shown
        for action in self.ACTIONS:
            assert page(agent, action) not in shown
            assert looking.get(page(agent, action)).status_code == 403
            assert looking.post(page(agent, action), {}).status_code == 403
        assert looking.get(reverse("admin:accounts_agent_add")).status_code == 403

    def test_selling_float_is_a_right_of_its_own(self, kisima: Village, agent: Agent) -> None:
        _, changing = log_in(kisima.operator, "accounts.change_agent")
        assert send(changing, agent, "take_cash", code="KIS0001", amount="50").status_code == 302
        assert changing.get(page(agent, "sell_float")).status_code == 403
        _, selling = log_in(kisima.operator, "accounts.add_agentfloatchange")
        assert send(selling, agent, "sell_float", amount="50").status_code == 302
        assert selling.get(page(agent, "take_cash")).status_code == 403

    def test_another_operators_staff_see_none_of_it(self, agent: Agent) -> None:
        other = sites.open_operator(slug="other", name="Other", at=timezone.now())
        _, stranger = log_in(other, *CLERK_RIGHTS)
        listed = stranger.get(reverse("admin:accounts_agent_changelist"))
        assert list(listed.context["cl"].result_list) == []
        for action in self.ACTIONS:
            assert stranger.get(page(agent, action)).status_code == 404
        assert "Kisima" not in stranger.get(reverse("admin:accounts_agent_add")).content.decode()


class TestOwnLogIn:
    """Staff who are agents themselves."""

    @pytest.fixture
    def own(self, kisima: Village, agent: Agent) -> Iterator[tuple[Agent, Client]]:
        """AG07, who works from a log-in with more rights than an agent should have."""
        user, client = log_in(
            kisima.operator, *CLERK_RIGHTS, "accounts.view_household", "accounts.change_payment"
        )
        yield hire(kisima, at=timezone.now(), code="AG07", phone="", user=user), client

    def test_they_see_their_own_agent_and_take_cash(
        self, agent: Agent, own: tuple[Agent, Client]
    ) -> None:
        mine, client = own
        listed = client.get(reverse("admin:accounts_agent_changelist"))
        assert list(listed.context["cl"].result_list) == [mine]
        assert client.get(page(mine)).status_code == 200
        assert send(client, mine, "take_cash", code="KIS0001", amount="120").status_code == 302
        assert Payment.objects.get().agent == mine
        shown = client.get(page(mine)).content.decode()
        assert "880.00 KES" in shown
        assert page(mine, "take_cash") in shown

    def test_they_can_do_nothing_else(self, agent: Agent, own: tuple[Agent, Client]) -> None:
        mine, client = own
        for action in ("sell_float", "take_float_back", "set_pin", "close_agent"):
            assert client.get(page(mine, action)).status_code == 403
            assert client.post(page(mine, action), {}).status_code == 403
        assert client.post(page(mine), {"name": "x"}).status_code == 403
        assert client.get(reverse("admin:accounts_agent_add")).status_code == 403
        for action in ("change", "take_cash", "sell_float"):
            assert client.get(page(agent, action)).status_code in (302, 404)
        assert send(client, mine, "take_cash", code="KIS9999", amount="50").status_code == 200
        assert not Payment.objects.exists()

    @pytest.mark.parametrize("model", [Household, Payment, AgentFloatChange, Site, User])
    def test_they_see_no_other_rows(
        self, own: tuple[Agent, Client], kisima: Village, model: type[Any]
    ) -> None:
        kisima.pay("KIS0001", amount_minor=5_000, at=timezone.now())
        _, client = own
        listed = client.get(reverse(f"admin:accounts_{model._meta.model_name}_changelist"))
        assert listed.status_code == 403 or list(listed.context["cl"].result_list) == []
        row = model._default_manager.first()
        path = reverse(f"admin:accounts_{model._meta.model_name}_change", args=[row.pk])
        assert client.get(path).status_code in (302, 403)

    def test_their_first_page_leads_to_agents_only(self, own: tuple[Agent, Client]) -> None:
        _, client = own
        first = client.get(reverse("admin:index")).content.decode()
        assert reverse("admin:accounts_agent_changelist") in first
        assert reverse("admin:accounts_payment_changelist") + "?" not in first
        assert "needs-a-person" not in first

    def test_the_api_tells_them_nothing(self, own: tuple[Agent, Client], agent: Agent) -> None:
        mine, _ = own
        assert mine.user is not None
        token = Token.objects.create(user=mine.user)
        headers = {"Authorization": f"Token {token.key}"}
        assert Client().get("/api/v1/households/KIS0001/", headers=headers).status_code == 403

    def test_a_closed_agents_log_in_takes_nothing_and_sees_no_more(
        self, own: tuple[Agent, Client]
    ) -> None:
        mine, client = own
        mine.closed_at = timezone.now()
        mine.save()
        answer = send(client, mine, "take_cash", code="KIS0001", amount="50")
        assert "takes no cash any more" in answer.content.decode()
        households = client.get(reverse("admin:accounts_household_changelist"))
        assert list(households.context["cl"].result_list) == []


def test_the_history_says_who_changed_an_agent(agent: Agent, clerk: Client) -> None:
    form = {"name": "Duka", "phone": agent.phone, "language": "en"}
    clerk.post(page(agent), form)
    history: datetime = agent.history.first().history_date
    assert history <= timezone.now()
    assert agent.history.first().history_user.username == "clerk"
    path = reverse("admin:accounts_agent_history", args=[agent.pk])
    assert "clerk" in clerk.get(path).content.decode()
