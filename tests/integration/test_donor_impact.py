"""What donors did, to the wei and the milliwatt-hour: over epochs, certificates and sites."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.models import Donation, Donor, DonorsIndex
from tests.epoch_village import HALF, EpochVillage
from tokens import certificates, diesel, donor_history, donor_impact
from tokens.donor_history import EpochOfGift
from tokens.donor_impact import SiteImpact
from tokens.models import Claim, EpochLeaf

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
KWH = 1_000_000


@pytest.fixture(autouse=True)
def short_epochs(settings: Settings) -> Iterator[None]:
    settings.EPOCH_SECONDS = 300
    settings.CHAIN_ID = 31_337
    yield


@pytest.fixture
def life() -> EpochVillage:
    """Six households, no donation yet."""
    life = EpochVillage.found(at=AT, households=6)
    life.deploy()
    return life


def of(*donations: Donation) -> SiteImpact:
    """The impact of the donors of these donations, who gave to one site."""
    (impact,) = donor_impact.impacts(donors=[donation.donor for donation in donations])
    return impact


def rows_of(*donations: Donation, at: datetime) -> list[EpochOfGift]:
    impacts = donor_impact.impacts(donors=[donation.donor for donation in donations])
    return list(donor_history.epochs_of_gifts(impacts=impacts, at=at))


def test_nobody_who_gave_nothing_did_something(life: EpochVillage) -> None:
    assert donor_impact.impacts(donors=[]) == []
    assert donor_impact.impacts(donors=[Donor.objects.create(created_at=AT)]) == []


def test_energy_is_the_share_at_the_time_not_todays_share(life: EpochVillage) -> None:
    first = life.donate(amount_wei=10**20)
    life.everybody_uses(KWH)
    second = life.donate(amount_wei=3 * 10**20)
    life.everybody_uses(KWH)

    assert of(first).milliwatt_hours == 6 * KWH + 6 * KWH // 4
    assert of(second).milliwatt_hours == 6 * KWH * 3 // 4
    assert (of(first).share, of(second).share) == (Fraction(1, 4), Fraction(3, 4))
    assert of(first).earned_wei == of(first).milliwatt_hours * HALF
    assert of(first, second).milliwatt_hours == 12 * KWH
    assert of(first, second).share == 1


def test_energy_of_donors_and_of_nobody_is_all_that_was_settled(life: EpochVillage) -> None:
    life.use(KIS0001=1_001)
    donations = [life.donate(amount_wei=amount) for amount in (7, 11, 13)]
    life.use(KIS0001=999, KIS0002=10)
    index = DonorsIndex.objects.get()
    told = [of(donation).milliwatt_hours for donation in donations]

    assert index.unallocated_wei == 1_001 * HALF
    assert told == [1_009 * 7 // 31, 1_009 * 11 // 31, 1_009 * 13 // 31]
    assert 1_009 - len(donations) < sum(told) <= 1_009


def test_a_gift_before_the_first_epoch_knows_no_households(life: EpochVillage) -> None:
    impact = of(life.donate())

    assert (impact.households, impact.epoch, impact.milliwatt_hours) == (None, None, 0)
    assert not impact.are_households_told


def test_households_served_are_those_that_used_energy_since_the_first_gift(
    life: EpochVillage,
) -> None:
    life.everybody_uses()
    life.closed_and_active()
    early, late = life.donate(), None
    life.use(KIS0001=5, KIS0002=5, KIS0003=5, KIS0004=5, KIS0005=5)
    life.closed_and_active()
    late = life.donate()
    life.use(KIS0001=5, KIS0002=5, KIS0003=5, KIS0004=5)
    life.closed_and_active()

    assert (of(early).households, of(early).are_households_told) == (5, True)
    assert (of(late).households, of(late).are_households_told) == (4, False)
    assert of(early, late).households == 5


def test_epochs_note_what_was_earned_before_it_vests(life: EpochVillage) -> None:
    donation = life.donate(days=120)
    life.everybody_uses(KWH)
    life.closed_and_active()
    (point, now) = donor_history.histories(impacts=[of(donation)], at=life.at)[life.village.site.pk]

    assert (point.number, point.earned_wei, point.vested_wei) == (1, 6 * KWH * HALF, 0)
    assert (now.number, now.at, now.earned_wei) == (None, life.at, 6 * KWH * HALF)


def test_a_history_tells_each_epoch_and_what_was_claimed_by_then(life: EpochVillage) -> None:
    donation = life.donate()
    life.everybody_uses(KWH)
    life.closed_and_active()
    leaf = EpochLeaf.objects.get(leaf__donation=donation).leaf
    Claim.objects.create(
        chain_id=31_337,
        site=life.village.site,
        leaf=leaf,
        wallet="0x" + "aa" * 20,
        tokens_wei=2 * 10**18,
        transfer_hash="0x" + "bb" * 32,
        log_index=0,
        block_number=7,
        claimed_at=life.at + timedelta(minutes=1),
    )
    life.everybody_uses(KWH // 2)
    life.closed_and_active()
    life.use(KIS0001=4)

    first, second, since = rows_of(donation, at=life.at)
    assert (first.number, first.milliwatt_hours, first.claimed_wei) == (1, 6 * KWH, 0)
    assert (second.number, second.milliwatt_hours) == (2, 3 * KWH)
    assert (second.site_milliwatt_hours, second.claimed_wei) == (3 * KWH, 2 * 10**18)
    assert (second.vested_wei, second.earned_wei) == (9 * KWH * HALF, 9 * KWH * HALF)
    assert (since.number, since.milliwatt_hours, since.site_milliwatt_hours) == (None, 4, None)
    assert (
        sum(row.milliwatt_hours for row in (first, second, since)) == of(donation).milliwatt_hours
    )


def test_an_epoch_that_a_certificate_claimed_avoids_no_co2(life: EpochVillage) -> None:
    donation = life.donate()
    epochs = []
    for energy in (KWH // 8, KWH // 4, KWH // 2, KWH):
        life.everybody_uses(energy)
        epochs.append(life.closed_and_active())
    before = of(donation)
    assert (before.unclaimed_milliwatt_hours, before.certificates) == (11_250_000, 0)
    assert before.avoided_grams == 9_000
    assert before.avoided_grams * 100 == 1_125 * diesel.GRAMS_PER_KWH

    for epoch in epochs[1:3]:
        certificates.claim(epoch=epoch, certificate="D-REC 2026/1")

    after = of(donation)
    assert (after.unclaimed_milliwatt_hours, after.certificates) == (6_750_000, 2)
    assert after.avoided_grams == 5_400
    assert after.milliwatt_hours == 11_250_000
    certificates.claim(epoch=epochs[0], certificate="D-REC 2026/2")
    assert of(donation).unclaimed_milliwatt_hours == 6 * KWH


def test_a_certificate_of_before_the_gift_takes_nothing_from_it(life: EpochVillage) -> None:
    life.donate()
    life.everybody_uses(KWH)
    certificates.claim(epoch=life.closed_and_active(), certificate="I-REC 7")
    late = life.donate()
    life.everybody_uses(KWH)
    life.closed_and_active()

    assert of(late).certificates == 0
    assert of(late).unclaimed_milliwatt_hours == of(late).milliwatt_hours == 3 * KWH


def test_a_gift_that_was_taken_back_unvested_did_nothing(life: EpochVillage) -> None:
    stays, goes = life.donate(days=120), life.donate(days=120)
    life.everybody_uses(KWH)
    life.closed_and_active()
    life.withdraw(goes)

    assert (of(goes).milliwatt_hours, of(goes).avoided_grams) == (0, 0)
    assert of(goes).share == 0
    assert of(stays).milliwatt_hours == 6 * KWH
    noted, since = rows_of(goes, at=life.at)
    assert (noted.milliwatt_hours, since.milliwatt_hours) == (3 * KWH, -3 * KWH)


def test_factor_is_what_its_parts_give() -> None:
    assert diesel.GRAMS_PER_KWH == 800
    assert diesel.avoided_grams(milliwatt_hours=KWH) == 800
    assert diesel.avoided_grams(milliwatt_hours=1_249) == 0
    assert diesel.avoided_grams(milliwatt_hours=1_250) == 1


def test_queries_do_not_grow_with_gifts_epochs_or_sites(life: EpochVillage) -> None:
    def counted(donors: list[Donor]) -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            impacts = donor_impact.impacts(donors=donors)
            donor_history.histories(impacts=impacts, at=life.at)
            list(donor_history.epochs_of_gifts(impacts=impacts, at=life.at))
        return len(asked)

    donors = [life.donate().donor]
    life.everybody_uses()
    certificates.claim(epoch=life.closed_and_active(), certificate="I-REC 7")
    few = counted(donors)
    donors += [life.donate().donor for _ in range(3)]
    for _ in range(3):
        life.everybody_uses()
        certificates.claim(epoch=life.closed_and_active(), certificate="I-REC 7")
    assert counted(donors) == few

    other = EpochVillage.found(
        at=life.at, households=5, slug="mbare", prefix="MBA", beside=life.village
    )
    other.deploy(ledger="0x" + "33" * 20, token="0x" + "44" * 20)
    other.donate(donor=donors[0])
    other.everybody_uses()
    other.closed_and_active()
    assert len(donor_impact.impacts(donors=donors)) == 2
    assert counted(donors) == few


def test_another_chains_epochs_do_not_count(life: EpochVillage, settings: Settings) -> None:
    donation = life.donate()
    life.everybody_uses(KWH)
    life.closed_and_active()
    settings.CHAIN_ID = 100

    assert of(donation).epoch is None
    assert len(rows_of(donation, at=life.at)) == 1
