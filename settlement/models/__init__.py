"""Models of meters, prices and what was settled, one subject a module."""

from settlement.models.meters import (
    HeadEndCursor,
    Meter,
    MeterAssignment,
    MeterGap,
    QuarantinedReading,
    ReadingInbox,
    SlotTelemetry,
)
from settlement.models.pricing import Price, Tariff
from settlement.models.settled import (
    BlockBill,
    Charge,
    HouseholdDay,
    Reading,
    SettlementBatch,
    SplitLine,
    SplitProgress,
    SplitVersion,
)

__all__ = [
    "BlockBill",
    "Charge",
    "HeadEndCursor",
    "HouseholdDay",
    "Meter",
    "MeterAssignment",
    "MeterGap",
    "Price",
    "QuarantinedReading",
    "Reading",
    "ReadingInbox",
    "SettlementBatch",
    "SlotTelemetry",
    "SplitLine",
    "SplitProgress",
    "SplitVersion",
    "Tariff",
]
