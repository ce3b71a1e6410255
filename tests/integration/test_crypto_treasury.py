"""What crypto money is worth, who decides about the rest, how the treasury turns it into DAI."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import crypto_treasury, exposure, fx_alarms, site_rates
from accounts.deposits import CryptoAsset, DepositRefused
from accounts.models import (
    Alarm,
    CryptoConversion,
    JournalEntry,
    Operator,
    RateQuote,
    Site,
    User,
)
from accounts.treasury import ConversionDiffers, ConversionRefused
from tests.chain.deployed import deploy, sandbox_artifact
from tests.deposit_chain import (
    USDC_UNITS,
    WEI,
    DepositChain,
    assert_books_hold,
    lasting,
    rival,
    stands,
    states,
)
from tests.integration.deposit_fixtures import chain_node, chained, deployed, here
from tokens import crypto_review, quotes
from tokens.chain import feeds
from tokens.chain.final import NotFinal
from tokens.models import AssetQuote, ChainAsset, Deposit, StrayTransfer

__all__ = ["chain_node", "chained", "deployed", "here"]

pytestmark = pytest.mark.django_db

USDC = CryptoAsset(code="USDC", decimals=6, is_par=False)
DAI = CryptoAsset(code="DAI", decimals=18, is_par=True)


def usd(per_dai: str, *, source: str = "table") -> None:
    """What a source makes of a DAI in US dollars."""
    site_rates.store_quote(
        source=source,
        currency="USD",
        local_per_dai=Decimal(per_dai),
        quoted_at=timezone.now() - timedelta(minutes=1),
        expires_at=timezone.now() + timedelta(hours=1),
    )


def tell(here: DepositChain, answer: int, *, age: timedelta = timedelta()) -> None:
    """The feed writes a round."""
    at = int((timezone.now() - age).timestamp())
    here.deployed.feed.send("set_round", answer, at, sender=here.payer)


@pytest.fixture
def ether(here: DepositChain) -> DepositChain:
    """Native money is ether at 2,000 dollars, a percent taken off; a forwarder stands for it."""
    here.deployed_forwarder()
    here.ether(haircut_basis_points=100)
    tell(here, 2_000 * 10**8)
    return here


class TestQuotes:
    """ETH at its feed's price."""

    def test_ether_is_credited_at_the_feed_less_the_haircut(self, ether: DepositChain) -> None:
        ether.pay_native(ether.forwarder(), WEI // 1000)
        assert ether.settle() == 1
        deposit = Deposit.objects.get()
        assert ether.funds() == deposit.credited_wei == 1_980 * WEI // 1000
        assert deposit.quote is not None
        assert deposit.quote["feed"] == ether.deployed.feed.address
        assert deposit.quote["answer"] == str(2_000 * 10**8)
        assert deposit.quote["haircut_basis_points"] == 100
        assert deposit.quote["round"] == str(AssetQuote.objects.get().round_id)
        assert stands("crypto_position", "ETH") == WEI // 1000
        assert_books_hold()

    def test_a_dai_that_is_worth_less_makes_ether_worth_more(self, ether: DepositChain) -> None:
        usd("0.99")
        ether.pay_native(ether.forwarder(), WEI // 1000)
        ether.settle()
        assert ether.funds() == 2 * WEI
        assert Deposit.objects.get().quote["usd_per_dai"] == "99/100"  # type: ignore[index]

    def test_what_a_quote_makes_floors_to_the_wei(self, ether: DepositChain) -> None:
        tell(ether, 3)
        ether.pay_native(ether.forwarder(), 10**9 + 1)
        ether.settle()
        assert ether.funds() == (10**9 + 1) * 3 * 99 // (10**8 * 100)

    def test_less_than_one_wei_waits_for_a_person(self, ether: DepositChain) -> None:
        tell(ether, 1)
        ether.pay_native(ether.forwarder(), 1)
        assert ether.settle() == 0
        assert Deposit.objects.get().reason == "it is worth less than one wei"

    @pytest.mark.parametrize(
        ("answer", "age", "said"),
        [
            (0, timedelta(), "the answer is 0"),
            (-1, timedelta(), "the answer is -1"),
            (2_000 * 10**8, timedelta(hours=2), "stale"),
            (2_000 * 10**8, timedelta(minutes=-5), "still to come"),
        ],
    )
    def test_a_feed_that_is_broken_stops_crediting_until_it_is_back(
        self, ether: DepositChain, answer: int, age: timedelta, said: str
    ) -> None:
        ether.settle()
        tell(ether, answer, age=age)
        forwarder = ether.forwarder()
        ether.pay_native(forwarder, WEI // 1000)
        ether.pay(forwarder, WEI)
        assert ether.settle() == 1
        assert ether.funds() == WEI
        assert states() == ["seen", "credited"]
        assert said in Deposit.objects.earliest("id").reason
        assert said in lasting(Alarm.Kind.RATE_SOURCES)[0]
        tell(ether, 1_000 * 10**8)
        assert ether.settle() == 1
        assert ether.funds() == WEI + 990 * WEI // 1000
        assert lasting(Alarm.Kind.RATE_SOURCES) == []

    @pytest.mark.parametrize(
        ("description", "decimals", "said"),
        [("BTC / USD", 8, "the feed tells 'BTC / USD'"), ("ETH / USD", 37, "37 decimals")],
    )
    def test_another_feed_is_refused(
        self, ether: DepositChain, description: str, decimals: int, said: str
    ) -> None:
        other = deploy(ether.node, sandbox_artifact("SandboxFeed"), description, decimals, 10**8)
        ChainAsset.objects.filter(code="ETH").update(feed_address=other.address)
        ether.pay_native(ether.forwarder(), WEI // 1000)
        assert ether.settle() == 0
        assert said in lasting(Alarm.Kind.RATE_SOURCES)[0]

    def test_an_address_without_a_feed_is_refused(self, ether: DepositChain) -> None:
        ChainAsset.objects.filter(code="ETH").update(feed_address="0x" + "11" * 20)
        assert feeds.refresh(chain=ether.chain, at=timezone.now()) == 0
        assert "is not used" in lasting(Alarm.Kind.RATE_SOURCES)[0]

    def test_sources_of_dai_that_contradict_each_other_stop_the_quote(
        self, ether: DepositChain
    ) -> None:
        usd("1.00", source="one")
        usd("0.90", source="two")
        ether.pay_native(ether.forwarder(), WEI // 1000)
        assert ether.settle() == 0
        assert "contradict each other" in Deposit.objects.get().reason
        RateQuote.objects.filter(source="two").delete()
        assert ether.settle() == 1

    def test_sources_of_dai_that_fell_silent_stop_the_quote(self, ether: DepositChain) -> None:
        usd("1.00")
        RateQuote.objects.update(expires_at=timezone.now())
        ether.pay_native(ether.forwarder(), WEI // 1000)
        assert ether.settle() == 0
        assert "any more" in Deposit.objects.get().reason

    def test_a_feed_that_nobody_read_for_a_while_is_not_believed(self, ether: DepositChain) -> None:
        feeds.refresh(chain=ether.chain, at=timezone.now())
        asset = ChainAsset.objects.get(code="ETH")
        assert quotes.of(asset=asset, at=timezone.now()).dai_per_asset == 1_980
        with pytest.raises(quotes.QuoteUnavailable, match="stale"):
            quotes.of(asset=asset, at=timezone.now() + quotes.MOST_UNREAD)

    def test_a_feed_that_was_never_read_is_not_believed(self, ether: DepositChain) -> None:
        with pytest.raises(quotes.QuoteUnavailable, match="never read"):
            quotes.of(asset=ChainAsset.objects.get(code="ETH"), at=timezone.now())


class TestReview:
    """Decisions of people."""

    def _dust(self, here: DepositChain) -> Deposit:
        ChainAsset.objects.filter(code="DAI").update(dust_units=WEI)
        here.pay(here.forwarder(), WEI // 2)
        here.watch()
        return Deposit.objects.get()

    def test_dust_can_be_credited_once_it_is_final(self, here: DepositChain) -> None:
        deposit = self._dust(here)
        with pytest.raises(NotFinal):
            crypto_review.credit(deposit=deposit, at=timezone.now())
        here.settle()
        crypto_review.credit(deposit=deposit, at=timezone.now())
        with pytest.raises(crypto_review.AlreadyDecided):
            crypto_review.credit(deposit=deposit, at=timezone.now())
        assert here.funds() == WEI // 2
        assert_books_hold()

    def test_a_closed_household_can_not_be_credited_by_anybody(self, here: DepositChain) -> None:
        deposit = self._dust(here)
        here.settle()
        here.household.closed_at = here.at
        here.household.save()
        with pytest.raises(DepositRefused):
            crypto_review.credit(deposit=deposit, at=timezone.now())

    def test_what_was_dismissed_can_be_credited_after_all(self, here: DepositChain) -> None:
        deposit = self._dust(here)
        here.settle()
        crypto_review.dismiss(deposit=deposit, note="spam", at=timezone.now())
        with pytest.raises(crypto_review.AlreadyDecided):
            crypto_review.dismiss(deposit=deposit, note="spam", at=timezone.now())
        crypto_review.credit(deposit=deposit, at=timezone.now())
        assert states() == ["credited"]

    def test_a_person_credits_with_one_click_and_the_log_says_who(self, here: DepositChain) -> None:
        deposit = self._dust(here)
        here.settle()
        staff = _logged_in(here, "change_deposit")
        path = reverse("admin:tokens_deposit_change", args=[deposit.pk])
        assert "Credit it" in staff.get(path).content.decode()
        assert str(deposit.transfer_hash) in staff.get(path).content.decode()
        action = reverse("admin:tokens_deposit_credit", args=[deposit.pk])
        assert staff.post(action, {"note": "the household asked"}).status_code == 302
        assert here.funds() == WEI // 2
        history = staff.get(reverse("admin:tokens_deposit_history", args=[deposit.pk]))
        assert "the household asked" in history.content.decode()

    def test_who_may_not_decide_may_look(self, here: DepositChain) -> None:
        deposit = self._dust(here)
        here.settle()
        staff = _logged_in(here)
        path = reverse("admin:tokens_deposit_change", args=[deposit.pk])
        assert staff.get(path).status_code == 200
        for name in ("credit", "dismiss"):
            action = reverse(f"admin:tokens_deposit_{name}", args=[deposit.pk])
            assert staff.post(action, {"note": "x"}).status_code == 403
        assert states() == ["review"]

    def test_another_operators_deposits_are_not_there(self, here: DepositChain) -> None:
        deposit = self._dust(here)
        theirs = _logged_in(here, "change_deposit", operator=rival(at=here.at))
        action = reverse("admin:tokens_deposit_credit", args=[deposit.pk])
        assert theirs.post(action, {"note": "x"}).status_code == 404
        assert (
            "KIS0001" not in theirs.get(reverse("admin:tokens_deposit_changelist")).content.decode()
        )

    def test_every_list_opens_and_the_first_page_counts(self, here: DepositChain) -> None:
        self._dust(here)
        ChainAsset.objects.filter(code="USDC").delete()
        here.pay(here.forwarder(), 5, token=here.deployed.usdc)
        here.watch()
        staff = _logged_in(here, "change_straytransfer", "add_chainasset", "change_chainasset")
        for name in ("deposit", "straytransfer", "forwarder", "chainasset", "assetquote"):
            assert staff.get(reverse(f"admin:tokens_{name}_changelist")).status_code == 200
        front = staff.get("/admin/").content.decode()
        assert "deposits on chain to look at" in front
        stray = StrayTransfer.objects.get()
        action = reverse("admin:tokens_straytransfer_dismiss", args=[stray.pk])
        assert staff.post(action, {"note": "spam"}).status_code == 302
        stray.refresh_from_db()
        assert stray.note == "spam"

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"code": "IT"}, "impact token"),
            ({"code": "us dc"}, "Capitals and digits"),
            ({"code": "DAI", "decimals": "6"}, "DAI is at par"),
            ({"address": "0x12"}, "checksum"),
            ({"pricing": "feed"}, "needs a feed"),
        ],
    )
    def test_assets_are_checked_when_they_are_entered(
        self, here: DepositChain, changes: dict[str, str], said: str
    ) -> None:
        staff = _logged_in(here, "add_chainasset")
        form = {
            "chain_id": "31337",
            "code": "GOLD",
            "address": here.deployed.feed.address,
            "decimals": "18",
            "pricing": "par",
            "feed_address": "",
            "feed_heartbeat_seconds": "3600",
            "haircut_basis_points": "0",
            "dust_units": "1000",
        }
        path = reverse("admin:tokens_chainasset_add")
        assert said in staff.post(path, form | changes).content.decode()
        assert staff.post(path, form).status_code == 302
        assert ChainAsset.objects.get(code="GOLD").dust_units == 1000


class TestConversions:
    """Crypto money turned into DAI."""

    def _convert(self, here: DepositChain, asset: CryptoAsset, units: int, **changes: Any) -> Any:
        by = User.objects.filter(username="clerk").first() or User.objects.create_user("clerk")
        given: dict[str, Any] = {
            "site": here.site,
            "asset": asset,
            "sold_units": units,
            "bought_wei": WEI,
            "reference": f"SALE{CryptoConversion.objects.count()}",
            "converted_at": timezone.now(),
            "made_by": by,
            "note": "",
            "at": timezone.now(),
        }
        return crypto_treasury.convert(**{**given, **changes})

    def test_a_sale_costs_the_average_and_realises_the_rest(self, ether: DepositChain) -> None:
        forwarder = ether.forwarder()
        ether.pay_native(forwarder, WEI // 1000)
        ether.settle()
        tell(ether, 4_000 * 10**8)
        ether.pay_native(forwarder, WEI // 1000)
        ether.settle()
        eth = CryptoAsset(code="ETH", decimals=18, is_par=False)
        made = self._convert(ether, eth, WEI // 1000, bought_wei=3 * WEI)
        assert made.cost_wei == (1_980 + 3_960) * WEI // 2000
        assert made.result_wei == 3 * WEI - made.cost_wei
        assert stands("fx_result", "DAI", "ETH") == made.result_wei
        assert stands("treasury", "DAI") == -3 * WEI
        last = self._convert(ether, eth, WEI // 1000, bought_wei=2 * WEI)
        assert last.cost_wei + made.cost_wei == (1_980 + 3_960) * WEI // 1000
        assert stands("crypto_position", "DAI") == stands("crypto_position", "ETH") == 0
        assert stands("crypto_float", "ETH") == 0
        assert_books_hold()

    def test_what_is_at_par_cost_what_it_counts_as(self, here: DepositChain) -> None:
        here.pay(here.forwarder(), 5 * WEI)
        here.settle()
        made = self._convert(here, DAI, 5 * WEI, bought_wei=5 * WEI - 7)
        assert (made.cost_wei, made.result_wei) == (5 * WEI, -7)
        assert stands("crypto_float", "DAI") == 0
        assert_books_hold()

    def test_the_same_sale_is_booked_once(self, here: DepositChain) -> None:
        here.pay(here.forwarder(), 5 * USDC_UNITS, token=here.deployed.usdc)
        here.settle()
        first = self._convert(here, USDC, USDC_UNITS, reference="A")
        assert self._convert(here, USDC, USDC_UNITS, reference=" A ") == first
        with pytest.raises(ConversionDiffers):
            self._convert(here, USDC, 2 * USDC_UNITS, reference="A")
        assert JournalEntry.objects.filter(kind="crypto_conversion").count() == 1

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"sold_units": 5 * USDC_UNITS + 1}, "no more than 5.000000 USDC"),
            ({"sold_units": 0}, "above zero"),
            ({"bought_wei": 0}, "above zero"),
            ({"reference": " "}, "reference"),
            (
                {"converted_at": datetime(2200, 1, 1, tzinfo=timezone.get_fixed_timezone(0))},
                "future",
            ),
        ],
    )
    def test_what_can_not_have_happened_is_refused(
        self, here: DepositChain, changes: dict[str, Any], said: str
    ) -> None:
        here.pay(here.forwarder(), 5 * USDC_UNITS, token=here.deployed.usdc)
        here.settle()
        units = changes.pop("sold_units", USDC_UNITS)
        with pytest.raises(ConversionRefused, match=said):
            self._convert(here, USDC, units, **changes)
        assert not CryptoConversion.objects.exists()

    def test_what_waits_to_be_converted_is_exposure(self, here: DepositChain) -> None:
        here.pay(here.forwarder(), 5 * USDC_UNITS, token=here.deployed.usdc)
        here.settle()
        seen = exposure.of_operator(operator=here.village.operator, at=timezone.now())
        (position,) = seen.crypto
        assert (position.asset, position.units, position.cost_wei) == (
            "USDC",
            5 * USDC_UNITS,
            5 * WEI,
        )
        Operator.objects.update(fx_exposure_limit_wei=WEI)
        fx_alarms.watch_exposure(at=timezone.now())
        assert "5 DAI of USDC wait to be converted" in lasting(Alarm.Kind.FX_EXPOSURE)[0]

    def test_the_treasury_enters_a_sale_by_a_form(self, here: DepositChain) -> None:
        here.pay(here.forwarder(), 5 * USDC_UNITS, token=here.deployed.usdc)
        here.settle()
        staff = _logged_in(here, "add_cryptoconversion")
        path = reverse("admin:accounts_cryptoconversion_add")
        at = timezone.now() - timedelta(minutes=1)
        form = {
            "site": str(Site.objects.get().pk),
            "sold_asset": str(ChainAsset.objects.get(code="USDC").pk),
            "sold": "2.5",
            "bought_wei": "2.49",
            "reference": "SALE1",
            "converted_at_0": f"{at:%Y-%m-%d}",
            "converted_at_1": f"{at:%H:%M:%S}",
            "note": "",
        }
        for wrong in ({"sold": "2.1234567"}, {"sold": "x"}, {"sold": "5.000001"}):
            assert staff.post(path, form | wrong).status_code == 200
        assert not CryptoConversion.objects.exists()
        assert staff.post(path, form).status_code == 302
        made = CryptoConversion.objects.get()
        assert (made.sold_units, made.bought_wei) == (2_500_000, 249 * WEI // 100)
        assert made.made_by.username == "staff"
        assert (
            "2.500000 USDC"
            in staff.get(reverse("admin:accounts_cryptoconversion_changelist")).content.decode()
        )
        page = reverse("admin:accounts_cryptoconversion_change", args=[made.pk])
        assert staff.get(page).status_code == 200
        assert_books_hold()


def _logged_in(here: DepositChain, *rights: str, operator: Operator | None = None) -> Client:
    user = User.objects.create_user(
        "staff", is_staff=True, operator=operator or here.village.operator
    )
    for right in rights:
        user.user_permissions.add(Permission.objects.get(codename=right))
    client = Client()
    client.force_login(user)
    return client
