"""Reading long-form CSV: numbers, times, lines. No database."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.long_form import (
    LONGEST_LINE,
    Layout,
    Line,
    Reason,
    Refused,
    RefusedValue,
    UnusableFile,
    energy_from,
    instant_from,
    lines,
    opened,
)

KAMPALA = ZoneInfo("Africa/Kampala")
CAIRO = ZoneInfo("Africa/Cairo")
LAYOUT = Layout(zone=KAMPALA)


def read(path: Path, layout: Layout = LAYOUT) -> list[Line | Refused]:
    with opened(path) as source:
        return list(lines(source=source, layout=layout))


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "unit", "energy"),
    [
        ("26.6", "wh", 26_600),
        ("-0.0", "wh", 0),
        ("+7", "wh", 7_000),
        (".5", "wh", 500),
        ("5.", "wh", 5_000),
        ("1.2e-05", "kwh", 12),
        ("0.000001", "kwh", 1),
        ("12", "milliwatt-hours", 12),
        ("26.600000", "wh", 26_600),
    ],
)
def test_energy_becomes_whole_milliwatt_hours(text: str, unit: str, energy: int) -> None:
    assert energy_from(text=text, unit=unit) == (energy, False)


def test_energy_below_a_milliwatt_hour_is_dropped_and_told() -> None:
    assert energy_from(text="26.5999999", unit="wh") == (26_599, True)
    assert energy_from(text="1e-99", unit="kwh") == (0, True)


@given(
    st.decimals(min_value=0, max_value=10**9, places=9), st.sampled_from([("wh", 3), ("kwh", 6)])
)
def test_energy_is_the_exact_decimal_rounded_down(value: Decimal, unit: tuple[str, int]) -> None:
    name, places = unit
    numerator, denominator = value.as_integer_ratio()
    whole, rest = divmod(numerator * 10**places, denominator)
    assert energy_from(text=f"{value:f}", unit=name) == (whole, rest > 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nan",
        "inf",
        "1_000",
        "1,000",
        "1.2.3",
        ".",
        "e5",
        "0x1f",
        "١٢",
        "--1",
        "9" * 30,
        "1e999",
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(RefusedValue) as caught:
        energy_from(text=text, unit="wh")
    assert caught.value.reason == Reason.MALFORMED_NUMBER


def test_energy_that_no_column_holds_is_refused() -> None:
    with pytest.raises(RefusedValue, match="too large"):
        energy_from(text="1e40", unit="wh")


@pytest.mark.parametrize("text", ["-0.1", "-1e-30", "-5"])
def test_energy_below_zero_is_refused_as_such(text: str) -> None:
    with pytest.raises(RefusedValue) as caught:
        energy_from(text=text, unit="wh")
    assert caught.value.reason == Reason.NEGATIVE


def test_a_time_without_an_offset_is_local() -> None:
    expected = datetime(2011, 11, 15, 7, 0, tzinfo=UTC)
    assert instant_from("2011-11-15 10:00:00", KAMPALA) == expected
    assert instant_from("2011-11-15T10:00", KAMPALA) == expected


def test_an_offset_of_its_own_goes_before_the_zone() -> None:
    expected = datetime(2011, 11, 15, 10, 0, tzinfo=timezone(timedelta(hours=1)))
    assert instant_from("2011-11-15T10:00:00+01:00", KAMPALA) == expected
    assert instant_from("2011-11-15T09:00:00Z", KAMPALA) == expected


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2011-13-01 00:00", "15/11/2011 10:00", "1321340400"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(RefusedValue) as caught:
        instant_from(text, KAMPALA)
    assert caught.value.reason == Reason.MALFORMED_TIME


def test_a_time_at_the_end_of_all_times_is_refused() -> None:
    with pytest.raises(RefusedValue):
        instant_from("0001-01-01 00:00:00", KAMPALA)


@pytest.mark.parametrize("text", ["2024-04-26 00:30:00", "2024-10-31 23:30:00"])
def test_an_hour_that_the_clocks_skip_or_repeat_names_no_instant(text: str) -> None:
    with pytest.raises(RefusedValue) as caught:
        instant_from(text, CAIRO)
    assert caught.value.reason == Reason.AMBIGUOUS_TIME
    assert instant_from(f"{text}+02:00", CAIRO).tzinfo is UTC


def test_lines_keep_their_numbers_past_empty_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "circuit,hour,wh\na_1,t1,1\n\n \na_2, t2 ,2\n")
    assert read(path) == [
        Line(number=2, meter="a_1", time="t1", energy="1"),
        Line(number=5, meter="a_2", time="t2", energy="2"),
    ]


def test_columns_are_found_by_name_in_any_order(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", '\ufeffkWh,"meter id",note,at\r\n0.5,M1,"a, b",t1\r\n')
    layout = Layout(
        zone=KAMPALA, unit="kwh", meter_column="meter id", time_column="at", energy_column="kWh"
    )
    assert read(path, layout) == [Line(number=2, meter="M1", time="t1", energy="0.5")]


def test_an_open_quote_spoils_no_line_but_its_own(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", 'circuit,hour,wh\n"a_1,t1,1\na_2,t2,2\na_3,t3\n')
    broken, sound, short = read(path)
    assert isinstance(broken, Refused)
    assert (broken.line.number, broken.reason) == (2, Reason.MALFORMED_LINE)
    assert sound == Line(number=3, meter="a_2", time="t2", energy="2")
    assert isinstance(short, Refused)
    assert (short.line.number, short.detail) == (4, "2 values under 3 columns")


def test_a_line_without_end_is_one_refused_line(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.csv", "circuit,hour,wh\na" + "b" * (3 * LONGEST_LINE) + "\na_2,t2,2\n"
    )
    endless, sound = read(path)
    assert isinstance(endless, Refused)
    assert endless.line.number == 2
    assert sound == Line(number=3, meter="a_2", time="t2", energy="2")


def test_bytes_that_are_no_text_spoil_only_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"circuit,hour,wh\na_\xff1,t1,1\na_2,t2,2\n")
    assert [line.meter for line in read(path) if isinstance(line, Line)] == ["a_\ufffd1", "a_2"]


def test_a_gzipped_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "no-suffix"
    path.write_bytes(gzip.compress(b"circuit,hour,wh\na_1,t1,1\n"))
    assert read(path) == [Line(number=2, meter="a_1", time="t1", energy="1")]


def test_a_gzipped_file_that_breaks_off_says_where(tmp_path: Path) -> None:
    whole = "circuit,hour,wh\n" + "".join(f"a_{n},t{n},{n * 7919 % 1000}\n" for n in range(5_000))
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(whole.encode())[:-2_000])
    with pytest.raises(UnusableFile, match=r"breaks off after line \d+"):
        read(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no header"),
        ("\n", "has no header"),
        ("circuit,time,wh\n", "no column 'hour'; its columns are: circuit, time, wh"),
        ("circuit;hour;wh\n", "no column 'circuit'; its columns are: circuit;hour;wh"),
        ("circuit,hour,wh,wh\n", "more than one column 'wh'"),
        ('circuit,"hour,wh\n', "no CSV header"),
    ],
)
def test_a_file_without_its_columns_is_refused_in_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(UnusableFile) as caught:
        read(written(tmp_path / "a.csv", text))
    assert sentence in str(caught.value)


def test_the_share_read_grows_to_one(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "circuit,hour,wh\n" + "a_1,t,1\n" * 20_000)
    with opened(path) as source:
        every = lines(source=source, layout=LAYOUT)
        next(every)
        early = source.share_read
        for _ in every:
            pass
        assert 0 < early < 0.5 < source.share_read == 1
