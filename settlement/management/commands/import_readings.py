"""manage.py import_readings FILE: energy of the past, from a CSV, charged like any other."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import transaction
from django.utils import timezone

from accounts.models import Site
from settlement import imports
from settlement.imports import Chunk, NoSplit, Settler, Tally
from settlement.long_form import UNITS, Layout, Refused, Source, UnusableFile, lines, opened

SHOWN_LINES = 20
BAR_WIDTH = 30
REDRAW_SECONDS = 0.2
REPEAT_SECONDS = 5.0


class Command(BaseCommand):
    help = (
        "Take readings from a .csv or .csv.gz in long form (one meter and slot a line; the time is"
        " the slot's beginning) into a site's inbox. A line that can't be used is reported with its"
        " number and reason. Importing a file again takes in nothing twice, so an import that was"
        " interrupted or refused lines is simply run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--site", required=True, metavar="SLUG")
        parser.add_argument("--unit", choices=sorted(UNITS), default="wh", help="of the energy")
        parser.add_argument("--meter-column", default="circuit", metavar="NAME")
        parser.add_argument("--time-column", default="hour", metavar="NAME")
        parser.add_argument("--energy-column", default="wh", metavar="NAME")
        parser.add_argument(
            "--time-zone",
            metavar="IANA",
            help="of times without an offset, e.g. Africa/Kampala (default: the site's)",
        )
        parser.add_argument(
            "--slot-seconds", type=int, help="length of the file's slots (default: the site's)"
        )
        parser.add_argument(
            "--came-now",
            action="store_true",
            help="the readings count as received now: late ones are charged to funds only"
            " (default: received when their slot ended)",
        )
        parser.add_argument(
            "--report", type=Path, metavar="CSV", help="write every refused line to this file"
        )
        doing = parser.add_mutually_exclusive_group()
        doing.add_argument("--dry-run", action="store_true", help="change nothing, only report")
        doing.add_argument(
            "--settle",
            action="store_true",
            help="settle and give rebates day by day as the file goes on, instead of leaving it to"
            " the scheduled jobs",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        site = _site(options)
        layout = _layout(site, options)
        report_to: Path | None = options["report"]
        if report_to is not None and report_to.resolve() == options["file"].resolve():
            raise CommandError("The report would overwrite the file: give it another name.")
        tally = Tally()
        began = time.monotonic()
        try:
            settler = Settler(site=site) if options["settle"] else None
            with ExitStack() as stack:
                if options["dry_run"]:
                    stack.enter_context(_undone())
                report = stack.enter_context(_Report.opened(report_to, self.stderr))
                source = stack.enter_context(opened(options["file"]))
                progress = _Progress(stream=self.stderr, source=source)
                for chunk in imports.take_in(
                    site=site,
                    lines=lines(source=source, layout=layout),
                    layout=layout,
                    at=timezone.now(),
                    by_day=options["settle"],
                    came_now=options["came_now"],
                    is_trial=options["dry_run"],
                ):
                    tally.add(chunk)
                    report.add(chunk)
                    if settler is not None:
                        settler.settle(at=timezone.now())
                    progress.show(tally)
                progress.clear()
        except NoSplit as error:
            raise CommandError(f"{error}.") from error
        except (UnusableFile, OSError) as error:
            raise CommandError(f"{error} ({_counts(tally)})") from error
        self._conclude(tally, settler, options, time.monotonic() - began)

    def _conclude(
        self, tally: Tally, settler: Settler | None, options: dict[str, Any], seconds: float
    ) -> None:
        say = self.stdout.write
        if options["dry_run"]:
            say("Nothing was changed: this is what an import would do.")
        say(f"{options['file'].name}: {tally.lines:,} lines in {seconds:.1f} s")
        say(f"  taken in       {tally.taken_in:>10,}")
        say(f"  known already  {tally.known_already:>10,}")
        say(f"  refused        {tally.refused.total():>10,}")
        for reason, count in tally.refused.most_common():
            say(f"    {reason:<21}{count:>10,}")
        if tally.rounded_lines:
            say(f"  {tally.rounded_lines:,} lines were rounded down to whole milliwatt-hours")
        if settler is not None:
            quarantined = settler.quarantined()
            say(f"  settled in {settler.batches:,} batches; quarantined {quarantined.total():,}")
            for name, count in quarantined.most_common():
                say(f"    {name:<21}{count:>10,}")
        if tally.lines and tally.refused.total() == tally.lines:
            raise CommandError("Every line was refused: check the columns, the unit and the site.")


def _site(options: dict[str, Any]) -> Site:
    site = Site.objects.select_related("book").filter(slug=options["site"]).first()
    if site is None:
        known = ", ".join(Site.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise CommandError(f"There is no site {options['site']!r}. Sites: {known or 'none yet'}.")
    slot_seconds = options["slot_seconds"]
    if slot_seconds is not None and slot_seconds != site.slot_seconds:
        raise CommandError(
            f"{site.slug} has slots of {site.slot_seconds} s: energy of {slot_seconds} s can't be"
            f" charged there. Change the site's slot_seconds, or bring the file to its slots."
        )
    return site


def _layout(site: Site, options: dict[str, Any]) -> Layout:
    name = options["time_zone"] or site.time_zone
    try:
        zone = ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise CommandError(f"{name!r} is no time zone: write one like Africa/Kampala.") from None
    return Layout(
        zone=zone,
        unit=options["unit"],
        meter_column=options["meter_column"],
        time_column=options["time_column"],
        energy_column=options["energy_column"],
    )


@contextmanager
def _undone() -> Iterator[None]:
    """Let everything happen, seen by nobody else, and take it back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _counts(tally: Tally) -> str:
    return (
        f"{tally.lines:,} lines read, {tally.taken_in:,} taken in, "
        f"{tally.refused.total():,} refused"
    )


