"""A village's books in plain Python, reading by reading: what the service has to agree with.

Written from the economy's rules, not from the service's SQL, and imports nothing of it: integers,
fractions and dictionaries only. It replays the inputs of one site (top-ups, readings as they come
in, prices, splits, donations, closings of blocks) and says what must stand on every account, to
the wei. What the economy leaves open is decided here in the open:

* a batch first turns what top-ups set aside into recovered arrears, and gives back what is over;
* of one batch, readings in time are paid before late ones, earlier price blocks before later ones;
* the first reading of a slot counts, every other energy for the slot is a conflict;
* one closing of blocks reckons with the funds and arrears that stood before it;
* a rebate is the block's, whatever part of its charges the operator had to bear.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

PER_KWH = 10**6
WHOLE = 10_000
NIGHT = timedelta(hours=2)
"""The first block of a day begins at 22:00 of the day before."""
BANDS = ((0, 8), (8, 12), (12, 18), (18, 24))
"""Price blocks in hours after 22:00."""
Block = tuple[date, int]
"""The day a block belongs to and its number in BANDS."""


@dataclass(kw_only=True)
class House:
    """A household: funds, what a top-up set aside, what it owes, its tokens, all in wei."""

    code: str
    tier: str = "leisure"
    has_lifeline: bool = True
    funds: int = 0
    set_aside: int = 0
    owed: int = 0
    tokens: int = 0
    warnings: int = 0


@dataclass(kw_only=True)
class Device:
    """A meter and its tenants: (since, until, household)."""

    number: int
    max_power_watts: int = 5_000
    closed_at: datetime | None = None
    tenants: list[tuple[datetime, datetime | None, str]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A reading as it came."""

    serial: str
    starts_at: datetime
    ends_at: datetime
    energy: int
    received_at: datetime
    is_vouched: bool = False


@dataclass(frozen=True, kw_only=True)
class Charged:
    """A slot charged to a household, in wei per milliwatt-hour; above is over the reference."""

    house: str
    serial: str
    starts_at: datetime
    block: Block
    energy: int
    price: int
    above: int
    is_late: bool
    minting: int

    @property
    def amount(self) -> int:
        return self.energy * self.price


@dataclass(kw_only=True)
class Bill:
    """One household's price block."""

    owed: int = 0
    cancelled: int = 0
    rebate: int = 0
    is_due: bool = False


