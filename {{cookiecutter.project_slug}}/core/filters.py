"""Filters of lists: what cannot be filtered by is an error, not silence."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django_filters import BooleanFilter, CharFilter, FilterSet, IsoDateTimeFilter
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.views import APIView


# With a limit: for `filterset_fields`, django-filter makes a class for each request.
@lru_cache(64)
def parameters(filterset: type[FilterSet] | None) -> tuple[set[str], set[str]]:
    """The names that a request can filter by, once and several times."""
    single, several = set(), set()
    for name, condition in filterset.base_filters.items() if filterset else ():
        widget = condition.extra.get("widget", condition.field_class.widget)
        if getattr(widget, "allow_multiple_selected", False):
            several.add(name)
        else:
            # A range has two: `born_after` and `born_before`.
            single |= {f"{name}_{suffix}" for suffix in getattr(widget, "suffixes", ())} or {name}
    return single, several


class StrictFilterBackend(DjangoFilterBackend):
    """django-filter's backend, which refuses unknown names, names given twice and values that would be ignored.

    A filterset class with `only_filters = True` is left alone where the request has none of its filters: making its
    form is a quarter of the work of a list.
    """

    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        filterset = self.get_filterset_class(view, queryset)
        filters = filterset.base_filters if filterset else {}
        single, several = parameters(filterset)
        known = single | several | {*getattr(getattr(view, "paginator", None), "query_params", ())}
        # The form of the browsable API sends all filters, also those that are left empty.
        form = request.accepted_renderer.format == "api"
        errors = {}
        for name, values in request.query_params.lists():
            if name not in known:
                errors[name] = f"Unknown. Use one of: {', '.join(sorted(known))}."
            elif len(values) > 1 and name not in several:
                errors[name] = "Given more than once."
            elif not values[0] and not form and name in filters and not isinstance(filters[name], CharFilter):
                errors[name] = "Empty. Give a value or leave it out."
            elif isinstance(filters.get(name), BooleanFilter) and values[0].lower() not in {"", "true", "false"}:
                errors[name] = "Use true or false."
        if errors:
            raise ValidationError(errors)
        if getattr(filterset, "only_filters", False) and not any(name in filters for name in request.query_params):
            return queryset
        return super().filter_queryset(request, queryset, view)


class TextFilter(CharFilter):
    """A filter by a text, whose greatest length the OpenAPI document has, too."""

    def __init__(self, *args: Any, max_length: int, **kwargs: Any) -> None:
        super().__init__(*args, max_length=max_length, **kwargs)
        # It takes instances, too, but its types know classes and functions alone.
        describe: Any = extend_schema_field({"type": "string", "maxLength": max_length})
        describe(self)


class UTCField(IsoDateTimeField):
    """A point in time in UTC; one that the calendar has not is an error of the request, not of the database."""

    def to_python(self, value: Any) -> datetime | None:
        try:
            time = super().to_python(value)
            return time.astimezone(UTC) if time else None
        except OverflowError as error:
            raise DjangoValidationError("This time is out of range.", code="invalid") from error


class UTCFilter(IsoDateTimeFilter):
    """A filter by a point in time, such as `2026-11-23T18:00:00Z`."""

    field_class = UTCField
