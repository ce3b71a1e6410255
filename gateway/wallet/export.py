"""What a donor's gifts did, as a table for a spreadsheet (CSV): a row per donation and epoch.

Energy in kWh with six decimals is exact to the milliwatt-hour, tokens in IT with eighteen to the
wei; the point is the decimal mark in every language.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from django.utils.translation import gettext as _

from accounts.money import dai_string, decimal_string
from tokens.donor_history import EpochOfGift

_KWH_DECIMALS = 6
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def lines(rows: Iterable[EpochOfGift]) -> Iterator[str]:
    """Yield the header and a line per row."""
    writer = csv.writer(_Echo(), lineterminator="\r\n")
    yield writer.writerow(_header())
    for row in rows:
        yield writer.writerow(_cells(row))


def plain(text: str) -> str:
    """Return what people wrote so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


class _Echo:
    """Hands each written line back, so that none is kept."""

    def write(self, line: str) -> str:
        return line


def _header() -> list[str]:
    return [
        _("Donation"),
        _("Site"),
        _("Given at (UTC)"),
        _("Still counting of it (DAI)"),
        _("Epoch (empty: since the last one)"),
        _("Until (UTC)"),
        _("Energy it stands for in the epoch (kWh)"),
        _("Share of the epoch's energy (%)"),
        _("Tokens earned so far (IT)"),
        _("Tokens vested on chain so far (IT)"),
        _("Tokens claimed so far (IT)"),
        _("Certificate that claimed the epoch (no CO2 counted then)"),
    ]


def _cells(row: EpochOfGift) -> list[str]:
    return [
        str(row.donation.uid),
        plain(row.donation.site.name),
        _instant(row.donation.donated_at),
        dai_string(row.donation.amount_wei),
        "" if row.number is None else str(row.number),
        _instant(row.at),
        decimal_string(amount=row.milliwatt_hours, decimals=_KWH_DECIMALS),
        _share(row),
        dai_string(row.earned_wei),
        dai_string(row.vested_wei),
        dai_string(row.claimed_wei),
        plain(row.certificate),
    ]


def _share(row: EpochOfGift) -> str:
    """Percent with four decimals, rounded down; empty where the site settled nothing."""
    total = row.site_milliwatt_hours
    if total is None or total <= 0 or row.milliwatt_hours < 0:
        return ""
    return decimal_string(amount=row.milliwatt_hours * 10**6 // total, decimals=4)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
