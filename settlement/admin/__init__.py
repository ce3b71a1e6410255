"""The admin of meters, readings, prices and splits, one subject a module."""

from settlement.admin import (
    batches,
    households,
    meters,
    overview,
    payees,
    payouts,
    prices,
    quarantine,
    readings,
    service_tokens,
    splits,
    weather,
)

__all__ = [
    "batches",
    "households",
    "meters",
    "overview",
    "payees",
    "payouts",
    "prices",
    "quarantine",
    "readings",
    "service_tokens",
    "splits",
    "weather",
]
