"""Serializers for logging in, and a fast path for lists whose fields are all plain columns.

Half of the work of a list is making model instances and walking through them field by field. If every field of a
serializer shows one column, the list is made from `QuerySet.values()` instead. DRF's own code makes all other
lists: with nested or computed fields, files, relations other than a primary key, or overridden methods.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from inspect import getattr_static
from types import SimpleNamespace
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Model, QuerySet
from django.urls import NoReverseMatch
from django.utils import timezone
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.settings import api_settings

from apis.overrides import overrides, own_code
from core.keyset import in_total_order
from core.ordering_keys import ordering_keys
from core.queryset_ordering import annotated_names, yields_instances

# What users log in with, such as the user name or the e-mail address.
USERNAME_FIELD: Any = get_user_model()._meta.get_field(get_user_model().USERNAME_FIELD)


class CredentialsSerializer(serializers.Serializer[Any]):
    """The credentials that log a user in."""

    username = serializers.CharField(max_length=USERNAME_FIELD.max_length)
    password = serializers.CharField(max_length=4096, trim_whitespace=False, style={"input_type": "password"})


class TokenSerializer(serializers.Serializer[Any]):
    """A new token."""

    token = serializers.CharField(help_text="Shown only now. Send it as `Authorization: Token …`.")
    expires_at = serializers.DateTimeField()


def user_fields() -> list[str]:
    """Return the usual fields that the user model has; a model of your own may lack some."""
    model = get_user_model()
    usual = dict.fromkeys(["id", model.USERNAME_FIELD, "email", "first_name", "last_name"])
    return [name for name in usual if any(field.name == name for field in model._meta.get_fields())]


# A name in the OpenAPI document that leaves `User` to a serializer of your own.
@extend_schema_serializer(component_name="CurrentUser")
class UserSerializer(serializers.ModelSerializer[Any]):
    """The current user."""

    class Meta:
        model = get_user_model()
        fields = user_fields()


# Fields that show a value without reading the rest of the instance.
VALUE_FIELDS = (
    serializers.BigIntegerField,
    serializers.BooleanField,
    serializers.CharField,
    serializers.ChoiceField,
    serializers.DateField,
    serializers.DateTimeField,
    serializers.DecimalField,
    serializers.DurationField,
    serializers.FloatField,
    serializers.IntegerField,
    serializers.IPAddressField,
    serializers.JSONField,
    serializers.TimeField,
    serializers.UUIDField,
)
SHOW_VALUES = {field.to_representation for field in VALUE_FIELDS}
# A key that is unlikely to occur elsewhere in a URL.
EXAMPLE_KEY = 7_236_145_890_321_457
# The code of a serializer that has no effect on what it shows.
WRITING = {"Meta", "create", "update", "validate", "to_internal_value", "run_validation"}


class ColumnsSerializer:
    """Turn rows of `QuerySet.values()` into the output of a serializer with only plain columns."""

    def __init__(self, serializer_class: type[serializers.ModelSerializer[Any]]) -> None:
        fields = serializer_class().fields.items()
        self.model: Any = serializer_class.Meta.model
        self.fields = [(name, field, column_of(field, self.model)) for name, field in fields if not field.write_only]

    @property
    def is_complete(self) -> bool:
        """Whether every field shows a column."""
        return all(column for _, _, column in self.fields)

    def fits(self, queryset: Any) -> bool:
        """Whether `values()` has the rows of this queryset: it has instances of the model, and no annotations."""
        return yields_instances(queryset) and queryset.model is self.model and not annotated_names(queryset)

    def values(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return a `values()` queryset with the columns of the fields and of the ordering."""
        keys = ordering_keys(queryset) or ()
        # With the primary key, `distinct()` merges no rows.
        names = {field.attname for field in self.model._meta.pk_fields} | {key.name for key in keys}
        ordered: QuerySet[Any] = in_total_order(queryset)
        return ordered.values(*names, *(column for _, _, column in self.fields))

    def data(self, rows: Iterable[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
        """Return the serialized rows."""
        fields = [(name, column, representation_of(field, request)) for name, field, column in self.fields]
        return [
            {name: None if row[column] is None else represent(row[column]) for name, column, represent in fields}
            for row in rows
        ]


def representation_of(field: Any, request: Request) -> Callable[[Any], Any]:
    """Return the function that turns a column's value into what the field shows."""
    if isinstance(field, serializers.PrimaryKeyRelatedField):
        return lambda value: value
    if type(field) is serializers.DateTimeField and settings.USE_TZ and has_default_format(field):
        # DRF looks up the current time zone for every value, which takes longer than formatting it.
        zone = timezone.get_current_timezone()
        return lambda value: (
            iso_8601(value.astimezone(zone)) if isinstance(value, datetime) else field.to_representation(value)
        )
    if type(field) is not serializers.HyperlinkedIdentityField:
        return cast("Callable[[Any], Any]", field.to_representation)

    def url_of(value: Any) -> str:
        instance: Any = SimpleNamespace(**{"pk": value, field.lookup_field: value})
        return cast("str", field.get_url(instance, cast("str", field.view_name), request, None))

    # Reversing a URL is the slowest step of a row. URLs with integer keys usually differ only in the key: reverse one,
    # and insert the other keys into it.
    with suppress(NoReverseMatch):
        before, *after = url_of(EXAMPLE_KEY).split(str(EXAMPLE_KEY))
        if len(after) == 1 and url_of(1) == f"{before}1{after[0]}":
            return lambda value: f"{before}{value}{after[0]}" if isinstance(value, int) else url_of(value)
    return url_of


def has_default_format(field: serializers.DateTimeField) -> bool:
    """Whether the field uses the default format and time zone of DRF."""
    return (
        api_settings.DATETIME_FORMAT == "iso-8601" and not hasattr(field, "format") and not hasattr(field, "timezone")
    )


def iso_8601(time: datetime) -> str:
    """Return the time as DRF writes it, as in `2026-11-23T18:00:00Z`."""
    text = time.isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def column_of(field: Any, model: type[Model]) -> str:
    """Return the one column that the field shows; "" if it shows anything else."""
    if type(field) is serializers.HyperlinkedIdentityField:
        name = field.lookup_field
        if name == "pk":
            keys = [key.attname for key in model._meta.pk_fields]
            return keys[0] if len(keys) == 1 else ""
        return name if is_column(name, model) else ""
    if type(field) is serializers.PrimaryKeyRelatedField and field.pk_field is None:
        name = f"{field.source}_id"
        return name if is_column(name, model) and model._meta.get_field(name).is_relation else ""
    shows_value = type(field).to_representation in SHOW_VALUES
    plain = shows_value and type(field).get_attribute is serializers.Field.get_attribute
    return str(field.source) if plain and is_column(field.source, model) else ""


def is_column(name: str, model: type[Model]) -> bool:
    """Whether this attribute is a column whose value no descriptor, such as a FileField's or a property, changes."""
    try:
        field: Any = model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    if field.is_relation:
        return bool(field.concrete) and name == field.attname
    return field.concrete and type(getattr_static(model, name)) is models.Field.descriptor_class


@lru_cache(128)
def columns_serializer(serializer_class: type[Any]) -> ColumnsSerializer | None:
    """Return the faster equivalent of a serializer; None if it needs model instances."""
    if not issubclass(serializer_class, serializers.ModelSerializer):
        return None
    own = own_code(serializer_class, serializers.ModelSerializer, serializers.HyperlinkedModelSerializer)
    if any(name not in WRITING and not name.startswith("validate_") for name in own):
        return None
    meta: Any = serializer_class.Meta
    if hasattr(meta, "list_serializer_class") or overrides(meta.model, Model, "__init__", "from_db"):
        return None
    columns = ColumnsSerializer(serializer_class)
    return columns if columns.is_complete else None
