"""What every head-end adapter keeps to, and the pull over it. Only Koios now."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from urllib3.util.retry import Retry
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from sandbox.app import QuietHandler
from settlement import gaps, readings, settle
from settlement.meters import koios
from settlement.meters.koios import Koios
from settlement.meters.registry import head_end
from settlement.meters.samples import (
    HeadEnd,
    HeadEndUnavailable,
    MeterSample,
    UnreadableSample,
)
from settlement.models import HeadEndCursor, MeterGap, QuarantinedReading, Reading, ReadingInbox
from tests.integration.sandboxed import World, hooks, today, world
from tests.village import Village

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

__all__ = ["hooks", "today", "world"]

pytestmark = pytest.mark.django_db

SLOT = timedelta(minutes=1)
QUIET = dict.fromkeys(("late", "repeated", "missing", "absurd", "reset"), 0)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between tries."""
    monkeypatch.setattr(Retry, "get_backoff_time", lambda self: 0)


@pytest.fixture
def until() -> datetime:
    """The start of the running minute."""
    return timezone.now().replace(second=0, microsecond=0)


@pytest.fixture
def metered(world: World, today: Village) -> Village:
    """Kisima with the sandbox's head-end: slots of a minute, three households."""
    village = today
    village.site.slot_seconds = 60
    village.site.head_end, village.site.head_end_account = "koios", "demo/kisima"
    village.site.save()
    for number in (1, 2, 3):
        village.household(f"KIS000{number}", phone=f"+25471100000{number}")
    village.price(ticks=2_500, starts_at=village.founded_at)
    rates(world)
    return village


def rates(world: World, **per_million: int) -> None:
    world.ask("POST", "koios/simulator/rates", **{**QUIET, **per_million})


def adapter(world: World, **changes: Any) -> HeadEnd:
    return made(base_url=f"{world.url}/koios", **changes)


def made(*, base_url: str, **changes: Any) -> HeadEnd:
    return Koios(
        **{
            "base_url": base_url,
            "api_key": "sandbox-key",
            "api_secret": "sandbox-secret",
            "account": "demo/kisima",
            "slot_seconds": 60,
            "is_register": False,
            **changes,
        }
    )


def read(source: HeadEnd, *, since: datetime, until: datetime) -> list[MeterSample]:
    told = list(source.samples(since=since, until=until))
    assert not [sample for sample in told if isinstance(sample, UnreadableSample)]
    return [sample for sample in told if isinstance(sample, MeterSample)]


def slot_of(sample: MeterSample) -> tuple[str, datetime]:
    return sample.serial, sample.starts_at


