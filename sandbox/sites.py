"""The two villages of the demo: where they lie, who lives there, what their plant can do."""

from __future__ import annotations

from dataclasses import dataclass

HOUSEHOLDS = 30
# Which meter (1 to 30) is something else than a dwelling; the same in both villages.
OTHER_KINDS = {26: "shop", 27: "mill", 28: "shop", 29: "clinic", 30: "school"}


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter and the customer behind it; kind is dwelling, shop, mill, clinic or school."""

    serial: str
    customer_code: str
    phone: str
    kind: str


@dataclass(frozen=True, slots=True)
class Site:
    """One village. Offsets of local time are whole hours, without summer time."""

    slug: str
    latitude: float
    longitude: float
    utc_offset_hours: int
    currency: str
    pv_peak_watts: int
    battery_capacity_watt_hours: int
    meters: tuple[Meter, ...]


def _meters(*, serial_prefix: str, code_prefix: str, phone_prefix: str) -> tuple[Meter, ...]:
    return tuple(
        Meter(
            serial=f"{serial_prefix}{number:04d}",
            customer_code=f"{code_prefix}{number:04d}",
            phone=f"{phone_prefix}{number:02d}",
            kind=OTHER_KINDS.get(number, "dwelling"),
        )
        for number in range(1, HOUSEHOLDS + 1)
    )


SITES = {
    site.slug: site
    for site in (
        Site(
            slug="kisima",
            latitude=-1.75,
            longitude=37.6,
            utc_offset_hours=3,
            currency="KES",
            pv_peak_watts=6_000,
            battery_capacity_watt_hours=25_000,
            meters=_meters(serial_prefix="SM", code_prefix="KIS", phone_prefix="+2547110000"),
        ),
        Site(
            slug="lofe",
            latitude=14.7,
            longitude=-15.5,
            utc_offset_hours=0,
            currency="XOF",
            pv_peak_watts=8_000,
            battery_capacity_watt_hours=25_000,
            meters=_meters(serial_prefix="SL", code_prefix="LOF", phone_prefix="+2217700000"),
        ),
    )
}
