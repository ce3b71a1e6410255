"""eTIMS's envelope, its devices and the credentials every call carries."""

from __future__ import annotations

import hmac
import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn

from werkzeug.wrappers import Request, Response

from sandbox.context import Context
from sandbox.web import Route, iso, json_object, json_response, refuse

SCHEMA = """
CREATE TABLE IF NOT EXISTS etims_device (
    serial TEXT PRIMARY KEY,
    tin TEXT NOT NULL,
    branch TEXT NOT NULL,
    cmc_key TEXT NOT NULL,
    sdc_id TEXT NOT NULL,
    mrc_no TEXT NOT NULL,
    installed_at REAL,            -- NULL while only approved
    UNIQUE (tin, branch)
);
"""
SERVICE = "etims"
# offline: nothing is carried out and the control unit says so, until the fault is used up.
OWN_FAULTS = ("offline", "unknown_error")
FAULT_CODES = {"offline": "894", "unknown_error": "999"}
# Kenya keeps no summer time.
EAST_AFRICA = timezone(timedelta(hours=3))
MESSAGES = {
    "000": "It is succeeded",
    "001": "There is no search result",
    "894": "An error regarding server communication occurred.",
    "899": "An error regarding Client occurred.",
    "900": "There is no Header information",
    "901": "It is not valid device",
    "902": "This device is installed",
    "905": "Only OSCU device can be verified.",
    "910": "Request parameter error",
    "911": "There is no request full text",
    "913": "Code value error among request parameters",
    "921": "Sales or sales invoice data which is declared cannot be received.",
    "994": "There is an overlapped Data",
    "999": "There is an unknown error. Please ask the administrator",
}
_PIN = re.compile(r"[A-Z][0-9]{9}[A-Z]")
_BRANCH = re.compile(r"[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Device:
    """A control unit that is installed: one for each PIN and branch."""

    serial: str
    tin: str
    branch: str
    cmc_key: str
    sdc_id: str
    mrc_no: str


def stamp(seconds: float) -> str:
    """An epoch second as `20260101130559`, East Africa Time, as every eTIMS timestamp is."""
    return datetime.fromtimestamp(seconds, EAST_AFRICA).strftime("%Y%m%d%H%M%S")


class Access:
    """Approves, installs and recognises devices."""

    def __init__(self, *, context: Context) -> None:
        self._context = context
        credentials = context.credentials
        # Installed long ago: whoever holds its key need not initialise it.
        self._store(
            serial=credentials.etims_device_serial,
            tin=credentials.etims_tin,
            branch=credentials.etims_branch,
            cmc_key=credentials.etims_cmc_key,
            installed_at=0.0,
        )

    def routes(self) -> list[Route]:
        """`/selectInitOsdcInfo` and `/simulator/devices`."""
        return [
            Route("POST", "/selectInitOsdcInfo", self.initialise),
            Route("GET", "/simulator/devices", self.devices),
            Route("POST", "/simulator/devices", self.approve),
        ]

    def answer(self, code: str, *, data: Any = None, detail: str = "") -> Response:
        """Make the envelope every answer comes in, HTTP 200 whatever the code."""
        message = MESSAGES[code] + (f" [{detail}]" if detail else "")
        return json_response(
            {
                "resultCd": code,
                "resultMsg": message,
                "resultDt": stamp(self._context.now()),
                "data": data,
            }
        )

    def stop(self, code: str, *, detail: str = "") -> NoReturn:
        """End the request with an error code."""
        refuse(self.answer(code, detail=detail).get_json(), status=200)

    def body(self, request: Request) -> dict[str, Any]:
        """Return the request's object; an empty or unreadable one is 911."""
        body = request.get_json(silent=True)
        if not isinstance(body, dict) or not body:
            self.stop("911")
        return body

    def authenticate(self, request: Request) -> Device:
        """Recognise the device by the headers tin, bhfId and cmcKey: 900 missing, 901 wrong."""
        tin, branch, key = (request.headers.get(name) for name in ("tin", "bhfId", "cmcKey"))
        if not tin or not branch or not key:
            self.stop("900")
        device = self.installed(tin=tin, branch=branch)
        if device is None or not hmac.compare_digest(device.cmc_key.encode(), key.encode()):
            self.stop("901")
        return device

    def installed(self, *, tin: str, branch: str) -> Device | None:
        """Return the installed device of a PIN and branch, None where there is none."""
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT * FROM etims_device WHERE tin = ? AND branch = ?"
                " AND installed_at IS NOT NULL",
                (tin, branch),
            ).fetchone()
        return None if row is None else _device(row)

    def fail_if_told(self, *, topic: str) -> None:
        """Apply a commanded fault of the control unit: nothing is carried out."""
        fault = self._context.faults.take(service=SERVICE, kinds=OWN_FAULTS, topic=topic)
        if fault is not None:
            self.stop(FAULT_CODES[fault.kind])

    def initialise(self, request: Request) -> Response:
        """Install an approved device and give its key, once: `{tin, bhfId, dvcSrlNo}`."""
        self.fail_if_told(topic="init")
        body = self.body(request)
        for field in ("tin", "bhfId", "dvcSrlNo"):
            if not isinstance(body.get(field), str) or not body[field]:
                self.stop("910", detail=field)
        with self._context.store.transaction() as db:
            row = db.execute(
                "SELECT * FROM etims_device WHERE serial = ? AND tin = ? AND branch = ?",
                (body["dvcSrlNo"], body["tin"], body["bhfId"]),
            ).fetchone()
            if row is None:
                self.stop("905")
            if row["installed_at"] is not None:
                # The key is told once: whoever lost it has to ask the authority.
                self.stop("902")
            db.execute(
                "UPDATE etims_device SET installed_at = ? WHERE serial = ?",
                (self._context.now(), row["serial"]),
            )
        return self.answer("000", data={"info": _information(_device(row))})

    def approve(self, request: Request) -> Response:
        """What the authority does with an application: `{"tin", "bhfId", "dvcSrlNo"}`."""
        body = json_object(request)
        tin, branch, serial = (str(body.get(name, "")) for name in ("tin", "bhfId", "dvcSrlNo"))
        if not _PIN.fullmatch(tin) or not _BRANCH.fullmatch(branch) or not serial:
            refuse({"error": "Give tin (A000000000A), bhfId (00) and dvcSrlNo."}, status=400)
        is_new = self._store(
            serial=serial,
            tin=tin,
            branch=branch,
            cmc_key=self._context.ids.hexadecimal("cmc_key"),
            installed_at=None,
        )
        if not is_new:
            refuse({"error": "This serial, or this branch, has a device."}, status=409)
        return json_response({"dvcSrlNo": serial}, status=201)

    def devices(self, _request: Request) -> Response:
        """Every device, without its key."""
        with self._context.store.transaction() as db:
            rows = db.execute("SELECT * FROM etims_device ORDER BY serial").fetchall()
        return json_response(
            [
                {
                    "dvcSrlNo": row["serial"],
                    "tin": row["tin"],
                    "bhfId": row["branch"],
                    "sdcId": row["sdc_id"],
                    "installed_at": row["installed_at"] and iso(row["installed_at"]),
                    "is_installed": row["installed_at"] is not None,
                }
                for row in rows
            ]
        )

    def _store(
        self, *, serial: str, tin: str, branch: str, cmc_key: str, installed_at: float | None
    ) -> bool:
        """Keep a device; False where its serial or its branch has one."""
        with self._context.store.transaction() as db:
            known = db.execute(
                "SELECT 1 FROM etims_device WHERE serial = ? OR (tin = ? AND branch = ?)",
                (serial, tin, branch),
            ).fetchone()
            if known is not None:
                return False
            number = self._context.store.next_number("etims_device")
            db.execute(
                "INSERT INTO etims_device VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    serial,
                    tin,
                    branch,
                    cmc_key,
                    f"KRACU{number:010d}",
                    f"WIS{number:08d}",
                    installed_at,
                ),
            )
            return True


def _device(row: sqlite3.Row) -> Device:
    return Device(
        serial=row["serial"],
        tin=row["tin"],
        branch=row["branch"],
        cmc_key=row["cmc_key"],
        sdc_id=row["sdc_id"],
        mrc_no=row["mrc_no"],
    )


def _information(device: Device) -> dict[str, str]:
    return {
        "tin": device.tin,
        "taxprNm": "Sandbox Solar",
        "bsnsActv": "Electricity supply",
        "bhfId": device.branch,
        "bhfNm": "Headquarter" if device.branch == "00" else f"Branch {device.branch}",
        "bhfOpenDt": "20250101",
        "prvncNm": "LAIKIPIA",
        "dstrtNm": "LAIKIPIA NORTH",
        "sctrNm": "NANYUKI",
        "locDesc": "Sandbox",
        "hqYn": "Y" if device.branch == "00" else "N",
        "mgrNm": "Sandbox manager",
        "mgrTelNo": "0711000099",
        "mgrEmail": "manager@example.org",
        "dvcId": f"99999{device.sdc_id[-10:]}",
        "sdcId": device.sdc_id,
        "mrcNo": device.mrc_no,
        "cmcKey": device.cmc_key,
    }
