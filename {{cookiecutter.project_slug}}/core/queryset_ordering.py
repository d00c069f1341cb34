"""What pagination has to know of a queryset: a workaround for a gap in Django's public API.

Django tells whether a queryset is ordered (`QuerySet.ordered`) but not by what, and calls `QuerySet.query` opaque.
Only this module reads from it, and `core/tests/test_keyset.py` fails when Django changes it, or gets a public way to
read the ordering. The alternative, to ignore the `order_by()` of a view's queryset, would break what tutorials teach.
https://docs.djangoproject.com/en/5.2/ref/models/querysets/#ordered
"""

from typing import Any

from django.db import NotSupportedError
from django.db.models import Aggregate, F, QuerySet, Subquery


def ordering_of(queryset: QuerySet[Any]) -> tuple[Any, ...]:
    """Return the arguments of `order_by`, else `Meta.ordering`: strings and expressions; () if unordered.

    `distinct("field")` without an ordering is ordered by its fields, because `ORDER BY` must begin with them.
    """
    if explicit := tuple(queryset.query.order_by):
        return explicit
    return tuple(queryset.model._meta.ordering if queryset.ordered else map(F, queryset.query.distinct_fields))


def is_reversed(queryset: QuerySet[Any]) -> bool:
    """Return whether `reverse()` reverses the ordering, which `order_by` alone does not undo."""
    return not queryset.query.standard_ordering


def is_filterable(queryset: QuerySet[Any]) -> bool:
    """Return whether filtering by the keys of the ordering only removes rows, and leaves the others unchanged.

    Not with `distinct("field")`, a window function, or an annotation such as `F("groups")`, which gives a row for each
    group. Other annotations cannot be told apart from these, so only aggregates and subqueries are accepted.
    """
    annotations = queryset.query.annotations.values()
    accepted = (isinstance(annotation, Aggregate | Subquery) for annotation in annotations)
    return not queryset.query.distinct_fields and all(accepted)


def annotated_names(queryset: QuerySet[Any]) -> set[str]:
    """Return the names of the annotations."""
    return set(queryset.query.annotations)


def yields_instances(queryset: Any) -> bool:
    """Return whether this is a queryset of instances: no list, union or result of `values()`."""
    # Those three refuse `select_related`.
    try:
        return isinstance(queryset.select_related(None), QuerySet)
    except (AttributeError, NotSupportedError, TypeError):
        return False
