"""Filters of lists: what cannot be filtered by is an error, not silence."""

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django_filters import BooleanFilter, CharFilter, IsoDateTimeFilter
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError
from rest_framework.views import APIView


class StrictFilterBackend(DjangoFilterBackend):
    """django-filter's backend, which refuses unknown names, names given twice and values that would be ignored.

    A filterset class with `only_filters = True` is left alone where the request has none of its filters: making its
    form is a quarter of the work of a list.
    """

    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        filterset = self.get_filterset_class(view, queryset)
        filters = filterset.base_filters if filterset else {}
        known = {*getattr(getattr(view, "paginator", None), "query_params", ())}
        several = set()
        for name, condition in filters.items():
            widget = condition.extra.get("widget", condition.field_class.widget)
            # A range has two: `born_after` and `born_before`.
            known |= {f"{name}_{suffix}" for suffix in getattr(widget, "suffixes", ())} or {name}
            several |= {name} if getattr(widget, "allow_multiple_selected", False) else set()
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
