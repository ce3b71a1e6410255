"""HTTP face of the plants: telemetry of a site's inverter and battery."""

from __future__ import annotations

import hmac

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.plant import Plant
from sandbox.sites import SITES
from sandbox.store import Store
from sandbox.web import Route, instant, iso, json_response, refuse

SCHEMA = """
CREATE TABLE IF NOT EXISTS plant_checkpoint (
    site TEXT NOT NULL,
    seed TEXT NOT NULL,
    hour INTEGER NOT NULL,
    stored_milliwatt_hours INTEGER NOT NULL,
    PRIMARY KEY (site, seed, hour)
) WITHOUT ROWID;
"""
SERVICE = "plant"
PAGE_ROWS = 1440


class StoredCheckpoints:
    """Battery states at full hours in the state file, with a copy in memory."""

    def __init__(self, *, store: Store, seed: int) -> None:
        self._store = store
        self._seed = str(seed)
        self._memory: dict[tuple[str, int], int] = {}
        with store.transaction() as db:
            for row in db.execute("SELECT * FROM plant_checkpoint WHERE seed = ?", (self._seed,)):
                self._memory[row["site"], row["hour"]] = row["stored_milliwatt_hours"]

    def load(self, *, site: str, hour: int) -> int | None:
        """Milliwatt-hours in the battery at the start of a UTC hour, None if unknown."""
        return self._memory.get((site, hour))

    def save(self, *, site: str, stored_by_hour: dict[int, int]) -> None:
        """Keep some more of them."""
        with self._store.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO plant_checkpoint VALUES (?, ?, ?, ?)",
                [(site, self._seed, hour, stored) for hour, stored in stored_by_hour.items()],
            )
        self._memory.update({(site, hour): stored for hour, stored in stored_by_hour.items()})


class PlantApi:
    """`GET /api/v1/sites/<site>/telemetry`."""

    def __init__(self, *, context: Context) -> None:
        self._context = context
        checkpoints = StoredCheckpoints(store=context.store, seed=context.seed)
        self._plants = {
            slug: Plant(seed=context.seed, site=site, checkpoints=checkpoints)
            for slug, site in SITES.items()
        }

    def routes(self) -> list[Route]:
        """The telemetry path."""
        return [Route("GET", "/api/v1/sites/<site>/telemetry", self.telemetry)]

    def telemetry(self, request: Request, site: str) -> Response:
        """Ended slots with start <= slot < end, oldest first; `cursor` continues a page.

        Energies are Wh with three decimals, soc_percent is at the slot's end.
        """
        key = request.headers.get("X-API-KEY", "")
        expected = self._context.credentials.plant_api_key
        if not hmac.compare_digest(key.encode(), expected.encode()):
            refuse({"error": "X-API-KEY is missing or wrong."}, status=401)
        plant = self._plants.get(site)
        if plant is None:
            refuse({"error": f"There is no site {site}."}, status=404)
        seconds = self._context.slot_seconds
        start = self._second(request, "cursor" if "cursor" in request.args else "start")
        end = min(self._second(request, "end"), int(self._context.now()) - seconds + 1)
        first = -(-start // seconds) * seconds
        slots = range(first, end, seconds)
        rows = [self._row(plant, starts_at) for starts_at in slots[:PAGE_ROWS]]
        more = len(slots) > PAGE_ROWS
        cursor = iso(slots[PAGE_ROWS]) if more else None
        return json_response({"data": rows, "pagination": {"has_more": more, "cursor": cursor}})

    def _second(self, request: Request, name: str) -> int:
        text = request.args.get(name)
        if text is None:
            if name == "end":
                return int(self._context.now())
            refuse({"error": f"{name} is missing."}, status=400)
        try:
            return int(instant(text).timestamp())
        except ValueError:
            refuse({"error": f"{name} is not an ISO 8601 instant."}, status=400)

    def _row(self, plant: Plant, starts_at: int) -> dict[str, object]:
        slot = plant.slot(starts_at=starts_at, seconds=self._context.slot_seconds)
        watt_hours = {name: flow / 1000 for name, flow in slot.flows.items()}
        return {
            "slot_starts_at": iso(starts_at),
            "slot_seconds": self._context.slot_seconds,
            "soc_percent": slot.soc_percent,
            "pv_wh": watt_hours["pv"],
            "battery_charge_wh": watt_hours["charge"],
            "battery_discharge_wh": watt_hours["discharge"],
            "generator_wh": watt_hours["generator"],
            "feeder_wh": watt_hours["feeder"],
            "households_wh": watt_hours["households"],
        }
