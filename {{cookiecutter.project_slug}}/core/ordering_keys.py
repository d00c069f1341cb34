"""The keys of an ordering: the columns that sort a queryset, each with its direction.

Read `core/keyset.py` first: a page starts after a row, and its cursor holds the key values of that row. For a model
with the primary key `id` and a foreign key `author`, `ordering_keys` returns

    order_by("title")                   title, id
    order_by("-born", "title")          born descending, title, id
    order_by("-author_id")              author_id descending, id descending
    order_by("title", "author__name")   None
    order_by(Lower("title"))            None

The primary key is added as the last key if the ordering lacks it, so that no two rows have the same place.

There are keys only if all parts of the ordering are columns of the model itself: then the database can find a row in
an index, and read on from there. There are none for an ordering with one of these:

- `author__name`, a column of another model; also `author`, if the model Author has a `Meta.ordering`
- a computed value, such as 7/3, which Python and the database may round differently
- a column whose values are too long for a cursor, or cannot be compared exactly (see `is_comparable`)

There are also none if filtering by them could do more than remove rows: with `distinct("title")`, it could select
another row for a title (see `is_filterable` in core/queryset_ordering.py).

https://docs.djangoproject.com/en/5.2/ref/models/querysets/#order-by
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.core.exceptions import FieldDoesNotExist
from django.db import connections, models
from django.db.models import F, Model, OrderBy, Q, QuerySet

from core.queryset_ordering import annotated_names, is_filterable, is_reversed, ordering_of

# Fields whose values fit in a cursor, and whose `__gt` and `__lt` agree with the order in which the database sorts.
# Their subclasses, such as DateTimeField, count too, and foreign keys to such a field.
KEY_FIELDS = (
    models.BooleanField,
    models.CharField,
    models.DateField,
    models.DecimalField,
    models.DurationField,
    models.FloatField,
    models.GenericIPAddressField,
    models.IntegerField,
    models.TimeField,
    models.UUIDField,
)
# The limit for a CharField, in characters: a cursor is part of a URL, and servers limit the length of URLs.
MAX_LENGTH = 255
# The methods of a field that decide in which form a value is stored.
STORAGE_METHODS = ("db_type", "get_prep_value", "get_db_prep_value")
# These databases sort null values as the largest, others as the smallest.
NULLS_LARGEST = {"postgresql", "oracle"}


@dataclass(frozen=True)
class Key:
    """A column that sorts: a field of the model, and its direction."""

    field: Any
    descending: bool
    # Whether null values come before all others.
    nulls_first: bool
    # Whether the ordering itself sets `nulls_first` or `nulls_last`. If not, the default of the database applies.
    explicit_nulls: bool = False

    def __neg__(self) -> "Key":
        """Return the same key in the opposite direction."""
        return replace(self, descending=not self.descending, nulls_first=not self.nulls_first)

    @property
    def name(self) -> str:
        """The name by which to filter, and to read the value from a row: `author_id` for a foreign key `author`."""
        return str(self.field.attname)

    @property
    def order(self) -> Any:
        """The argument for `order_by()`."""
        if not self.explicit_nulls:
            return f"-{self.name}" if self.descending else self.name
        nulls = {"nulls_first" if self.nulls_first else "nulls_last": True}
        return F(self.name).desc(**nulls) if self.descending else F(self.name).asc(**nulls)

    def __str__(self) -> str:
        """Return the key as text for a cursor, such as `-born` or `born nulls last`."""
        nulls = f" nulls {'first' if self.nulls_first else 'last'}" if self.explicit_nulls else ""
        return f"{'-' if self.descending else ''}{self.name}{nulls}"

    def equal(self, value: Any) -> Q:
        """Return the condition for the rows with this value, which may be None."""
        return Q(**({f"{self.name}__isnull": True} if value is None else {self.name: value}))

    def beyond(self, value: Any) -> Iterator[Q]:
        """Yield conditions that together match the rows after `value`: first the one for the rows that come first.

        After a value: the rows with larger values (smaller, if descending), then the null values, if they come last.
        After a null value: all rows that are not null if null values come first, else no rows.
        """
        if value is not None:
            yield Q(**{f"{self.name}__{'lt' if self.descending else 'gt'}": value})
            if self.field.null and not self.nulls_first:
                yield Q(**{f"{self.name}__isnull": True})
        elif self.nulls_first:
            yield Q(**{f"{self.name}__isnull": False})


def ordering_keys(queryset: QuerySet[Any]) -> Sequence[Key] | None:
    """Return the keys of the queryset's ordering, or None if keyset pagination cannot use it."""
    if not is_filterable(queryset):
        return None
    model: Any = queryset.model
    vendor = connections[queryset.db].vendor
    keys = [key_of(model, item, vendor) for item in ordering_of(queryset)]
    # Add the primary key, in the direction of the key before it: an index on (title, id) then serves `title` and, read
    # backwards, `-title`.
    sign = "-" if keys and keys[-1] and keys[-1].descending else ""
    fields = {key.field for key in keys if key}
    keys += [key_of(model, sign + field.attname, vendor) for field in model._meta.pk_fields if field not in fields]
    found: dict[Any, Key] = {}
    for key in keys:
        if key is None:
            return None
        # A repeated field does not change the order.
        found.setdefault(key.field, key)
    # After `values()`, an annotation may have the name of a field: Django then sorts by it, not by the column.
    names = {"pk", *(name for field in found for name in (field.name, field.attname))}
    if names & annotated_names(queryset):
        return None
    return [-key for key in found.values()] if is_reversed(queryset) else list(found.values())


