"""manage.py count_round: count a round again, from its published file or from the database."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from tokens.models import Round
from tokens.voting import houses, published, rounds
from tokens.voting.explained import lines
from tokens.voting.published import Malformed, Record


class Command(BaseCommand):
    """Reads only. From a file it needs nothing else, so anybody can run it."""

    help = "Count a round again and compare; exits 1 where it differs from what was published."

    def add_arguments(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--file", type=Path, help="what a round's page or the API published")
        source.add_argument("--round", type=UUID, help="the round's id, to count stored ballots")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["file"] is not None:
            self._from_file(options["file"])
        else:
            self._from_rows(options["round"])

    def _from_file(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CommandError(f"{path} can't be read: {error.strerror}.") from error
        try:
            record = published.read(content)
        except Malformed as error:
            raise CommandError(str(error)) from error
        self._compare(record, content=content)

    def _from_rows(self, uid: UUID) -> None:
        round_ = Round.objects.filter(uid=uid).select_related("site__book").first()
        if round_ is None:
            raise CommandError(f"There is no round {uid}.")
        if round_.counted_at is None:
            raise CommandError(f"{round_} is {round_.get_state_display()}: it is not counted yet.")
        # What the pool held then, nobody can read from the rows of today.
        told = published.read(round_.result.encode())
        record = rounds.record_of(
            round_=round_,
            grant_pool_wei=told.heading.grant_pool_wei,
            counted_at=round_.counted_at,
        )
        content = round_.result.encode()
        self._compare(record, content=content)
        if published.hash_of(content) != round_.result_hash:
            raise CommandError(f"The stored hash is {round_.result_hash}.")

    def _compare(self, record: Record, *, content: bytes) -> None:
        try:
            outcome = record.count()
            again = published.write(record)
        except houses.Malformed as error:
            raise CommandError(f"These are no votes on these projects: {error}.") from error
        for line in lines(record=record, outcome=outcome):
            self.stdout.write(line)
        self.stdout.write(f"SHA-256 {published.hash_of(content)}")
        if again == content:
            self.stdout.write("The published result is reproduced, byte for byte.")
            return
        if json.loads(again) == json.loads(content):
            raise CommandError("The same result, but the file is not as published: other bytes.")
        raise CommandError("The published result DIFFERS from this count.")
