"""A phone that several households share: the code decides whose money is, on every way it comes."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts import amounts, attempts, sites, suspense
from accounts.attempts import Answer
from accounts.models import (
    Household,
    HouseholdPhone,
    Notice,
    Payment,
    PaymentAttempt,
    Rail,
    TopUp,
)
from gateway.providers import collection
from gateway.sms.wording import words
from tests.cash_village import AGENT_PIN, hire
from tests.integration.sandboxed import (
    MPESA_PIN,
    PHONE,
    Hooks,
    World,
    asked,
    handle_events,
    hooks,
    later,
    today,
    world,
)
from tests.integration.test_daraja_receipts import claim, lag, settle_by_statement
from tests.village import Village

__all__ = ["hooks", "today", "world"]

pytestmark = pytest.mark.django_db

STRANGER = "+254711000003"
DAI = 10**18
# 500 shillings at 129.25 per DAI.
CREDIT_WEI = 50_000 * DAI // 12_925


@dataclass(frozen=True, kw_only=True)
class Homes:
    """KIS0001 and KIS0002 share PHONE; KIS0003 has a phone of its own."""

    village: Village
    first: Household
    second: Household
    other: Household

    def credited(self) -> dict[str, int]:
        """How many times 500 shillings each household has."""
        homes = (self.first, self.second, self.other)
        held = amounts.of_households(households=homes)
        return {
            home.code: held[home.pk].funds_wei // CREDIT_WEI
            for home in homes
            if held[home.pk].funds_wei
        }


@pytest.fixture
def homes(today: Village) -> Homes:
    today.price(ticks=2_500, starts_at=today.founded_at)
    return Homes(
        village=today,
        first=today.household("KIS0001", phone=PHONE),
        second=today.household("KIS0002", phone=PHONE),
        other=today.household("KIS0003", phone=STRANGER),
    )


def prompt_both(homes: Homes) -> tuple[PaymentAttempt, PaymentAttempt]:
    """Two prompts of the same amount on the one phone, for one household each."""
    made = []
    for number, home in enumerate((homes.first, homes.second)):
        attempt = asked(home, key=f"key-{number}")
        # A phone shows the next prompt a minute later.
        PaymentAttempt.objects.filter(pk=attempt.pk).update(created_at=later(seconds=-61))
        collection.submit(attempt_id=attempt.pk, at=timezone.now())
        made.append(PaymentAttempt.objects.get(pk=attempt.pk))
    assert [attempt.state for attempt in made] == ["pending", "pending"]
    return made[0], made[1]


def pay(world: World, attempt: PaymentAttempt) -> str:
    """Answer one of the prompts; its receipt."""
    path = f"daraja/simulator/phones/{PHONE}/prompts/{attempt.provider_request}"
    return str(world.ask("POST", path, pin=MPESA_PIN)["receipt"])


class TestUssd:
    """The account that was chosen in the session."""

    @pytest.mark.parametrize(("text", "code"), [("1*3*500*1", "KIS0001"), ("2*3*500*1", "KIS0002")])
    def test_the_chosen_account_is_topped_up(
        self, hooks: Hooks, homes: Homes, text: str, code: str
    ) -> None:
        assert "payment prompt for KES 500" in hooks.dial(text)
        assert TopUp.objects.get().household.code == code

    def test_the_confirmation_names_the_account(self, hooks: Hooks, homes: Homes) -> None:
        assert "Pay KES 500 for KIS0002?" in hooks.dial("kis0002*3*500")

    def test_another_households_code_is_no_choice(self, hooks: Hooks, homes: Homes) -> None:
        assert "Choose a number" in hooks.dial("KIS0003")
        hooks.dial("KIS0003*3*500*1")
        assert not TopUp.objects.exists()

    @pytest.mark.parametrize("is_cache_lost", [False, True])
    def test_a_phone_given_away_in_the_middle_pays_for_nobody_else(
        self, hooks: Hooks, homes: Homes, is_cache_lost: bool
    ) -> None:
        """Dialled again, "2" would be the second choice of another menu."""
        for text in ("", "2", "2*3", "2*3*500"):
            hooks.hop(text)
        HouseholdPhone.objects.filter(household=homes.first).update(closed_at=timezone.now())
        if is_cache_lost:
            cache.clear()
        hooks.hop("2*3*500*1")
        codes = [top_up.household.code for top_up in TopUp.objects.all()]
        assert codes == ([] if is_cache_lost else ["KIS0002"])


class TestPrompts:
    """A prompt's own request decides, not the phone it was on."""

    def test_prompts_paid_in_any_order_credit_their_own_households(
        self, world: World, homes: Homes
    ) -> None:
        first, second = prompt_both(homes)
        receipts = {"KIS0002": pay(world, second), "KIS0001": pay(world, first)}
        for path, body in reversed(world.callbacks("stk")):
            world.hooks.post(path, body, content_type="application/json")
            handle_events()
        payments = Payment.objects.select_related("household")
        assert {row.household.code: row.reference for row in payments if row.household} == receipts
        assert homes.credited() == {"KIS0001": 1, "KIS0002": 1}

    def test_only_the_paid_one_is_credited(self, world: World, homes: Homes) -> None:
        _, second = prompt_both(homes)
        pay(world, second)
        collection.poll_due(clock=lambda: later(minutes=5))
        world.call_back("stk")
        assert homes.credited() == {"KIS0002": 1}

    @pytest.mark.parametrize("is_lagging", [False, True])
    def test_a_receipt_of_the_other_prompt_credits_nobody_else(
        self, world: World, homes: Homes, is_lagging: bool
    ) -> None:
        """Same phone, same amount, same minute: the account on the statement is what differs."""
        lag(world, seconds=600 if is_lagging else 0)
        first, second = prompt_both(homes)
        receipts = {"KIS0001": pay(world, first), "KIS0002": pay(world, second)}
        claim(world, first, receipt=receipts["KIS0002"])
        for path, body in world.callbacks("status"):
            world.hooks.post(path, body, content_type="application/json")
            handle_events()
        assert homes.credited() == {}
        settle_by_statement(world)
        collection.poll_due(clock=lambda: later(minutes=10))
        payments = Payment.objects.select_related("household")
        assert {row.household.code: row.reference for row in payments if row.household} == receipts
        assert homes.credited() == {"KIS0001": 1, "KIS0002": 1}

    def test_any_rails_answer_credits_the_household_that_asked(self, homes: Homes) -> None:
        """As MoMo, pawaPay and Stripe answer: by the request, with the reference at once."""
        made = [asked(homes.first, key="a")]
        PaymentAttempt.objects.update(created_at=later(seconds=-61))
        made.append(asked(homes.second, key="b"))
        for number, attempt in reversed(list(enumerate(made))):
            attempts.claim(attempt_id=attempt.pk, at=timezone.now())
            attempts.submitted(attempt=attempt, provider_request=f"R{number}", at=timezone.now())
            attempts.settle_answer(
                attempt=attempts.load(attempt_id=attempt.pk),
                answer=Answer(is_final=True, is_paid=True, code="0", reference=f"REF{number}"),
                at=timezone.now(),
            )
        assert Payment.objects.get(reference="REF0").household == homes.first
        assert Payment.objects.get(reference="REF1").household == homes.second


