"""Filters of lists. https://www.django-rest-framework.org/api-guide/filtering/"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django.forms import MultiValueField
from django_filters import IsoDateTimeFilter
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from rest_framework.exceptions import ValidationError
from rest_framework.filters import BaseFilterBackend
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.versioning import QueryParameterVersioning

from apis.overrides import overrides
from apis.permissions import has_own_queryset

# The actions of DRF's own viewsets and generic views, which read no query parameter themselves.
ACTIONS = {None, "list", "create", "retrieve", "update", "partial_update", "destroy", "metadata"}


class StrictQueryParameters(BaseFilterBackend):
    """Reject unknown query parameters with 400, so that a misspelled filter does not return every row.

    The known parameters are those of the filter backends, the pagination and the versioning, and `format`. A custom
    backend names its own in `get_schema_operation_parameters`, which also documents them. Extra actions and views with
    their own `get_queryset` may read others, so they are checked only if the view lists those, as in
    `query_parameters = ["username"]`.
    """

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        own = getattr(view, "query_parameters", None)
        if not request.query_params or (own is None and reads_parameters(view)):
            return queryset
        known = {*parameters_without_filtersets(view), *(own or ())}
        known.update(*(single_parameters(filterset) for filterset in filtersets(view, queryset)))
        # Compare names first: asking the widgets of a form is slower, and only needed for filters with several
        # parameters, such as `price_min` and `price_max`.
        unknown = [name for name in request.query_params if name not in known]
        unknown = [name for name in unknown if not is_part_of_filter(name, view, queryset)]
        if unknown:
            known.update(suffixed_parameters(view, queryset))
            hint = " If the view reads it, add it to its `query_parameters`." if settings.DEBUG else ""
            raise ValidationError(
                {name: f"Unknown query parameter. Known: {', '.join(sorted(known))}.{hint}" for name in unknown}
            )
        return queryset


def reads_parameters(view: Any) -> bool:
    """Return whether the view's own code may read undeclared query parameters."""
    return has_own_queryset(view) or getattr(view, "action", None) not in ACTIONS


def parameters_without_filtersets(view: Any) -> set[str]:
    """Return the query parameters of the view's backends, pagination and versioning, without those of filter sets."""
    known: set[Any] = {api_settings.URL_FORMAT_OVERRIDE}
    if view.versioning_class and issubclass(view.versioning_class, QueryParameterVersioning):
        known.add(view.versioning_class.version_param)
    for part in filter(None, [*view.filter_backends, view.pagination_class]):
        if hasattr(part, "get_schema_operation_parameters"):
            known |= {parameter["name"] for parameter in part().get_schema_operation_parameters(view)}
    return known - {None}


def filtersets(view: Any, queryset: QuerySet[Any]) -> Iterator[type[FilterSet]]:
    """Yield the filter sets of the view."""
    for backend in view.filter_backends:
        if hasattr(backend, "get_filterset_class") and (found := backend().get_filterset_class(view, queryset)):
            yield found


def single_parameters(filterset: type[FilterSet]) -> Iterator[str]:
    """Yield the names of filters that read one parameter of that name; a range reads others, such as `price_min`."""
    for name, filter_ in filterset.base_filters.items():
        if not issubclass(filter_.field_class, MultiValueField):
            yield name


def suffixed_parameters(view: Any, queryset: QuerySet[Any]) -> Iterator[str]:
    """Yield the parameter names of filters that read several, such as `price_min` and `price_max`."""
    for filterset in filtersets(view, queryset):
        for name, field in filterset(queryset=queryset).form.fields.items():
            for suffix in getattr(field.widget, "suffixes", ()):
                yield f"{name}_{suffix}" if suffix else name


def is_part_of_filter(parameter: str, view: Any, queryset: QuerySet[Any]) -> bool:
    """Whether a filter with several parameters, such as a range, reads this one.

    The test: given this parameter, its widget no longer reports the value as omitted.
    """
    for filterset in filtersets(view, queryset):
        for name, field in filterset(queryset=queryset).form.fields.items():
            omitted = field.widget.value_omitted_from_data
            if omitted({}, {}, name) and not omitted({parameter: "1"}, {}, name):
                return True
    return False


class LazyDjangoFilterBackend(DjangoFilterBackend):
    """django-filter's backend, but without building a form for a request that does not filter.

    The form would take a quarter of the CPU time of a list. A filter set with custom code or a required
    filter is always used: it may act without any parameter.
    """

    def filter_queryset(self, request: Any, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        filterset_class = getattr(view, "filterset_class", None)
        if not filterset_class and not request.query_params:
            return queryset
        if filterset_class and filters_by_parameters_alone(filterset_class):
            given = set(request.query_params)
            if not given & set(filterset_class.base_filters) and given <= parameters_without_filtersets(view):
                return queryset
        return super().filter_queryset(request, queryset, view)


def filters_by_parameters_alone(filterset: type[FilterSet]) -> bool:
    """Whether nothing of `OVERRIDABLE` or `Filter.filter()` is overridden, and no filter is required."""
    return not overrides(filterset, FilterSet, *OVERRIDABLE) and all(
        type(filter_).filter.__module__.startswith("django_filters.") and not filter_.extra.get("required")
        for filter_ in filterset.base_filters.values()
    )


# What a filter set can override to filter by something other than its parameters.
OVERRIDABLE = ("__init__", "is_valid", "filter_queryset", "qs", "form", "get_form_class")


class UTCDateTimeField(IsoDateTimeField):
    """A datetime in UTC. A value out of range is a validation error, not a database error."""

    def to_python(self, value: Any) -> datetime | None:
        try:
            time = super().to_python(value)
            return time.astimezone(UTC) if time else None
        except OverflowError as error:
            raise DjangoValidationError("This time is out of range.", code="invalid") from error


class UTCDateTimeFilter(IsoDateTimeFilter):
    """A filter by a point in time, such as `2026-11-23T18:00:00Z`."""

    field_class = UTCDateTimeField
