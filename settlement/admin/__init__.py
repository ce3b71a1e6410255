"""The admin of meters, readings, prices and splits, one subject a module."""

from settlement.admin import (
    batches,
    households,
    meters,
    overview,
    prices,
    quarantine,
    readings,
    splits,
)

__all__ = [
    "batches",
    "households",
    "meters",
    "overview",
    "prices",
    "quarantine",
    "readings",
    "splits",
]
