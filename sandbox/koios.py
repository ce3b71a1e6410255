"""Counterpart of SparkMeter's Koios v2: a village's meters, with the faults of the field."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.noise import bits
from sandbox.sites import SITES, Meter, Site
from sandbox.village import DAY_SECONDS, FIRST_DAY, meter_seed, register_milliwatt_hours
from sandbox.web import Route, instant, iso, json_object, json_response, refuse

SERVICE = "koios"
DEFAULT_PER_PAGE = 1000
MAX_PER_PAGE = 5000
MOST_REPEATS = 11
RESET_PERIOD_DAYS = 30
# A register nobody reset within this many periods counts on from its installation.
RESET_MEMORY_PERIODS = 24
MILLION = 1_000_000
# Readings in a million that go wrong in each way (resets: meter and 30 days).
DEFAULT_RATES = {
    "late": 3_000,
    "repeated": 5_000,
    "missing": 1_000,
    "absurd": 5,
    "reset": 20_000,
}
ABSURD_MILLIWATT_HOURS = 4_294_967_295


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: slot start (epoch second), meter's index, copy of the reading."""

    second: int
    meter_index: int
    copy: int

    def encoded(self) -> str:
        """The opaque cursor."""
        text = f"{self.second}:{self.meter_index}:{self.copy}"
        return base64.urlsafe_b64encode(text.encode()).decode()

    @classmethod
    def decoded(cls, cursor: str) -> Position:
        """Read a cursor; ValueError if it is none of ours."""
        try:
            parts = base64.urlsafe_b64decode(cursor.encode()).decode().split(":")
        except binascii.Error as error:
            raise ValueError("not base64") from error
        second, meter_index, copy = (int(part) for part in parts)
        return cls(second=second, meter_index=meter_index, copy=copy)


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading as the head-end has it, `copies` times over."""

    energy_milliwatt_hours: int
    register_milliwatt_hours: int
    copies: int


@lru_cache(maxsize=4096)
def last_reset(seed: int, serial: str, period: int, rate: int) -> int | None:
    """Epoch second of the meter's last reset in or before a 30-day period, None if none."""
    own_seed = meter_seed(seed, serial) ^ 0x1B873593
    for number in range(period, period - RESET_MEMORY_PERIODS, -1):
        draw = bits(own_seed, number)
        if draw % MILLION < rate:
            return (number * RESET_PERIOD_DAYS * DAY_SECONDS) + (draw >> 24) % (
                RESET_PERIOD_DAYS * DAY_SECONDS
            )
    return None


