"""Turning a float into DAI: at average cost, exact, once, and entered by a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import floats, ledger, site_rates, sites, treasury
from accounts.ledger import DAI, Leg
from accounts.models import (
    Household,
    JournalEntry,
    LedgerAccount,
    Operator,
    RateQuote,
    TreasuryConversion,
    User,
)
from accounts.treasury import ConversionDiffers, ConversionRefused
from tests.integration.reconciling import assert_books_hold, clerk, held
from tests.integration.sandboxed import home, later, today
from tests.paybacks import card_rail, donate
from tests.village import Village

__all__ = ["home", "today"]

pytestmark = pytest.mark.django_db

WEI = 10**18


def quote(rate: str) -> None:
    """What the market makes of the shilling from now on."""
    site_rates.store_quote(
        source=f"test {rate}",
        currency="KES",
        local_per_dai=Decimal(rate),
        quoted_at=timezone.now() - timedelta(minutes=1),
        expires_at=later(hours=1),
    )


def convert(village: Village, sold_minor: int, **changes: Any) -> TreasuryConversion:
    given: dict[str, Any] = {
        "site": village.site,
        "rail": village.rail,
        "sold_minor": sold_minor,
        "fee_minor": 0,
        "bought_wei": 3 * WEI,
        "reference": f"PAYOUT{TreasuryConversion.objects.count()}",
        "converted_at": timezone.now(),
        "note": "",
        "at": timezone.now(),
    }
    by = User.objects.filter(username="clerk").first() or clerk(village)
    return treasury.convert(made_by=by, **{**given, **changes})


def of_site(village: Village) -> dict[tuple[str, str], int]:
    accounts = LedgerAccount.objects.filter(book_id=village.site.book.pk, household__isnull=True)
    return {(each.kind, each.asset): each.amount for each in accounts if each.amount}


class TestBooking:
    """What a conversion does to the accounts."""

    def test_a_conversion_moves_the_float_and_shows_what_it_gained(
        self, home: Household, today: Village
    ) -> None:
        quote("125")
        today.pay("KIS0001", amount_minor=100_000, at=timezone.now())
        made = convert(today, 50_000, fee_minor=1_000, bought_wei=4_200 * 10**15)

        # KES 1,000 came in worth 8 DAI; half of it costs 4, of which the fee of KES 10 is 0.08.
        assert (made.cost_wei, made.fee_wei) == (4 * WEI, 8 * 10**16)
        assert made.result_wei == 4_200 * 10**15 - (4 * WEI - 8 * 10**16)
        stands = of_site(today)
        assert stands["float", "KES"] == -50_000
        assert stands["fx_position", "KES"] == 50_000
        assert held("fx_position", DAI) == -4 * WEI
        assert stands["treasury", DAI] == -made.bought_wei
        assert stands["fx_result", DAI] == made.result_wei
        assert stands["rail_fees", DAI] == -made.fee_wei
        assert_books_hold()

    def test_fee_and_result_together_are_what_was_bought_less_its_cost(
        self, home: Household, today: Village
    ) -> None:
        today.pay("KIS0001", amount_minor=33_333, at=timezone.now())
        made = convert(today, 10_007, fee_minor=333, bought_wei=10**17 + 7)
        assert made.result_wei - made.fee_wei == made.bought_wei - made.cost_wei

    def test_the_last_part_takes_what_is_left_of_the_cost(
        self, home: Household, today: Village
    ) -> None:
        for amount_minor in (33_333, 10_001, 77):
            today.pay("KIS0001", amount_minor=amount_minor, at=timezone.now())
        booked = -held("fx_position", DAI)
        parts = [convert(today, sold) for sold in (10_000, 7, 33_000, 404)]
        assert sum(part.sold_minor for part in parts) == 43_411
        assert sum(part.cost_wei for part in parts) == booked
        assert held("fx_position", DAI) == held("fx_position", "KES") == 0
        assert floats.held_minor(rail=today.rail) == 0

    def test_the_average_is_that_of_the_book(self, home: Household, today: Village) -> None:
        quote("100")
        today.pay("KIS0001", amount_minor=10_000, at=timezone.now())
        RateQuote.objects.all().delete()
        quote("200")
        today.pay("KIS0001", amount_minor=30_000, at=timezone.now())
        # 1 DAI for 100 shillings and 1.5 for 300: 2.5 for 400.
        assert convert(today, 16_000).cost_wei == WEI

    def test_money_beyond_the_position_has_no_result(self, home: Household, today: Village) -> None:
        quote("100")
        today.pay("KIS0001", amount_minor=10_000, at=timezone.now())
        # KES 50 more lie there than payments made: a difference that somebody accepted.
        ledger.post(
            book_id=today.site.book.pk,
            kind="difference",
            key="more",
            legs=[
                Leg(kind="float", name="mpesa", asset="KES", amount=-5_000),
                Leg(kind="unexplained", name="mpesa", asset="KES", amount=5_000),
            ],
            occurred_at=timezone.now(),
            at=timezone.now(),
        )
        made = convert(today, 15_000, bought_wei=15 * 10**17)
        assert (made.cost_wei, made.result_wei) == (15 * 10**17, 0)
        assert held("fx_position", "KES") == -5_000
        assert_books_hold()

    def test_currencies_of_one_book_do_not_mix(self, home: Household, today: Village) -> None:
        today.pay("KIS0001", amount_minor=12_925, at=timezone.now())
        donate(today, at=timezone.now(), amount_minor=100_000)
        # Nobody quotes the dollar: it is a DAI, and KES 129.25 are one.
        made = convert(
            today, 99_767, rail=card_rail(today), bought_wei=1_000 * WEI, reference="po_1"
        )
        assert made.cost_wei == 99_767 * WEI // 100
        assert made.result_wei == 1_000 * WEI - made.cost_wei
        assert convert(today, 12_925).cost_wei == WEI
        assert held("fx_position", DAI) == 0
        assert_books_hold()


class TestRefusing:
    """What can't have happened, and what happened once."""

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"sold_minor": 50_001}, "no more than KES 500.00"),
            ({"sold_minor": 0}, "above zero"),
            ({"bought_wei": 0}, "above zero"),
            ({"fee_minor": 40_000}, "part of what was sold"),
            ({"fee_minor": -1}, "part of what was sold"),
            ({"reference": "  "}, "reference"),
            ({"converted_at": later(hours=1)}, "future"),
        ],
    )
    def test_what_cannot_be_is_refused(
        self, home: Household, today: Village, changes: dict[str, Any], words: str
    ) -> None:
        today.pay("KIS0001", amount_minor=50_000, at=timezone.now())
        with pytest.raises(ConversionRefused, match=words):
            convert(today, **{"sold_minor": 40_000, **changes})
        assert not TreasuryConversion.objects.exists()
        assert JournalEntry.objects.filter(kind="conversion").count() == 0

    def test_a_rail_of_another_operator_is_refused(
        self, home: Household, today: Village, now: datetime
    ) -> None:
        other = Village.found(at=now, slug="other", beside=today)
        other.site.operator = sites.open_operator(slug="rival", name="Rival", at=now)
        other.site.save()
        with pytest.raises(ConversionRefused, match="another operator"):
            convert(today, 100, site=other.site)

    def test_money_that_another_book_gave_out_cannot_be_sold(
        self, home: Household, today: Village
    ) -> None:
        today.pay("KIS0001", amount_minor=50_000, at=timezone.now())
        ledger.post(
            book_id=today.operator.book.pk,
            kind="rail_fee",
            key="charge",
            legs=[
                Leg(kind="float", name="mpesa", asset="KES", amount=2_000),
                Leg(kind="unexplained", name="mpesa", asset="KES", amount=-2_000),
            ],
            occurred_at=timezone.now(),
            at=timezone.now(),
        )
        with pytest.raises(ConversionRefused, match="no more than KES 480"):
            convert(today, 50_000)
        assert convert(today, 48_000).sold_minor == 48_000

    def test_the_same_reference_is_booked_once(self, home: Household, today: Village) -> None:
        today.pay("KIS0001", amount_minor=50_000, at=timezone.now())
        first = convert(today, 40_000, reference="WD1")
        assert convert(today, 40_000, reference=" WD1 ") == first
        assert floats.held_minor(rail=today.rail) == 10_000
        with pytest.raises(ConversionDiffers):
            convert(today, 39_999, reference="WD1")

    def test_one_payout_can_be_of_two_sites(self, home: Household, today: Village) -> None:
        beside = Village.found(at=timezone.now(), slug="beside", beside=today)
        beside.price(ticks=2_500, starts_at=beside.founded_at)
        beside.household("BES0001", phone="+254711000009")
        today.pay("KIS0001", amount_minor=50_000, at=timezone.now())
        today.pay("BES0001", amount_minor=20_000, at=timezone.now())
        convert(today, 50_000, reference="WD1")
        convert(beside, 20_000, reference="WD1")
        assert floats.held_minor(rail=today.rail) == 0
        assert_books_hold()


