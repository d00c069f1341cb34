"""The base of commands `seed_…`, which invent rows: as many as one likes, and the same ones each time."""

import re
from collections.abc import Callable
from random import Random
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models, reset_queries

BATCH = 5_000


class SeedCommand(BaseCommand):
    """Add rows of `model`, a batch at a time, unless rows with the same unique values are there."""

    model: type[models.Model]

    def make(self, choice: Callable[[list[Any]], Any], place: str) -> models.Model:
        """A row that nothing but the arguments decide: `choice` of a list, and eight digits that no other row has."""
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--count", default="100", help="from 1 to 10000000; 100 if it is left out")
        parser.add_argument("--seed", default="0", help="from 0 to 9: each stands for other rows")

    def handle(self, *args: Any, **options: Any) -> None:
        count, seed = str(options["count"]), str(options["seed"])
        if not re.fullmatch("[1-9][0-9]{0,6}|10000000", count):
            raise CommandError("--count is a whole number from 1 to 10000000.")
        if not re.fullmatch("[0-9]", seed):
            raise CommandError("--seed is a whole number from 0 to 9.")
        try:
            self.add(int(count), seed)
        except KeyboardInterrupt:
            raise CommandError("Stopped. The same command adds the rest.", returncode=130) from None
        name = self.model._meta.verbose_name_plural
        self.stdout.write(f"The first {int(count):,} {name} of seed {seed} are there.")

    def add(self, count: int, seed: str) -> None:
        for start in range(0, count, BATCH):
            end = min(start + BATCH, count)
            places = (f"{seed}{number:07}" for number in range(start, end))
            rows = [self.make(Random(int(place)).choice, place) for place in places]  # noqa: S311  # nothing secret
            self.model._default_manager.bulk_create(rows, ignore_conflicts=True)
            # With DEBUG, Django would remember every statement.
            reset_queries()
            if self.stdout.isatty():
                bar, line_end = "#" * (40 * end // count), "\n" if end == count else "\r"
                self.stdout.write(f"{bar:.<40} {end:,} of {count:,}", ending=line_end)
                self.stdout.flush()
