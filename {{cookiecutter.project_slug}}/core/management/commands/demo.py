"""Demo data: `manage.py demo` runs each app's command `seed_…`, for which there is a base here, without options."""

import re
import secrets
from collections.abc import Callable
from random import Random
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import models, reset_queries

BATCH = 5_000


class SeedCommand(BaseCommand):
    """Add invented rows of `model`, the same ones each time, unless rows with the same unique values are there."""

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
        self.stdout.write(f"{int(count):,} invented {name} are there.")

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


class Command(BaseCommand):
    help = "Load demo data and create an administrator; what is there already stays as it is."

    def handle(self, *args: object, **options: object) -> None:
        for name in sorted(get_commands()):
            if name.startswith("seed_"):
                call_command(name, stdout=self.stdout)
        # Last, because `start` takes a database with users for one that has its demo data.
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            self.stdout.write("There is an administrator; `python manage.py changepassword NAME` sets a new password.")
            return
        if users.filter(username="admin").exists():
            raise CommandError("The user admin is no administrator. Make one by `python manage.py createsuperuser`.")
        password = secrets.token_urlsafe(12)
        users.create_superuser("admin", password=password)
        self.stdout.write(f"Administrator: admin, password: {password} (shown only now)")
