"""Crediting to the wei, and money that matches nobody: kept, told of, attached when it can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from django.utils import timezone

from accounts import amounts, audit, ledger, site_rates, sites, suspense, topups
from accounts.ledger import Leg
from accounts.models import Household, JournalEntry, LedgerAccount, Notice, Payment, Rail, Site
from accounts.payees import AmountMismatch, PayeeMismatch
from accounts.site_rates import NoSiteRate
from accounts.topups import ConfirmedPayment
from gateway.providers import collection
from gateway.providers.models import StatementCursor
from gateway.providers.tasks import attach_suspense
from gateway.sms.gsm import SINGLE_SEPTETS, septets
from gateway.sms.wording import words
from tests.integration.sandboxed import World, handle_events, home, hooks, later, today, world
from tests.village import Village

__all__ = ["home", "hooks", "today", "world"]

pytestmark = pytest.mark.django_db

DAI = 10**18


def paid(village: Village, code: str, amount_minor: int, **changes: object) -> ConfirmedPayment:
    payment = ConfirmedPayment(
        rail=village.rail,
        reference="RCP0000001",
        amount_minor=amount_minor,
        currency="KES",
        paid_at=timezone.now(),
        account_text=code,
        payer_phone="254711000001",
    )
    return replace(payment, **changes)  # type: ignore[arg-type]


def confirm(payment: ConfirmedPayment) -> Payment:
    return topups.confirm(payment=payment, at=timezone.now())


def owe(village: Village, household: Household, *, amount_wei: int) -> None:
    """Leave a household in arrears."""
    ledger.post(
        book_id=village.site.book.pk,
        kind="test",
        key="owed",
        legs=[
            Leg(kind="household_arrears", household_id=household.pk, amount=-amount_wei),
            Leg(kind="fx_position", amount=amount_wei),
        ],
        occurred_at=timezone.now(),
        at=timezone.now(),
    )


def of_operator(village: Village) -> dict[tuple[str, str], int]:
    """What stands in the operator's own book, by kind and asset."""
    accounts = LedgerAccount.objects.filter(book_id=village.operator.book.pk).exclude(amount=0)
    return {(account.kind, account.asset): account.amount for account in accounts}


def of_site(site: Site) -> dict[tuple[str, str], int]:
    stored = amounts.of_site(site=site)
    return {(kind, asset): amount for (kind, _, asset), amount in stored.items() if amount}


def assert_books_hold() -> None:
    """Entries balance, suspense equals its payments, and so on."""
    wrong = [finding for result in audit.run(checks=audit.CHECKS) for finding in result.findings]
    assert wrong == []


