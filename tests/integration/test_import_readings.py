"""manage.py import_readings: every line once into the inbox, or refused with its reason."""

from __future__ import annotations

import csv
import gzip
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts import amounts, sites
from accounts.models import JournalEntry
from settlement import imports, readings
from settlement.long_form import Layout, Line, Refused
from settlement.management.commands import import_readings
from settlement.meters.samples import MeterSample
from settlement.models import (
    BlockBill,
    Charge,
    Meter,
    QuarantinedReading,
    Reading,
    ReadingInbox,
    SettlementBatch,
)
from tests.village import TICK, Village

NOON = datetime(2012, 3, 5, 9, 0, tzinfo=UTC)
"""A Monday noon in Nairobi, long ago: the command's own clock is the real one."""
SLOT = timedelta(minutes=15)


@pytest.fixture
def old_village(db: None) -> Village:
    """Kisima in 2012, with one household (SM0001) and a price."""
    village = Village.found(at=NOON)
    village.household("KIS0001")
    village.price(ticks=3_000, starts_at=village.founded_at)
    return village


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "energy.csv"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def write(path: Path, *rows: str, header: str = "circuit,hour,wh") -> Path:
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def run(path: Path, *options: str, stderr: StringIO | None = None) -> str:
    """Import into Kisima; return what the command said."""
    out = StringIO()
    command = ["import_readings", str(path), "--site", "kisima", *options]
    call_command(*command, stdout=out, stderr=stderr or StringIO())
    return out.getvalue()


def told(path: Path, *options: str) -> tuple[dict[str, int], list[dict[str, str]]]:
    """Import; return the counts of the summary and the rows of the report."""
    report = path.with_name("report.csv")
    counts = {}
    for line in run(path, *options, "--report", str(report)).splitlines():
        name, _, count = line.strip().rpartition("  ")
        if count.strip().replace(",", "").isdigit():
            counts[name.strip()] = int(count.replace(",", ""))
    with report.open(newline="") as rows:
        return counts, list(csv.DictReader(rows))


def waiting() -> list[tuple[str, datetime, int]]:
    rows = ReadingInbox.objects.order_by("starts_at", "serial")
    return list(rows.values_list("serial", "starts_at", "energy_milliwatt_hours"))


# What is taken in


def test_each_line_waits_in_the_inbox_with_its_exact_energy(
    old_village: Village, file: Path
) -> None:
    counts, refused = told(
        write(
            file,
            "SM0001,2012-03-05 12:00:00,26.6",
            "SM0001,2012-03-05 12:15:00,-0.0",
            "SM0001,2012-03-05T12:30:00+03:00,0.001",
        )
    )
    assert waiting() == [
        ("SM0001", NOON, 26_600),
        ("SM0001", NOON + SLOT, 0),
        ("SM0001", NOON + 2 * SLOT, 1),
    ]
    assert (counts["taken in"], counts["refused"], refused) == (3, 0, [])


def test_history_is_not_late(old_village: Village, file: Path) -> None:
    run(write(file, "SM0001,2012-03-05 12:00:00,26.6"))
    row = ReadingInbox.objects.get()
    assert (row.received_at, row.ends_at, row.source) == (NOON + SLOT, NOON + SLOT, "import")


def test_readings_that_came_now_are_late(old_village: Village, file: Path) -> None:
    run(write(file, "SM0001,2012-03-05 12:00:00,100"), "--came-now", "--settle")
    assert Charge.objects.get().is_late
    batch = SettlementBatch.objects.get()
    assert (batch.arrears_wei, batch.borne_wei) == (0, 300 * TICK)


def test_other_columns_units_and_zones_are_named(old_village: Village, file: Path) -> None:
    path = write(file, "x,2012-03-05 10:00,0.0266,SM0001", header="note,at,kwh,meter")
    columns = ("--meter-column", "meter", "--time-column", "at", "--energy-column", "kwh")
    run(path, *columns, "--unit", "kwh", "--time-zone", "Africa/Lagos", "--slot-seconds", "900")
    assert waiting() == [("SM0001", NOON, 26_600)]


