"""Crypto gifts to a campaign that missed its goal: sent back by a person, and noted once."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import campaigns, crypto_returns, crypto_treasury
from accounts.crypto_returns import ReturnRefused
from accounts.models import Campaign, CryptoReturn, Donation, Letter, User
from tests.campaigning import opened
from tests.deposit_chain import USDC_UNITS, WEI, DepositChain, assert_books_hold, stands
from tests.integration.deposit_fixtures import chain_node, chained, deployed, here
from tokens import quotes
from tokens.models import Deposit

__all__ = ["chain_node", "chained", "deployed", "here"]

pytestmark = pytest.mark.django_db

HASH = "0x" + "ab" * 32
LIST = "/admin/tokens/deposit/"


@pytest.fixture
def campaign(here: DepositChain) -> Campaign:
    """Open since now, for 1,000 DAI."""
    return opened(here.site, at=timezone.now())


@pytest.fixture
def clerk(here: DepositChain) -> User:
    """Staff who may decide about deposits."""
    user = User.objects.create_user("clerk", is_staff=True, operator=here.village.operator)
    user.user_permissions.set(Permission.objects.filter(codename="change_deposit"))
    return user


def came(here: DepositChain, units: int = 7 * WEI, **told: Any) -> Deposit:
    here.pay(here.donors_forwarder(), units, **told)
    here.settle()
    return Deposit.objects.select_related("donation", "asset").latest("id")


def missed(campaign: Campaign) -> None:
    campaigns.close(campaign=campaign, at=timezone.now())


def note(deposit: Deposit, by: User, *, reference: str = HASH) -> CryptoReturn:
    assert deposit.donation is not None
    return crypto_returns.note(
        donation=deposit.donation,
        asset=quotes.booked_as(deposit.asset),
        units=deposit.units,
        reference=reference,
        made_by=by,
        at=timezone.now(),
    )


def raised(campaign: Campaign) -> int:
    campaign.refresh_from_db()
    return campaigns.raised(campaign=campaign, at=timezone.now())


@pytest.mark.parametrize("token", ["dai", "usdc"])
def test_what_came_for_a_missed_goal_is_noted_as_sent_back_once(
    here: DepositChain, campaign: Campaign, clerk: User, token: str
) -> None:
    units = 7 * WEI if token == "dai" else 7 * USDC_UNITS
    deposit = came(here, units, token=getattr(here.deployed, token))
    assert raised(campaign) == 7 * WEI
    missed(campaign)
    assert campaigns.crypto_to_give_back() == [deposit.donation]
    first, again = note(deposit, clerk), note(deposit, clerk)
    assert (first, first.amount_wei, first.units) == (again, 7 * WEI, units)
    assert (raised(campaign), campaigns.crypto_to_give_back()) == (0, [])
    letter = Letter.objects.get(kind="donation_given_back")
    assert (letter.params["amount"], letter.params["currency"]) == ("7", deposit.asset.code)
    assert stands("donations", "DAI") == 0
    assert stands("crypto_float", deposit.asset.code, name=deposit.asset.code) == 0
    with pytest.raises(ReturnRefused, match="given back already"):
        note(deposit, clerk, reference="0x" + "cd" * 32)
    assert_books_hold()


def test_one_transfer_gives_one_gift_back(
    here: DepositChain, campaign: Campaign, clerk: User
) -> None:
    first, second = came(here), came(here, 3 * WEI)
    missed(campaign)
    note(first, clerk)
    with pytest.raises(ReturnRefused, match="gave another gift back"):
        note(second, clerk)
    assert raised(campaign) == 3 * WEI


def test_what_came_for_a_campaign_that_has_not_failed_stays(
    here: DepositChain, campaign: Campaign, clerk: User
) -> None:
    deposit = came(here)
    with pytest.raises(ReturnRefused, match="no campaign that missed its goal"):
        note(deposit, clerk)
    missed(campaign)
    late = came(here)
    with pytest.raises(ReturnRefused, match="no campaign that missed its goal"):
        note(late, clerk)
    assert Donation.objects.filter(withdrawn_at__isnull=True).count() == 2


def test_what_was_sold_meanwhile_goes_back_out_of_the_treasury(
    here: DepositChain, campaign: Campaign, clerk: User
) -> None:
    deposit = came(here)
    crypto_treasury.convert(
        site=here.site,
        asset=quotes.booked_as(deposit.asset),
        sold_units=7 * WEI,
        bought_wei=8 * WEI,
        reference="sale",
        converted_at=timezone.now(),
        made_by=clerk,
        note="",
        at=timezone.now(),
    )
    missed(campaign)
    made = note(deposit, clerk)
    assert (made.asset, made.units, made.amount_wei) == ("", 0, 7 * WEI)
    assert stands("treasury", "DAI") == -WEI
    assert_books_hold()


def test_more_than_the_treasury_has_is_not_noted(
    here: DepositChain, campaign: Campaign, clerk: User
) -> None:
    deposit = came(here)
    crypto_treasury.convert(
        site=here.site,
        asset=quotes.booked_as(deposit.asset),
        sold_units=7 * WEI,
        bought_wei=6 * WEI,
        reference="sale",
        converted_at=timezone.now(),
        made_by=clerk,
        note="",
        at=timezone.now(),
    )
    missed(campaign)
    with pytest.raises(ReturnRefused, match="the treasury has not as much DAI"):
        note(deposit, clerk)
    assert raised(campaign) == 7 * WEI
    assert_books_hold()


class TestAdmin:
    """The person's page."""

    def test_it_is_listed_and_noted_with_the_transfers_hash(
        self, here: DepositChain, campaign: Campaign, clerk: User, client: Client
    ) -> None:
        deposit = came(here)
        client.force_login(clerk)
        path = reverse("admin:tokens_deposit_send_back", args=[deposit.pk])
        assert f"{LIST}{deposit.pk}/" not in client.get(f"{LIST}?campaign=missed").content.decode()
        refused = client.post(path, {"reference": HASH}).content.decode()
        assert "It belongs to no campaign that missed its goal." in refused
        missed(campaign)
        assert f"{LIST}{deposit.pk}/" in client.get(f"{LIST}?campaign=missed").content.decode()
        wrong = client.post(path, {"reference": "0x12"}).content.decode()
        assert "Write 0x and 64 hexadecimal digits." in wrong
        done = client.post(path, {"reference": HASH.upper().replace("X", "x")}, follow=True)
        assert f"Noted: {deposit.sender} has it." in done.content.decode()
        assert CryptoReturn.objects.get().reference == HASH

    def test_staff_without_the_right_note_nothing(
        self, here: DepositChain, campaign: Campaign, client: Client
    ) -> None:
        deposit = came(here)
        missed(campaign)
        reader = User.objects.create_user("r", is_staff=True, operator=here.village.operator)
        client.force_login(reader)
        answer = client.post(
            reverse("admin:tokens_deposit_send_back", args=[deposit.pk]), {"reference": HASH}
        )
        assert (answer.status_code, CryptoReturn.objects.count()) == (403, 0)


class TestPages:
    """Who is about to give learns first what becomes of it."""

    def test_the_page_says_what_becomes_of_crypto_money(
        self, here: DepositChain, campaign: Campaign, client: Client
    ) -> None:
        page = client.get("/donate/kisima/crypto/").content.decode()
        assert "sent back by the operator to the address that it came from" in page
        assert "belongs to the campaign if it arrives while that is open" in page

    def test_after_its_end_no_address_is_given_and_the_old_one_warns(
        self, here: DepositChain, campaign: Campaign, client: Client
    ) -> None:
        forwarder = here.donors_forwarder()
        missed(campaign)
        fields = {"nonce": "n" * 20, "name": "", "email": ""}
        answer = client.post("/donate/kisima/crypto/", fields)
        assert answer.status_code == 409
        assert "No gifts are taken for Kisima at present" in answer.content.decode()
        assert "is a gift to the site that is kept" in (
            client.get(f"/deposit/{forwarder.uid}/").content.decode()
        )