class _Report:
    """Refused lines: the first ones to the terminal, every one to the file that was asked for."""

    def __init__(self, *, path: Path | None, file: Any, stream: OutputWrapper) -> None:
        self._path = path
        self._rows = None if file is None else csv.writer(file)
        self._stream = stream
        self._shown = 0
        if self._rows is not None:
            self._rows.writerow(("line", "reason", "meter", "time", "energy", "detail"))

    @classmethod
    @contextmanager
    def opened(cls, path: Path | None, stream: OutputWrapper) -> Iterator[_Report]:
        with ExitStack() as stack:
            file = None if path is None else stack.enter_context(path.open("w", newline=""))
            yield cls(path=path, file=file, stream=stream)

    def add(self, chunk: Chunk) -> None:
        for refused in chunk.refused:
            line = refused.line
            if self._rows is not None:
                self._rows.writerow(
                    (
                        line.number,
                        refused.reason,
                        line.meter,
                        line.time,
                        line.energy,
                        refused.detail,
                    )
                )
            self._show(refused)

    def _show(self, refused: Refused) -> None:
        self._shown += 1
        if self._shown <= SHOWN_LINES:
            self._clear_line()
            self._stream.write(
                f"line {refused.line.number}: {refused.reason}: {refused.detail}", lambda text: text
            )
        elif self._shown == SHOWN_LINES + 1:
            where = "--report FILE lists them all" if self._path is None else f"see {self._path}"
            self._stream.write(f"further refused lines are not shown here: {where}")

    def _clear_line(self) -> None:
        if self._stream.isatty():
            self._stream.write("\r\x1b[K", lambda text: text, ending="")


class _Progress:
    """A bar on a terminal; elsewhere a line every few seconds."""

    def __init__(self, *, stream: OutputWrapper, source: Source) -> None:
        self._stream = stream
        self._source = source
        self._is_terminal = stream.isatty()
        self._shown_at = time.monotonic()

    def show(self, tally: Tally) -> None:
        now = time.monotonic()
        if now - self._shown_at < (REDRAW_SECONDS if self._is_terminal else REPEAT_SECONDS):
            return
        self._shown_at = now
        share = self._source.share_read
        text = f"{share:4.0%}  {_counts(tally)}"
        if self._is_terminal:
            bar = "#" * round(share * BAR_WIDTH)
            self._write(f"\r\x1b[K[{bar:<{BAR_WIDTH}}] {text}", ending="")
        else:
            self._write(text, ending="\n")

    def clear(self) -> None:
        if self._is_terminal:
            self._write("\r\x1b[K", ending="")

    def _write(self, text: str, *, ending: str) -> None:
        self._stream.write(text, lambda plain: plain, ending=ending)
        self._stream.flush()