def test_energy_below_a_milliwatt_hour_is_dropped_and_counted(
    old_village: Village, file: Path
) -> None:
    said = run(write(file, "SM0001,2012-03-05 12:00,0.0009", "SM0001,2012-03-05 12:15,5.0"))
    assert "1 lines were rounded down to whole milliwatt-hours" in said
    assert [energy for *_, energy in waiting()] == [0, 5_000]


def test_months_that_occur_get_their_partitions(old_village: Village, file: Path) -> None:
    rows = ("SM0001,2003-07-01 12:00,1", "SM0001,2012-03-05 12:00,1")
    run(write(file, *rows), "--settle")
    starts = Reading.objects.order_by("starts_at").values_list("starts_at", flat=True)
    assert [start.year for start in starts] == [2003, 2012]
    assert Charge.objects.get().starts_at == NOON  # nobody had the meter in 2003


# What is refused


FAULTS = {
    "SM0001,2012-03-05 12:15,abc": "malformed number",
    "SM0001,2012-03-05 12:15,": "malformed number",
    "SM0001,2012-03-05 12:15,NaN": "malformed number",
    "SM0001,soon,5": "malformed time",
    "SM0001,2012-03-05 12:15,-0.1": "negative energy",
    "SM9999,2012-03-05 12:15,5": "unknown meter",
    "SM0001,2012-03-05 12:20,5": "not a slot",
    "SM0001,2912-03-05 12:15,5": "in the future",
    "SM0001,1999-12-31 12:15,5": "outside partitions",
    "SM0001,2012-03-05 12:15": "malformed line",
    '"SM0001,2012-03-05 12:15,5': "malformed line",
    "SM0001,2012-03-05 12:00,27": "conflicting duplicate",
}


def test_each_faulty_line_is_reported_and_the_sound_ones_stay(
    old_village: Village, file: Path
) -> None:
    sound = ("SM0001,2012-03-05 12:00,26.6", "SM0001,2012-03-05 12:45,1")
    counts, refused = told(write(file, sound[0], *FAULTS, sound[1]))
    expected = [(str(number), reason) for number, reason in enumerate(FAULTS.values(), start=3)]
    assert [(row["line"], row["reason"]) for row in refused] == expected
    assert (counts["taken in"], counts["refused"]) == (2, len(FAULTS))
    assert (counts["malformed number"], counts["malformed line"]) == (3, 2)
    assert [start for _, start, _ in waiting()] == [NOON, NOON + 3 * SLOT]
    assert not QuarantinedReading.objects.exists()


def test_the_report_says_what_the_line_held(old_village: Village, file: Path) -> None:
    _, (row,) = told(
        write(file, "SM0001,2012-03-05 12:15,5", "SM9999,2012-03-05 12:15,5,".rstrip(","))
    )
    assert row == {
        "line": "3",
        "reason": "unknown meter",
        "meter": "SM9999",
        "time": "2012-03-05 12:15",
        "energy": "5",
        "detail": "kisima has no meter 'SM9999'",
    }


def test_an_hour_that_the_clocks_repeat_is_refused(old_village: Village, file: Path) -> None:
    path = write(file, "SM0001,2011-10-30 02:30,5", "SM0001,2011-10-30 02:30+02:00,5")
    _, (row,) = told(path, "--time-zone", "Europe/Paris")
    assert (row["line"], row["reason"]) == ("2", "ambiguous time")


def test_a_slot_said_again_is_known_and_said_otherwise_is_refused(
    old_village: Village, file: Path
) -> None:
    row = "SM0001,2012-03-05 12:00,26.6"
    counts, refused = told(write(file, row, row, "SM0001,2012-03-05 12:00,26.7"))
    assert (counts["taken in"], counts["known already"], counts["refused"]) == (1, 1, 1)
    assert refused[0]["detail"] == "line 2 says 26.6"

    run(file, "--settle")
    other = write(file, "SM0001,2012-03-05 12:00,26.7", row)
    counts, refused = told(other)
    assert (counts["taken in"], counts["known already"]) == (0, 1)
    assert refused[0]["detail"] == "the slot is known with 26.600 Wh"


