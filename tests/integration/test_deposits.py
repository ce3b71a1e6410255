"""Money on chain becomes funds and donations, once, and only when it is final."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import amounts, ledger
from accounts.ledger import Leg
from accounts.models import Alarm, Donation, JournalEntry, Notice, Operator
from gateway.sms import wording
from gateway.ussd.household_facts import PhoneFacts
from tests.chain.deployed import mined
from tests.deposit_chain import (
    USDC_UNITS,
    WEI,
    DepositChain,
    assert_books_hold,
    lasting,
    stands,
    states,
)
from tests.integration.deposit_fixtures import chain_node, chained, deployed, here
from tests.village import Village
from tokens.chain import deposits, final, forwarders
from tokens.chain.forwarders import CryptoRefused
from tokens.models import ChainAsset, Contract, Deposit, Forwarder, StrayTransfer

__all__ = ["chain_node", "chained", "deployed", "here"]

pytestmark = pytest.mark.django_db


class TestForwarders:
    """Whose address it is, and who gets none."""

    def test_the_address_is_what_the_factory_says(self, here: DepositChain) -> None:
        forwarder = here.forwarder()
        told = here.deployed.factory.read("address_of", forwarder.salt)
        assert told == forwarder.address

    def test_a_household_has_one_a_site_and_a_donation_one_of_its_own(
        self, here: DepositChain
    ) -> None:
        assert here.forwarder() == here.forwarder()
        first, again, other = (here.donors_forwarder(nonce) for nonce in ("a", "a", "b"))
        assert first == again
        assert len({here.forwarder().address, first.address, other.address}) == 3
        assert Forwarder.objects.values("donor").distinct().count() == 3

    def test_without_a_licence_there_is_none(self, here: DepositChain) -> None:
        Operator.objects.update(crypto_licence="")
        with pytest.raises(CryptoRefused, match="licence"):
            here.forwarder()

    def test_without_contracts_of_the_site_there_is_none(self, here: DepositChain) -> None:
        Contract.objects.filter(kind="token").delete()
        with pytest.raises(CryptoRefused, match="no contracts"):
            here.forwarder()

    def test_without_a_factory_there_is_none(self, here: DepositChain) -> None:
        Contract.objects.filter(kind="factory").delete()
        with pytest.raises(CryptoRefused, match="not deployed"):
            here.forwarder()

    def test_without_a_chain_there_is_none(self, here: DepositChain, settings: object) -> None:
        settings.CHAIN_RPC_URL = ""  # type: ignore[attr-defined]
        with pytest.raises(CryptoRefused, match="No chain"):
            here.forwarder()

    def test_native_money_is_offered_once_the_forwarder_stands_on_chain(
        self, here: DepositChain
    ) -> None:
        forwarder = here.deployed_forwarder()
        assert here.node.code(forwarder.address) != "0x"
        here.pay_native(forwarder, 2 * WEI)
        assert here.settle() == 1
        assert here.funds() == 2 * WEI
        assert Deposit.objects.get().asset.code == "XDAI"

    def test_donors_can_make_us_deploy_only_so_many_a_day(
        self, here: DepositChain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(forwarders, "MOST_DONORS_DEPLOYED_A_DAY", 1)
        first, second = (here.donors_forwarder(nonce) for nonce in ("a", "b"))
        assert forwarders.want_native(forwarder=first, at=here.at)
        assert forwarders.want_native(forwarder=first, at=here.at)
        assert not forwarders.want_native(forwarder=second, at=here.at)
        assert forwarders.want_native(forwarder=second, at=here.at + timedelta(days=2))


class TestHouseholds:
    """A top-up."""

    def test_dai_is_credited_once_when_its_block_is_final(self, here: DepositChain) -> None:
        here.pay(here.forwarder(), 5 * WEI)
        here.watch()
        assert here.credit() == 0
        assert here.funds() == 0
        assert here.settle() == 1
        assert here.settle() == 0
        assert here.funds() == 5 * WEI
        assert states() == ["credited"]
        assert stands("crypto_float", "DAI", "DAI") == -5 * WEI
        assert_books_hold()

    def test_usdc_has_six_decimals_and_a_position(self, here: DepositChain) -> None:
        here.pay(here.forwarder(), 7 * USDC_UNITS + 1, token=here.deployed.usdc)
        assert here.settle() == 1
        assert here.funds() == 7 * WEI + 10**12
        assert stands("crypto_float", "USDC") == -(7 * USDC_UNITS + 1)
        assert stands("crypto_position", "USDC") == 7 * USDC_UNITS + 1
        assert stands("crypto_position", "DAI") == -(7 * WEI + 10**12)
        assert_books_hold()

    def test_the_household_is_told_once_in_its_language(self, here: DepositChain) -> None:
        receipt = here.pay(here.forwarder(), 5 * WEI)
        here.settle()
        here.settle()
        notice = Notice.objects.get(kind="deposit_credited")
        text = wording.words(notice=notice, at=timezone.now())
        assert text.startswith(
            f"KES 646 received for KIS0001: 5 DAI. Transfer {receipt['transactionHash'][:10]}."
        )

    def test_it_is_among_the_last_payments(self, here: DepositChain) -> None:
        before = timezone.now() - timedelta(hours=1)
        here.village.pay("KIS0001", amount_minor=20_000, at=before)
        receipt = here.pay(here.forwarder(), 5 * WEI)
        here.settle()
        facts = PhoneFacts(phone="+254711000001", at=timezone.now())
        listed = facts.last_payments("KIS0001", at_most=3)
        assert [(each.amount_minor, each.currency, each.reference) for each in listed] == [
            (64_625, "KES", receipt["transactionHash"][:10]),
            (20_000, "KES", "RCP0000001"),
        ]

    def test_thirty_percent_at_most_goes_to_arrears(self, here: DepositChain) -> None:
        _owe(here, 4 * WEI)
        here.pay(here.forwarder(), 10 * WEI)
        here.settle()
        after = amounts.of_household(household=here.household)
        assert (after.funds_wei, after.arrears_wei) == (7 * WEI, WEI)

    def test_one_wei_is_money_where_nothing_is_dust(self, here: DepositChain) -> None:
        here.pay(here.forwarder(), 1)
        assert here.settle() == 1
        assert here.funds() == 1

    def test_several_in_one_block_are_each_credited(self, here: DepositChain) -> None:
        forwarder = here.forwarder()
        for units in (1, 2, 3):
            here.deployed.dai.send("mint", here.payer, units * WEI, sender=here.payer)
        here.node.automine(is_on=False)
        sent = [here.transfer(forwarder, units * WEI) for units in (1, 2, 3)]
        here.node.mine()
        here.node.automine(is_on=True)
        assert len({mined(here.node, each)["blockHash"] for each in sent}) == 1
        assert here.settle() == 3
        assert here.funds() == 6 * WEI

    def test_who_moved_is_credited_where_it_lives(self, here: DepositChain) -> None:
        forwarder = here.forwarder()
        here.pay(forwarder, 5 * WEI)
        other = Village.found(at=here.at, slug="mbili", beside=here.village).site
        here.move(here.household, to=other)
        assert here.settle() == 1
        entry = JournalEntry.objects.get(kind="deposit")
        assert entry.book_id == other.book.pk
        assert here.funds() == 5 * WEI
        assert_books_hold()

    def test_a_closed_household_waits_for_a_person(self, here: DepositChain) -> None:
        here.pay(here.forwarder(), 5 * WEI)
        here.household.closed_at = here.at
        here.household.save()
        assert here.settle() == 0
        deposit = Deposit.objects.get()
        assert (deposit.state, deposit.reason) == ("review", "account KIS0001 is closed")
        assert_books_hold()


class TestDonors:
    """A donation."""

    def test_a_donation_opens_a_position_that_vests_at_once(self, here: DepositChain) -> None:
        here.pay(here.donors_forwarder(), 50 * WEI)
        assert here.settle() == 1
        deposit, donation = Deposit.objects.get(), Donation.objects.get()
        assert deposit.donation == donation
        assert donation.amount_wei == 50 * WEI
        assert donation.vests_at <= timezone.now()
        assert donation.donor == deposit.forwarder.donor
        assert stands("donations", "DAI") == 50 * WEI
        assert_books_hold()

    def test_a_donor_may_give_again_to_the_same_address(self, here: DepositChain) -> None:
        forwarder = here.donors_forwarder()
        here.pay(forwarder, 50 * WEI)
        here.pay(forwarder, 7 * WEI)
        assert here.settle() == 2
        assert sorted(Donation.objects.values_list("amount_wei", flat=True)) == [7 * WEI, 50 * WEI]
        assert_books_hold()


class TestReview:
    """What a person has to look at."""

    def test_dust_goes_to_review(self, here: DepositChain) -> None:
        _asset("DAI", dust_units=WEI)
        here.pay(here.forwarder(), WEI - 1)
        here.pay(here.forwarder(), WEI)
        assert here.settle() == 1
        assert states() == ["review", "credited"]
        assert Deposit.objects.earliest("id").reason == "dust"

    def test_a_token_that_we_do_not_take_is_a_stray(self, here: DepositChain) -> None:
        _asset("USDC", code="OLD", address="0x" + "11" * 20)
        here.pay(here.forwarder(), 5 * USDC_UNITS, token=here.deployed.usdc)
        assert here.settle() == 0
        stray = StrayTransfer.objects.get()
        assert (stray.units, stray.token_address) == (
            5 * USDC_UNITS,
            here.deployed.usdc.address,
        )
        assert not Deposit.objects.exists()

    def test_an_asset_that_is_closed_goes_to_review(self, here: DepositChain) -> None:
        _asset("USDC", closed_at=here.at)
        here.pay(here.forwarder(), 5 * USDC_UNITS, token=here.deployed.usdc)
        assert here.settle() == 0
        assert Deposit.objects.get().reason == "USDC is not taken any more"

    def test_native_money_from_before_the_forwarder_stood_goes_to_review(
        self, here: DepositChain
    ) -> None:
        forwarder = here.forwarder()
        here.pay_native(forwarder, 3 * WEI)
        assert here.settle() == 0
        assert lasting(Alarm.Kind.DEPOSIT) == []
        here.settle()
        deposit = Deposit.objects.get()
        assert (deposit.state, deposit.units, deposit.log_index) == ("review", 3 * WEI, -1)
        here.pay(forwarder, WEI)
        assert here.settle() == 1
        assert here.funds() == WEI
        assert_books_hold()

    def test_a_forwarder_without_news_is_looked_at_once_a_minute(
        self, here: DepositChain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(final, "LOOK_AGAIN_AFTER", timedelta(minutes=1))
        here.pay_native(here.forwarder(), 3 * WEI)
        here.settle()
        here.settle()
        assert states() == []
        later = timezone.now() + timedelta(minutes=1)
        deposits.credit(at=later)
        here.watch()
        deposits.credit(at=later)
        assert states() == ["review"]

    def test_native_money_that_was_forced_in_goes_to_review(self, here: DepositChain) -> None:
        forwarder = here.deployed_forwarder()
        here.pay_native(forwarder, 2 * WEI)
        # What a block's maker or a contract that destroys itself does.
        here.node.set_balance(forwarder.address, wei=5 * WEI)
        here.settle()
        here.settle()
        assert sorted(Deposit.objects.values_list("state", "units")) == [
            ("credited", 2 * WEI),
            ("review", 3 * WEI),
        ]

    def test_a_token_that_tells_other_decimals_is_not_credited(self, here: DepositChain) -> None:
        _asset("USDC", decimals=18)
        here.pay(here.forwarder(), 5 * USDC_UNITS, token=here.deployed.usdc)
        here.pay(here.forwarder(), WEI)
        assert here.settle() == 1
        assert "tells 6 for its decimals, we reckon with 18" in lasting(Alarm.Kind.DEPOSIT)[0]
        _asset("USDC", decimals=6)
        assert here.settle() == 1
        assert lasting(Alarm.Kind.DEPOSIT) == []


def _asset(name: str, **fields: object) -> None:
    ChainAsset.objects.filter(code=name).update(**fields)


def _owe(here: DepositChain, amount_wei: int) -> None:
    """The household owes so much."""
    ledger.post(
        book_id=here.site.book.pk,
        kind="opening",
        key="arrears",
        legs=[
            Leg(kind="household_arrears", household_id=here.household.pk, amount=-amount_wei),
            Leg(kind="arrears_unearned", amount=amount_wei),
        ],
        occurred_at=here.at,
        at=here.at,
    )
