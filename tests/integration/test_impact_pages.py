"""The public page of impact, and the program that it offers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import donors_index
from accounts.models import Donation, Donor, Payment, Pledge
from dashboard import holders
from dashboard.energy_picture import picture
from launcher.places import ROOT
from tests.epoch_village import EpochVillage
from tests.integration.test_pages import Page
from tests.integration.voting_pages import CENT
from tests.voting_village import VotingVillage
from tokens.models import Claim, Epoch, Leaf, Verification

pytestmark = pytest.mark.django_db

BUDGET_BYTES = 60_000


@pytest.fixture(autouse=True)
def english(settings: Settings) -> Iterator[None]:
    settings.EPOCH_SECONDS = 300
    settings.CHAIN_ID = 31_337
    settings.PUBLIC_URL = "https://solar.example.org"
    with translation.override("en"):
        yield


@pytest.fixture
def life() -> EpochVillage:
    """Six households that used a kWh each, of a balanced slot; nothing is closed yet."""
    at = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    life = EpochVillage.found(at=at, households=6)
    life.deploy()
    life.donate(days=120)
    life.plant(sun=7_000_000, into=500_000, feeder=6_100_000, starts_at=life.at)
    life.everybody_uses()
    return life


def _page(client: Client, path: str = "/sites/kisima/impact/") -> Page:
    answer = client.get(path)
    assert answer.status_code == 200
    return Page(answer.content.decode())


def test_a_site_leads_to_its_impact(client: Client, life: EpochVillage) -> None:
    assert "/sites/kisima/impact/" in _page(client, "/sites/kisima/").addresses


def test_before_the_first_epoch_it_says_so(client: Client, life: EpochVillage) -> None:
    text = _page(client).text

    assert "No epoch is active yet: nothing is minted on chain so far." in text
    assert "We have not run the check ourselves yet." in text


def test_a_site_without_contracts_says_so(client: Client, life: EpochVillage) -> None:
    life.village.site.contracts.all().delete()

    assert "This site has no contracts yet." in _page(client).text


def test_supply_halves_energy_and_addresses_are_told(client: Client, life: EpochVillage) -> None:
    life.closed_and_active()
    page = _page(client)

    assert "Minted in all 6.0000 IT for 6.00 kWh epoch 1," in page.text
    assert "Households' half 3.0000 IT" in page.text
    assert "Donors' half 3.0000 IT" in page.text
    assert "Claimed to wallets 0.0000 IT" in page.text
    assert "0x" + "11" * 20 in page.text
    assert "0x" + "22" * 20 in page.text
    assert "Balanced: sun and battery cover the feeder" in page.text
    assert "The plant told of 1 of 1 slots." in page.text
    assert "Sun 7.00" in page.text
    assert "At households 6.00" in page.text
    assert "/api/v1/sites/kisima/epochs/1/dataset/" in page.addresses


def test_claims_are_summed(client: Client, life: EpochVillage) -> None:
    life.closed_and_active()
    for number in (1, 2):
        Claim.objects.create(
            chain_id=31_337,
            site=life.village.site,
            leaf=Leaf.objects.get(kind="donation"),
            wallet="0x" + "33" * 20,
            tokens_wei=10**18,
            transfer_hash="0x" + f"{number:064x}",
            log_index=0,
            block_number=number,
            claimed_at=life.at,
        )

    assert "Claimed to wallets 2.0000 IT" in _page(client).text


def test_an_unbalanced_epoch_says_so(client: Client, life: EpochVillage) -> None:
    life.plant(sun=0, feeder=2_000_000, starts_at=life.at)
    life.everybody_uses()
    life.closed_and_active()

    assert "Not balanced: sun and battery, feeder and households" in _page(client).text


@pytest.mark.parametrize(
    ("exit_code", "told"),
    [
        (0, "Our own last run: every check holds."),
        (1, "Our own last run: a check does not hold!"),
        (2, "Our own last run could not check everything."),
    ],
)
def test_our_own_run_of_the_check_is_told_with_its_age(
    client: Client, life: EpochVillage, exit_code: int, told: str
) -> None:
    Verification.objects.create(
        site=life.village.site,
        epoch_number=3,
        exit_code=exit_code,
        checks=[{"name": "supply", "state": "ok", "text": "<b>6 IT</b>"}],
        ran_at=timezone.now() - timedelta(minutes=7),
    )
    answer = client.get("/sites/kisima/impact/").content.decode()

    text = Page(answer).text
    assert told in text
    assert "epoch 3," in text
    assert "7 min ago" in text
    assert "[ ok ] supply" in text
    assert "<b>6 IT" not in answer


def test_every_epoch_shows_its_state(client: Client, life: EpochVillage) -> None:
    life.closed_and_active()
    life.everybody_uses()
    life.must_close()
    text = _page(client).text

    assert re.search(r"1 active 6\.00 6\.0000", text)
    assert re.search(r"2 closed 12\.00 12\.0000", text)
    assert "/epochs/2/dataset/" not in " ".join(_page(client).addresses)


def test_the_command_is_told_exactly_and_the_programs_hash_with_it(
    client: Client, life: EpochVillage
) -> None:
    text = unescape(client.get("/sites/kisima/impact/").content.decode())
    content = client.get("/verify.py").content

    assert "python3 verify.py --api https://solar.example.org --rpc NODE --site kisima" in text
    assert hashlib.sha256(content).hexdigest() in text
    assert content == (ROOT / "verify.py").read_bytes()


def test_pages_and_program_are_kept_until_they_change(client: Client, life: EpochVillage) -> None:
    for path in ("/sites/kisima/impact/", "/verify.py"):
        first = client.get(path)
        assert first["Cache-Control"] == "public, no-cache"
        assert first["ETag"]
    again = client.get("/verify.py", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_is_small_asks_nobody_else_and_names_nobody(
    client: Client, life: EpochVillage
) -> None:
    for _ in range(3):
        life.everybody_uses()
        life.closed_and_active()
    answer = client.get("/sites/kisima/impact/")
    page = Page(answer.content.decode())

    assert len(answer.content) < BUDGET_BYTES
    assert [each for each in page.addresses if re.match(r"(?:[a-z]+:)?//", each)] == []
    assert not re.search(r"KIS000|\+2547", page.text)
    assert len(page.ids) == len(set(page.ids))


def test_the_number_of_queries_does_not_grow_with_households_or_epochs(
    client: Client, life: EpochVillage, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        life.everybody_uses()
        life.closed_and_active()
    assert Epoch.objects.count() == 3

    with django_assert_max_num_queries(18):
        client.get("/sites/kisima/impact/")
    with django_assert_max_num_queries(17):  # what an epoch published is read once
        client.get("/sites/kisima/impact/")


def test_supply_is_compared_with_what_holders_are_entitled_to(
    client: Client, life: EpochVillage
) -> None:
    life.closed_and_active()
    assert "Holders are entitled to 6.0000 IT by epoch 1." in _page(client).text
    assert "We have not compared the supply on chain with it yet." in _page(client).text
    ran = Verification.objects.create(
        site=life.village.site,
        epoch_number=1,
        exit_code=0,
        checks=[{"name": "supply", "state": "ok", "text": "6 IT were minted"}],
        ran_at=timezone.now(),
    )
    assert "The supply on chain is the same. 6 IT were minted" in _page(client).text
    for state, said in (("failed", "is another one!"), ("unknown", "could not be read.")):
        ran.checks[0]["state"] = state
        ran.save()
        assert f"The supply on chain {said}" in _page(client).text

    life.everybody_uses()
    life.closed_and_active()
    text = _page(client).text
    assert "Holders are entitled to 12.0000 IT by epoch 2." in text
    assert "We have not compared the supply on chain with it yet." in text


def test_what_each_epoch_added_is_drawn_and_listed(client: Client, life: EpochVillage) -> None:
    life.closed_and_active()
    life.everybody_uses(500_000)
    life.closed_and_active()
    text = _page(client).text

    assert "Epoch 2 added 3.00 kWh and 3.0000 IT." in text
    assert "epoch 1 6.00 6.0000 epoch 2 3.00 3.0000" in text


def test_donors_are_told_by_rank_and_only_by_a_name_they_chose(
    client: Client, life: EpochVillage
) -> None:
    named = Donor.objects.create(created_at=life.at)
    pledge = _paid_pledge(life, donor=named, public_name="Ada & <b>Co</b>")
    life.donate(amount_wei=3 * 10**20, donor=named)
    answer = client.get("/sites/kisima/impact/").content.decode()
    text = Page(answer).text

    assert "2 donors share the donors' half by what they gave." in text
    assert "1 Ada & <b>Co</b> 75.00 2 anonymous 25.00" in text
    assert "<b>Co" not in answer

    Pledge.objects.filter(pk=pledge.pk).update(public_name="")
    assert "1 anonymous 75.00 2 anonymous 25.00" in _page(client).text


def test_a_name_of_a_pledge_that_was_never_paid_is_not_shown(
    client: Client, life: EpochVillage
) -> None:
    donor = Donor.objects.create(created_at=life.at)
    _paid_pledge(life, donor=donor, public_name="Not me")
    life.donate(donor=donor)
    Payment.objects.update(state=Payment.State.SUSPENSE)

    assert "Not me" not in _page(client).text


def test_donors_beyond_the_twentieth_are_told_together(client: Client, life: EpochVillage) -> None:
    for number in range(holders.DONORS_SHOWN + 2):
        life.donate(amount_wei=(number + 2) * 10**20)
    found = holders.donors(site=life.village.site)

    assert len(found.shown) == 20
    assert found.rest_count == 3
    assert found.rest_wei == (1 + 2 + 3) * 10**20
    assert "3 more" in _page(client).text


def test_a_donation_that_was_taken_back_is_no_share(client: Client, life: EpochVillage) -> None:
    donation = Donation.objects.get()
    donors_index.withdraw(donation=donation, amount_wei=donation.amount_wei, at=timezone.now())

    assert "Nobody has donated yet: the donors' half waits." in _page(client).text


def test_households_appear_as_cohorts_of_at_least_five(client: Client, life: EpochVillage) -> None:
    assert "No cohort is published yet." in _page(client).text
    life.closed_and_active()
    text = _page(client).text

    assert "6 households appear only as cohorts of at least five" in text
    assert "Cohort Households kWh IT 1 6 6.00 3.0000" in text


def test_counted_votes_are_told_with_their_hash_and_whether_it_is_anchored(
    client: Client,
) -> None:
    voting = VotingVillage.found(at=timezone.now() - timedelta(hours=4))
    voting.life.deploy()
    round_ = voting.open(20 * CENT, 15 * CENT, budget_wei=30 * CENT)
    for number in range(1, 7):
        voting.cast(round_, voting.home(number), 1)
    voting.count(round_)
    round_.refresh_from_db()
    before = _page(client).text

    assert "Vote 1 : 1 of 2 projects funded, 0.2000 DAI" in before
    assert f"Hash of the result: {round_.result_hash} (not anchored yet" in before
    assert "/sites/kisima/rounds/1/" in _page(client).addresses

    voting.life.everybody_uses()
    voting.life.closed_and_active()
    assert f"{round_.result_hash} (anchored in epoch 1)" in _page(client).text


def test_no_vote_is_said_so(client: Client, life: EpochVillage) -> None:
    assert "No vote was counted yet." in _page(client).text


def test_an_unknown_site_is_not_found(client: Client, life: EpochVillage) -> None:
    assert client.get("/sites/nowhere/impact/").status_code == 404


def test_the_page_speaks_french(life: EpochVillage) -> None:
    life.closed_and_active()
    answer = Client(headers={"Accept-Language": "fr"}).get("/sites/kisima/impact/")
    text = Page(answer.content.decode()).text

    for words in (
        "Jetons sur la chaîne",
        "Moitié des foyers",
        "Vérifiez vous-même",
        "Équilibré",
        "Jetons émis et droits",
        "Ce que chaque époque a ajouté",
        "1 donateur reçoit la moitié des donateurs.",
        "1 anonyme 100,00",
        "6 foyers n'apparaissent qu'en cohortes",
        "Aucun vote n'a encore été dépouillé.",
    ):
        assert words in text
    for words in ("Households", "Donor", "Cohort ", "Supply", "epoch"):
        assert words not in text


def test_a_picture_of_nothing_and_of_losses_below_zero_has_no_bar() -> None:
    with translation.override("en"):
        empty = picture({"generation": 0, "losses": -5})
        full = picture({"generation": 10, "households": 5, "losses": -1})

    assert [bar.width for bar in empty.bars] == [0, 0]
    assert [(bar.key, bar.width) for bar in full.bars] == [
        ("generation", 360),
        ("households", 180),
        ("losses", 0),
    ]


def _paid_pledge(life: EpochVillage, *, donor: Donor, public_name: str) -> Pledge:
    """A pledge that a card paid, as far as its name is concerned."""
    village = life.village
    pledge = Pledge.objects.create(
        donor=donor,
        site=village.site,
        rail=village.rail,
        public_name=public_name,
        amount_minor=100,
        currency="KES",
        idempotency_key=public_name,
        created_at=life.at,
    )
    Payment.objects.create(
        rail=village.rail,
        provider="daraja",
        reference=public_name[:20],
        amount_minor=100,
        currency="KES",
        paid_at=life.at,
        recorded_at=life.at,
        state=Payment.State.CREDITED,
        site=village.site,
        pledge=pledge,
        entry_id=1,
        credited_wei=1,
    )
    return pledge
