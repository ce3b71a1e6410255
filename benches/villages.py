"""Two real villages through the service: a year of circuits, hour by hour, to the wei.

Energy goes in through settlement.imports, every rise of a circuit's prepaid credit becomes a
confirmed payment, prices are the operator's time-of-use tariff, and each day is settled at its end.
tests.model replays the same inputs in plain Python; every figure of the books is compared, and then
everything is imported and paid once more, which must change nothing.
"""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from accounts import audit
from benches.ground import say
from benches.outcome import Outcome
from benches.village_record import (
    CHANGED_ON,
    ENERGY,
    Recorded,
    local,
    read,
    write_part,
)
from benches.village_replay import Replay, open_operator
from settlement import audit as settlement_audit

SMALL_DAYS = (date(2012, 6, 5), date(2012, 6, 18))
"""Two weeks of one village, with the change of its tariff in them."""


def run(*, is_small: bool = False) -> Outcome:
    """Replay both villages (small: two weeks of one) and compare. Raises DataMissing."""
    began = time.perf_counter()
    with TemporaryDirectory() as scratch:
        if is_small:
            first, last = SMALL_DAYS
            records = [read("ug01", first=first, last=last)]
            path = Path(scratch) / "wh.csv"
            write_part(path, first=first, last=last)
        else:
            records = [read(name) for name in CHANGED_ON]
            path = ENERGY
        replays = _replayed(records, path)
    figures: defaultdict[str, float] = defaultdict(float)
    seconds: defaultdict[str, float] = defaultdict(float)
    for replay in replays:
        for name, amount in replay.counts().items():
            figures[name] += amount
        for stage, spent in replay.seconds.items():
            seconds[stage] += spent
    checks = (*audit.CHECKS, *settlement_audit.CHECKS)
    figures["audit_findings"] = sum(len(result.findings) for result in audit.run(checks=checks))
    compared = sum(record.hours_compared for record in records)
    alike = sum(record.hours_alike for record in records)
    service = sum(seconds.values()) - seconds["model"] - seconds["import_again"]
    return Outcome(
        bench="villages",
        figures={
            **figures,
            "recorded_hours_charged_alike_percent": 100 * alike / compared,
            **{f"{stage}_seconds": spent for stage, spent in seconds.items()},
            "readings_per_second": figures["readings_accepted"] / service,
            "whole_bench_seconds": time.perf_counter() - began,
        },
        ratios={"vs_plain_python_model": seconds["model"] / service},
    )


def _replayed(records: list[Recorded], path: Path) -> list[Replay]:
    operator, rail = open_operator(at=min(local(min(record.samples)) for record in records))
    replays = []
    for record in records:
        say(f"{record.name}: {len(record.samples)} days, {len(record.circuits)} circuits")
        replay = Replay(record, operator=operator, rail=rail)
        replay.run(path)
        replay.compare()
        once_more = replay.again(path)
        assert not once_more.taken_in, "the second import took readings in again"
        replay.compare()
        replays.append(replay)
    return replays