def test_a_slot_that_waits_in_the_inbox_is_known_too(old_village: Village, file: Path) -> None:
    run(write(file, "SM0001,2012-03-05 12:00,26.6"))
    counts, refused = told(write(file, "SM0001,2012-03-05 12:00,26.7", "SM0001,2012-03-05 12:15,1"))
    assert counts["taken in"] == 1
    assert [row["reason"] for row in refused] == ["conflicting duplicate"]


def test_the_terminal_shows_the_first_faults_and_says_where_the_rest_is(
    old_village: Village, file: Path
) -> None:
    rows = (f"SM9999,2012-03-05 12:15,{number}" for number in range(30))
    err = StringIO()
    run(write(file, "SM0001,2012-03-05 12:00,1", *rows), stderr=err)
    shown = err.getvalue().splitlines()
    assert shown[0] == "line 3: unknown meter: kisima has no meter 'SM9999'"
    assert len(shown) == 21
    assert shown[-1].endswith("--report FILE lists them all")


# Again, interrupted, tried


def test_the_same_file_again_changes_nothing(old_village: Village, file: Path) -> None:
    rows = [
        f"SM0001,2012-03-05 {hour:02d}:{minute:02d},{hour}"
        for hour in range(24)
        for minute in (0, 30)
    ]
    run(write(file, *rows), "--settle")
    before = (amounts.of_site(site=old_village.site), JournalEntry.objects.count())
    counts, _ = told(file, "--settle")
    assert (counts["taken in"], counts["known already"]) == (0, 48)
    assert before == (amounts.of_site(site=old_village.site), JournalEntry.objects.count())
    assert Reading.objects.count() == Charge.objects.count() == 48


def test_an_import_that_broke_off_is_run_again(
    old_village: Village, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "CHUNK_LINES", 100)
    begin = datetime(2012, 2, 1)  # noqa: DTZ001 - local, as in the file
    rows = [f"SM0001,{begin + n * SLOT},{n * 7919 % 1000}.{n % 10}" for n in range(2_000)]
    whole = gzip.compress("\n".join(("circuit,hour,wh", *rows)).encode())
    path = tmp_path / "energy.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CommandError, match=r"breaks off after line \d+.*taken in"):
        run(path, "--settle")
    early = Reading.objects.count()
    assert 0 < early < 2_000

    path.write_bytes(whole)
    counts, _ = told(path, "--settle")
    assert counts["taken in"] == 2_000 - early
    assert Reading.objects.count() == Charge.objects.count() == 2_000
    assert not QuarantinedReading.objects.exists()


def test_a_dry_run_says_the_same_and_changes_nothing(old_village: Village, file: Path) -> None:
    row = "SM0001,2012-03-05 12:00,26.6"
    write(file, row, row, "SM9999,2012-03-05 12:15,5", "SM0001,2012-03-05 12:00,27")
    tried, tried_rows = told(file, "--dry-run")
    assert waiting() == []
    done, done_rows = told(file)
    assert tried == done
    assert tried_rows == done_rows
    assert waiting() != []


# Settled as it goes


def test_settling_charges_each_slot_at_its_own_price(old_village: Village, file: Path) -> None:
    old_village.price(ticks=4_000, starts_at=NOON + SLOT)
    run(write(file, "SM0001,2012-03-05 12:00,100", "SM0001,2012-03-05 12:15,100"), "--settle")
    charges = Charge.objects.order_by("starts_at").values_list("amount_wei", "is_late")
    assert list(charges) == [(300 * TICK, False), (400 * TICK, False)]


