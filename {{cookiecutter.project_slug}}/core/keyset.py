"""Keyset pagination: a page starts after the last row of the previous page. An index finds this row, without OFFSET.

Every page of an indexed ordering costs the same, and concurrent inserts and deletes cause no repeated or skipped row.
https://use-the-index-luke.com/no-offset

In the ordering `title`, with the primary key as a tie breaker, the page after ("Emma", 7) is

    SELECT … WHERE (title, id) > ('Emma', 7) ORDER BY title, id LIMIT 21

It compares titles and, where these are equal, ids. `title` and `id` are the keys of the ordering (`ordering_keys`).
Their values in the last row, signed, are the cursor that the client sends to get the next page; those in the first row
lead to the previous page.

How the rows after a cursor are found depends on the keys:

- `compare`, one comparison as above: if all keys are columns of the model, never null, and in one direction
- `filtered_rows`, which tries the next rows of the index first: for such keys, in a filtered list with an index
- `segments`, a query for each range: for other keys, such as nullable columns, relations or mixed directions
- `page_by_position`, with OFFSET: if there are no keys, as in a random ordering

Each query asks for one row more than the page holds: if that row exists, there is a next page.

Read `paginate`, `rows_after` and `compare` first; `ordering_keys` and what it calls translate Django's orderings.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.core import signing
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import NotSupportedError, connections
from django.db.models import F, Field, Func, Model, OrderBy, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan, LessThan

from core.queryset_ordering import is_reversed, ordering_of

# In a filtered list: how many rows to examine in the order of the index before falling back to sorting all matches.
MAX_CANDIDATES = 3_000

# A cursor is a signed JSON list: the ordering, whether to read backwards, and the values of the keys in the row to
# start after, such as ["title,id", false, "Emma", 7]. A page by position has the number of its first row instead:
# ["position", false, 20]. The signature detects changes by clients.
SIGNER = signing.Signer(salt="core.keyset")

# JSON has no types for these.
DECODERS: dict[str, Callable[[str], Any]] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda text: timedelta(microseconds=int(text)),
    "Decimal": Decimal,
    "UUID": UUID,
}


class InvalidCursorError(ValueError):
    """The cursor is malformed, or does not fit the ordering of this list."""


class Row(Func):
    """A row value of SQL: `(a, b) < (x, y)` compares `a` with `x` and, if they are equal, `b` with `y`."""

    function = ""
    output_field: Field = Field()


@dataclass(frozen=True)
class KeysetPage:
    """The rows of a page, and the cursors of the pages beside it.

    A cursor is None if there is no such page, and may be "" if it is the first page.
    """

    rows: list[Any]
    next: str | None
    previous: str | None


@dataclass(frozen=True)
class Key:
    """One part of an ordering: `lookup` is its name in `filter()`, and `attribute` its name in a row."""

    lookup: str
    descending: bool
    nulls_first: bool
    nullable: bool = True
    # The field, if it is a column of the model's own table or of its parents'.
    column: Any = None
    # The expression to annotate as `attribute`, if the row lacks that value.
    expression: Any = None
    attribute: str = ""
    # Whether the ordering itself places null values. If not, they are where the database puts them, also in an index.
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
        return Q(**({f"{self.lookup}__isnull": True} if value is None else {self.lookup: value}))

    def beyond(self, value: Any) -> Iterator[Q]:
        """Yield the conditions for the rows after `value`, in the order of the rows."""
        if value is not None:
            yield Q(**{f"{self.lookup}__{'lt' if self.descending else 'gt'}": value})
            if self.nullable and not self.nulls_first:
                yield Q(**{f"{self.lookup}__isnull": True})
        elif self.nulls_first:
            yield Q(**{f"{self.lookup}__isnull": False})


def paginate(queryset: QuerySet[Any], *, size: int, cursor: str = "", filtered: bool = False) -> KeysetPage:
    """Return one page of at most `size` rows of the queryset, in its own ordering.

    The ordering may combine columns (also nullable), relations, annotations and expressions; the primary key breaks
    ties. With an `Index` on its columns followed by the primary key, every page costs the same. Some are paged by
    position instead, which is OFFSET for a queryset: lists, unions, slices, a random ordering (`?`), a relation whose
    model is ordered by an expression, `values_list()`, and `values()` that lacks the primary key or any column of the
    ordering.

    `cursor` is `next` or `previous` of another page, or "" for the first one. Set `filtered` if a filter applies: few
    rows may match then (see `filtered_rows`). Raises InvalidCursorError.
    """
    keys = ordering_keys(queryset) if isinstance(queryset, QuerySet) else None
    name = ",".join(str(key.order) for key in keys) if keys else "position"
    ordering, backwards, *values = read_cursor(cursor) if cursor else (name, False)
    if ordering not in {name, "position"}:
        raise InvalidCursorError("The cursor belongs to another ordering.")
    if keys is None or ordering == "position":
        return page_by_position(queryset, size, *values)
    # The keys in the reading direction of this page.
    walked = [-key for key in keys] if backwards else keys
    try:
        ordered = in_order(queryset, walked)
    except (NotSupportedError, TypeError):
        # Django cannot annotate a union, or order a slice again.
        return page_by_position(queryset, size)
    try:
        rows = rows_after(ordered, walked, values, size + 1, filtered)
    except (TypeError, ValueError, ValidationError) as error:
        if not values:
            raise
        # The type of a column has changed since the cursor was made.
        raise InvalidCursorError("The cursor was not made by this list.") from error
    if rows and not identifies(rows[0], keys):
        if values:
            raise InvalidCursorError("The cursor belongs to another list.")
        return page_by_position(queryset, size)
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    if not rows:
        # The list is empty, or all rows beyond the cursor were deleted: link back to the nearest page that has rows.
        end = SIGNER.sign_object([name, True])
        return KeysetPage([], "" if backwards else None, end if values and not backwards else None)
    # `more` is about the reading direction. In the other one there is the page that the cursor came from.
    has_next, has_previous = (bool(values), more) if backwards else (more, bool(values))
    return KeysetPage(
        rows,
        next=SIGNER.sign_object([name, False, *key_values(rows[-1], keys)]) if has_next else None,
        previous=SIGNER.sign_object([name, True, *key_values(rows[0], keys)]) if has_previous else None,
    )


def page_by_position(rows: Any, size: int, start: int = 0) -> KeysetPage:
    """Return the page that begins at position `start`, from 0, of a list or queryset."""
    found = list(rows[start : start + size + 1])
    previous = SIGNER.sign_object(["position", True, start - size]) if start > size else ""
    return KeysetPage(
        found[:size],
        next=SIGNER.sign_object(["position", False, start + size]) if len(found) > size else None,
        previous=previous if start else None,
    )


def in_order(queryset: QuerySet[Any], keys: Sequence[Key]) -> QuerySet[Any]:
    """Return the queryset ordered by the keys, with annotations for the values that its rows lack."""
    queryset = queryset.annotate(**{key.attribute: key.expression for key in keys if key.expression is not None})
    if is_reversed(queryset):
        # The keys include this reversal already: undo it.
        queryset = queryset.reverse()
    return queryset.order_by(*(key.order for key in keys))


def rows_after(
    queryset: QuerySet[Any], keys: Sequence[Key], values: list[Any], count: int, filtered: bool
) -> list[Any]:
    """Return the first `count` rows after these values of the keys, or the first `count` if `values` is empty."""
    if not comparable(keys):
        rows: list[Any] = []
        for segment in segments(keys, values):
            rows += queryset.filter(segment)[: count - len(rows)]
            if len(rows) == count:
                break
        return rows
    after = compare(keys, values) if values else Q()
    if filtered and has_index(queryset.model, keys):
        return filtered_rows(queryset, keys, after, count)
    return list((queryset.filter(after) if values else queryset)[:count])


def comparable(keys: Sequence[Key]) -> bool:
    """Whether a single comparison of row values finds the next rows.

    That needs keys that are non-nullable columns of the model, all in one direction.
    """
    directions = {key.descending for key in keys}
    return len(directions) == 1 and all(key.column and not key.nullable for key in keys)


def compare(keys: Sequence[Key], values: Sequence[Any], *, before: bool = False) -> Q:
    """Return the condition for the rows after these values, or before them."""
    lookup = LessThan if keys[0].descending != before else GreaterThan
    row = Row(*(Value(value, key.column) for key, value in zip(keys, values, strict=True)))
    return Q(lookup(Row(*(F(key.lookup) for key in keys)), row))


def segments(keys: Sequence[Key], values: Sequence[Any]) -> Iterator[Q]:
    """Yield filters that, run one after the other, return every row after these values, in order.

    Each reads one part of an index on the keys; a single condition with OR would not. After (5, 7) in the
    ordering `-rank, id` they are `rank = 5 AND id > 7` and `rank < 5`.
    """
    if not values:
        yield Q()
    for position in reversed(range(len(values))):
        same = Q()
        for key, value in zip(keys[:position], values, strict=False):
            same &= key.equal(value)
        for beyond in keys[position].beyond(values[position]):
            yield same & beyond


def filtered_rows(queryset: QuerySet[Any], keys: Sequence[Key], after: Q, count: int) -> list[Any]:
    """Return the first `count` rows of a filtered queryset, fast whether matches are few, many or clustered.

    The database's planner assumes that matching rows are uniformly distributed. If all of them are near the end of the
    ordering, the database may read the whole index; if there are many, it may sort them all. So look among the next
    MAX_CANDIDATES rows of the index first, and sort every match only if those do not fill the page.
    """
    names = [key.lookup for key in keys]
    candidates = queryset.model._base_manager.using(queryset.db).filter(after)
    ordered = candidates.order_by(*(key.order for key in keys)).values_list(*names)
    edge = ordered[MAX_CANDIDATES : MAX_CANDIDATES + 1].first()
    matching = queryset.filter(after)
    if edge is None:
        return list(matching[:count])
    rows = list(matching.filter(compare(keys, edge, before=True))[:count])
    if len(rows) < count:
        # No index has the order of `Coalesce(x, x)`, which equals `x`: the planner has to find the matches, then sort.
        unindexed, descending = Coalesce(names[0], names[0]), keys[0].descending
        rest = (key.order for key in keys[1:])
        rows = list(matching.order_by(unindexed.desc() if descending else unindexed.asc(), *rest)[:count])
    return rows


def has_index(model: type[Model], keys: Sequence[Key]) -> bool:
    """Whether the primary key, or an index in `Meta` without a condition, has the order of these keys, or its reverse.

    Other indexes, such as those of unique fields, are not considered.
    """
    names = [key.column.name for key in keys]
    indexed = [index.fields for index in model._meta.indexes if not index.condition]
    return names == [model._meta.pk.name] or names in indexed or [f"-{name}" for name in names] in indexed


def ordering_keys(queryset: QuerySet[Any]) -> Sequence[Key] | None:
    """Return the parts of the queryset's ordering, with the primary key added if missing.

    Returns None if keyset pagination cannot use the ordering.
    """
    # PostgreSQL and Oracle sort null values as the largest, others as the smallest.
    nulls_largest = connections[queryset.db].vendor in {"postgresql", "oracle"}
    model: Any = queryset.model
    return keys_of(model, ordering_of(queryset), nulls_largest, is_reversed(queryset))


@lru_cache(256)
def keys_of(model: Any, ordering: tuple[Any, ...], nulls_largest: bool, backwards: bool) -> tuple[Key, ...] | None:
    """Return the keys of an ordering of this model."""
    keys: list[Key] = []
    for item in ordering:
        found = make_keys(model, item, nulls_largest)
        if not found:
            return None
        keys += found
    pk = model._meta.pk
    if not any(key.column is pk for key in keys):
        # In the direction of the key before it, so that one index covers both.
        descending = bool(keys) and keys[-1].descending
        keys.append(Key(pk.attname, descending, nulls_largest == descending, nullable=False, column=pk))
    if backwards:
        keys = [-key for key in keys]
    return tuple(name_attribute(key, f"keyset_{number}") for number, key in enumerate(keys))


def name_attribute(key: Key, free: str) -> Key:
    """Return the key with `attribute` set: the name in the row, or the unused name `free` for an annotation."""
    if key.column:
        return replace(key, attribute=key.column.attname)
    if key.expression is not None:
        return replace(key, attribute=free, lookup=free)
    return (
        replace(key, attribute=free, expression=F(key.lookup))
        if "__" in key.lookup
        else replace(key, attribute=key.lookup)
    )


def make_keys(model: type[Model], item: Any, nulls_largest: bool, flipped: bool = False) -> list[Key]:
    """Return the keys of one item of an ordering: several for a relation whose model has an ordering.

    `flipped` reverses their direction: a descending relation reverses the ordering of its model. Returns [] for an
    item that keyset pagination cannot use, such as "?".
    """
    descending, nulls_first = flipped, None
    if isinstance(item, OrderBy):
        descending = item.descending != flipped
        if item.nulls_first or item.nulls_last:
            nulls_first = bool(item.nulls_first) != flipped
        item = item.expression
    elif isinstance(item, str):
        descending = item.startswith("-") != flipped
        item = F(item.lstrip("+-"))
    key = Key(
        lookup=getattr(item, "name", "") if isinstance(item, F) else "",
        descending=descending,
        nulls_first=nulls_largest == descending if nulls_first is None else nulls_first,
        expression=None if isinstance(item, F) else item,
        explicit_nulls=nulls_first is not None,
    )
    if key.lookup == "?":
        return []
    return [key] if key.expression is not None else resolve(model, key, nulls_largest)


def resolve(model: type[Model], key: Key, nulls_largest: bool) -> list[Key]:
    """Return the keys for the path `key.lookup`, which starts at this model."""
    path = key.lookup.split("__")
    field: Any = None
    within: Any = model
    for name in path:
        try:
            field = within._meta.pk if name == "pk" else within._meta.get_field(name)
        except (AttributeError, FieldDoesNotExist):
            # An annotation, or a transform of a column.
            return [key]
        within = field.related_model if field.is_relation else None
    if field.is_relation and path[-1] not in {"pk", getattr(field, "attname", "")}:
        # Django orders a relation by the ordering of its model, or by the column itself.
        related, keys = field.related_model, []
        if field.concrete and not related._meta.ordering:
            return resolve(model, replace(key, lookup="__".join([*path[:-1], field.attname])), nulls_largest)
        for item in related._meta.ordering or ["pk"]:
            inner = make_keys(related, item, nulls_largest, flipped=key.descending)
            if not inner or any(part.expression is not None for part in inner):
                return []
            keys += [
                replace(each, lookup=f"{key.lookup}__{each.lookup}", nullable=True, column=None) for each in inner
            ]
        return keys
    if len(path) > 1 or not field.concrete:
        return [key]
    return [replace(key, lookup=field.attname, nullable=field.null, column=field)]


def identifies(row: Any, keys: Sequence[Key]) -> bool:
    """Whether the row has every value that a cursor needs: an instance, or a dictionary with all keys."""
    return isinstance(row, Model) or (isinstance(row, dict) and all(key.attribute in row for key in keys))


def key_values(row: Any, keys: Sequence[Key]) -> list[Any]:
    """Return the row's values of the keys, in a form that JSON can hold."""
    if isinstance(row, dict):
        return [encode(row[key.attribute]) for key in keys]
    return [encode(getattr(row, key.attribute)) for key in keys]


def encode(value: Any) -> Any:
    """Return the value in a form that JSON can hold."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, timedelta):
        return ["timedelta", str(value // timedelta(microseconds=1))]
    text = value.isoformat() if isinstance(value, date | time) else str(value)
    return [type(value).__name__, text]


def read_cursor(cursor: str) -> list[Any]:
    """Return the ordering, whether the cursor leads backwards, and the values of its row, or the position."""
    try:
        name, backwards, *values = SIGNER.unsign_object(cursor)
        values = [DECODERS.get(value[0], str)(value[1]) if isinstance(value, list) else value for value in values]
    except (signing.BadSignature, ValueError) as error:
        raise InvalidCursorError("The cursor was not made by this list.") from error
    return [name, backwards, *values]