class Koios:
    """Historical data of the demo's two organisations' sites; any organisation is served."""

    def __init__(self, *, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        """The vendor's path, `/simulator/rates` and `/simulator/meters`."""
        return [
            Route("POST", "/api/v2/organizations/<org>/data/historical", self.historical),
            Route("GET", "/simulator/rates", self.show_rates),
            Route("POST", "/simulator/rates", self.set_rates),
            Route("GET", "/simulator/meters", self.meters),
        ]

    def rates(self) -> dict[str, int]:
        """Faults in a million readings, by kind."""
        stored = {kind: self._context.store.setting(f"koios_rate_{kind}") for kind in DEFAULT_RATES}
        return {
            kind: DEFAULT_RATES[kind] if rate is None else int(rate)
            for kind, rate in stored.items()
        }

    def show_rates(self, _request: Request) -> Response:
        """The rates in force."""
        return json_response(self.rates())

    def set_rates(self, request: Request) -> Response:
        """Change some rates: `{"late": 0, "missing": 0}`; they say what readings have always been.

        A change rewrites the past as well: the head-end's data follow from seed and rates alone.
        """
        body = json_object(request)
        for kind, rate in body.items():
            if kind not in DEFAULT_RATES or not isinstance(rate, int) or not 0 <= rate <= MILLION:
                refuse({"error": f"{kind} is not a rate in a million."}, status=400)
        for kind, rate in body.items():
            self._context.store.set_setting(f"koios_rate_{kind}", str(rate))
        return json_response(self.rates())

    def meters(self, _request: Request) -> Response:
        """Every meter with its site, customer and kind."""
        return json_response(
            [
                {
                    "site": site.slug,
                    "serial_number": meter.serial,
                    "customer_code": meter.customer_code,
                    "kind": meter.kind,
                }
                for site in SITES.values()
                for meter in site.meters
            ]
        )

    def historical(self, request: Request, org: str) -> Response:
        """Readings of ended slots with from <= slot start < to, ordered by slot, then meter.

        timestamp is the slot's start; kilowatt_hours the slot's energy; energy the register's
        total at its end; both in kWh with six decimals.
        """
        del org
        self._authenticate(request)
        body = json_object(request)
        sites, start, end = self._filters(body)
        per_page = body.get("per_page", DEFAULT_PER_PAGE)
        if not isinstance(per_page, int) or not 1 <= per_page <= MAX_PER_PAGE:
            refuse({"error": f"per_page must be within 1 and {MAX_PER_PAGE}."}, status=400)
        after = self._cursor(body.get("cursor"))
        rows: list[str] = []
        last, more = after, False
        for position, text in self._readings(sites, start=start, end=end, after=after):
            if len(rows) == per_page:
                more = True
                break
            rows.append(text)
            last = position
        cursor = last.encoded() if more and last is not None else None
        pagination = '{"has_more":%s,"cursor":%s}' % (  # noqa: UP031
            "true" if more else "false",
            "null" if cursor is None else f'"{cursor}"',
        )
        text = f'{{"data":[{",".join(rows)}],"errors":[],"pagination":{pagination}}}'
        return Response(text, content_type="application/json")

    def _authenticate(self, request: Request) -> None:
        credentials = self._context.credentials
        for header, expected in (
            ("X-API-KEY", credentials.koios_api_key),
            ("X-API-SECRET", credentials.koios_api_secret),
        ):
            if not hmac.compare_digest(request.headers.get(header, "").encode(), expected.encode()):
                refuse({"error": f"{header} is missing or wrong."}, status=401)

    def _filters(self, body: dict[str, Any]) -> tuple[list[Site], int, int]:
        filters = body.get("filters")
        if not isinstance(filters, dict) or not isinstance(filters.get("date_range"), dict):
            refuse({"error": "filters.date_range is missing."}, status=400)
        names = filters.get("sites")
        if not isinstance(names, list) or not names or any(name not in SITES for name in names):
            refuse({"error": "filters.sites names an unknown site."}, status=400)
        seconds = []
        for name in ("from", "to"):
            try:
                seconds.append(int(instant(str(filters["date_range"].get(name))).timestamp()))
            except ValueError:
                refuse({"error": f"date_range.{name} is not an ISO 8601 instant."}, status=400)
        return [SITES[name] for name in names], max(seconds[0], FIRST_DAY * DAY_SECONDS), seconds[1]

    @staticmethod
    def _cursor(cursor: object) -> Position | None:
        if cursor is None:
            return None
        try:
            return Position.decoded(str(cursor))
        except ValueError:
            refuse({"error": "cursor is none of ours."}, status=400)

    def _readings(
        self, sites: list[Site], *, start: int, end: int, after: Position | None
    ) -> Iterator[tuple[Position, str]]:
        slot, now = self._context.slot_seconds, self._context.now()
        rates = self.rates()
        meters = [(site, meter) for site in sites for meter in site.meters]
        first = -(-start // slot) * slot
        if after is not None:
            first = max(first, after.second)
        for second in range(first, min(end, int(now) - slot + 1), slot):
            stamp = iso(second)
            for index, (site, meter) in enumerate(meters):
                reading = self._reading(site, meter, second, now=now, rates=rates)
                if reading is None:
                    continue
                text = _reading_json(site, meter, stamp, reading)
                for copy in range(reading.copies):
                    position = Position(second=second, meter_index=index, copy=copy)
                    if after is None or _is_later(position, after):
                        yield position, text

    def _reading(
        self, site: Site, meter: Meter, second: int, *, now: float, rates: dict[str, int]
    ) -> Reading | None:
        """The reading of a slot, None while the head-end does not have it."""
        seed, end = self._context.seed, second + self._context.slot_seconds
        draw = bits(meter_seed(seed, meter.serial) ^ 0x2545F491, second)
        dice, detail = draw % MILLION, draw >> 32
        copies, absurd = 1, False
        if dice < rates["missing"]:
            return None
        dice -= rates["missing"]
        if dice < rates["late"]:
            # From five minutes to six hours after the slot's end.
            if now < end + 300 + detail % 21_300:
                return None
        elif dice - rates["late"] < rates["repeated"]:
            copies = 2 + detail % (MOST_REPEATS - 1)
        else:
            absurd = dice - rates["late"] - rates["repeated"] < rates["absurd"]
        offset = site.utc_offset_hours
        before, after, base = (
            register_milliwatt_hours(
                seed=seed, meter=meter, utc_offset_hours=offset, second=instant_second
            )
            for instant_second in (second, end, self._reset_before(meter, end, rates["reset"]))
        )
        energy = ABSURD_MILLIWATT_HOURS if absurd else after - before
        return Reading(
            energy_milliwatt_hours=energy, register_milliwatt_hours=after - base, copies=copies
        )

    def _reset_before(self, meter: Meter, second: int, rate: int) -> int:
        """Epoch second the register counts from."""
        period = second // (RESET_PERIOD_DAYS * DAY_SECONDS)
        seed = self._context.seed
        reset = last_reset(seed, meter.serial, period, rate)
        if reset is not None and reset > second:
            reset = last_reset(seed, meter.serial, period - 1, rate)
        return FIRST_DAY * DAY_SECONDS if reset is None else reset


def _is_later(position: Position, after: Position) -> bool:
    return (position.second, position.meter_index, position.copy) > (
        after.second,
        after.meter_index,
        after.copy,
    )


def _kwh(milliwatt_hours: int) -> str:
    return f"{milliwatt_hours // MILLION}.{milliwatt_hours % MILLION:06d}"


def _reading_json(site: Site, meter: Meter, stamp: str, reading: Reading) -> str:
    # Written by hand: numbers keep their six decimals, and 86,400 readings take a second.
    return (
        f'{{"timestamp":"{stamp}","site":{{"id":"{site.slug}"}},'
        f'"meter":{{"serial_number":"{meter.serial}",'
        f'"customer":{{"code":"{meter.customer_code}"}}}},'
        f'"kilowatt_hours":{_kwh(reading.energy_milliwatt_hours)},'
        f'"energy":{_kwh(reading.register_milliwatt_hours)}}}'
    )