class TestPaybill:
    """The account that was typed."""

    @pytest.mark.parametrize(
        ("typed", "code"),
        [("KIS0002", "KIS0002"), (" kis 0001 ", "KIS0001"), ("kis-0003", "KIS0003")],
    )
    def test_the_typed_code_is_credited_whoever_has_the_phone(
        self, world: World, homes: Homes, typed: str, code: str
    ) -> None:
        world.paybill(typed, "500")
        world.call_back("confirmation")
        collection.pull(rail=Rail.objects.get(), at=timezone.now())
        assert homes.credited() == {code: 1}

    @pytest.mark.parametrize("typed", ["", "KIS0009", "0711000003", "+254711000003", "solar"])
    def test_without_a_right_code_nobody_is_credited_by_phone(
        self, world: World, homes: Homes, typed: str
    ) -> None:
        """Not even where one household alone has the phone that paid."""
        world.paybill(typed or "-", "500", phone=STRANGER)
        collection.pull(rail=Rail.objects.get(), at=timezone.now())
        assert Payment.objects.get().state == "suspense"
        assert homes.credited() == {}

    def test_money_in_suspense_waits_for_its_code_not_for_its_phone(
        self, world: World, homes: Homes
    ) -> None:
        world.paybill("KIS0010", "500", phone="+254711000010")
        collection.pull(rail=Rail.objects.get(), at=timezone.now())
        now = timezone.now()
        sites.open_household(
            site=homes.village.site, code="KIS0011", at=now, phones=("+254711000010",)
        )
        assert suspense.attach_waiting(at=now) == 0
        right = sites.open_household(
            site=homes.village.site, code="KIS0010", at=now, phones=(STRANGER,)
        )
        assert suspense.attach_waiting(at=now) == 1
        assert Payment.objects.get().household == right

    def test_the_receipt_names_the_account(self, world: World, homes: Homes) -> None:
        world.paybill("KIS0002", "500", phone=STRANGER)
        world.call_back("confirmation")
        collection.pull(rail=Rail.objects.get(), at=timezone.now())
        (notice,) = Notice.objects.all()
        assert notice.phone == PHONE
        assert "received for KIS0002." in words(notice=notice, at=timezone.now())


