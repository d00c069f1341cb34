"""Keyset paging: a page starts after a row, which is found by its values in an index, so every page costs the same.

Counting pages and skipping rows, as `Paginator` does, costs more with every row of the table, and repeats or
loses rows while others write. https://use-the-index-luke.com/no-offset
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core import signing
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.paginator import Paginator
from django.db.models import F, Field, Func, Model, OrderBy, Q, QuerySet, Value
from django.db.models.expressions import Col
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact, GreaterThan, LessThan
from django.db.models.sql.datastructures import BaseTable
from django.db.models.sql.where import WhereNode
from django.http import HttpRequest

# How many rows are read along the ordering for those that a filter lets through.
NEARBY = 3_000

# The cursor of a page comes back from the client, in an address.
SIGNER = signing.Signer(salt="core.paging")


class InvalidCursorError(ValueError):
    """The cursor is not one that we gave for this ordering."""


class Row(Func):
    """Several columns or values compared as one: `(a, b) < (x, y)` in SQL."""

    function = ""
    output_field: Field = Field()


class Rows(BaseTable):
    """The rows of a queryset in the place of their table: Django filters no queryset that is cut off."""

    def __init__(self, rows: QuerySet[Any]) -> None:
        super().__init__(rows.model._meta.db_table, None)
        self.rows = rows

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        sql, params = self.rows.query.get_compiler(connection=connection).as_sql()
        return f"({sql}) {compiler.quote_name_unless_alias(self.table_name)}", params


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
    Raises InvalidCursorError if it is neither or belongs to another ordering, and ImproperlyConfigured if `ordering`
    names no such column.
    """
    meta, name = queryset.model._meta, ordering.removeprefix("-")
    column = next((field for field in meta.concrete_fields if field.attname == name and not field.null), None)
    if column is None:
        raise ImproperlyConfigured(f"{meta.label} has no column {name} that is never null, to be ordered by.")
    key = meta.pk.attname
    backwards, position = read_cursor(cursor, ordering)
    descending = ordering.startswith("-") != backwards
    order = [f"-{column}" if descending else column for column in (name, key)]
    where, beyond = queryset.query.where, Q()
    if position:
        try:
            fields = zip((column, meta.pk), position, strict=True)
            values = [Value(field.to_python(text), field) for field, text in fields]
        except ValidationError as error:
            raise InvalidCursorError("The cursor is not one of this list.") from error
        beyond = Q((LessThan if descending else GreaterThan)(Row(F(name), F(key)), Row(*values)))
        queryset = queryset.filter(beyond)
    queryset = queryset.order_by(*order)
    # Rows that are put together from several cannot be cut off before.
    if not where or queryset.query.group_by is not None or has_index(where, meta.concrete_model, name, key):
        rows = list(queryset[: size + 1])
    else:
        rows = filtered_rows(queryset, beyond, order, size + 1)
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


def filtered_rows(queryset: QuerySet[Any], beyond: Q, order: list[str], count: int) -> list[Any]:
    """The first `count` rows of a queryset with a filter and this order, of which all are `beyond` a position.

    A database takes the rows that a filter lets through for evenly spread. So it follows the order for a frequent one,
    through the whole table if they all stand at its end, or looks up and sorts all of them though many stand in front.
    """
    near = queryset.all()
    everything = queryset.model._base_manager.filter(beyond).order_by(*order)
    near.query.alias_map[str(near.query.get_initial_alias())] = Rows(everything[:NEARBY])
    rows = list(near[:count])
    if len(rows) < count:
        # All of them are looked up and sorted, by an expression that no index knows.
        name, descending = order[0].removeprefix("-"), order[0].startswith("-")
        rows = list(queryset.order_by(OrderBy(Coalesce(name, name), descending=descending), order[1])[:count])
    return rows


def has_index(where: WhereNode, model: type[Model], name: str, key: str) -> bool:
    """Whether an index of the model has the rows that this condition is true for, in this order or one at most."""
    columns = [test.lhs.target for test in where.children if isinstance(test, Exact) and isinstance(test.lhs, Col)]
    columns = [column for column in columns if column.model is model]
    fields = list(dict.fromkeys([*(column.name for column in columns), name, key]))
    indexed = any(column.unique for column in columns) or any(index.fields == fields for index in model._meta.indexes)
    return indexed and len(columns) == len(where.children)


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


class BoundedAdmin(admin.ModelAdmin):
    """The admin of a model with many rows, whose list and actions know those that `BoundedPaginator` counts."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        # "Select all" would take the others, too.
        counted = queryset.values("pk")[: BoundedPaginator.LIMIT]
        return super().response_action(request, queryset.filter(pk__in=counted), *args, **kwargs)