class TestCredits:
    """The site's rate, floored to the wei; what the market makes of it goes to the reserve."""

    @pytest.mark.parametrize("amount_minor", [1_000, 1_001, 33_333, 15_000_000, 7])
    @pytest.mark.parametrize("rate", ["129.25", "131.07", "0.00000001", "3"])
    def test_a_credit_is_the_payment_at_the_site_rate_floored_to_the_wei(
        self, today: Village, home: Household, amount_minor: int, rate: str
    ) -> None:
        site_rates.publish(
            site=today.site,
            local_per_dai=Decimal(rate),
            starts_at=later(minutes=-1),
            at=later(minutes=-1),
        )
        payment = confirm(paid(today, "KIS0001", amount_minor))
        exact = Fraction(amount_minor, 100) / Fraction(rate) * DAI
        assert payment.credited_wei == exact.numerator // exact.denominator
        assert amounts.of_household(household=home).funds_wei == payment.credited_wei
        assert_books_hold()

    @pytest.mark.parametrize(("market", "sign"), [("120", 1), ("140", -1), ("129.25", 0)])
    def test_the_reserve_takes_what_the_market_gives_more_and_pays_what_it_gives_less(
        self, today: Village, home: Household, market: str, sign: int
    ) -> None:
        now = timezone.now()
        site_rates.store_quote(
            source="test",
            currency="KES",
            local_per_dai=Decimal(market),
            quoted_at=now - timedelta(minutes=1),
            expires_at=now + timedelta(hours=1),
        )
        payment = confirm(paid(today, "KIS0001", 50_000))
        market_wei = int(Fraction(500) / Fraction(market) * DAI)
        reserve = of_site(today.site).get(("fx_reserve", "DAI"), 0)
        assert payment.credited_wei is not None
        assert reserve == market_wei - payment.credited_wei
        assert (reserve > 0) - (reserve < 0) == sign
        assert of_site(today.site)[("fx_position", "DAI")] == -market_wei
        assert of_site(today.site)[("float", "KES")] == -50_000
        assert of_site(today.site)[("fx_position", "KES")] == 50_000

    def test_a_quote_that_expired_is_no_market(self, today: Village, home: Household) -> None:
        site_rates.store_quote(
            source="test",
            currency="KES",
            local_per_dai=Decimal(1),
            quoted_at=later(hours=-2),
            expires_at=later(hours=-1),
        )
        confirm(paid(today, "KIS0001", 50_000))
        assert ("fx_reserve", "DAI") not in of_site(today.site)

    @pytest.mark.parametrize("owed", [DAI, 100 * DAI])
    def test_at_most_thirty_percent_goes_to_arrears(
        self, today: Village, home: Household, owed: int
    ) -> None:
        owe(today, home, amount_wei=owed)
        payment = confirm(paid(today, "KIS0001", 50_000))
        assert payment.credited_wei is not None
        repaid = min(owed, payment.credited_wei * 3_000 // 10_000)
        now = amounts.of_household(household=home)
        assert now.funds_wei == payment.credited_wei - repaid
        assert now.arrears_wei == owed - repaid
        params = Notice.objects.get().params
        assert (params["repaid_wei"], params["funds_wei"]) == (str(repaid), str(now.funds_wei))

    @pytest.mark.parametrize("language", ["en", "fr", "sw"])
    def test_the_receipt_fits_one_message_in_every_language(
        self, today: Village, home: Household, language: str
    ) -> None:
        home.language = language
        home.save()
        owe(today, home, amount_wei=900 * DAI)
        confirm(paid(today, "KIS0001", 14_999_950, reference="A" * 12))
        notice = Notice.objects.get()
        text = words(notice=notice, at=timezone.now())
        assert septets(text) <= SINGLE_SEPTETS
        assert "AAAAAAAAAAAA" in text
        assert "KIS0001" in text

    def test_every_phone_of_the_household_that_wants_it_gets_the_receipt(
        self, today: Village, home: Household
    ) -> None:
        home.phones.create(phone="+254711000091", created_at=timezone.now())
        home.phones.create(
            phone="+254711000092", created_at=timezone.now(), closed_at=timezone.now()
        )
        home.phones.create(phone="+254711000093", created_at=timezone.now(), is_notified=False)
        confirm(paid(today, "KIS0001", 50_000))
        confirm(paid(today, "KIS0001", 50_000))
        assert set(Notice.objects.values_list("kind", "phone")) == {
            ("top_up_credited", "+254711000001"),
            ("top_up_credited", "+254711000091"),
        }
        assert Notice.objects.count() == 2


class TestReplays:
    """A reference is one payment."""

    @pytest.mark.parametrize("code", ["KIS0001", "KIS0777"])
    def test_a_replay_returns_the_first_and_posts_nothing(
        self, today: Village, home: Household, code: str
    ) -> None:
        first = confirm(paid(today, code, 50_000))
        entries = JournalEntry.objects.count()
        again = confirm(paid(today, f" {code.lower()} ", 50_000))
        assert (again.pk, JournalEntry.objects.count()) == (first.pk, entries)

    def test_a_replay_with_another_amount_is_not_credited(
        self, today: Village, home: Household
    ) -> None:
        confirm(paid(today, "KIS0001", 50_000))
        funds = amounts.of_household(household=home).funds_wei
        with pytest.raises(AmountMismatch, match="RCP0000001 is known with"):
            confirm(paid(today, "KIS0001", 60_000))
        assert amounts.of_household(household=home).funds_wei == funds

    def test_a_replay_for_somebody_else_is_not_credited(
        self, today: Village, home: Household
    ) -> None:
        other = today.household("KIS0002", phone="+254711000002")
        confirm(paid(today, "KIS0001", 50_000))
        with pytest.raises(PayeeMismatch, match="came again for 'KIS0002'"):
            confirm(paid(today, "KIS0002", 50_000))
        assert amounts.of_household(household=other).funds_wei == 0

    def test_a_statement_that_leaves_the_account_out_contradicts_nothing(
        self, today: Village, home: Household
    ) -> None:
        first = confirm(paid(today, "KIS0001", 50_000))
        assert confirm(paid(today, "", 50_000)) == first

    def test_a_differing_statement_is_logged_and_not_credited(
        self, world: World, today: Village, home: Household
    ) -> None:
        receipt = world.paybill("KIS0001", "80")
        confirm(paid(today, "KIS0001", 9_000, reference=receipt))
        world.call_back("confirmation")
        assert Payment.objects.get().amount_minor == 9_000
        assert f"{receipt} is known with" in StatementCursor.objects.get().last_failure


def other_operators_household(*, at: datetime) -> Household:
    operator = sites.open_operator(slug="other", name="Other Power", at=at)
    site = sites.open_site(
        at=at,
        operator=operator,
        slug="malindi",
        name="Malindi",
        country="KE",
        currency="KES",
        time_zone="Africa/Nairobi",
    )
    site_rates.publish(site=site, local_per_dai=Decimal(130), starts_at=at, at=at)
    return sites.open_household(site=site, code="MAL0001", at=at)


def site_in_francs(village: Village, *, at: datetime) -> Site:
    return sites.open_site(
        at=at,
        operator=village.operator,
        slug="lofe",
        name="Lofé",
        country="SN",
        currency="XOF",
        time_zone="Africa/Dakar",
    )


class TestSuspense:
    """Received money is always kept."""

    @pytest.mark.parametrize("code", ["KIS0777", "", "¿?", "K" * 64, "' OR 1=1 --"])
    def test_money_for_an_unknown_account_waits_in_the_operators_book(
        self, today: Village, home: Household, code: str
    ) -> None:
        payment = confirm(paid(today, code, 50_000))
        assert payment.state == "suspense"
        assert payment.household is None
        assert of_operator(today) == {("float", "KES"): -50_000, ("suspense", "KES"): 50_000}
        assert of_site(today.site) == {}
        assert Notice.objects.get().kind == "top_up_in_suspense"
        assert_books_hold()

    @pytest.mark.parametrize("phone", ["", "2547 ***** 126", "a" * 64, "0711", "+254711000001"])
    def test_only_a_payer_whose_phone_can_be_read_is_told(self, today: Village, phone: str) -> None:
        confirm(paid(today, "KIS0777", 50_000, payer_phone=phone))
        assert Notice.objects.count() == (phone == "+254711000001")

    def test_it_attaches_when_the_account_appears_and_both_books_balance(
        self, world: World, today: Village
    ) -> None:
        receipt = world.paybill("kis-0777", "500")
        world.call_back("confirmation")
        assert Payment.objects.get().state == "suspense"
        attach_suspense()
        assert Payment.objects.get().state == "suspense"

        late = today.household("KIS0777", phone="+254711000077")
        attach_suspense()
        attach_suspense()
        payment = Payment.objects.get()
        assert (payment.state, payment.household, payment.reference) == ("credited", late, receipt)
        assert payment.credited_wei == 500 * DAI * 100 // 12_925
        assert of_operator(today) == {}
        assert of_site(today.site)[("float", "KES")] == -50_000
        assert amounts.of_household(household=late).funds_wei == payment.credited_wei
        kinds = set(Notice.objects.values_list("kind", "phone"))
        assert ("top_up_credited", "+254711000077") in kinds
        handle_events()
        assert_books_hold()

    def test_it_is_credited_at_the_rate_of_the_day_it_was_paid(self, today: Village) -> None:
        confirm(paid(today, "KIS0777", 50_000, paid_at=later(days=-2)))
        site_rates.publish(
            site=today.site, local_per_dai=Decimal(200), starts_at=later(days=-1), at=later(days=-1)
        )
        today.household("KIS0777", phone="+254711000077")
        attach_suspense()
        assert Payment.objects.get().credited_wei == 500 * DAI * 100 // 12_925

    def test_a_closed_account_keeps_nothing_and_loses_nothing(
        self, world: World, today: Village, home: Household
    ) -> None:
        home.closed_at = timezone.now()
        home.save()
        world.paybill("KIS0001", "500", silent=True)
        collection.pull(rail=Rail.objects.get(), at=timezone.now())
        payment = Payment.objects.get()
        assert (payment.state, payment.reason) == ("suspense", "account KIS0001 is closed")
        attach_suspense()
        home.closed_at = None
        home.save()
        attach_suspense()
        assert Payment.objects.get().household == home
        assert_books_hold()

    def test_money_for_a_site_of_another_currency_waits_for_a_person(self, today: Village) -> None:
        at = later(days=-1)
        site = site_in_francs(today, at=at)
        household = sites.open_household(site=site, code="LOF0001", at=at)
        payment = confirm(paid(today, "LOF0001", 50_000))
        assert payment.state == "mismatch"
        assert payment.reason == "paid in KES, LOF0001 is charged in XOF"
        attach_suspense()
        with pytest.raises(AmountMismatch, match="is in KES, lofe takes XOF"):
            suspense.attach(payment=payment, household=household, at=timezone.now())
        assert of_operator(today)[("suspense", "KES")] == 50_000
        assert_books_hold()

    def test_money_for_another_operators_household_is_not_booked_as_theirs(
        self, today: Village
    ) -> None:
        household = other_operators_household(at=later(days=-1))
        payment = confirm(paid(today, "MAL0001", 50_000))
        assert payment.reason == "MAL0001 is a customer of another operator"
        attach_suspense()
        with pytest.raises(PayeeMismatch, match="another operator"):
            suspense.attach(payment=payment, household=household, at=timezone.now())
        assert Payment.objects.get().state == "suspense"

    def test_money_before_the_first_rate_waits_for_it(self, today: Village) -> None:
        at = later(days=-1)
        site = sites.open_site(
            at=at,
            operator=today.operator,
            slug="new",
            name="New",
            country="KE",
            currency="KES",
            time_zone="Africa/Nairobi",
        )
        household = sites.open_household(site=site, code="NEW0001", at=at)
        payment = confirm(paid(today, "NEW0001", 50_000))
        assert payment.reason == "site new has no rate yet"
        with pytest.raises(NoSiteRate):
            suspense.attach(payment=payment, household=household, at=timezone.now())
        attach_suspense()
        site_rates.publish(site=site, local_per_dai=Decimal(100), starts_at=at, at=at)
        attach_suspense()
        assert Payment.objects.get().credited_wei == 5 * DAI

    def test_a_household_that_moved_away_is_waited_for(self, today: Village) -> None:
        household = Household.objects.create(code="KIS0555", created_at=timezone.now())
        payment = confirm(paid(today, "KIS0555", 50_000))
        assert payment.reason == "KIS0555 belongs to no site"
        with pytest.raises(LookupError, match="belongs to no site"):
            suspense.attach(payment=payment, household=household, at=timezone.now())

    def test_a_person_attaches_a_payment_once(self, today: Village, home: Household) -> None:
        payment = confirm(paid(today, "typo", 50_000))
        for _ in range(2):
            suspense.attach(payment=payment, household=home, at=timezone.now())
        # Seen again in the statement, with the typo: that is still this payment.
        confirm(paid(today, "typo", 50_000))
        assert amounts.of_household(household=home).funds_wei == 500 * DAI * 100 // 12_925
        assert of_operator(today) == {}
        assert_books_hold()
