"""Kisima as it lives now: households that paid, used power and were charged, up to this minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rest_framework.authtoken.models import Token

from accounts import sites
from accounts.models import Household, Site, User
from settlement import readings, settle
from settlement.meters.samples import MeterSample
from settlement.models import Meter, SlotTelemetry
from settlement.prices import slot_start
from tests.village import TICK, Village

SLOTS = 8
WATT_HOURS = 1_000


@dataclass(kw_only=True)
class LivingVillage:
    """The village, its households, an operator's token, and where the last slot ended."""

    village: Village
    households: list[Household]
    user: User
    token: str
    at: datetime

    @property
    def site(self) -> Site:
        return self.village.site


def staff(*, name: str, village: Village | None, **fields: bool) -> User:
    """A member of an operator's staff (or of none)."""
    operator = None if village is None else village.operator
    return User.objects.create(username=name, operator=operator, **{"is_staff": True, **fields})


def live(
    *, now: datetime, households: int = 6, slot_seconds: int = 900, slots: int = SLOTS
) -> LivingVillage:
    """Found Kisima and live through its last slots: household n uses n x 10 Wh in each.

    Before them a price of 3,000 ticks was in force.
    """
    village = Village.found(at=now, slot_seconds=slot_seconds)
    at = slot_start(at=now, slot_seconds=slot_seconds)
    people = [
        village.household(f"KIS{number:04d}", phone=f"+2547110000{number:02d}")
        for number in range(1, households + 1)
    ]
    feeder = Meter.objects.create(
        site=village.site, serial="MAINS", role="feeder", created_at=village.founded_at
    )
    for person in people:
        village.pay(person.code, amount_minor=50_000, at=at - timedelta(hours=6))
    slot = timedelta(seconds=slot_seconds)
    village.price(ticks=3_000, starts_at=village.founded_at)
    samples = []
    for number in range(slots):
        begin = at - slot * (slots - number)
        village.price(ticks=3_000 + 100 * number, starts_at=begin)
        _plant(village=village, begin=begin, slot=slot, charge=(4_000 + 100 * number) % 10_001)
        used = [(f"SM{index:04d}", index * 10 * WATT_HOURS) for index in range(1, households + 1)]
        samples += [
            MeterSample(
                serial=serial, starts_at=begin, ends_at=begin + slot, energy_milliwatt_hours=energy
            )
            for serial, energy in [*used, (feeder.serial, 999 * WATT_HOURS)]
        ]
    readings.take_in(site=village.site, samples=samples, source="test", at=at)
    settle.run_all(site_id=village.site.pk, at=at)
    user = staff(name="operator", village=village)
    token = Token.objects.create(user=user).key
    return LivingVillage(village=village, households=people, user=user, token=token, at=at)


def neighbour(*, at: datetime) -> tuple[Site, Household, User]:
    """A site of another operator, with one household and one member of staff."""
    operator = sites.open_operator(slug="other", name="Other Power", at=at)
    site = sites.open_site(
        at=at,
        operator=operator,
        slug="lofe",
        name="Lofé",
        country="SN",
        currency="XOF",
        time_zone="Africa/Dakar",
    )
    household = sites.open_household(
        site=site, code="LOF0001", at=at, phones=("+221770000001",), name="Awa Ndiaye"
    )
    user = User.objects.create(username="other", operator=operator, is_staff=True)
    return site, household, user


def _plant(*, village: Village, begin: datetime, slot: timedelta, charge: int) -> None:
    SlotTelemetry.objects.create(
        site=village.site,
        starts_at=begin,
        ends_at=begin + slot,
        state_of_charge_basis_points=charge,
        production_milliwatt_hours=500 * WATT_HOURS,
        received_at=begin + slot,
    )


PRICE_NOW_WEI = (3_000 + 100 * (SLOTS - 1)) * TICK
