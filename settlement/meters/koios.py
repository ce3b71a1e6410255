"""SparkMeter Koios v2: historical data of a site, page by page.

The wire is known from two independent public clients. The same interval can come back up to eleven
times, so callers dedupe before they sum.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from accounts.money import MILLIWATT_HOURS_PER_KWH
from settlement.meters.samples import HeadEndUnavailable, MeterSample, UnreadableSample

PAGE_ROWS = 5_000
MAX_PAGES = 1_000
MOST_KWH = 10**9
TIMEOUT_SECONDS = (5, 30)


class Koios:
    """One site at Koios. account is "organisation/site"."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        api_secret: str,
        account: str,
        slot_seconds: int,
        is_register: bool,
    ) -> None:
        self.organisation, _, self.site = account.partition("/")
        self.base_url = base_url.rstrip("/")
        self.slot = timedelta(seconds=slot_seconds)
        self.is_register = is_register
        self.session = requests.Session()
        self.session.headers.update({"X-API-KEY": api_key, "X-API-SECRET": api_secret})
        retry = Retry(
            total=3, backoff_factor=0.5, status_forcelist=(429, 502, 503, 504), allowed_methods=None
        )
        self.session.mount("http://", HTTPAdapter(max_retries=retry))
        self.session.mount("https://", HTTPAdapter(max_retries=retry))

    def samples(
        self, *, since: datetime, until: datetime
    ) -> Iterator[MeterSample | UnreadableSample]:
        """Yield the samples of [since, until); see HeadEnd."""
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = self._page(since=since, until=until, cursor=cursor)
            for row in page["data"]:
                yield self._parsed(row)
            pagination = page.get("pagination") or {}
            if not pagination.get("has_more"):
                return
            before, cursor = cursor, pagination.get("cursor")
            if cursor in (None, before):
                raise HeadEndUnavailable(f"koios: more to come at {self.site}, but no way to it")
        raise HeadEndUnavailable(f"more than {MAX_PAGES} pages for {self.site}")

    def _page(self, *, since: datetime, until: datetime, cursor: str | None) -> dict[str, Any]:
        body: dict[str, Any] = {
            "filters": {
                "sites": [self.site],
                "date_range": {"from": since.isoformat(), "to": until.isoformat()},
            },
            "per_page": PAGE_ROWS,
        }
        if cursor is not None:
            body["cursor"] = cursor
        url = f"{self.base_url}/api/v2/organizations/{self.organisation}/data/historical"
        try:
            response = self.session.post(url, json=body, timeout=TIMEOUT_SECONDS)
            response.raise_for_status()
            page = json.loads(response.text, parse_float=Decimal)
        except (requests.RequestException, ValueError, RecursionError) as error:
            raise HeadEndUnavailable(f"koios: {error}") from error
        if not isinstance(page, dict) or not isinstance(page.get("data"), list):
            raise HeadEndUnavailable("koios: the answer has no data list")
        return page

    def _parsed(self, row: Any) -> MeterSample | UnreadableSample:
        serial = ""
        try:
            serial = _serial(row["meter"]["serial_number"])
            starts_at = datetime.fromisoformat(row["timestamp"])
            if starts_at.tzinfo is None:
                raise ValueError("the timestamp has no time zone")
            ends_at = starts_at + self.slot
            kwh = Decimal(str(row["energy" if self.is_register else "kilowatt_hours"]))
            if abs(kwh) > MOST_KWH:
                raise ValueError("more energy than a number in the books can hold")
            energy = int(kwh * MILLIWATT_HOURS_PER_KWH)
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            return UnreadableSample(serial=serial, detail=f"{error!r} in {row!r}"[:400])
        return MeterSample(
            serial=serial,
            starts_at=starts_at,
            ends_at=ends_at,
            energy_milliwatt_hours=energy,
            is_register=self.is_register,
        )


def _serial(told: object) -> str:
    serial = str(told)[:40]
    # NULs and half characters, which JSON can spell, can't be stored.
    if not serial.isprintable():
        raise ValueError("the serial number is no text")
    return serial
