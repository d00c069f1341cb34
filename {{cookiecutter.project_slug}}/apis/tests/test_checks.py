"""The system checks: `manage.py check` names the class of a wrongly configured viewset, and the cure."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db.models import F
from django.db.models.functions import Length, Lower
from django_filters.rest_framework import FilterSet, NumberFilter, OrderingFilter
from rest_framework import filters, serializers, viewsets
from rest_framework.routers import SimpleRouter

from apis.checks import check_viewset, check_viewsets
from apis.v1 import urls
from apis.viewsets import ConditionalModelViewSet


class EntrySerializer(serializers.ModelSerializer[LogEntry]):
    class Meta:
        model = LogEntry
        fields = ("id", "object_repr")


class EntryFilter(FilterSet):
    class Meta:
        model = LogEntry
        fields = ("action_flag",)


class StaleFilter(FilterSet):
    nonsense__gt = NumberFilter("nonsense", "gt")
    by_method = NumberFilter(method="filter_nothing")
    order = OrderingFilter(fields=["object_repr"])

    class Meta:
        model = LogEntry
        fields = ("action_flag",)

    def filter_nothing(self, queryset: Any, name: str, value: Any) -> Any:
        return queryset


class Annotating(FilterSet):
    """Adds the annotation by which it filters."""

    words__gt = NumberFilter("words", "gt")

    def filter_queryset(self, queryset: Any) -> Any:
        return super().filter_queryset(queryset.annotate(words=Length("object_repr")))


class Counting(filters.BaseFilterBackend):
    def filter_queryset(self, request: Any, queryset: Any, view: Any) -> Any:
        return queryset.annotate(words=Length("object_repr"))


class EntryViewSet(ConditionalModelViewSet):
    queryset = LogEntry.objects.annotate(letters=Length("object_repr"))
    serializer_class: Any = EntrySerializer


def variant(**attributes: Any) -> type[EntryViewSet]:
    """Return a subclass of the viewset with other attributes."""
    return type("NoteViewSet", (EntryViewSet,), attributes)


def errors_of(**attributes: Any) -> list[Any]:
    return list(check_viewset(variant(**attributes)))


@pytest.mark.parametrize(
    ("attributes", "wrong", "number"),
    [
        ({"ordering": ("pk", "nonsense")}, "NoteViewSet.ordering has 'nonsense'", "E001"),
        ({"ordering": "-nonsense"}, "NoteViewSet.ordering has '-nonsense'", "E001"),
        ({"ordering_fields": ["user__nonsense"]}, "NoteViewSet.ordering_fields has 'user__nonsense'", "E001"),
        (
            {"ordering_fields": [("nonsense", "Label")]},
            "NoteViewSet.ordering_fields has ('nonsense', 'Label')",
            "E001",
        ),
        ({"filterset_class": StaleFilter}, "NoteViewSet.filterset_class has 'nonsense'", "E001"),
        ({"search_fields": ("object_repr", "^nonsense")}, "NoteViewSet.search_fields has '^nonsense'", "E001"),
        ({"search_fields": ["user"]}, "NoteViewSet.search_fields has 'user'", "E001"),
        ({"search_fields": ["user__nonsense"]}, "NoteViewSet.search_fields has 'user__nonsense'", "E001"),
        ({"filterset_fields": ["nonsense"]}, "NoteViewSet cannot be filtered: ", "E002"),
        ({"filterset_fields": {"nonsense": ["gt"]}}, "NoteViewSet cannot be filtered: ", "E002"),
        (
            {"filterset_class": EntryFilter, "queryset": Group.objects.all()},
            "NoteViewSet cannot be filtered: ",
            "E002",
        ),
        ({"serializer_class": None}, "NoteViewSet has no serializer_class.", "E003"),
    ],
)
def test_a_wrong_attribute_is_an_error_that_names_class_and_cure(attributes, wrong, number):
    (error,) = errors_of(**attributes)
    assert error.msg.startswith(wrong)
    assert error.hint
    assert error.id == f"apis.{number}"
    assert error.obj.__name__ == "NoteViewSet"


def test_every_wrong_name_is_an_error():
    assert len(errors_of(ordering_fields=["pk", "wrong", "worse"], search_fields=["worst"])) == 3


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"ordering": ("-action_time", "letters", "user__username")},
        {"ordering": "pk", "ordering_fields": "__all__"},
        {"ordering": "?"},
        {"ordering": ["-action_time__hour", "pk", "-user"]},
        {"ordering": Lower("object_repr")},
        {"ordering": (F("object_id").desc(nulls_last=True), Lower("object_repr"))},
        {"ordering_fields": ["user__username", "letters", ("action_time", "When")]},
        {"search_fields": ["object_repr", "^user__username", "=object_id", "@change_message", "$object_repr"]},
        {"search_fields": ["object_repr__startswith", "action_time__gte", "id__exact"]},
        {"filterset_class": EntryFilter},
        {"filterset_fields": {"action_time": ["gt", "lt"], "user__username": ["exact"]}},
        {"serializer_class": None, "get_serializer_class": lambda view: EntrySerializer},
        # Annotations of code of the project.
        {"filterset_class": Annotating},
        {"filter_backends": [Counting, filters.OrderingFilter], "ordering_fields": ["words"]},
        {"queryset": None, "get_queryset": lambda view: LogEntry.objects.all()},
        {
            "get_queryset": lambda view: LogEntry.objects.annotate(words=Length("object_repr")),
            "ordering": "words",
            "ordering_fields": ["words"],
            "search_fields": ["words"],
        },
    ],
)
def test_a_right_attribute_is_no_error(attributes):
    assert errors_of(**attributes) == []


def test_a_serializer_class_may_be_chosen_by_a_base_class():
    base = variant(serializer_class=None, get_serializer_class=lambda view: EntrySerializer)
    assert list(check_viewset(type("NoteViewSet", (base,), {}))) == []


@pytest.mark.parametrize("attributes", [{}, {"queryset": LogEntry.objects.all()}])
def test_a_view_set_that_is_not_generic_is_right(attributes):
    assert list(check_viewset(type("NoteViewSet", (viewsets.ViewSet,), attributes))) == []


@pytest.mark.parametrize("methods", [{"list": lambda view, request: None}, {"act": lambda view, request: None}])
def test_a_view_set_whose_actions_need_no_serializer_is_right(methods):
    attributes = {"queryset": LogEntry.objects.all(), **methods}
    assert list(check_viewset(type("NoteViewSet", (viewsets.GenericViewSet,), attributes))) == []


def test_the_view_sets_of_the_project_are_right():
    assert check_viewsets(None) == []


def test_manage_py_check_finds_the_view_sets_of_all_routers(monkeypatch):
    router = SimpleRouter()
    router.register("right", EntryViewSet)
    router.register("wrong", variant(ordering=["nonsense"]), basename="wrong")
    monkeypatch.setattr(urls, "router", router)
    with pytest.raises(SystemCheckError, match=r"NoteViewSet\.ordering has 'nonsense'(.|\n)*HINT: Name a field"):
        call_command("check", stdout=StringIO(), stderr=StringIO())
