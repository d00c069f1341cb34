"""The ordering of a queryset: a workaround for a gap in Django's public API.

Django tells whether a queryset is ordered (`QuerySet.ordered`) but not by what, and calls `QuerySet.query` opaque.
This module alone reads from it, and `core/tests/test_keyset.py` fails when Django changes it, or offers the ordering
itself. The alternative would be to ignore the `order_by()` of a view's queryset, which tutorials teach.
https://docs.djangoproject.com/en/5.2/ref/models/querysets/#ordered
"""

from typing import Any

from django.db.models import QuerySet


def ordering_of(queryset: QuerySet[Any]) -> tuple[Any, ...]:
    """Return the arguments of `order_by`, else `Meta.ordering`: strings and expressions; () if unordered.

    `distinct("field")` without an ordering sorts by its fields.
    """
    if explicit := tuple(queryset.query.order_by):
        return explicit
    return tuple(queryset.model._meta.ordering if queryset.ordered else queryset.query.distinct_fields)


def depends_on_all_rows(queryset: QuerySet[Any]) -> bool:
    """Return whether a filter would change the other rows, too: with `distinct("field")`, or a window function."""
    windows = any(annotation.contains_over_clause for annotation in queryset.query.annotations.values())
    return windows or bool(queryset.query.distinct_fields)


def is_reversed(queryset: QuerySet[Any]) -> bool:
    """Return whether `reverse()` reverses the ordering, which `order_by` alone does not undo."""
    return not queryset.query.standard_ordering
