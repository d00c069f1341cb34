"""Keyset pagination: a page starts after the last row of the previous page.

An index finds this row, while OFFSET (`queryset[20:40]`) would read all rows before it. So every page of an indexed,
unfiltered list costs the same. Concurrent inserts and deletes cause no repeated or skipped row.
https://use-the-index-luke.com/no-offset

In the ordering `title`, with the primary key as a tie breaker, the page of 20 rows after ("Emma", 7) is

    SELECT … WHERE (title, id) > ('Emma', 7) ORDER BY title, id LIMIT 21

The condition compares titles and, where these are equal, ids. The 21st row only shows that there is a next page.

`title` and `id` are the keys of the ordering (`core/ordering_keys.py`). The cursor of the next page holds the key
values of this page's last row, the cursor of the previous page those of this page's first row. Clients can read
cursors, but not change them, because they are signed.

A key has a `name`, for filters and to get the value from a row (`author_id` for a foreign key `author`), an `order`
(the argument for `order_by()`) and the `field` of the model. `-key` is the same key in the opposite direction.

How the rows after a cursor are found depends on the list:

- `comparison`, one comparison as above, if the keys are non-null columns in one direction, the usual case
- `filtered_rows` for the same keys, if the list is filtered and there is an index on them: it looks for matches among
  the next 3,000 rows, and sorts all matches only if it finds too few for the page
- `rows_by_segments` for nullable columns or mixed directions: several queries, each for one range. After (5, 7) in the
  ordering `-rank, id`, they are `rank = 5 AND id > 7`, then `rank < 5`
- `page_by_position`, with OFFSET, if there are no usable keys, as in a random ordering (`paginate` lists the cases):
  there, inserts and deletes can repeat or skip rows

For a first reading, follow `paginate`, `rows_by_keys`, `rows_after`, `comparison` and `page_by_keys`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core import signing
from django.core.exceptions import ValidationError
from django.db import NotSupportedError
from django.db.models import F, Field, Func, Lookup, Model, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan, LessThan

from core.ordering_keys import Key, ordering_keys, stored_field
from core.queryset_ordering import is_reversed, ordering_of, yields_instances

# In a filtered list: how many rows to examine in the order of the index before falling back to sorting all matches.
MAX_CANDIDATES = 3_000

SIGNER = signing.Signer(salt="core.keyset")
# The `ordering` in the cursors of a list that is paged by position.
POSITION = "position"

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


def to_json(value: Any) -> Any:
    """Return the value in a form that JSON can hold."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, timedelta):
        return ["timedelta", str(value // timedelta(microseconds=1))]
    text = value.isoformat() if isinstance(value, date | time) else str(value)
    return [type(value).__name__, text]


@dataclass(frozen=True)
class KeysetCursor:
    """Where a page starts, and in which direction it is read. There are three kinds, here as the JSON that is signed:

    - after a row, with its key values: `["title,id", false, "Emma", 7]`; with `true`, backwards from that row
    - backwards from the end, for the last page: `["title,id", true]`
    - at a position, counted from 0: `["position", false, 20]`
    """

    ordering: str
    backwards: bool = False
    values: Sequence[Any] = ()

    def encode(self) -> str:
        """Return the cursor as text for a URL."""
        return SIGNER.sign_object([self.ordering, self.backwards, *map(to_json, self.values)])

    @classmethod
    def decode(cls, text: str) -> "KeysetCursor":
        """Return the cursor that `encode` turned into this text. Raises InvalidCursorError for any other text."""
        try:
            ordering, backwards, *values = SIGNER.unsign_object(text)
            # Undo `to_json`: ["Decimal", "1.50"] becomes a Decimal.
            values = [DECODERS.get(value[0], str)(value[1]) if isinstance(value, list) else value for value in values]
        except (signing.BadSignature, ValueError) as error:
            raise InvalidCursorError("The cursor was not made by this list.") from error
        return cls(ordering, backwards, values)


@dataclass(frozen=True)
class KeysetPage:
    """The rows of a page, and the cursors of the pages beside it.

    A cursor is None if there is no such page. "" means the first page.
    """

    rows: list[Any]
    next: str | None
    previous: str | None


def paginate(queryset: QuerySet[Any], *, size: int, cursor: str = "", filtered: bool = False) -> KeysetPage:
    """Return one page of at most `size` rows of the queryset, in its own ordering.

    The ordering may combine columns of the model, also nullable ones; the primary key breaks ties. With an `Index` on
    these columns and then the primary key, in the same directions or all reversed, every unfiltered page costs the
    same.

    The following are paged by position (OFFSET for a queryset):

    - Python lists
    - orderings by `?`, annotations, computed values, columns of other models, or fields that are not comparable (see
      `is_comparable`)
    - querysets with `distinct("title")`, or with annotations other than aggregates and subqueries
    - what Django cannot filter: unions and slices
    - rows without the keys: `values_list()`, or `values()` without the name of a key, such as `author_id`

    `cursor` is `next` or `previous` of another page, or "" for the first one. Set `filtered` if a filter applies:
    the page is the same, but if the keys have an index (see `has_index`), the database does not read the whole index
    to find a few matches.

    Raises InvalidCursorError.
    """
    keys = ordering_keys(queryset) if isinstance(queryset, QuerySet) else None
    ordering = ",".join(map(str, keys)) if keys else POSITION
    start = KeysetCursor.decode(cursor) if cursor else KeysetCursor(ordering)
    # Even with keys, a union, a slice or `values_list()` is paged by position: accept its cursors.
    if start.ordering not in {ordering, POSITION}:
        raise InvalidCursorError("The cursor belongs to another ordering.")
    if keys is None or start.ordering == POSITION:
        return page_by_position(queryset, size, *start.values)
    # The keys in the direction in which this page is read.
    reading_keys = [-key for key in keys] if start.backwards else keys
    rows = rows_by_keys(queryset, reading_keys, start.values, size + 1, filtered)
    if rows is not None:
        return page_by_keys(rows, size, start, keys)
    if start.values:
        # This list is paged by position, so a cursor with key values is another list's.
        raise InvalidCursorError("The cursor belongs to another list.")
    return page_by_position(queryset, size)


def rows_by_keys(
    queryset: QuerySet[Any], keys: Sequence[Key], values: Sequence[Any], count: int, filtered: bool
) -> list[Any] | None:
    """Return the first `count` rows after these key values, or None if the keys cannot be used.

    Django cannot filter a union or a slice. The rows of `values_list()`, or of `values()` without a key, lack the
    values for a cursor. Raises InvalidCursorError if the values do not fit the keys.
    """
    try:
        # `filter()` raises NotSupportedError for a union, `order_by()` TypeError for a slice.
        ordered = in_order(queryset.filter(), keys)
    except (NotSupportedError, TypeError):
        return None
    try:
        rows = rows_after(ordered, keys, values, count, filtered)
    except (TypeError, ValueError, ValidationError) as error:
        if not values:
            # Without a cursor, the error is not the client's.
            raise
        # The cursor is from another list, or the type of a column has changed.
        raise InvalidCursorError("The cursor was not made by this list.") from error
    return rows if not rows or has_key_values(rows[0], keys) else None


def in_order(queryset: QuerySet[Any], keys: Sequence[Key]) -> QuerySet[Any]:
    """Return the queryset ordered by the keys."""
    if is_reversed(queryset):
        # The keys already include `reverse()`: undo it on the queryset.
        queryset = queryset.reverse()
    return queryset.order_by(*(key.order for key in keys))


def has_key_values(row: Any, keys: Sequence[Key]) -> bool:
    """Whether a cursor can be made from the row: an instance, or a dictionary with the keys of the ordering."""
    return isinstance(row, Model) or (isinstance(row, dict) and all(key.name in row for key in keys))


def rows_after(
    queryset: QuerySet[Any], keys: Sequence[Key], values: Sequence[Any], count: int, filtered: bool
) -> list[Any]:
    """Return the first `count` rows of the ordered queryset, after these key values if there are any."""
    if not one_comparison_suffices(keys):
        return rows_by_segments(queryset, keys, values, count)
    after = comparison(keys, values) if values else Q()
    if filtered and has_index(queryset.model, keys):
        return filtered_rows(queryset, keys, after, count)
    return list(queryset.filter(after)[:count])


def one_comparison_suffices(keys: Sequence[Key]) -> bool:
    """Whether a single comparison of row values finds the next rows.

    That needs keys without null values, all in one direction.
    """
    directions = {key.descending for key in keys}
    return len(directions) == 1 and not any(key.field.null for key in keys)


class RowValue(Func):
    """A row value of SQL: `(a, b) < (x, y)` compares `a` with `x` and, if they are equal, `b` with `y`."""

    # Django writes NAME(a, b); with an empty name it is (a, b).
    function = ""
    # Django needs a type for an expression, and several columns have no common one.
    output_field: Field = Field()


def comparison(keys: Sequence[Key], values: Sequence[Any], *, before: bool = False) -> "Lookup[Any]":
    """Return the condition, an argument for `filter()`, for the rows after these values, or before them."""
    # The rows after a value are smaller if descending, else larger; `before` swaps this.
    lookup = LessThan if keys[0].descending != before else GreaterThan
    row = RowValue(*(Value(value, key.field) for key, value in zip(keys, values, strict=True)))
    return lookup(RowValue(*(F(key.name) for key in keys)), row)


def has_index(model: type[Model], keys: Sequence[Key]) -> bool:
    """Whether the keys are the primary key alone, or the fields of an index in `Meta`, all in the same direction.

    False for an index with a condition, which lacks rows, and for columns with a collation, which `Coalesce` in
    `filtered_rows` can drop. An index made by `unique` or `db_index` does not count: it is not in `Meta.indexes`.
    """
    if any(getattr(stored_field(key.field), "db_collation", None) for key in keys):
        return False
    names = [key.field.name for key in keys]
    indexed = [index.fields for index in model._meta.indexes if not index.condition]
    return (
        names == [field.name for field in model._meta.pk_fields]
        or names in indexed
        or [f"-{name}" for name in names] in indexed
    )


def filtered_rows(queryset: QuerySet[Any], keys: Sequence[Key], after: "Q | Lookup[Any]", count: int) -> list[Any]:
    """Return the first `count` rows of a filtered queryset, wherever in the ordering its matches are.

    A database either reads along the index until the page is full, or finds all matches and sorts them. It estimates
    which is faster, assuming that matches are uniformly distributed. So it may read the whole index if all matches
    are near its end, or sort very many matches for one page. Therefore first look for matches among the next
    MAX_CANDIDATES rows of the index, and sort all matches only if too few are found there.
    """
    names = [key.name for key in keys]
    following = queryset.model._base_manager.using(queryset.db).filter(after)
    ordered = following.order_by(*(key.order for key in keys)).values_list(*names)
    # The key values of the row that follows the candidates, matching or not; None if there is no such row.
    edge = ordered[MAX_CANDIDATES : MAX_CANDIDATES + 1].first()
    matching = queryset.filter(after)
    if edge is None:
        return list(matching[:count])
    rows = list(matching.filter(comparison(keys, edge, before=True))[:count])
    if len(rows) < count:
        # `Coalesce(x, x)` equals `x`, but no index has its order: the database has to find the matches and sort them.
        unindexed, descending = Coalesce(names[0], names[0]), keys[0].descending
        rest = (key.order for key in keys[1:])
        rows = list(matching.order_by(unindexed.desc() if descending else unindexed.asc(), *rest)[:count])
    return rows


def rows_by_segments(queryset: QuerySet[Any], keys: Sequence[Key], values: Sequence[Any], count: int) -> list[Any]:
    """Return the first `count` rows after these values, by a query for each of `segments` until they are enough."""
    rows: list[Any] = []
    for segment in segments(keys, values):
        rows += queryset.filter(segment)[: count - len(rows)]
        if len(rows) == count:
            break
    return rows


def segments(keys: Sequence[Key], values: Sequence[Any]) -> Iterator[Q]:
    """Yield filters that, run one after the other, return every row after these values, in order.

    With an index on the keys, each reads one range of it; a single condition with OR would read more.
    """
    if not values:
        # The first or the last page: every row.
        yield Q()
    for position in reversed(range(len(values))):
        same = Q()
        for key, value in zip(keys[:position], values, strict=False):
            same &= key.equal(value)
        for beyond in keys[position].beyond(values[position]):
            yield same & beyond


def page_by_keys(rows: list[Any], size: int, start: KeysetCursor, keys: Sequence[Key]) -> KeysetPage:
    """Return the page for up to `size` + 1 rows read from `start`; a row beyond `size` shows that more follow."""
    more = len(rows) > size
    rows = rows[:size]
    if not rows and start.backwards:
        # No row is left before the cursor: an empty page, whose next page is the first one.
        return KeysetPage([], next="", previous=None)
    if not rows:
        # No row is left after the cursor: an empty page. Its previous page is the last one; an empty list has none.
        last = KeysetCursor(start.ordering, backwards=True).encode()
        return KeysetPage([], next=None, previous=last if start.values else None)
    # If the cursor has values, the client came from a neighbouring page: link back to it. If not, this is the first or
    # the last page.
    if start.backwards:
        rows.reverse()
        has_next, has_previous = bool(start.values), more
    else:
        has_next, has_previous = more, bool(start.values)

    def cursor_at(row: Any, *, backwards: bool) -> str:
        return KeysetCursor(start.ordering, backwards, key_values(row, keys)).encode()

    return KeysetPage(
        rows,
        next=cursor_at(rows[-1], backwards=False) if has_next else None,
        previous=cursor_at(rows[0], backwards=True) if has_previous else None,
    )


def key_values(row: Any, keys: Sequence[Key]) -> list[Any]:
    """Return the row's key values."""
    return [row[key.name] if isinstance(row, dict) else getattr(row, key.name) for key in keys]


def page_by_position(rows: Any, size: int, position: int = 0) -> KeysetPage:
    """Return the page of a list or queryset that begins at this position, counted from 0."""
    found = list(in_total_order(rows)[position : position + size + 1])
    previous = KeysetCursor(POSITION, values=[position - size]).encode() if position > size else ""
    return KeysetPage(
        found[:size],
        next=KeysetCursor(POSITION, values=[position + size]).encode() if len(found) > size else None,
        previous=previous if position else None,
    )


def in_total_order(rows: Any) -> Any:
    """Return the rows; a queryset of instances whose ordering has no keys gets the primary key as a tie breaker."""
    if not yields_instances(rows) or ordering_keys(rows):
        return rows
    ordering = ordering_of(rows)
    last = ordering[-1] if ordering else ""
    descending = last.startswith("-") if isinstance(last, str) else getattr(last, "descending", False)
    try:
        return rows.order_by(*ordering, "-pk" if descending else "pk")
    except TypeError:
        # A slice.
        return rows