class TestSamples:
    """What the adapter yields."""

    def test_each_slot_of_the_span_once_for_each_meter(self, world: World, until: datetime) -> None:
        rates(world)
        since = until - 5 * SLOT
        told = read(adapter(world), since=since, until=until)
        serials = {sample.serial for sample in told}
        assert len(serials) == 30
        assert Counter(map(slot_of, told)) == Counter(
            (serial, since + number * SLOT) for serial in serials for number in range(5)
        )
        assert all(sample.ends_at - sample.starts_at == SLOT for sample in told)
        assert all(type(sample.energy_milliwatt_hours) is int for sample in told)
        assert sum(sample.energy_milliwatt_hours for sample in told) > 0

    def test_pages_join_to_the_whole(
        self, world: World, until: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rates(world, repeated=300_000)
        span = {"since": until - 6 * SLOT, "until": until}
        whole = read(adapter(world), **span)
        monkeypatch.setattr(koios, "PAGE_ROWS", 7)
        assert read(adapter(world), **span) == whole

    def test_repeats_come_up_to_eleven_times_and_exactly_alike(
        self, world: World, until: datetime
    ) -> None:
        rates(world, repeated=1_000_000)
        told = read(adapter(world), since=until - 10 * SLOT, until=until)
        copies = Counter(map(slot_of, told))
        assert set(copies.values()) <= set(range(2, 12))
        assert max(copies.values()) == 11
        assert len(set(told)) == len(copies) == 300

    def test_what_is_missing_or_late_is_left_out(self, world: World, until: datetime) -> None:
        span = {"since": until - 10 * SLOT, "until": until}
        for kind in ("missing", "late"):
            rates(world, **{kind: 500_000})
            assert 0 < len(read(adapter(world), **span)) < 300

    def test_a_register_counts_on_to_its_reset(self, world: World, until: datetime) -> None:
        rates(world)
        span = {"since": until - 5 * SLOT, "until": until}
        intervals = {slot_of(s): s.energy_milliwatt_hours for s in read(adapter(world), **span)}
        register = adapter(world, is_register=True)
        totals = {slot_of(sample): sample for sample in read(register, **span)}
        assert all(sample.is_register for sample in totals.values())
        for (serial, starts_at), sample in totals.items():
            before = totals.get((serial, starts_at - SLOT))
            if before is not None:
                difference = sample.energy_milliwatt_hours - before.energy_milliwatt_hours
                assert difference == intervals[(serial, starts_at)]

    @pytest.mark.parametrize("key", ["api_key", "api_secret"])
    def test_wrong_credentials_are_no_answer(self, world: World, until: datetime, key: str) -> None:
        with pytest.raises(HeadEndUnavailable, match="401"):
            read(adapter(world, **{key: "wrong"}), since=until - SLOT, until=until)

    def test_an_unknown_site_is_no_answer(self, world: World, until: datetime) -> None:
        with pytest.raises(HeadEndUnavailable, match="400"):
            read(adapter(world, account="demo/nowhere"), since=until - SLOT, until=until)

    def test_a_passing_503_is_asked_again(self, world: World, until: datetime) -> None:
        rates(world)
        world.fault("unavailable", service="koios", count=3)
        assert len(read(adapter(world), since=until - SLOT, until=until)) == 30

    def test_a_lasting_503_is_no_answer(self, world: World, until: datetime) -> None:
        world.fault("unavailable", service="koios", count=4)
        with pytest.raises(HeadEndUnavailable, match="503"):
            read(adapter(world), since=until - SLOT, until=until)

    def test_no_answer_in_time_is_no_answer(
        self, world: World, until: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(koios, "TIMEOUT_SECONDS", (1, 0.1))
        world.fault("slow_response", service="koios", seconds=0.4, count=4)
        with pytest.raises(HeadEndUnavailable):
            read(adapter(world), since=until - SLOT, until=until)

    def test_nobody_there_is_no_answer(self, until: datetime) -> None:
        with pytest.raises(HeadEndUnavailable):
            read(made(base_url="http://127.0.0.1:9"), since=until - SLOT, until=until)


class Vendor:
    """A head-end that answers what it is told to."""

    def __init__(self) -> None:
        self.url = ""
        self.pages: list[Any] = []

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        Request(environ).get_data()
        page = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        text = page if isinstance(page, str) else json.dumps(page)
        return Response(text, content_type="application/json")(environ, start_response)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    double = Vendor()
    server = make_server(
        "127.0.0.1", 0, double.wsgi_app, threaded=True, request_handler=QuietHandler
    )
    double.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield double
    server.shutdown()
    server.server_close()
    thread.join(timeout=3)


def row(**changes: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-11-20T10:00:00Z",
        "meter": {"serial_number": "SM0001"},
        "kilowatt_hours": 0.123456,
        **changes,
    }


UNREADABLE_ROWS: list[Any] = [
    None,
    7,
    "row",
    [],
    {},
    row(meter=None),
    row(meter={"serial_number": "\x00"}),
    row(meter={"serial_number": "\ud800"}),
    row(timestamp=None),
    row(timestamp="yesterday"),
    row(timestamp="2026-11-20T10:00:00"),
    row(timestamp="9999-12-31T23:59:59Z"),
    row(kilowatt_hours=None),
    row(kilowatt_hours="much"),
    row(kilowatt_hours=float("nan")),
    row(kilowatt_hours=float("inf")),
    row(kilowatt_hours=1e300),
    row(kilowatt_hours="1e999999999"),
    row(kilowatt_hours=-1e30),
]


class TestOddAnswers:
    """A row that can't be read is kept for the quarantine; a page that can't is no answer."""

    def test_an_unreadable_row_does_not_lose_its_neighbours(
        self, vendor: Vendor, today: Village
    ) -> None:
        source = made(base_url=vendor.url)
        for bad in UNREADABLE_ROWS:
            vendor.pages = [{"data": [row(), bad, row(timestamp="2026-11-20T10:01:00Z")]}]
            told = list(source.samples(since=datetime.now(UTC), until=datetime.now(UTC)))
            kinds = [type(sample) for sample in told]
            assert kinds == [MeterSample, UnreadableSample, MeterSample], bad
            for _ in range(2):
                readings.take_in(site=today.site, samples=told, source="koios", at=timezone.now())
        assert ReadingInbox.objects.count() == 2
        reasons = QuarantinedReading.objects.values_list("reason", flat=True)
        assert Counter(reasons) == {"malformed": len(UNREADABLE_ROWS)}

    def test_energy_is_read_to_the_milliwatt_hour(self, vendor: Vendor) -> None:
        vendor.pages = [
            '{"data": [' + json.dumps(row()).replace("0.123456", "0.10000000149") + "]}"
        ]
        (sample,) = read(
            made(base_url=vendor.url), since=datetime.now(UTC), until=datetime.now(UTC)
        )
        assert sample.energy_milliwatt_hours == 100_000

    @pytest.mark.parametrize(
        "page",
        [
            "",
            "<html>",
            "[]",
            "null",
            "{}",
            '{"data": {}}',
            "[" * 5_000,
            '{"data": [], "pagination": []}',
            '{"data": [], "pagination": {"has_more": true}}',
            '{"data": [], "pagination": {"has_more": true, "cursor": null}}',
            '{"data": [], "pagination": {"has_more": true, "cursor": "always the same"}}',
        ],
    )
    def test_a_page_of_another_form_is_no_answer(self, vendor: Vendor, page: str) -> None:
        vendor.pages = [page]
        source = made(base_url=vendor.url)
        if page == '{"data": [], "pagination": []}':
            assert list(source.samples(since=datetime.now(UTC), until=datetime.now(UTC))) == []
            return
        with pytest.raises(HeadEndUnavailable):
            list(source.samples(since=datetime.now(UTC), until=datetime.now(UTC)))


class TestPull:
    """From the head-end into the inbox: cursor, overlap, back-off, gaps."""

    def test_the_registry_knows_the_sites_head_end(self, metered: Village) -> None:
        assert isinstance(head_end(site=metered.site), Koios)
        metered.site.head_end = ""
        assert head_end(site=metered.site) is None

    def test_repeated_pulls_take_each_slot_once(
        self, world: World, metered: Village, until: datetime
    ) -> None:
        rates(world, repeated=1_000_000)
        HeadEndCursor.objects.create(site=metered.site, read_until=until - 3 * SLOT)
        at = until + timedelta(seconds=1)
        # Ten slots of overlap, and the one before them that a register would need.
        assert readings.pull(site=metered.site, at=at) == 14 * 30
        assert HeadEndCursor.objects.get().read_until == until
        assert readings.pull(site=metered.site, at=at) == 0
        HeadEndCursor.objects.update(read_until=until - 3 * SLOT)
        assert readings.pull(site=metered.site, at=at) == 0
        settle.run_all(site_id=metered.site.pk, at=at)
        assert Reading.objects.count() == 14 * 3
        HeadEndCursor.objects.update(read_until=until - 3 * SLOT)
        readings.pull(site=metered.site, at=at)
        settle.run_all(site_id=metered.site.pk, at=at)
        assert Reading.objects.count() == 14 * 3

    def test_the_overlap_brings_what_came_late(
        self, world: World, metered: Village, until: datetime
    ) -> None:
        rates(world, missing=500_000)
        at = until + timedelta(seconds=1)
        HeadEndCursor.objects.create(site=metered.site, read_until=until - SLOT)
        first = readings.pull(site=metered.site, at=at)
        rates(world)
        HeadEndCursor.objects.update(read_until=until - SLOT)
        second = readings.pull(site=metered.site, at=at)
        assert 0 < first < 12 * 30
        assert first + second == 12 * 30

    def test_a_failure_leaves_the_cursor_and_waits_longer_each_time(
        self, world: World, metered: Village, until: datetime
    ) -> None:
        HeadEndCursor.objects.create(site=metered.site, read_until=until - 3 * SLOT)
        world.fault("unavailable", service="koios", count=12)
        at, waits = until + timedelta(seconds=1), []
        for _ in range(3):
            assert readings.pull(site=metered.site, at=at) == 0
            cursor = HeadEndCursor.objects.get()
            assert cursor.next_pull_at is not None
            waits.append((cursor.next_pull_at - at).total_seconds())
            assert readings.pull(site=metered.site, at=cursor.next_pull_at - SLOT / 60) == 0
            at = cursor.next_pull_at
        assert waits == [15, 30, 60]
        assert cursor.failures_in_a_row == 3
        assert cursor.read_until == until - 3 * SLOT
        assert "503" in cursor.last_failure
        assert readings.pull(site=metered.site, at=at) > 0
        cursor.refresh_from_db()
        assert (cursor.failures_in_a_row, cursor.last_failure) == (0, "")
        assert cursor.next_pull_at is None

    def test_registers_become_intervals_with_the_slot_before(
        self, world: World, metered: Village, until: datetime
    ) -> None:
        at = until + timedelta(seconds=1)
        span = {"since": until - 13 * SLOT, "until": until}
        expected = {slot_of(s): s.energy_milliwatt_hours for s in read(adapter(world), **span)}
        metered.site.head_end_energy = "register"
        metered.site.save()
        HeadEndCursor.objects.create(site=metered.site, read_until=until - 3 * SLOT)
        readings.pull(site=metered.site, at=at)
        stored = ReadingInbox.objects.values_list("serial", "starts_at", "energy_milliwatt_hours")
        assert {(serial, starts_at): energy for serial, starts_at, energy in stored} == expected

    def test_a_register_that_was_reset_goes_to_quarantine_and_is_never_charged(
        self, world: World, metered: Village, until: datetime
    ) -> None:
        totals = [900, 950, 20, 60]
        samples = [
            MeterSample(
                serial="SM0001",
                starts_at=until - (4 - number) * SLOT,
                ends_at=until - (3 - number) * SLOT,
                energy_milliwatt_hours=total,
                is_register=True,
            )
            for number, total in enumerate(totals)
        ]
        readings.take_in(site=metered.site, samples=samples, source="koios", at=until)
        inbox = ReadingInbox.objects.values_list("energy_milliwatt_hours", flat=True)
        assert sorted(inbox) == [40, 50]
        backwards = QuarantinedReading.objects.get()
        assert (backwards.reason, backwards.energy_milliwatt_hours) == ("register_backwards", -930)

    def test_gaps_older_than_the_overlap_are_asked_for_until_they_come(
        self, world: World, metered: Village
    ) -> None:
        at = timezone.now().replace(second=1, microsecond=0)
        since = at.replace(second=0) - timedelta(minutes=60)
        day = since.date()
        if day != at.date():
            pytest.skip("the hour spans midnight, UTC")
        metered.site.meters.update(created_at=since)
        HeadEndCursor.objects.create(site=metered.site, read_until=since + 10 * SLOT)
        rates(world, missing=300_000)
        readings.pull(site=metered.site, at=at)
        settle.run_all(site_id=metered.site.pk, at=at)
        assert gaps.find(site=metered.site, day=day, at=at) == 3
        assert sum(MeterGap.objects.values_list("missing_slots", flat=True)) > 0

        rates(world)
        assert gaps.ask(site=metered.site, at=at) > 0
        settle.run_all(site_id=metered.site.pk, at=at)
        assert gaps.find(site=metered.site, day=day, at=at) == 0
        assert not MeterGap.objects.filter(closed_at__isnull=True).exists()
