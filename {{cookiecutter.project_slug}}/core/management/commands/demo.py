"""Demo data: `manage.py demo` runs the command `seed_…` of each app, for which this module has a base class."""

import re
import secrets
from collections.abc import Callable
from random import Random
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError, models, reset_queries

BATCH = 5_000


class SeedCommand(BaseCommand):
    """Add rows of `model`, the same ones each time; rows whose unique values are taken are left out.

    Without an option these are the `examples`, if there are some; else they are generated.
    """

    model: type[models.Model]

    def examples(self) -> list[Any]:
        """Return the rows of a demonstration."""
        return []

    def make(self, choice: Callable[[list[Any]], Any], digits: str) -> models.Model:
        """Build one row deterministically: `choice` picks from a list, and no other row has the eight `digits`."""
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--count", help="generate this many rows, from 1 to 10000000; default 100")
        parser.add_argument("--seed", help="from 0 to 9, default 0: another seed generates other rows")

    def handle(self, *args: Any, **options: Any) -> None:
        name = self.model._meta.verbose_name_plural
        given = {option: str(options[option]) for option in ("count", "seed") if options[option] is not None}
        if not given and (examples := self.examples()):
            self.model._default_manager.bulk_create(examples, ignore_conflicts=True)
            self.stdout.write(f"{len(examples)} {name} are in the database.")
            return
        count, seed = given.get("count", "100"), given.get("seed", "0")
        if not re.fullmatch("[1-9][0-9]{0,6}|10000000", count):
            raise CommandError("--count is a whole number from 1 to 10000000.")
        if not re.fullmatch("[0-9]", seed):
            raise CommandError("--seed is a whole number from 0 to 9.")
        try:
            self.add(int(count), seed)
        except KeyboardInterrupt:
            raise CommandError("Stopped. The same command adds the rest.", returncode=130) from None
        self.stdout.write(f"{int(count):,} generated {name} are in the database.")

    def add(self, count: int, seed: str) -> None:
        for start in range(0, count, BATCH):
            end = min(start + BATCH, count)
            numbers = (f"{seed}{number:07}" for number in range(start, end))
            rows = [self.make(Random(int(digits)).choice, digits) for digits in numbers]  # noqa: S311  # nothing secret
            self.model._default_manager.bulk_create(rows, ignore_conflicts=True)
            # With DEBUG, Django keeps every statement in memory.
            reset_queries()
            if self.stdout.isatty():
                bar, line_end = "#" * (40 * end // count), "\n" if end == count else "\r"
                self.stdout.write(f"{bar:.<40} {end:,} of {count:,}", ending=line_end)
                self.stdout.flush()


class Command(BaseCommand):
    help = "Load demo data and create an administrator, unless they exist."

    def handle(self, *args: object, **options: object) -> None:
        for name in sorted(get_commands()):
            if name.startswith("seed_"):
                call_command(name, stdout=self.stdout)
        # Last, because `start` loads no demo data into a database with users.
        self.create_administrator()

    def create_administrator(self) -> None:
        """Create a superuser named admin, unless there is one, and print the password. Raises CommandError."""
        model: Any = get_user_model()
        if not issubclass(model, PermissionsMixin):
            self.stdout.write("Create an administrator: python manage.py createsuperuser")
            return
        if model.objects.filter(is_superuser=True).exists():
            self.stdout.write("There is an administrator; `python manage.py changepassword NAME` sets a new password.")
            return
        # A user model of the project's own may log in by another field, and require others.
        fields = {
            name: example(model._meta.get_field(name)) for name in (model.USERNAME_FIELD, *model.REQUIRED_FIELDS)
        }
        name = fields[model.USERNAME_FIELD]
        if model.objects.filter(**{model.USERNAME_FIELD: name}).exists():
            raise CommandError(f"The user {name} is no administrator. Create one: python manage.py createsuperuser")
        password = secrets.token_urlsafe(12)
        try:
            model.objects.create_superuser(**fields, password=password)
        except (IntegrityError, TypeError, ValueError, ValidationError) as error:
            self.stdout.write(f"No administrator yet ({error}). Create one: python manage.py createsuperuser")
        else:
            self.stdout.write(f"Administrator: {name}, password: {password} (shown only now)")


def example(field: models.Field) -> str:
    """Return a value for a field of the administrator."""
    if field.blank:
        return ""
    return "admin@example.com" if isinstance(field, models.EmailField) else "admin"
