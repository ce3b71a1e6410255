"""Taking money back: exactly the opposite, of what is unspent, each step once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from accounts import amounts, ledger, suspense, take_backs
from accounts.intents import Reason
from accounts.ledger import Leg
from accounts.models import (
    Household,
    JournalEntry,
    LedgerAccount,
    Notice,
    PayerClaim,
    Payment,
    Posting,
    TakeBack,
)
from accounts.payees import AmountMismatch
from accounts.take_backs import MoreThanLeft, NotEnoughUnspent, NotTaken, WholeOnly
from gateway.sms.gsm import SINGLE_SEPTETS, septets
from gateway.sms.wording import words
from settlement import settle
from tests.cash_village import hire
from tests.paybacks import (
    DAI,
    assert_books_hold,
    card_rail,
    charging,
    funds,
    pay,
    quote,
    standing,
)
from tests.village import Village

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(village: Village) -> Household:
    return village.household("KIS0001")


def take(
    payment: Payment,
    amount_minor: int,
    *,
    at: datetime,
    key: str = "1",
    reason: Reason = Reason.REVERSAL,
    only_unspent: bool = False,
) -> TakeBack:
    return take_backs.take(
        payment=payment,
        amount_minor=amount_minor,
        reason=reason,
        key=key,
        occurred_at=at,
        at=at,
        only_unspent=only_unspent,
    )


def pay_out(take_back: TakeBack, *, at: datetime, fee_minor: int = 0) -> TakeBack:
    return take_backs.paid_out(take_back=take_back, fee_minor=fee_minor, occurred_at=at, at=at)


def put_back(take_back: TakeBack, *, at: datetime) -> TakeBack:
    return take_backs.put_back(take_back=take_back, occurred_at=at, at=at)


def spend(village: Village, household: Household, *, amount_wei: int, at: datetime) -> None:
    """Let a household use up an amount, outside of settlement."""
    ledger.post(
        book_id=village.site.book.pk,
        kind="test",
        key=f"spent:{JournalEntry.objects.count()}",
        legs=[
            Leg(kind="household_funds", household_id=household.pk, amount=-amount_wei),
            Leg(kind="fx_result", amount=amount_wei),
        ],
        occurred_at=at,
        at=at,
    )


def of(payment: Payment) -> Payment:
    return Payment.objects.get(pk=payment.pk)


class TestTaking:
    """The opposite of the credit's legs, in proportion and exact."""

    @pytest.mark.parametrize("market", ["131", "129.25", "97.7777"])
    def test_a_payment_taken_back_whole_leaves_only_what_the_provider_kept(
        self, village: Village, home: Household, now: datetime, market: str
    ) -> None:
        charging(village)
        quote(at=now, local_per_dai=market)
        payment = pay(village, "KIS0001", at=now)
        fee_wei = -standing(village.site)["rail_fees", "mpesa", "DAI"]
        taken = take(payment, 100_000, at=now)
        assert taken.taken_wei == payment.credited_wei
        assert (taken.claim_wei, of(payment).taken_back_minor) == (0, 100_000)
        assert funds(home) == 0
        assert standing(village.site) == {
            ("float", "mpesa", "KES"): -98_265,
            ("fx_position", "", "KES"): -1_735,
            ("payback_due", "mpesa", "KES"): 100_000,
            ("fx_position", "", "DAI"): fee_wei,
            ("rail_fees", "mpesa", "DAI"): -fee_wei,
        }
        pay_out(taken, at=now)
        assert standing(village.site)["float", "mpesa", "KES"] == 1_735
        assert ("payback_due", "mpesa", "KES") not in standing(village.site)
        assert_books_hold()

    @pytest.mark.parametrize("steps", [[1] * 7, [33_333, 1, 33_333, 33_333], [1, 99_998, 1]])
    def test_a_payment_taken_in_steps_comes_to_the_same(
        self, village: Village, home: Household, now: datetime, steps: list[int]
    ) -> None:
        charging(village)
        quote(at=now, local_per_dai="130.7777")
        amount_minor = sum(steps)
        before = standing(village.site)
        payment = pay(village, "KIS0001", at=now, amount_minor=amount_minor, fee_minor=0)
        credited = Posting.objects.filter(entry_id=payment.entry_id, asset="DAI").count()
        assert credited >= 4
        for number, step in enumerate(steps):
            taken = take(payment, step, at=now, key=str(number))
            pay_out(taken, at=now)
            share = (payment.credited_wei or 0) * sum(steps[: number + 1]) // amount_minor
            assert funds(home) == (payment.credited_wei or 0) - share
        assert standing(village.site) == before
        assert_books_hold()

    def test_the_same_key_takes_once(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        payment = pay(village, "KIS0001", at=now)
        assert take(payment, 40_000, at=now) == take(payment, 40_000, at=now)
        assert of(payment).taken_back_minor == 40_000
        assert take(payment, 40_000, at=now, key="2") != take(payment, 40_000, at=now)

    @pytest.mark.parametrize("amount_minor", [0, -1, 60_001, 10**15])
    def test_no_more_than_is_left_is_taken(
        self, village: Village, home: Household, now: datetime, amount_minor: int
    ) -> None:
        payment = pay(village, "KIS0001", at=now)
        take(payment, 40_000, at=now)
        entries = JournalEntry.objects.count()
        with pytest.raises(MoreThanLeft, match="60000 minor units of it are left"):
            take(payment, amount_minor, at=now, key="2")
        assert JournalEntry.objects.count() == entries

    def test_what_the_provider_charges_for_it_is_an_expense_at_the_market(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        quote(at=now, local_per_dai="130")
        payment = pay(village, "KIS0001", at=now, fee_minor=0)
        for _ in range(2):
            pay_out(take(payment, 100_000, at=now), at=now, fee_minor=1_300)
        assert standing(village.site) == {
            ("float", "mpesa", "KES"): 1_300,
            ("fx_position", "", "KES"): -1_300,
            ("fx_position", "", "DAI"): DAI // 10,
            ("rail_fees", "mpesa", "DAI"): -DAI // 10,
        }
        assert_books_hold()

    def test_cash_goes_back_to_the_agents_float(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        agent = hire(village, at=now)
        before = standing(village.site)
        payment = pay(
            village, "KIS0001", at=now, rail=agent.rail, agent=agent, amount_minor=5_000,
            fee_minor=0, reference="CASH1",
        )  # fmt: skip
        assert standing(village.site)["agent_float", agent.code, "KES"] == (
            before["agent_float", agent.code, "KES"] - 5_000
        )
        pay_out(take(payment, 5_000, at=now), at=now)
        assert standing(village.site) == before


class TestSpent:
    """What a household used up is a claim on the payer, never its arrears."""

    def test_only_what_is_unspent_is_taken_and_the_rest_is_a_claim(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        payment = pay(village, "KIS0001", at=now)
        credited = payment.credited_wei or 0
        spend(village, home, amount_wei=credited // 4, at=now)
        taken = take(payment, 100_000, at=now)
        assert (taken.taken_wei, taken.claim_wei) == (credited - credited // 4, credited // 4)
        assert (funds(home), PayerClaim.objects.get().amount_wei) == (0, credited // 4)
        assert standing(village.site)["payer_claim", "", "DAI"] == -(credited // 4)
        held = amounts.of_household(household=home)
        assert (held.funds_wei, held.arrears_wei) == (0, 0)

    def test_what_is_set_aside_for_arrears_counts_as_spent(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        ledger.post(
            book_id=village.site.book.pk,
            kind="test",
            key="owed",
            legs=[
                Leg(kind="household_arrears", household_id=home.pk, amount=-100 * DAI),
                Leg(kind="arrears_unearned", amount=100 * DAI),
            ],
            occurred_at=now,
            at=now,
        )
        payment = pay(village, "KIS0001", at=now)
        credited = payment.credited_wei or 0
        aside = credited * 3 // 10
        taken = take(payment, 100_000, at=now)
        assert (taken.taken_wei, taken.claim_wei) == (credited - aside, aside)
        assert_books_hold()

    def test_a_refund_says_how_much_could_be_given_back_and_takes_nothing(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        payment = pay(village, "KIS0001", at=now)
        spend(village, home, amount_wei=2 * DAI, at=now)
        with pytest.raises(NotEnoughUnspent) as refusal:
            take(payment, 100_000, at=now, only_unspent=True)
        most_minor = refusal.value.unspent_minor
        # 1,000 KES less 2 DAI of 129.25 KES, to the cent.
        assert most_minor == 100_000 - 2 * 12_925
        with pytest.raises(NotEnoughUnspent):
            take(payment, most_minor + 1, at=now, only_unspent=True)
        assert take(payment, most_minor, at=now, only_unspent=True).claim_wei == 0
        assert take_backs.unspent_minor(payment=of(payment)) == 0

    def test_settlement_spends_it_too(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        village.price(ticks=3_000, starts_at=village.founded_at)
        payment = pay(village, "KIS0001", at=now - timedelta(hours=2))
        village.read(
            "SM0001", starts_at=now - timedelta(hours=1), energy_milliwatt_hours=10**6, at=now
        )
        settle.run_all(site_id=village.site.pk, at=now)
        taken = take(payment, 100_000, at=now)
        assert taken.claim_wei == 3 * DAI // 10
        assert_books_hold()

    def test_funds_that_fall_below_the_mark_are_told_of_once(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        payment = pay(village, "KIS0001", at=now)
        take(payment, 10_000, at=now, key="1")
        assert not Notice.objects.filter(kind="low_funds").exists()
        take(payment, 89_000, at=now, key="2")
        take(payment, 1_000, at=now, key="3")
        notice = Notice.objects.get(kind="low_funds")
        assert notice.params["funds_wei"] == str((payment.credited_wei or 0) // 100 + 1)
        assert "only KES 10 left" in words(notice=notice, at=now)

    def test_a_household_is_told_what_is_left(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        payment = pay(village, "KIS0001", at=now)
        taken = take(payment, 40_000, at=now)
        for kind, said in (("payment_refunded", "given back"), ("payment_reversed", "taken back")):
            take_backs.tell(take_back=taken, kind=kind, at=now)
            take_backs.tell(take_back=taken, kind=kind, at=now)
            text = words(notice=Notice.objects.get(kind=kind), at=now)
            assert text.startswith("KES 400 paid for KIS0001 was ")
            assert said in text
            assert "RCP0000001. Balance KES 600." in text
            assert septets(text) <= SINGLE_SEPTETS


class TestPuttingBack:
    """It came to nothing, or the money came again."""

    @pytest.mark.parametrize("is_paid", [False, True])
    def test_everything_stands_as_before(
        self, village: Village, home: Household, now: datetime, is_paid: bool
    ) -> None:
        charging(village)
        quote(at=now)
        payment = pay(village, "KIS0001", at=now)
        before = standing(village.site)
        taken = take(payment, 33_333, at=now)
        if is_paid:
            pay_out(taken, at=now)
        for _ in range(2):
            put_back(taken, at=now)
        assert standing(village.site) == before
        assert funds(home) == payment.credited_wei
        assert of(payment).taken_back_minor == 0
        assert_books_hold()

    def test_an_open_claim_is_cancelled_before_the_household_gets_anything(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        payment = pay(village, "KIS0001", at=now)
        spend(village, home, amount_wei=DAI, at=now)
        unspent = funds(home)
        taken = pay_out(take(payment, 100_000, at=now), at=now)
        put_back(taken, at=now)
        assert funds(home) == unspent
        assert PayerClaim.objects.get().state == "settled"
        assert ("payer_claim", "", "DAI") not in standing(village.site)
        assert_books_hold()

    def test_what_was_put_back_is_not_paid_out(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        taken = take(pay(village, "KIS0001", at=now), 100_000, at=now)
        put_back(taken, at=now)
        with pytest.raises(NotTaken, match="was put back"):
            pay_out(taken, at=now)

    def test_parts_put_back_in_another_order_leave_no_wei(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        charging(village)
        quote(at=now, local_per_dai="130.3")
        payment = pay(village, "KIS0001", at=now, amount_minor=7, fee_minor=0)
        before = standing(village.site)
        first, second, third = (take(payment, n, at=now, key=str(n)) for n in (1, 2, 3))
        put_back(first, at=now)
        fourth = take(payment, 2, at=now, key="4")
        assert of(payment).taken_back_minor == 7
        assert funds(home) == 0
        for each in (third, fourth, second):
            put_back(each, at=now)
        assert standing(village.site) == before
        assert funds(home) == payment.credited_wei


class TestSuspense:
    """Money that matched nobody goes back in whole, and is attached to nobody meanwhile."""

    def test_it_goes_back_out_of_the_operators_book(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        quote(at=now, local_per_dai="130")
        payment = pay(village, "NOBODY", at=now, fee_minor=1_300)
        with pytest.raises(WholeOnly):
            take(payment, 99_999, at=now)
        taken = pay_out(take(payment, 100_000, at=now), at=now)
        assert of(payment).state == "returned"
        rows = LedgerAccount.objects.filter(book_id=village.operator.book.pk).exclude(amount=0)
        assert {(row.kind, row.asset): row.amount for row in rows} == {
            ("float", "KES"): 1_300,
            ("fx_position", "KES"): -1_300,
            ("fx_position", "DAI"): DAI // 10,
            ("rail_fees", "DAI"): -DAI // 10,
        }
        with pytest.raises(AmountMismatch, match="was given back"):
            suspense.attach(payment=payment, household=home, at=now)
        assert suspense.attach_waiting(at=now) == 0
        assert_books_hold()
        put_back(taken, at=now)
        assert (of(payment).state, of(payment).reason) == ("suspense", "no account 'NOBODY'")
        assert_books_hold()

    def test_put_back_it_finds_its_account_by_itself(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        payment = pay(village, "KIS0002", at=now)
        taken = take(payment, 100_000, at=now)
        other = village.household("KIS0002", phone="+254711000002")
        put_back(taken, at=now)
        assert suspense.attach_waiting(at=now) == 1
        assert of(payment).state == "credited"
        assert funds(other) == of(payment).credited_wei
        assert_books_hold()

    def test_money_of_another_currency_waits_for_a_person_again(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        payment = pay(village, "KIS0001", at=now, rail=card_rail(village), currency="USD")
        assert payment.state == "mismatch"
        taken = take(payment, 100_000, at=now)
        put_back(taken, at=now)
        assert (of(payment).state, of(payment).reason[:11]) == ("mismatch", "paid in USD")
        assert_books_hold()

    def test_what_was_attached_meanwhile_is_taken_from_the_household(
        self, village: Village, home: Household, now: datetime
    ) -> None:
        payment = pay(village, "TYPO", at=now)
        suspense.attach(payment=payment, household=home, at=now)
        # `payment` still says suspense, as the page did that somebody had open.
        assert payment.state == "suspense"
        take(payment, 100_000, at=now)
        assert (of(payment).state, funds(home)) == ("credited", 0)
        assert_books_hold()
