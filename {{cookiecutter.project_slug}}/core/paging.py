"""Keyset paging: a page starts after a row, which is found by its values in an index, so every page costs the same.

Counting pages and skipping rows, as `Paginator` does, costs more with every row of the table, and repeats or
loses rows while others write. https://use-the-index-luke.com/no-offset
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core import signing
from django.core.paginator import Paginator
from django.db.models import Count, F, Field, Func, Max, Min, OrderBy, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import GreaterThan, LessThan

# How far the rows that a filter lets through are looked for along the ordering.
WINDOW = 5_000

# The cursor of a page comes back from the client, in an address.
SIGNER = signing.Signer(salt="core.paging")


class InvalidCursorError(ValueError):
    """The cursor is not one that we gave for this ordering."""


class Row(Func):
    """Several columns or values compared as one: `(a, b) < (x, y)` in SQL."""

    function = ""
    output_field: Field = Field()


@dataclass(frozen=True)
class Page:
    """The rows of a page, and the cursors of its neighbours: None where there is none, "" for the first page."""

    rows: list[Any]
    next: str | None
    previous: str | None


def paginate(queryset: QuerySet[Any], *, ordering: str, size: int, cursor: str = "") -> Page:
    """One page of at most `size` rows: model instances or, after `.values()`, dictionaries with column and key.

    `ordering` names a column that is never null, with a `-` in front for descending order; an index on this column
    and the primary key makes every page cost the same. Ties are ordered by the primary key.
    `cursor` is `next` or `previous` of another page, "" for the first one.
    Raises InvalidCursorError if it is neither or belongs to another ordering.
    """
    name, key = ordering.removeprefix("-"), queryset.model._meta.pk.name
    backwards, position = read_cursor(cursor, ordering)
    descending = ordering.startswith("-") != backwards
    order = [f"-{column}" if descending else column for column in (name, key)]
    filtered, beyond = bool(queryset.query.where), Q()
    if position:
        fields = [queryset.model._meta.get_field(name), queryset.model._meta.pk]
        values = [Value(field.to_python(text), field) for field, text in zip(fields, position, strict=True)]
        beyond = Q((LessThan if descending else GreaterThan)(Row(F(name), F(key)), Row(*values)))
        queryset = queryset.filter(beyond)
    queryset = nearby = queryset.order_by(*order)
    if filtered:
        # A database takes the rows that a filter lets through for evenly spread. So it follows the ordering for a
        # frequent one, through the whole table if they all stand at its end. Here it may do so for `WINDOW` rows.
        walked = queryset.model._default_manager.filter(beyond).order_by(*order)[:WINDOW]
        window = walked.aggregate(rows=Count(key), end=(Min if descending else Max)(name))
        if window["rows"] == WINDOW:
            nearby = queryset.filter(**{f"{name}__{'gte' if descending else 'lte'}": window["end"]})
    rows = list(nearby[: size + 1])
    if nearby is not queryset and len(rows) <= size:
        # All of them are looked up and sorted, by an expression that no index knows.
        rows = list(queryset.order_by(OrderBy(Coalesce(name, name), descending=descending), order[1])[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()

    def neighbour(row: Any, *, backwards: bool) -> str:
        values = [row[column] if isinstance(row, dict) else getattr(row, column) for column in (name, key)]
        return SIGNER.sign_object([ordering, backwards, *map(str, values)])

    if not rows:
        # Everything beyond the position was deleted meanwhile: the way back leads to the other end.
        end = SIGNER.sign_object([ordering, True])
        return Page([], "" if backwards else None, end if position and not backwards else None)
    return Page(
        rows,
        next=neighbour(rows[-1], backwards=False) if (position if backwards else more) else None,
        previous=neighbour(rows[0], backwards=True) if (more if backwards else position) else None,
    )


def read_cursor(cursor: str, ordering: str) -> tuple[bool, list[str]]:
    """Whether the cursor leads backwards, and where it starts: values of column and key, or nothing for an end."""
    if not cursor:
        return False, []
    try:
        given, backwards, *position = SIGNER.unsign_object(cursor)
    except (signing.BadSignature, ValueError) as error:
        raise InvalidCursorError("The cursor is not one of this list.") from error
    if given != ordering:
        raise InvalidCursorError("The cursor belongs to another ordering.")
    return backwards, position


class BoundedPaginator(Paginator):
    """Pages of the first `LIMIT` rows for the admin, which counts and skips: a search leads to the others."""

    LIMIT = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.LIMIT].count())