@dataclass(kw_only=True)
class Model:
    """One site and its inputs so far."""

    rate: Fraction
    zone: str = "Africa/Nairobi"
    slot: timedelta = timedelta(minutes=15)
    token_wei_per_kwh: int = 10**18
    lifeline: int = 50_000
    arrears_share: int = 3_000
    late_days: int = 14
    low_funds: int = 3 * 10**17
    months: tuple[tuple[int, int], tuple[int, int]] = ((2000, 1), (2099, 12))
    houses: dict[str, House] = field(default_factory=dict)
    devices: dict[str, Device] = field(default_factory=dict)
    prices: list[tuple[datetime, int, int]] = field(default_factory=list)
    splits: list[tuple[datetime, list[tuple[str, int]]]] = field(default_factory=list)
    solar_shares: dict[datetime, int] = field(default_factory=dict)
    inbox: list[Sample] = field(default_factory=list)
    readings: dict[tuple[str, datetime], int] = field(default_factory=dict)
    charges: list[Charged] = field(default_factory=list)
    bills: dict[tuple[str, Block], Bill] = field(default_factory=lambda: defaultdict(Bill))
    gifts: list[tuple[int, Fraction]] = field(default_factory=list)
    references: set[str] = field(default_factory=set)
    totals: Counter[str] = field(default_factory=Counter)
    collected: Counter[datetime] = field(default_factory=Counter)
    posted: Counter[tuple[datetime, str]] = field(default_factory=Counter)

    # Inputs

    def house(self, code: str, *, tier: str = "leisure", has_lifeline: bool = True) -> None:
        self.houses[code] = House(code=code, tier=tier, has_lifeline=has_lifeline)

    def device(self, serial: str, *, max_power_watts: int = 5_000) -> None:
        self.devices[serial] = Device(number=len(self.devices), max_power_watts=max_power_watts)

    def assign(
        self, serial: str, code: str, *, since: datetime, until: datetime | None = None
    ) -> None:
        self.devices[serial].tenants.append((since, until, code))

    def price(self, *, starts_at: datetime, wei_per_kwh: int, reference: int) -> None:
        """Publish a price; where the instant has one already, that one stays."""
        if all(known != starts_at for known, _, _ in self.prices):
            self.prices.append((starts_at, wei_per_kwh, reference))
            self.prices.sort()

    def split(self, *, valid_from: datetime, lines: list[tuple[str, int]]) -> None:
        self.splits.append((valid_from, lines))
        self.splits.sort()

    def fund(self, code: str, *, amount_wei: int) -> None:
        self.houses[code].funds += amount_wei
        self.totals["fx_position DAI"] -= amount_wei

    def pay(self, code: str, *, amount_minor: int, reference: str) -> None:
        """A confirmed payment in shillings and cents, credited once per reference."""
        if reference in self.references:
            return
        self.references.add(reference)
        credited = int(Fraction(amount_minor, 100) * 10**18 / self.rate // 1)
        house = self.houses[code]
        aside = min(house.owed - house.set_aside, credited * self.arrears_share // WHOLE)
        house.set_aside += aside
        house.funds += credited - aside
        self.totals["float KES"] -= amount_minor
        self.totals["fx_position KES"] += amount_minor
        self.totals["fx_position DAI"] -= credited

    def donate(self, amount_wei: int) -> None:
        self.gifts.append((amount_wei, Fraction(0)))

    def receive(self, sample: Sample) -> None:
        self.inbox.append(sample)

    # What happens

    def settle(self, *, at: datetime, limit: int = 50_000) -> bool:
        """Settle the next readings of the inbox; return whether there was anything to do."""
        batch, self.inbox = self.inbox[:limit], self.inbox[limit:]
        if not batch and not any(house.set_aside for house in self.houses.values()):
            return False
        before = {house.code: house.funds for house in self.houses.values()}
        revenue = self._recover()
        new: list[Charged] = []
        for sample in batch:
            new += self._accept(sample, at)
        new.sort(key=lambda c: (c.is_late, c.starts_at, self.devices[c.serial].number))
        for charged in new:
            revenue += self._charge(charged)
        self._post(revenue, at)
        for house in self.houses.values():
            house.warnings += before[house.code] >= self.low_funds > house.funds
        return True

    def close_blocks(self, *, at: datetime) -> None:
        """Give the lifeline rebates of blocks that have ended, as the difference to before."""
        due = [
            (code, block)
            for (code, block), bill in self.bills.items()
            if bill.is_due and self.block_ends_at(block) <= at
        ]
        funds = {house.code: house.funds for house in self.houses.values()}
        owed = {house.code: house.owed - house.set_aside for house in self.houses.values()}
        revenue = 0
        for code, block in sorted(due, key=lambda each: each[1]):
            bill, house = self.bills[code, block], self.houses[code]
            difference = self.rebate_of(code, block) - bill.rebate
            bill.is_due = False
            bill.rebate += difference
            self.totals["rebate"] += difference
            if difference >= 0:
                cancelled = min(difference, bill.owed - bill.cancelled, owed[code])
                owed[code] -= cancelled
                bill.cancelled += cancelled
                house.owed -= cancelled
                house.funds += difference - cancelled
                revenue -= difference - cancelled
                self.totals["arrears"] -= cancelled
            else:
                taken = min(-difference, funds[code])
                funds[code] -= taken
                house.funds -= taken
                house.owed += -difference - taken
                bill.owed += -difference - taken
                revenue += taken
                self.totals["arrears"] += -difference - taken
        self.totals["paid"] += revenue
        self._post(revenue, at)

    # Rules

    def reason(self, sample: Sample, at: datetime) -> str | None:
        """Why a reading can't be accepted, or None."""
        device = self.devices.get(sample.serial)
        if device is None:
            return "unknown_meter"
        first, last = self.months
        most = Fraction(device.max_power_watts * 1000, timedelta(hours=1) // self.slot)
        begins_a_slot = sample.starts_at.timestamp() % self.slot.total_seconds() == 0
        is_priced = self.price_at(sample.starts_at) is not None
        faults = {
            "meter_closed": device.closed_at is not None and device.closed_at <= sample.starts_at,
            "not_a_slot": not begins_a_slot or sample.ends_at - sample.starts_at != self.slot,
            "in_the_future": sample.ends_at > at,
            "no_partition": not first <= (sample.starts_at.year, sample.starts_at.month) <= last,
            "negative_energy": sample.energy < 0,
            "implausible_energy": sample.energy > most and not sample.is_vouched,
            "no_price": self.tenant(sample) is not None and not is_priced,
        }
        return next((name for name, is_so in faults.items() if is_so), None)

    def tenant(self, sample: Sample) -> str | None:
        for since, until, code in self.devices[sample.serial].tenants:
            if since <= sample.starts_at and (until is None or sample.starts_at < until):
                return code
        return None

    def price_at(self, at: datetime) -> tuple[int, int] | None:
        """The price in force and its reference, in wei per milliwatt-hour."""
        known = [(price, reference) for since, price, reference in self.prices if since <= at]
        return (known[-1][0] // PER_KWH, known[-1][1] // PER_KWH) if known else None

    def block_of(self, at: datetime) -> Block:
        shifted = at.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None) + NIGHT
        (band,) = [n for n, (first, last) in enumerate(BANDS) if first <= shifted.hour < last]
        return (shifted.date(), band)

    def block_starts_at(self, block: Block) -> datetime:
        return self._instant(block[0], BANDS[block[1]][0])

    def block_ends_at(self, block: Block) -> datetime:
        return self._instant(block[0], BANDS[block[1]][1])

    def rebate_of(self, code: str, block: Block) -> int:
        """The lifeline's part of a block's charges above the reference, in slot order."""
        left = self.lifeline if self.houses[code].has_lifeline else 0
        rebate = 0
        for charged in sorted(
            (c for c in self.charges if c.house == code and c.block == block),
            key=lambda c: (c.starts_at, self.devices[c.serial].number),
        ):
            covered = min(charged.energy, left)
            left -= covered
            rebate += covered * charged.above
        return rebate

    def _instant(self, day: date, hours: int) -> datetime:
        local = datetime.combine(day, time()) + timedelta(hours=hours) - NIGHT
        return local.replace(tzinfo=ZoneInfo(self.zone))

    def _recover(self) -> int:
        revenue = 0
        for house in self.houses.values():
            recovered = min(house.set_aside, house.owed)
            house.owed -= recovered
            house.funds += house.set_aside - recovered
            house.set_aside = 0
            self.totals["recovered"] += recovered
            revenue += recovered
        return revenue

    def _accept(self, sample: Sample, at: datetime) -> list[Charged]:
        """Store a reading once, or put it aside; what it charges is a list of one or none."""
        reason = self.reason(sample, at)
        known = self.readings.get((sample.serial, sample.starts_at))
        if reason is None and known is not None:
            if known == sample.energy:
                self.totals["repeated"] += 1
                return []
            reason = "conflicting_duplicate"
        if reason is not None:
            self.totals[f"quarantined {reason}"] += 1
            return []
        self.readings[sample.serial, sample.starts_at] = sample.energy
        code, priced = self.tenant(sample), self.price_at(sample.starts_at)
        if code is None or priced is None:
            return []
        price = min(priced) if self.houses[code].tier == "priority" else priced[0]
        return [
            Charged(
                house=code,
                serial=sample.serial,
                starts_at=sample.starts_at,
                block=self.block_of(sample.starts_at),
                energy=sample.energy,
                price=price,
                above=max(price - priced[1], 0),
                is_late=sample.received_at - sample.ends_at > timedelta(days=self.late_days),
                minting=sample.energy * self.solar_shares.get(sample.starts_at, WHOLE) // WHOLE,
            )
        ]

    def _charge(self, charged: Charged) -> int:
        """Charge one slot and mint its tokens; return what was paid."""
        house = self.houses[charged.house]
        bill = self.bills[charged.house, charged.block]
        paid = min(charged.amount, house.funds)
        house.funds -= paid
        if charged.is_late:
            self.totals["borne"] += charged.amount - paid
        else:
            house.owed += charged.amount - paid
            bill.owed += charged.amount - paid
            self.totals["arrears"] += charged.amount - paid
        bill.is_due = True
        self.charges.append(charged)
        self.totals["charged"] += charged.amount
        self.totals["paid"] += paid
        self._mint(house, charged.minting * self.token_wei_per_kwh // (2 * PER_KWH))
        return paid

    def _mint(self, house: House, half: int) -> None:
        house.tokens += half
        self.totals["minted"] += 2 * half
        given = sum(amount for amount, _ in self.gifts)
        self.totals["donors" if given else "unallocated"] += half
        self.gifts = [(a, tokens + Fraction(half * a, given)) for a, tokens in self.gifts]

    def _post(self, revenue: int, at: datetime) -> None:
        """Divide by the split in force: each line by its cumulative share, the last the rest."""
        version, lines = [each for each in self.splits if each[0] <= at][-1]
        self.collected[version] += revenue
        left = revenue
        for name, share in lines[:-1]:
            entitled = self.collected[version] * share // WHOLE
            amount = max(entitled - self.posted[version, name], 0)
            self.posted[version, name] += amount
            left -= amount
        self.posted[version, lines[-1][0]] += left

    # What must stand in the books

    def statement(self) -> dict[str, int]:
        """Every figure that the service has to agree with; what is zero is left out."""
        figures: Counter[str] = Counter()
        for house in self.houses.values():
            figures[f"{house.code} funds"] = house.funds
            figures[f"{house.code} set aside"] = house.set_aside
            figures[f"{house.code} owed"] = house.owed
            figures[f"{house.code} tokens"] = house.tokens
            figures[f"{house.code} warnings"] = house.warnings
        for (_, name), amount in self.posted.items():
            figures[f"pool {name}"] += amount
        for (code, block), bill in self.bills.items():
            place = f"{code} block {self.block_starts_at(block):%m-%d %H}"
            figures[f"{place} owed"] = bill.owed
            figures[f"{place} cancelled"] = bill.cancelled
            figures[f"{place} rebate"] = bill.rebate
        for charged in self.charges:
            local = charged.starts_at.astimezone(ZoneInfo(self.zone))
            place = f"{charged.house} block {self.block_starts_at(charged.block):%m-%d %H}"
            figures[f"{place} charged"] += charged.amount
            figures[f"{place} energy"] += charged.energy
            figures[f"{charged.house} {local:%m-%d} charged"] += charged.amount
            figures[f"{charged.house} {local:%m-%d} energy"] += charged.energy
            figures[f"{charged.serial} {local:%m-%d %H:%M} {charged.house}"] += charged.amount
        figures["arrears unearned"] = sum(house.owed for house in self.houses.values())
        figures["donated"] = sum(amount for amount, _ in self.gifts)
        figures["readings"] = len(self.readings)
        figures["readings energy"] = sum(self.readings.values())
        figures["inbox"] = len(self.inbox)
        figures.update(self.totals)
        return {name: amount for name, amount in figures.items() if amount}
