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
from settlement.models.payouts import BankFile, Payee, Payout, ServiceToken
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
from settlement.models.weather import WeatherFetch, WeatherHour

__all__ = [
    "BankFile",
    "BlockBill",
    "Charge",
    "HeadEndCursor",
    "HouseholdDay",
    "Meter",
    "MeterAssignment",
    "MeterGap",
    "Payee",
    "Payout",
    "Price",
    "QuarantinedReading",
    "Reading",
    "ReadingInbox",
    "ServiceToken",
    "SettlementBatch",
    "SlotTelemetry",
    "SplitLine",
    "SplitProgress",
    "SplitVersion",
    "Tariff",
    "WeatherFetch",
    "WeatherHour",
]