def key_of(model: type[Model], item: Any, vendor: str) -> Key | None:
    """Return the key for one item of an ordering, or None if it cannot be a key (see the list at the top)."""
    is_name = isinstance(item, str)
    if is_name:
        column = F(item.removeprefix("-"))
        item = column.desc() if item.startswith("-") else column.asc()
    elif type(item) is F:
        item = item.asc()
    if type(item) is not OrderBy or type(item.expression) is not F:
        return None
    name = getattr(item.expression, "name", "")
    try:
        [field] = model._meta.pk_fields if name == "pk" else [model._meta.get_field(name)]
    except (FieldDoesNotExist, ValueError):
        # An annotation, a path such as `author__name`, "?", or a primary key of several fields.
        return None
    # `F("author")` sorts by the column, the name "author" by the `Meta.ordering` of the related model, if any.
    if not is_comparable(stored_field(field), vendor) or (is_name and sorts_by_related_model(field, name)):
        return None
    explicit_nulls = bool(item.nulls_first or item.nulls_last)
    # By default, a database that sorts null values as the largest has them first in descending order, any other in
    # ascending order.
    nulls_first = bool(item.nulls_first) if explicit_nulls else (vendor in NULLS_LARGEST) == item.descending
    return Key(field, item.descending, nulls_first, explicit_nulls)


def sorts_by_related_model(field: Any, name: str) -> bool:
    """Whether `order_by(name)` uses the ordering of a related model, as with `author`, unlike `author_id`."""
    return field.is_relation and name not in {"pk", field.attname} and bool(field.related_model._meta.ordering)


def stored_field(field: Any) -> Any:
    """Return the field whose values the column has: for a foreign key, the field that it refers to."""
    while isinstance(field, models.ForeignKey):
        field = field.target_field
    return field


def is_comparable(field: Any, vendor: str) -> bool:
    """Whether the values of the field can be sent in a cursor and compared with those in the database."""
    if not isinstance(field, KEY_FIELDS):
        return False
    if isinstance(field, models.CharField) and (field.max_length or math.inf) > MAX_LENGTH:
        return False
    if vendor == "sqlite" and isinstance(field, models.DecimalField):
        # SQLite stores decimals as floating-point numbers, which Django rounds when it reads them.
        return False
    if vendor == "sqlite" and field.db_default is not models.NOT_PROVIDED:
        # SQLite stores a default such as `Now()` in another format than Django.
        return False
    # Refuse a custom field that converts its values: the stored ones may sort in another order.
    methods = [getattr(type(field), name) for name in STORAGE_METHODS]
    own = [method for method in methods if not method.__module__.startswith("django.db.models.")]
    return not own and not hasattr(field, "from_db_value")
