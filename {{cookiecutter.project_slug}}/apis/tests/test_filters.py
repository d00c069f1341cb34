"""Filters of lists: strict query parameters, django-filter, searching and ordering, and who sees which rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import django_filters
import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.db.models.functions import Length
from django.test import Client
from django_filters.rest_framework import DjangoFilterBackend, FilterSet
from rest_framework import filters, serializers
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.settings import api_settings

from apis.filters import LazyDjangoFilterBackend, StrictQueryParameters, UTCDateTimeFilter
from apis.tests.conftest import add_entry, api_of
from apis.viewsets import ConditionalModelViewSet

pytestmark = pytest.mark.django_db

ENTRIES = "/api/v1/entries/"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class EntrySerializer(serializers.ModelSerializer[LogEntry]):
    class Meta:
        model = LogEntry
        fields = ("id", "object_repr", "user")


class EntryFilter(FilterSet):
    since = UTCDateTimeFilter("action_time", "gte")
    time = django_filters.IsoDateTimeFromToRangeFilter("action_time")

    class Meta:
        model = LogEntry
        fields = {"action_flag": ["exact", "in"], "object_repr": ["exact", "icontains"]}


class EntryViewSet(ConditionalModelViewSet):
    queryset = LogEntry.objects.all()
    serializer_class = EntrySerializer
    filter_backends: Any = api_settings.DEFAULT_FILTER_BACKENDS
    filterset_class: Any = EntryFilter
    search_fields = ("object_repr", "user__username")
    ordering = ("pk",)
    ordering_fields: Any = ("action_time", "object_repr", "user__username")


@pytest.fixture(autouse=True)
def _entries(mount: Any, reader: Any, editor: Any) -> None:
    mount(entries=EntryViewSet)
    add_entry(reader, object_repr="first", action_flag=ADDITION, action_time=NOON)
    add_entry(editor, object_repr="second", action_flag=CHANGE, action_time=NOON + timedelta(hours=1))
    add_entry(reader, object_repr="third", action_flag=DELETION, action_time=NOON + timedelta(hours=2))


def variant(**attributes: Any) -> type[EntryViewSet]:
    """Return a subclass of the viewset with other attributes."""
    return type("Variant", (EntryViewSet,), attributes)


def names(api: Any, query: str = "") -> list[str]:
    """Return the names of the rows that a query finds."""
    return [row["object_repr"] for row in api("GET", f"{ENTRIES}?{query}", status=200)["results"]]


def detail(name: str) -> str:
    return f"{ENTRIES}{LogEntry.objects.get(object_repr=name).pk}/"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["first", "second", "third"]),
        ("action_flag=2", ["second"]),
        ("action_flag=", ["first", "second", "third"]),
        ("action_flag__in=1,3", ["first", "third"]),
        ("object_repr__icontains=R", ["first", "third"]),
        ("since=2026-03-01T14:00:00%2B01:00", ["second", "third"]),
        ("since=2026-03-01T13:00:00Z", ["second", "third"]),
        ("time_after=2026-03-01T12:30:00Z", ["second", "third"]),
        ("time_after=2026-03-01T12:30:00Z&time_before=2026-03-01T13:30:00Z", ["second"]),
        ("search=ED", ["second"]),
        ("search=reader th", ["third"]),
        ("ordering=-object_repr", ["third", "second", "first"]),
        ("ordering=user__username,-action_time", ["second", "third", "first"]),
        ("action_flag=1&search=first&ordering=object_repr&page_size=1", ["first"]),
    ],
)
def test_a_list_is_filtered_searched_and_ordered(as_reader, query, found):
    assert names(as_reader, query) == found


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "since=0001-01-01T00:00:00%2B23:59",
        "since=9999-12-31T23:59:59-23:59",
        "action_flag=4",
        "object_repr=%00",
        "action_flag__in=a",
    ],
)
def test_a_wrong_value_is_refused_by_name(as_reader, query):
    problem = as_reader("GET", f"{ENTRIES}?{query}", status=400)
    assert [error["field"] for error in problem["errors"]] == [query.partition("=")[0]]


# Strict query parameters


@pytest.mark.parametrize("name", ["actionflag", "Search", "time", "since_after", "limit", "action_flag__gt"])
def test_an_unknown_parameter_is_refused_and_the_known_ones_are_named(as_reader, name):
    problem = as_reader("GET", f"{ENTRIES}?{name}=1&action_flag=1", status=400)
    (error,) = problem["errors"]
    assert error["field"] == name
    assert error["detail"] == (
        "Unknown query parameter. Known: action_flag, action_flag__in, cursor, format, object_repr, "
        "object_repr__icontains, ordering, page_size, search, since, time_after, time_before."
    )


def test_every_unknown_parameter_is_named(as_reader):
    problem = as_reader("GET", f"{ENTRIES}?b=1&a=2", status=400)
    assert {error["field"] for error in problem["errors"]} == {"a", "b"}


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_details_are_strict_too(as_editor, method):
    as_editor(method, f"{detail('first')}?nonsense=1", status=400)
    as_editor(
        method,
        f"{detail('first')}?action_flag=1",
        {} if method == "PATCH" else None,
        status=204 if method == "DELETE" else 200,
    )


class NameStartsWith(filters.BaseFilterBackend):
    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        return queryset.filter(object_repr__startswith=request.query_params.get("starts", ""))

    def get_schema_operation_parameters(self, view: Any) -> Any:
        return [{"name": "starts", "in": "query", "schema": {"type": "string"}}]


def test_a_backend_of_its_own_names_its_parameters(as_reader, mount):
    mount(entries=variant(filter_backends=[*EntryViewSet.filter_backends, NameStartsWith]))
    assert names(as_reader, "starts=se") == ["second"]
    assert "starts" in as_reader("GET", f"{ENTRIES}?begins=se", status=400)["errors"][0]["detail"]


@pytest.mark.parametrize("named", [None, ["username"]])
def test_a_view_with_code_of_its_own_may_read_other_parameters(as_reader, mount, named):
    def get_queryset(view):
        return LogEntry.objects.filter(user__username=view.request.query_params.get("username", "reader"))

    mount(entries=variant(get_queryset=get_queryset, query_parameters=named))
    assert names(as_reader, "username=editor") == ["second"]
    # Nobody can list what the code reads, unless the view does.
    as_reader("GET", f"{ENTRIES}?user=editor", status=400 if named else 200)


@pytest.mark.parametrize("named", [None, ["letters"]])
def test_an_extra_action_may_read_other_parameters(as_reader, mount, named):
    class Actions(EntryViewSet):
        query_parameters = named

        @action(detail=False)
        def short(self, request: Any) -> Response:
            rows = self.filter_queryset(self.get_queryset()).annotate(letters=Length("object_repr"))
            found = rows.filter(letters__lte=int(request.query_params["letters"]))
            return Response([row.object_repr for row in found])

    mount(entries=Actions)
    assert as_reader("GET", f"{ENTRIES}short/?letters=5", status=200) == ["first", "third"]
    as_reader("GET", f"{ENTRIES}short/?letters=5&other=1", status=400 if named else 200)
    as_reader("GET", f"{ENTRIES}?other=1", status=400)


def test_without_its_backend_unknown_parameters_are_ignored(as_reader, mount):
    lenient = [backend for backend in EntryViewSet.filter_backends if backend is not StrictQueryParameters]
    assert len(lenient) == len(EntryViewSet.filter_backends) - 1
    mount(entries=variant(filter_backends=lenient))
    assert names(as_reader, "nonsense=1&action_flag=1") == ["first"]


def test_the_settings_name_the_default_backends(settings):
    # Taking out the first line switches strictness off.
    default = settings.REST_FRAMEWORK["DEFAULT_FILTER_BACKENDS"]
    names_of_classes = [f"{backend.__module__}.{backend.__name__}" for backend in EntryViewSet.filter_backends]
    assert names_of_classes == default
    assert default[0] == "apis.filters.StrictQueryParameters"


# django-filter's backend


class Plain(FilterSet):
    class Meta:
        model = LogEntry
        fields = ("action_flag",)


class OwnQueryset(Plain):
    @property
    def qs(self) -> Any:
        return super().qs.exclude(action_flag=DELETION)


class OwnFilterQueryset(Plain):
    def filter_queryset(self, queryset: Any) -> Any:
        return super().filter_queryset(queryset).exclude(action_flag=DELETION)


class Required(Plain):
    object_repr = django_filters.CharFilter(required=True)


class ByMethod(Plain):
    upper = django_filters.CharFilter(method="by_upper")

    def by_upper(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(object_repr=value.lower())


class WithDefault(Plain):
    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__({"action_flag": str(CHANGE), **(data.dict() if data else {})}, *args, **kwargs)


class AlwaysFilter(django_filters.NumberFilter):
    def filter(self, qs: Any, value: Any) -> Any:
        return qs.filter(action_flag=value or ADDITION)


class OwnFilter(FilterSet):
    flag = AlwaysFilter()


class OwnForm(Plain):
    def is_valid(self) -> bool:
        return "action_flag" in (self.data or {})


@pytest.mark.parametrize(
    "filterset", [None, Plain, OwnQueryset, OwnFilterQueryset, Required, ByMethod, WithDefault, OwnFilter, OwnForm]
)
def test_the_lazy_backend_finds_the_same_rows_as_django_filters_own(as_reader, mount, filterset):
    found = []
    for backend in (DjangoFilterBackend, LazyDjangoFilterBackend):
        mount(entries=variant(filter_backends=[StrictQueryParameters, backend], filterset_class=filterset))
        for query in ("", "action_flag=3", "object_repr=first", "upper=THIRD", "page_size=2"):
            body = Client().get(f"{ENTRIES}?{query}", headers=as_reader.headers).json()
            found.append((query, body.get("status"), body.get("results"), body.get("errors")))
    assert found[:5] == found[5:]


@pytest.mark.parametrize(("query", "count"), [("", 0), ("page_size=2&ordering=-pk&search=r", 0), ("action_flag=1", 1)])
def test_a_request_without_a_filter_makes_no_form(as_reader, mount, monkeypatch, query, count):
    made = []

    def get_form_class(filterset):
        made.append(1)
        return original(filterset)

    original = FilterSet.get_form_class
    monkeypatch.setattr(FilterSet, "get_form_class", get_form_class)
    mount(entries=EntryViewSet)
    as_reader("GET", f"{ENTRIES}?{query}", status=200)
    assert len(made) == count


def test_filterset_fields_make_a_filter_set(as_reader, mount):
    mount(entries=variant(filterset_class=None, filterset_fields=["action_flag"]))
    assert names(as_reader, "action_flag=2") == ["second"]
    as_reader("GET", f"{ENTRIES}?object_repr=first", status=400)


# Who sees which rows


class OwnRows(filters.BaseFilterBackend):
    """Users see their own rows alone."""

    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        return queryset.filter(user=request.user)


@pytest.mark.parametrize("backends", [[OwnRows], [*EntryViewSet.filter_backends, OwnRows]])
def test_a_filter_of_visibility_holds_for_lists_and_details(as_editor, mount, backends):
    mount(entries=variant(filter_backends=backends))
    assert names(as_editor) == ["second"]
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        as_editor(method, detail("first"), None if method in {"GET", "DELETE"} else {}, status=404)
    assert LogEntry.objects.count() == 3
    as_editor("GET", detail("second"), status=200)
    as_editor("DELETE", detail("second"), status=204)


def test_a_queryset_of_visibility_holds_for_lists_and_details(as_editor, mount, reader):
    mount(entries=variant(get_queryset=lambda view: LogEntry.objects.filter(user=view.request.user)))
    assert names(as_editor) == ["second"]
    assert names(api_of(reader)) == ["first", "third"]
    for method in ("GET", "PATCH", "DELETE"):
        as_editor(method, detail("first"), {} if method == "PATCH" else None, status=404)
    assert LogEntry.objects.count() == 3
