"""A village whose epochs are closed: what it uses, gives and is told of the plant, slot by slot."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts import donors_index, ledger
from accounts.ledger import Leg
from accounts.models import Donation, Donor, Household
from settlement import settle
from settlement.models import SlotTelemetry
from settlement.prices import slot_start
from tests.village import Village
from tokens import epochs
from tokens.models import Contract, Epoch, EpochLeaf, Leaf

QUARTER = timedelta(minutes=15)
HALF = 5 * 10**11
"""Wei of a household's half of a milliwatt-hour."""


@dataclass(kw_only=True)
class EpochVillage:
    """A village, its clock, and its households by code."""

    village: Village
    at: datetime
    households: dict[str, Household] = field(default_factory=dict)

    @classmethod
    def found(
        cls,
        *,
        at: datetime,
        households: int = 5,
        slug: str = "kisima",
        prefix: str = "KIS",
        beside: Village | None = None,
    ) -> EpochVillage:
        """Found a village with households KIS0001.. and contracts that nobody calls."""
        made = cls(village=Village.found(at=at, slug=slug, beside=beside), at=at)
        made.village.price(ticks=2_500, starts_at=made.village.founded_at)
        for number in range(1, households + 1):
            made.move_in(f"{prefix}{number:04d}")
        return made

    def deploy(
        self,
        *,
        ledger: str = "0x" + "11" * 20,
        token: str = "0x" + "22" * 20,
        block_number: int = 0,
    ) -> None:
        """Note contracts at addresses."""
        for kind, address in (("ledger", ledger), ("token", token)):
            Contract.objects.create(
                chain_id=settings.CHAIN_ID,
                kind=kind,
                site=self.village.site,
                address=address,
                block_number=block_number,
                deployed_at=self.at,
            )

    def move_in(self, code: str) -> Household:
        self.households[code] = self.village.household(
            code, phone=f"+2547{len(self.households):08d}"
        )
        return self.households[code]

    def use(self, **energies: int) -> None:
        """Let households use milliwatt-hours in the next slot, and settle it."""
        starts_at = slot_start(at=self.at + QUARTER - timedelta(microseconds=1), slot_seconds=900)
        self.at = starts_at + QUARTER
        for code, energy in energies.items():
            self.village.read(
                f"SM{code[3:]}", starts_at=starts_at, energy_milliwatt_hours=energy, at=self.at
            )
        settle.run_all(site_id=self.village.site.pk, at=self.at)

    def everybody_uses(self, energy: int = 1_000_000) -> None:
        self.use(**dict.fromkeys(self.households, energy))

    def plant(
        self, *, sun: int, into: int = 0, out: int = 0, feeder: int, starts_at: datetime
    ) -> None:
        """Tell what the plant did in one slot."""
        SlotTelemetry.objects.create(
            site=self.village.site,
            starts_at=starts_at,
            ends_at=starts_at + QUARTER,
            state_of_charge_basis_points=5_000,
            production_milliwatt_hours=sun,
            battery_in_milliwatt_hours=into,
            battery_out_milliwatt_hours=out,
            feeder_milliwatt_hours=feeder,
            received_at=starts_at + QUARTER,
        )

    def donate(
        self, *, amount_wei: int = 10**20, days: int = 0, donor: Donor | None = None
    ) -> Donation:
        """Give now what vests after some days."""
        return donors_index.donate(
            donor=donor or Donor.objects.create(created_at=self.at),
            site=self.village.site,
            amount_wei=amount_wei,
            donated_at=self.at,
            vests_at=self.at + timedelta(days=days),
        )

    def withdraw(self, donation: Donation) -> None:
        """Take a donation out whole; what nobody is left for is parked in the ledger, too."""
        with transaction.atomic():
            gave = donors_index.withdraw(
                donation=donation, amount_wei=donation.amount_wei, at=self.at
            )
            if gave.is_parked and gave.returned_wei:
                wei = gave.returned_wei
                ledger.post(
                    book_id=self.village.site.book.pk,
                    kind="take_back",
                    key=f"parked:{donation.uid}",
                    legs=[
                        Leg(kind="donors_pool", asset="IT", amount=-wei),
                        Leg(kind="unallocated_tokens", asset="IT", amount=wei),
                    ],
                    occurred_at=self.at,
                    at=self.at,
                )

    def close(self) -> Epoch | None:
        return epochs.close(site=self.village.site, at=self.at)

    def must_close(self) -> Epoch:
        epoch = self.close()
        assert epoch is not None, "no epoch was due"
        return epoch

    def closed_and_active(self) -> Epoch:
        """Close the epoch that is due and call it active, without any chain."""
        epoch = self.must_close()
        Epoch.objects.filter(pk=epoch.pk).update(state=Epoch.State.PROPOSED, proposed_at=self.at)
        Epoch.objects.filter(pk=epoch.pk).update(state=Epoch.State.ACTIVE, active_at=self.at)
        return Epoch.objects.get(pk=epoch.pk)


def of_household(epoch: Epoch, household: Household) -> EpochLeaf:
    """A household's leaf in an epoch."""
    return epoch.leaves.get(leaf__household=household)


def of_donation(epoch: Epoch, donation: Donation) -> EpochLeaf:
    return epoch.leaves.get(leaf__donation=donation)


def of_kind(epoch: Epoch, kind: Leaf.Kind) -> EpochLeaf:
    """The reserve's leaf, or that of the unallocated."""
    return epoch.leaves.get(leaf__kind=kind)