class TestAdmin:
    """A conversion is entered on a form, and shows what it gained."""

    def test_a_clerk_enters_a_conversion(self, home: Household, today: Village) -> None:
        quote("125")
        today.pay("KIS0001", amount_minor=100_000, at=timezone.now())
        client = _logged_in(today, "add_treasuryconversion")
        page = client.get(reverse("admin:accounts_treasuryconversion_add"))
        assert page.status_code == 200

        answer = client.post(reverse("admin:accounts_treasuryconversion_add"), _form(today))
        assert answer.status_code == 302, answer.context["adminform"].form.errors
        made = TreasuryConversion.objects.get()
        assert (made.sold_minor, made.fee_minor, made.bought_wei) == (50_050, 1_000, 4 * WEI)
        assert made.made_by.username == "staff"
        listed = client.get(
            reverse("admin:accounts_treasuryconversion_changelist")
        ).content.decode()
        assert "500.50 KES" in listed
        assert "PAYOUT1" in listed
        # 4 bought, of 4.004 at cost, of which the fee is 0.08.
        assert "0.076000 DAI" in listed
        assert f"{made.converted_at:%Y-%m}" in listed

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"sold": "1000.01"}, "no more than KES 1000.00"),
            ({"sold": "0.001"}, "more decimals"),
            ({"sold": "much"}, "not an amount"),
            ({"fee": "500.50"}, "part of what was sold"),
            ({"bought_wei": ""}, "required"),
        ],
    )
    def test_what_is_wrong_is_said_beside_the_form(
        self, home: Household, today: Village, changes: dict[str, str], words: str
    ) -> None:
        today.pay("KIS0001", amount_minor=100_000, at=timezone.now())
        client = _logged_in(today, "add_treasuryconversion")
        answer = client.post(
            reverse("admin:accounts_treasuryconversion_add"), {**_form(today), **changes}
        )
        assert answer.status_code == 200
        assert words in answer.content.decode()
        assert not TreasuryConversion.objects.exists()

    def test_the_same_reference_twice_is_said_and_booked_once(
        self, home: Household, today: Village
    ) -> None:
        today.pay("KIS0001", amount_minor=100_000, at=timezone.now())
        client = _logged_in(today, "add_treasuryconversion")
        for _ in range(2):
            answer = client.post(reverse("admin:accounts_treasuryconversion_add"), _form(today))
        assert "booked already" in answer.content.decode()
        assert TreasuryConversion.objects.count() == 1

    def test_it_needs_a_right_and_shows_nothing_of_other_operators(
        self, home: Household, today: Village, now: datetime
    ) -> None:
        path = reverse("admin:accounts_treasuryconversion_add")
        assert _logged_in(today).get(path).status_code == 403
        rival = sites.open_operator(slug="rival", name="Rival", at=now)
        theirs = _logged_in(today, "add_treasuryconversion", name="other", operator=rival)
        assert "Kisima" not in theirs.get(path).content.decode()
        assert theirs.post(path, _form(today)).status_code == 200
        assert not TreasuryConversion.objects.exists()


def _form(village: Village) -> dict[str, str]:
    at = timezone.now() - timedelta(minutes=1)
    return {
        "site": str(village.site.pk),
        "rail": str(village.rail.pk),
        "sold": "500.50",
        "fee": "10",
        "bought_wei": "4",
        "reference": "PAYOUT1",
        "converted_at_0": f"{at:%Y-%m-%d}",
        "converted_at_1": f"{at:%H:%M:%S}",
        "note": "",
    }


def _logged_in(
    village: Village, *rights: str, name: str = "staff", operator: Operator | None = None
) -> Client:
    user = User.objects.create_user(name, is_staff=True, operator=operator or village.operator)
    for right in rights:
        user.user_permissions.add(Permission.objects.get(codename=right))
    client = Client()
    client.force_login(user)
    return client
