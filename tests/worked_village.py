"""A village that has lived: top-ups, suspense, charges, arrears, rebates, donations, late slots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts import attempts, donors_index, gift_letters, suspense
from accounts.models import Donation, Donor, DonorContact, Household, Payment, TaxLine
from settlement import rebates, settle
from settlement.models import Meter, ReadingInbox
from tests.cash_village import trade
from tests.village import Village
from tests.worked_paybacks import give_and_take

DAI = 10**18
QUARTER = timedelta(minutes=15)


@dataclass(kw_only=True)
class WorkedVillage:
    """A village, who lives there, and some of what happened."""

    village: Village
    households: tuple[Household, Household, Household, Household]
    donation: Donation
    in_suspense: Payment
    attached: Payment


def work(*, at: datetime) -> WorkedVillage:
    """Let a village live until `at`: every kind of row that the books know is there afterwards."""
    village = Village.found(at=at)
    rich = village.household("KIS0001")
    village.household("KIS0005", phone="+254711000005")
    poor = village.household("KIS0002", phone="+254711000002")
    clinic = village.household("KIS0003", phone="+254711000003", tier="priority")
    plain = village.household("KIS0004", phone="+254711000004", has_lifeline=False)
    Meter.objects.create(
        site=village.site, serial="MAINS", role=Meter.Role.FEEDER, created_at=village.founded_at
    )
    TaxLine.objects.create(
        site=village.site,
        kind=TaxLine.Kind.TAX,
        name="VAT",
        code="B",
        rate_basis_points=1_600,
        validity=(village.founded_at, None),
    )
    village.price(ticks=3_000, starts_at=village.founded_at)
    village.price(ticks=3_517, starts_at=at - timedelta(hours=6))

    since = at - timedelta(days=1)
    village.pay("KIS0001", amount_minor=50_000, at=since)
    village.pay("KIS0005", amount_minor=1_000, at=since)
    village.pay("KIS0002", amount_minor=900, at=since)
    village.pay("kis 0003", amount_minor=20_050, at=since)
    in_suspense = village.pay("NOBODY", amount_minor=7_700, at=since)
    attached = village.pay("KIS9999", amount_minor=30_000, at=since)
    suspense.attach(payment=attached, household=plain, at=since + timedelta(hours=1))
    _top_up(village, rich, at=since)

    _consume(village, since=since, slots=16, at=at - timedelta(hours=12))
    donor = Donor.objects.create(created_at=since)
    DonorContact.objects.create(donor=donor, name="Asha", email="asha@example.org")
    donation = donors_index.donate(
        donor=donor,
        site=village.site,
        amount_wei=70 * DAI + 3,
        donated_at=since,
        vests_at=at + timedelta(days=120),
    )
    rebates.run(site_id=village.site.pk, at=at - timedelta(hours=8))
    _consume(village, since=at - timedelta(hours=8), slots=30, at=at)
    donors_index.touch(donation=donation)
    gift_letters.came_on_chain(
        donation=donation, units=70 * DAI + 3, decimals=18, asset="DAI", reference="0xda", at=since
    )
    village.pay("KIS0002", amount_minor=4_000, at=at)
    settle.run_all(site_id=village.site.pk, at=at)
    _late(village, at=at)
    rebates.run(site_id=village.site.pk, at=at)
    give_and_take(village, at=at)
    trade(village, at=at)
    return WorkedVillage(
        village=village,
        households=(rich, poor, clinic, plain),
        donation=donation,
        in_suspense=Payment.objects.get(pk=in_suspense.pk),
        attached=Payment.objects.get(pk=attached.pk),
    )


def _top_up(village: Village, household: Household, *, at: datetime) -> None:
    """A prompt on the phone that was paid."""
    attempt = attempts.request(
        household=household,
        site=village.site,
        rail=village.rail,
        phone="+254711000001",
        amount_minor=10_000,
        idempotency_key="ussd:1",
        at=at,
    )
    attempts.claim(attempt_id=attempt.pk, at=at)
    attempts.submitted(attempt=attempt, provider_request="ws_CO_1", at=at)
    attempts.name_reference(attempt=attempt, reference="RCPSTK0001", has_mismatch=False)
    loaded = attempts.load(attempt_id=attempt.pk)
    attempts.settle_answer(
        attempt=loaded,
        answer=attempts.Answer(is_final=True, is_paid=True, code="0", reference="RCPSTK0001"),
        at=at,
    )


def _consume(village: Village, *, since: datetime, slots: int, at: datetime) -> None:
    """Read every meter in every slot, one slot twice, one implausibly; settle what came."""
    for slot in range(slots):
        starts_at = since + slot * QUARTER
        for number in range(1, 5):
            village.read(
                f"SM000{number}",
                starts_at=starts_at,
                energy_milliwatt_hours=20_001 * number + 313 * slot,
                at=at,
            )
        village.read("MAINS", starts_at=starts_at, energy_milliwatt_hours=230_000, at=at)
    for twice in ReadingInbox.objects.filter(starts_at=since):
        twice.pk = None
        twice.save()
    village.read("SM0009", starts_at=since, energy_milliwatt_hours=5, at=at)
    village.read("SM0001", starts_at=since + slots * QUARTER, energy_milliwatt_hours=10**9, at=at)
    settle.run_all(site_id=village.site.pk, at=at)


def _late(village: Village, *, at: datetime) -> None:
    """Slots that come after their block was rebated, and one that comes too late to be owed."""
    for days, serial in ((1, "SM0002"), (3, "SM0001"), (20, "SM0002"), (20, "SM0004")):
        village.read(
            serial,
            starts_at=at - timedelta(days=days, hours=1),
            energy_milliwatt_hours=1_100_003,
            at=at,
        )
    settle.run_all(site_id=village.site.pk, at=at)
