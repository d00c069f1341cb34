"""The keys of an ordering: the columns that sort a queryset, each with its direction.

Read `core/keyset.py` first: a page starts after a row, and its cursor holds the values of the keys in that row.
`ordering_keys` turns the arguments of `order_by()` and `Meta.ordering` into keys. Keys are columns of the model, or of
models that its foreign keys lead to: an index on them finds where a page starts.

In these examples, the model of `article` has the ordering `("title", "id")`. The primary key is added as the last key,
if the ordering lacks it (not shown):

    order_by()          lookup            attribute
    "title"             title             title
    "user__username"    user__username    keyset_0, an annotation
    "-article"          article__title    keyset_0, descending
                        article__id       keyset_1, descending
    F("article")        article_id        article_id

Computed values, such as an average of 7/3, cannot be keys: Python and the database can round them differently.
https://docs.djangoproject.com/en/5.2/ref/models/querysets/#order-by
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import connections, models
from django.db.models import F, Model, OrderBy, Q, QuerySet

from core.queryset_ordering import depends_on_all_rows, is_reversed, ordering_of

# Fields whose values fit in a cursor, and whose `__gt` and `__lt` agree with the order in which the database sorts.
KEY_FIELDS = (
    models.BooleanField,
    models.CharField,
    models.DateField,
    models.DecimalField,
    models.DurationField,
    models.FloatField,
    models.GenericIPAddressField,
    models.IntegerField,
    models.TextField,
    models.TimeField,
    models.UUIDField,
)
# These sort null values as the largest, other databases as the smallest.
NULLS_LARGEST = {"postgresql", "oracle"}


@dataclass(frozen=True)
class Key:
    """A column of an ordering: `lookup` is its name in `filter()`, and `attribute` its name in a row."""

    lookup: str
    descending: bool
    nulls_first: bool
    nullable: bool = True
    # The field of the model, also an inherited one; None for a column of a related model.
    column: Any = None
    attribute: str = ""
    # Whether the ordering has `nulls_first` or `nulls_last`. If not, the default of the database applies.
    explicit_nulls: bool = False

    def __neg__(self) -> "Key":
        """Return the same key in the opposite direction."""
        return replace(self, descending=not self.descending, nulls_first=not self.nulls_first)

    @property
    def order(self) -> Any:
        """The argument for `order_by()`."""
        if not self.explicit_nulls:
            return f"-{self.lookup}" if self.descending else self.lookup
        nulls = {"nulls_first" if self.nulls_first else "nulls_last": True}
        return F(self.lookup).desc(**nulls) if self.descending else F(self.lookup).asc(**nulls)

    def equal(self, value: Any) -> Q:
        """Return the condition for the rows with this value, which may be None."""
        return Q(**({f"{self.lookup}__isnull": True} if value is None else {self.lookup: value}))

    def beyond(self, value: Any) -> Iterator[Q]:
        """Yield the conditions for the rows after `value`, in the order of the rows."""
        if value is not None:
            yield Q(**{f"{self.lookup}__{'lt' if self.descending else 'gt'}": value})
            if self.nullable and not self.nulls_first:
                yield Q(**{f"{self.lookup}__isnull": True})
        elif self.nulls_first:
            yield Q(**{f"{self.lookup}__isnull": False})


def ordering_keys(queryset: QuerySet[Any]) -> Sequence[Key] | None:
    """Return the keys of the queryset's ordering, with the primary key added if missing.

    Returns None if keyset pagination cannot use the ordering.
    """
    model: Any = queryset.model
    if depends_on_all_rows(queryset):
        return None
    return keys_of(model, ordering_of(queryset), connections[queryset.db].vendor, is_reversed(queryset))


@lru_cache(256)
def keys_of(model: Any, ordering: tuple[Any, ...], vendor: str, backwards: bool) -> tuple[Key, ...] | None:
    """Return the keys of an ordering of this model."""
    keys: list[Key] = []
    for item in ordering:
        found = make_keys(model, item, vendor)
        if not found:
            return None
        keys += found
    # The primary key takes the direction of the key before it, so that one index covers both.
    descending = bool(keys) and keys[-1].descending
    for pk in model._meta.pk_fields:
        if not any(key.column is pk for key in keys):
            nulls_first = (vendor in NULLS_LARGEST) == descending
            keys.append(Key(pk.attname, descending, nulls_first, nullable=False, column=pk))
    if backwards:
        keys = [-key for key in keys]
    return tuple(
        replace(key, attribute=key.column.attname if key.column else f"keyset_{number}")
        for number, key in enumerate(keys)
    )


def make_keys(model: type[Model], item: Any, vendor: str, flipped: bool = False) -> list[Key]:
    """Return the keys of one item of an ordering: several for a relation whose model has an ordering.

    `flipped` reverses their direction: `-author` reverses the ordering of the author's model. Returns [] for an item
    that keyset pagination cannot use, such as "?" or an expression.
    """
    descending, nulls_first, by_name = flipped, None, isinstance(item, str)
    if isinstance(item, OrderBy):
        # `-author` reverses names and `F()` in the ordering of the author's model, but no `F().asc()` or `F().desc()`.
        descending = item.descending
        if item.nulls_first or item.nulls_last:
            nulls_first = bool(item.nulls_first)
        item = item.expression
    elif isinstance(item, str):
        descending = item.startswith("-") != flipped
        item = F(item.lstrip("+-"))
    if type(item) is not F:
        return []
    key = Key(
        lookup=getattr(item, "name", ""),
        descending=descending,
        nulls_first=(vendor in NULLS_LARGEST) == descending if nulls_first is None else nulls_first,
        explicit_nulls=nulls_first is not None,
    )
    return resolve(model, key, vendor, by_name)


def resolve(model: type[Model], key: Key, vendor: str, by_name: bool) -> list[Key]:
    """Return the keys for the path `key.lookup`, which starts at this model; [] if it leads to no usable column.

    A relation's name sorts by the `Meta.ordering` of its model, if any; `F()` sorts by the foreign key's column.
    """
    path = key.lookup.split("__")
    field = field_at(model, path, vendor)
    if field is None:
        return []
    if field.is_relation and path[-1] not in {"pk", getattr(field, "attname", "")}:
        related, keys = field.related_model, []
        if field.concrete and not (by_name and related._meta.ordering):
            return resolve(model, replace(key, lookup="__".join([*path[:-1], field.attname])), vendor, by_name)
        for item in related._meta.ordering or ["pk"]:
            inner = make_keys(related, item, vendor, flipped=key.descending)
            if not inner:
                return []
            keys += [
                replace(each, lookup=f"{key.lookup}__{each.lookup}", nullable=True, column=None) for each in inner
            ]
        return keys
    if len(path) > 1:
        return [key]
    return [replace(key, lookup=field.attname, nullable=field.null, column=field)]


def field_at(model: type[Model], path: Sequence[str], vendor: str) -> Any:
    """Return the field at the end of the path, or None if it cannot be a key."""
    field: Any = None
    within: Any = model
    for name in path:
        try:
            [field] = within._meta.pk_fields if name == "pk" else [within._meta.get_field(name)]
        except (AttributeError, FieldDoesNotExist, ValueError):
            # An annotation, a transform such as `created_at__year`, "?", or a primary key of several fields.
            return None
        within = field.related_model if field.is_relation else None
        if field.is_relation and (within is None or field.one_to_many or field.many_to_many):
            # A row would occur once for each related row.
            return None
    if not field.is_relation and not isinstance(field, KEY_FIELDS):
        return None
    # SQLite stores decimals as floating-point numbers, which may have more digits than Python is given.
    return None if isinstance(field, models.DecimalField) and vendor == "sqlite" else field