class TestSms:
    """`TOPUP`."""

    @pytest.mark.parametrize(
        ("text", "codes", "kind"),
        [
            ("TOPUP 500", [], "which_account"),
            ("TOPUP 500 KIS0002", ["KIS0002"], "top_up_prompt_sent"),
            ("topup kis 0001 500", ["KIS0001"], "top_up_prompt_sent"),
            ("TOPUP 500 KIS0003", [], "which_account"),
            ("TOPUP 500 KIS0099", [], "which_account"),
        ],
    )
    def test_a_shared_phone_has_to_say_which(
        self, world: World, homes: Homes, text: str, codes: list[str], kind: str
    ) -> None:
        world.hooks.sms(text)
        handle_events()
        assert [top_up.household.code for top_up in TopUp.objects.all()] == codes
        assert [notice.kind for notice in Notice.objects.all()] == [kind]

    def test_a_phone_of_one_household_tops_up_no_other(self, world: World, homes: Homes) -> None:
        world.hooks.sms("TOPUP 500 KIS0001", phone=STRANGER)
        handle_events()
        assert not TopUp.objects.exists()


class TestCash:
    """The code that an agent types."""

    @pytest.mark.parametrize("code", ["KIS0001", "KIS0003"])
    def test_an_agent_who_is_a_household_credits_the_typed_code(
        self, hooks: Hooks, homes: Homes, code: str
    ) -> None:
        hire(homes.village, at=timezone.now(), phone=PHONE)
        receipt = hooks.dial(f"2*6*{code}*500*1*{AGENT_PIN}")
        assert f"KES 500 booked for {code}." in receipt
        assert homes.credited() == {code: 1}
        assert Payment.objects.get().payer_phone == ""


class TestCards:
    """The code on the card page."""

    def test_the_code_on_the_page_is_credited(self, client: Client, homes: Homes) -> None:
        site = homes.village.site
        site.rails.add(
            Rail.objects.create(
                operator=site.operator,
                provider=Rail.Provider.STRIPE,
                code="cards-kes",
                merchant_account="acct_sandbox",
                currency="KES",
                min_top_up_minor=10_000,
                max_top_up_minor=10_000_000,
            )
        )
        page = client.get("/top-up/").content.decode()
        found = re.search(r'name="nonce" value="([^"]+)"', page)
        assert found is not None
        form = {"nonce": found[1], "code": "kis 0002", "amount": "500"}
        assert client.post("/top-up/", form).status_code == 302
        attempt = PaymentAttempt.objects.get()
        assert attempt.phone == ""
        attempts.claim(attempt_id=attempt.pk, at=timezone.now())
        attempts.submitted(attempt=attempt, provider_request="cs_1", at=timezone.now())
        attempts.settle_answer(
            attempt=attempts.load(attempt_id=attempt.pk),
            answer=Answer(is_final=True, is_paid=True, code="paid", reference="pi_1"),
            at=timezone.now(),
        )
        assert homes.credited() == {"KIS0002": 1}
