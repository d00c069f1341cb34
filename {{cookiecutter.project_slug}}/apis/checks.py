"""System checks that find a misconfigured viewset before a request does.

https://docs.djangoproject.com/en/5.2/topics/checks/
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from django.core.checks import CheckMessage, Error
from django.core.exceptions import FieldError, ValidationError
from django.db.models import F
from django_filters.rest_framework import DjangoFilterBackend, FilterSet, OrderingFilter
from rest_framework.routers import BaseRouter

import apis
from apis.overrides import overrides
from apis.permissions import has_own_queryset

# The modules of the actions that need a serializer.
USING_SERIALIZERS = {"rest_framework.mixins", "apis.viewsets"}
# The modules of filter backends that add nothing to the queryset.
BACKENDS = {"rest_framework.filters", "django_filters.rest_framework.backends", "apis.filters"}


def check_viewsets(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check the viewsets of all routers."""
    return [message for viewset in viewsets() for message in check_viewset(viewset)]


def viewsets() -> Iterator[Any]:
    """Yield the viewsets that the versions of the API register."""
    for version in iter_modules(apis.__path__):
        if version.ispkg and version.name.startswith("v"):
            urls = import_module(f"apis.{version.name}.urls")
            for router in vars(urls).values():
                if isinstance(router, BaseRouter):
                    yield from (viewset for _, viewset, _ in router.registry)


def check_viewset(viewset: Any) -> Iterator[CheckMessage]:
    """Yield an error for each attribute that names a field which the model does not have."""
    queryset = getattr(viewset, "queryset", None)
    if queryset is None:
        return

    def failures(attribute: str, attempt: Callable[[str], Any], names: Any) -> Iterator[CheckMessage]:
        for name in names if isinstance(names, list | tuple) else [names] if names and names != "__all__" else []:
            try:
                attempt(name[0] if isinstance(name, list | tuple) else name)
            except FieldError as error:
                message = f"{viewset.__name__}.{attribute} has {name!r}: {error}"
                hint = "Name a field of the model, of a related one, or an annotation of the queryset."
                yield Error(message, hint=hint, obj=viewset, id="apis.E001")

    try:
        filterset = DjangoFilterBackend().get_filterset_class(viewset, queryset)
        # Code of the project may add annotations.
        if not has_own_queryset(viewset) and not has_own_backend(viewset):
            yield from failures("ordering", partial(order, queryset), getattr(viewset, "ordering", None))
            yield from failures("ordering_fields", partial(order, queryset), getattr(viewset, "ordering_fields", None))
            yield from failures("search_fields", partial(search, queryset), getattr(viewset, "search_fields", None))
            own_code = filterset and overrides(filterset, FilterSet, "filter_queryset")
            names = list(filtered_fields(filterset)) if filterset and not own_code else []
            yield from failures("filterset_class", partial(order, queryset), names)
    except (AssertionError, TypeError) as error:
        message = f"{viewset.__name__} cannot be filtered: {error}"
        yield Error(message, hint="Correct its filterset_fields or filterset_class.", obj=viewset, id="apis.E002")
    if getattr(viewset, "serializer_class", None) is None and uses_serializer_class(viewset):
        message = f"{viewset.__name__} has no serializer_class."
        yield Error(message, hint="Set it, or override get_serializer_class().", obj=viewset, id="apis.E003")


def has_own_backend(viewset: Any) -> bool:
    """Whether a filter backend of the viewset is none of those in `BACKENDS`, and so may change the queryset."""
    backends = getattr(viewset, "filter_backends", ())
    return any(backend.filter_queryset.__module__ not in BACKENDS for backend in backends)


def search(queryset: Any, name: str) -> Any:
    """Search the queryset in a field, or by a lookup. Raises FieldError if the model does not have it."""
    field = name.lstrip("^=@$")
    try:
        return queryset.filter(**{f"{field}__icontains": ""})
    except FieldError:
        if "__" not in field:
            raise
    # The name may include a lookup; "" may be no value for it.
    with suppress(ValidationError, ValueError):
        return queryset.filter(**{field: ""})


def order(queryset: Any, name: Any) -> Any:
    """Order the queryset by a name or an expression. Raises FieldError if the model does not have it."""
    if isinstance(name, str) and name != "?":
        # `order_by` does not check names that follow a relation.
        return queryset.alias(checked=F(name.lstrip("-")))
    return queryset.order_by(name)


def filtered_fields(filterset: type[FilterSet]) -> Iterator[str]:
    """Yield the fields by which the filters of this set filter; filters with code of their own may use others."""
    for filter_ in filterset.base_filters.values():
        own_code = filter_.method or not type(filter_).filter.__module__.startswith("django_filters.")
        if filter_.field_name and not own_code and not isinstance(filter_, OrderingFilter):
            yield filter_.field_name


def uses_serializer_class(viewset: Any) -> bool:
    """Return whether the viewset has DRF's own `get_serializer_class`, and an action of DRF's that calls it."""

    def module(name: str) -> Any:
        return getattr(getattr(viewset, name, None), "__module__", None)

    own = {module(name) for name in ("list", "create", "retrieve", "update")}
    return module("get_serializer_class") == "rest_framework.generics" and bool(own & USING_SERIALIZERS)
