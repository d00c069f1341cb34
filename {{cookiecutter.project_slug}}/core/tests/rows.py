"""Rows for tests that need one of another app's model, whatever its fields are."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib import import_module
from random import Random
from typing import Any
from uuid import UUID

from django.core.management import get_commands
from django.db import models
from django.db.models import Model

from accounts.models import User


def create_row(model: type[Model], number: int) -> Any:
    """Return row `number` of a model, created if it is missing, with the rows that it refers to.

    Another number has other values.
    """
    for name, app in get_commands().items():
        if name.startswith("seed_"):
            command = import_module(f"{app}.management.commands.{name}").Command()
            if command.model is model:
                row = command.make(Random(number).choice, f"{number:08}")
                # A key that no database generates in a test: the same number is the same row.
                row.pk = 1_000_000 + number
                row.save()
                return row
    return model._default_manager.get_or_create(**required_values(model, number))[0]


def create_user(name: str, **values: Any) -> User:
    """Create a user, also if the project's model has required fields of its own."""
    # Not the numbers for which tests create rows.
    required = required_values(User, User.objects.count() + 10)
    return User.objects.create_user(**{**required, "password": None, **values, User.USERNAME_FIELD: name})


def required_values(model: type[Model], number: int) -> dict[str, Any]:
    """Return values of the fields that have to be given, which are other ones for another number."""
    fields: list[Any] = [field for field in model._meta.get_fields() if field.concrete and not field.auto_created]
    # A default, or an empty string, is as good as any other value.
    required = [field for field in fields if not field.blank and "default" not in field.deconstruct()[3]]
    return {field.name: value_of(field, number) for field in required}


def value_of(field: Any, number: int) -> Any:
    """Return a value of the field, which is another one for another number."""
    if field.is_relation:
        return create_row(field.related_model, number)
    if field.choices:
        return field.choices[0][0]
    for kind, value in VALUES.items():
        if isinstance(field, kind):
            return value(number)
    return f"{field.name} {number}0"[-(field.max_length or 100) :]


# Of each kind of field, but for strings, which are the rest.
VALUES: dict[Any, Callable[[int], Any]] = {
    models.BooleanField: lambda number: number % 2 == 0,
    models.DateTimeField: lambda number: datetime(2030, 1, number, tzinfo=UTC),
    models.DateField: lambda number: date(2030, 1, number),
    models.DecimalField: Decimal,
    models.DurationField: lambda number: timedelta(days=number),
    models.EmailField: lambda number: f"user{number}@example.com",
    models.FloatField: float,
    models.GenericIPAddressField: lambda number: f"192.0.2.{number}",
    models.IntegerField: int,
    models.JSONField: lambda number: {"key": number},
    models.TimeField: time,
    models.URLField: lambda number: f"https://example.com/{number}",
    models.UUIDField: lambda number: UUID(int=number),
}