def test_days_are_settled_one_after_the_other_with_their_rebates(
    old_village: Village, file: Path
) -> None:
    rows = [f"SM0001,2012-03-{day:02d} {hour:02d}:00,100" for day in (5, 6, 7) for hour in (7, 12)]
    said = run(write(file, *rows), "--settle")
    assert "settled in 3 batches; quarantined 0" in said
    settled = SettlementBatch.objects.filter(kind="readings").order_by("id")
    expected = [NOON + timedelta(days=day) + SLOT for day in range(3)]
    assert list(settled.values_list("settled_at", flat=True)) == expected
    entries = JournalEntry.objects.filter(book_id=old_village.site.book.pk).order_by("sequence")
    instants = list(entries.values_list("recorded_at", flat=True))
    assert instants == sorted(instants)
    # The morning's block has ended by noon; the last noon's has not.
    assert BlockBill.objects.filter(rebate_wei=50 * 500 * TICK // 1_000).count() == 5
    assert BlockBill.objects.filter(is_due=True).count() == 1


def test_a_file_sorted_by_meter_never_takes_the_book_back_in_time(
    old_village: Village, file: Path
) -> None:
    old_village.household("KIS0002", phone="+254711000002")
    rows = [
        f"{serial},2012-03-{day:02d} 12:00,100"
        for serial in ("SM0001", "SM0002")
        for day in (5, 6, 7)
    ]
    run(write(file, *rows), "--settle")
    assert Charge.objects.count() == 6
    assert not QuarantinedReading.objects.exists()
    entries = JournalEntry.objects.filter(book_id=old_village.site.book.pk).order_by("sequence")
    instants = list(entries.values_list("recorded_at", flat=True))
    assert instants == sorted(instants)


def test_books_that_went_on_are_not_taken_back(old_village: Village, file: Path) -> None:
    later = NOON + timedelta(days=30)
    old_village.pay("KIS0001", amount_minor=100_000, at=later)
    run(write(file, "SM0001,2012-03-05 12:00,100"), "--settle")
    assert SettlementBatch.objects.get(kind="readings").settled_at == later


def test_a_site_without_a_split_is_not_settled(old_village: Village, file: Path) -> None:
    site = sites.open_site(
        at=NOON,
        operator=old_village.operator,
        slug="bare",
        name="Bare",
        country="KE",
        currency="KES",
        time_zone="Africa/Nairobi",
    )
    path = write(file, "SM0001,2012-03-05 12:00,100")
    with pytest.raises(CommandError, match="site bare has no split: publish one"):
        call_command("import_readings", str(path), "--site", site.slug, "--settle")


def test_what_is_older_than_the_first_split_is_settled_when_there_was_one(
    old_village: Village, file: Path
) -> None:
    early = old_village.founded_at - timedelta(days=1)
    run(write(file, f"SM0001,{early.isoformat()},100"), "--settle")
    assert SettlementBatch.objects.get().settled_at == old_village.founded_at
    assert Reading.objects.count() == 1


def test_a_site_with_a_head_end_is_settled_at_the_present(old_village: Village, file: Path) -> None:
    type(old_village.site).objects.update(head_end="koios")
    run(write(file, "SM0001,2012-03-05 12:00,100"), "--settle")
    assert SettlementBatch.objects.get(kind="readings").settled_at > NOON + timedelta(days=365)


def test_what_settlement_puts_aside_is_counted(old_village: Village, file: Path) -> None:
    path = write(file, "SM0001,2012-03-05 12:00,100", "SM0001,2012-03-05 12:15,99999")
    counts, refused = told(path, "--settle")
    assert refused == []
    assert counts["implausible_energy"] == 1
    assert QuarantinedReading.objects.get().reason == "implausible_energy"
    counts, _ = told(path, "--settle")
    assert (counts["taken in"], counts["known already"]) == (0, 2)


def test_mains_are_read_and_charged_to_nobody(old_village: Village, file: Path) -> None:
    Meter.objects.create(
        site=old_village.site, serial="M_0", role=Meter.Role.FEEDER, created_at=NOON
    )
    run(write(file, "M_0,2012-03-05 12:00,200"), "--settle")
    assert Reading.objects.get().energy_milliwatt_hours == 200_000
    assert not Charge.objects.exists()


# The command's sentences


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--slot-seconds", "3600"), "kisima has slots of 900 s"),
        (("--time-zone", "Mars/Olympus"), "is no time zone"),
        (("--energy-column", "kwh"), "no column 'kwh'; its columns are: circuit, hour, wh"),
        (("--site", "nowhere"), "There is no site 'nowhere'. Sites: kisima."),
        (("--dry-run", "--settle"), "not allowed with"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(
    old_village: Village, file: Path, options: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(CommandError) as caught:
        run(write(file, "SM0001,2012-03-05 12:00,1"), *options)
    assert sentence in str(caught.value)
    assert waiting() == []


def test_a_file_of_nothing_but_faults_is_a_failure(old_village: Village, file: Path) -> None:
    with pytest.raises(CommandError, match="Every line was refused"):
        run(write(file, "SM0001,2012-03-05 12:00,abc"))


def test_a_file_that_is_not_there_is_a_failure(old_village: Village, file: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        run(file)


def test_the_report_never_overwrites_the_file(old_village: Village, file: Path) -> None:
    write(file, "SM0001,2012-03-05 12:00,1")
    with pytest.raises(CommandError, match="would overwrite"):
        run(file, "--report", str(file))
    assert file.read_text().startswith("circuit")


@pytest.mark.parametrize("stream", [StringIO, Terminal])
def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(
    old_village: Village, file: Path, monkeypatch: pytest.MonkeyPatch, stream: type[StringIO]
) -> None:
    monkeypatch.setattr(imports, "CHUNK_LINES", 10)
    monkeypatch.setattr(import_readings, "REDRAW_SECONDS", 0)
    monkeypatch.setattr(import_readings, "REPEAT_SECONDS", 0)
    begin = datetime(2012, 3, 5)  # noqa: DTZ001 - local, as in the file
    err = stream()
    run(write(file, *(f"SM0001,{begin + n * SLOT},1" for n in range(50))), stderr=err)
    shown = err.getvalue()
    assert "20 lines read, 20 taken in, 0 refused" in shown
    assert ("\r\x1b[K[####" in shown) == (stream is Terminal)
    assert shown.count("\n") == (0 if stream is Terminal else 5)


# Bounds


def test_memory_does_not_grow_with_the_file(
    old_village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "CHUNK_LINES", 500)

    def many(count: int) -> Iterator[Line | Refused]:
        for number in range(count):
            time = (NOON - number % 1_000 * SLOT).isoformat()
            meter = "SM0001" if number % 2 else "SM9999"
            yield Line(number=number + 2, meter=meter, time=time, energy="1")

    def peak_of(count: int) -> int:
        tracemalloc.start()
        try:
            for _ in imports.take_in(
                site=old_village.site,
                lines=many(count),
                layout=Layout(zone=ZoneInfo("UTC")),
                at=NOON + SLOT,
            ):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_of(1_000)  # fills caches and the inbox
    # Kept lines would make it eight times as much; the rest is noise of a few hundred kilobytes.
    assert peak_of(16_000) < 2 * peak_of(2_000)


def test_two_slots_a_year_apart_do_not_load_the_year(old_village: Village) -> None:
    starts = [NOON - timedelta(days=30), NOON - timedelta(days=15), NOON]
    samples = [
        MeterSample(
            serial="SM0001", starts_at=start, ends_at=start + SLOT, energy_milliwatt_hours=7
        )
        for start in starts
    ]
    taken = readings.take_in(
        site=old_village.site, samples=samples, source="test", at=NOON, is_history=True
    )
    assert taken == 3
    ends = [
        readings.Interval(
            serial="SM0001", starts_at=start, ends_at=start + SLOT, energy_milliwatt_hours=7
        )
        for start in (starts[0], starts[2])
    ]
    known = readings.held(site=old_village.site, intervals=ends)
    assert known == {("SM0001", starts[0], 7), ("SM0001", starts[2], 7)}
