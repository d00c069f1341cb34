"""A row of a list has the same JSON as on its own, whichever way the list takes.

Lists of plain columns make no model instances. Every other list must fall back to DRF's own way automatically.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import F
from django.db.models.functions import Upper
from django.db.models.signals import post_init
from rest_framework import pagination, serializers
from rest_framework.response import Response

from accounts.models import User
from apis.pagination import KeysetPagination
from apis.serializers import columns_serializer
from apis.tests.conftest import add_entry
from apis.viewsets import ConditionalModelViewSet

pytestmark = pytest.mark.django_db

ENTRIES = "/api/v1/entries/"
COLUMNS = (
    *("id", "action_time", "user", "content_type"),
    *("object_id", "object_repr", "action_flag", "change_message"),
)


class EntrySerializer(serializers.ModelSerializer[LogEntry]):
    class Meta:
        model = LogEntry
        fields: Any = COLUMNS


class EntryViewSet(ConditionalModelViewSet):
    queryset = LogEntry.objects.order_by("action_time")
    serializer_class: Any = EntrySerializer


def with_fields(**fields: Any) -> type[EntrySerializer]:
    """Return a serializer of the columns and these fields, which may replace some of them."""
    meta = type("Meta", (EntrySerializer.Meta,), {"fields": tuple(dict.fromkeys((*COLUMNS, *fields)))})
    return type("Fields", (EntrySerializer,), {**fields, "Meta": meta})


def variant(**attributes: Any) -> type[EntryViewSet]:
    """Return a subclass of the viewset with other attributes."""
    return type("Variant", (EntryViewSet,), attributes)


@pytest.fixture(autouse=True)
def entries(no_users_or_groups: None, reader: User) -> list[LogEntry]:
    """Three rows: with all values, with null values, and with characters that URLs and JSON escape."""
    content_type = ContentType.objects.get_for_model(Group)
    time = datetime(2026, 3, 29, 0, 59, 59, 123456, tzinfo=UTC)
    return [
        add_entry(reader, content_type=content_type, object_id="1", change_message="12", action_time=time),
        add_entry(reader, action_flag=ADDITION, object_repr="1"),
        add_entry(reader, object_repr='ä "ß" & <i>', object_id="ü?#", change_message='{"a": [1]}'),
    ]


@contextmanager
def instances(model: type[Any] = LogEntry) -> Iterator[SimpleNamespace]:
    """Count the instances of a model that are made meanwhile."""
    made = SimpleNamespace(count=0)

    def count(**kwargs: Any) -> None:
        made.count += 1

    post_init.connect(count, sender=model)
    try:
        yield made
    finally:
        post_init.disconnect(count, sender=model)


def rows_of(api: Any, url: str) -> Any:
    """Return the rows of a list, whatever its pagination."""
    body = api("GET", url, status=200)
    return body if isinstance(body, list) else body["results"]


def assert_equal_to_details(api: Any, *, fast: bool, count: int = 3) -> None:
    """Check that the list has the rows that the details have, and which way it took."""
    with instances() as made:
        rows = rows_of(api, ENTRIES)
    assert len(rows) == count
    assert rows == [api("GET", f"{ENTRIES}{row['id']}/", status=200) for row in rows]
    assert list(rows[0]) == list(api("GET", f"{ENTRIES}{rows[0]['id']}/", status=200))
    assert (made.count == 0) == fast


# Lists that need nothing but the values of columns

PLAIN_FIELDS = {
    "no others": {},
    "BigIntegerField": {"action_flag": serializers.BigIntegerField()},
    "BooleanField": {"action_flag": serializers.BooleanField()},
    "CharField": {"action_flag": serializers.CharField()},
    "CharField of a null value": {"object_id": serializers.CharField()},
    "ChoiceField": {"action_flag": serializers.ChoiceField([(ADDITION, "Added"), (CHANGE, "Changed")])},
    "DateTimeField with a format": {"action_time": serializers.DateTimeField(format="%d.%m.%Y %H:%M")},
    "DateTimeField in a time zone": {"action_time": serializers.DateTimeField(default_timezone=UTC)},
    "DecimalField": {"action_flag": serializers.DecimalField(max_digits=8, decimal_places=2)},
    "DecimalField as a number": {
        "action_flag": serializers.DecimalField(max_digits=8, decimal_places=2, coerce_to_string=False)
    },
    "EmailField": {"object_repr": serializers.EmailField()},
    "FloatField": {"action_flag": serializers.FloatField()},
    "IPAddressField": {"object_repr": serializers.IPAddressField()},
    "JSONField": {"change_message": serializers.JSONField()},
    "SlugField": {"object_repr": serializers.SlugField()},
    "URLField": {"object_repr": serializers.URLField()},
    "UUIDField": {"object_repr": serializers.UUIDField()},
    "another source": {"label": serializers.CharField(source="object_repr"), "id": serializers.IntegerField()},
    "the same column twice": {"flag": serializers.IntegerField(source="action_flag")},
    "the column of a relation": {"user_id": serializers.IntegerField()},
    "PrimaryKeyRelatedField": {
        "owner": serializers.PrimaryKeyRelatedField(source="user", read_only=True),
        "kind": serializers.PrimaryKeyRelatedField(source="content_type", read_only=True),
    },
    "HyperlinkedIdentityField": {"url": serializers.HyperlinkedIdentityField(view_name="entries-detail")},
    "write_only": {"change_message": serializers.CharField(write_only=True)},
}


@pytest.mark.parametrize("fields", PLAIN_FIELDS.values(), ids=PLAIN_FIELDS)
def test_a_list_of_columns_equals_the_details_without_instances(as_reader, mount, settings, fields):
    settings.TIME_ZONE = "Asia/Kolkata"
    mount(entries=variant(serializer_class=with_fields(**fields)))
    assert_equal_to_details(as_reader, fast=True)


@pytest.mark.parametrize("text_format", [None, "%d.%m.%Y"])
def test_the_setting_for_the_format_of_times_applies_to_lists_too(as_reader, mount, settings, text_format):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DATETIME_FORMAT": text_format}
    mount(entries=variant())
    assert_equal_to_details(as_reader, fast=True)


def test_a_list_may_link_to_rows_by_another_column(as_reader, mount):
    url = serializers.HyperlinkedIdentityField(view_name="entries-detail", lookup_field="object_repr")
    mount(entries=variant(serializer_class=with_fields(url=url), lookup_field="object_repr"))
    with instances() as made:
        rows = rows_of(as_reader, ENTRIES)
    assert made.count == 0
    assert rows == [as_reader("GET", row["url"], status=200) for row in rows]


@pytest.mark.parametrize(
    "queryset",
    [
        LogEntry.objects.order_by("-user__username", "object_id"),
        LogEntry.objects.order_by(Upper("object_repr").desc()),
        LogEntry.objects.order_by(F("content_type").asc(nulls_last=True)),
        LogEntry.objects.order_by(),
        LogEntry.objects.select_related("user"),
        LogEntry.objects.prefetch_related("user__groups"),
        LogEntry.objects.defer("change_message"),
        LogEntry.objects.only("id"),
        LogEntry.objects.distinct(),
    ],
    ids=["relation", "expression", "nulls", "none", "select", "prefetch", "defer", "only", "distinct"],
)
def test_any_queryset_of_instances_may_be_listed_by_its_columns(as_reader, mount, queryset):
    mount(entries=variant(queryset=queryset))
    with instances() as made:
        rows = rows_of(as_reader, ENTRIES)
    assert made.count == 0
    assert sorted(row["id"] for row in rows) == sorted(LogEntry.objects.values_list("pk", flat=True))
    assert rows == [as_reader("GET", f"{ENTRIES}{row['id']}/", status=200) for row in rows]


def test_each_page_of_a_list_of_columns_has_the_next_rows(as_reader, mount, entries):
    mount(entries=EntryViewSet)
    first = as_reader("GET", f"{ENTRIES}?page_size=2", status=200)
    second = as_reader("GET", first["next"], status=200)
    ordered = sorted(entries, key=lambda entry: (entry.action_time, entry.pk))
    assert [row["id"] for row in first["results"] + second["results"]] == [entry.pk for entry in ordered]


def test_the_rows_of_a_list_cost_one_query(as_reader, mount, django_assert_num_queries):
    mount(entries=EntryViewSet)
    # The other query finds the token and its user.
    for size in (1, 3):
        with django_assert_num_queries(2):
            as_reader("GET", f"{ENTRIES}?page_size={size}", status=200)


# Lists that need more


class LoudField(serializers.CharField):
    def to_representation(self, value: Any) -> str:
        return str(super().to_representation(value)).upper()


class OtherAttributeField(serializers.CharField):
    def get_attribute(self, instance: Any) -> Any:
        return instance.user.username


class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("id", "username")


class Computed(EntrySerializer):
    letters = serializers.SerializerMethodField()

    class Meta(EntrySerializer.Meta):
        fields = (*COLUMNS, "letters")

    def get_letters(self, entry: LogEntry) -> int:
        return len(entry.object_repr)


class OtherRepresentation(EntrySerializer):
    def to_representation(self, instance: Any) -> Any:
        return {**super().to_representation(instance), "message": str(instance)}


class DynamicFields(EntrySerializer):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["message"] = serializers.CharField(source="get_change_message")


def overriding(method: str) -> type[EntrySerializer]:
    """Return a serializer that overrides this method, to hide fields from some users, for example."""

    def call(self: EntrySerializer, *args: Any) -> Any:
        return getattr(super(EntrySerializer, self), method)(*args)

    return type("Overriding", (EntrySerializer,), {method: call})


class Reversed(serializers.ListSerializer[Any]):
    def to_representation(self, data: Any) -> Any:
        return super().to_representation(data)[::-1]


class OwnList(EntrySerializer):
    class Meta(EntrySerializer.Meta):
        list_serializer_class = Reversed


INSTANCE_SERIALIZERS = {
    "SerializerMethodField": Computed,
    "nested": with_fields(user=UserSerializer()),
    "dotted source": with_fields(name=serializers.CharField(source="user.username")),
    "method as source": with_fields(message=serializers.CharField(source="get_change_message")),
    "instance as source": with_fields(text=serializers.CharField(source="*")),
    "ReadOnlyField": with_fields(object_repr=serializers.ReadOnlyField()),
    "StringRelatedField": with_fields(user=serializers.StringRelatedField()),
    "SlugRelatedField": with_fields(user=serializers.SlugRelatedField("username", read_only=True)),
    "HyperlinkedRelatedField": with_fields(
        user=serializers.HyperlinkedRelatedField(view_name="entries-detail", read_only=True)
    ),
    "pk_field": with_fields(user=serializers.PrimaryKeyRelatedField(pk_field=serializers.CharField(), read_only=True)),
    "to_representation of a field": with_fields(object_repr=LoudField()),
    "get_attribute of a field": with_fields(object_repr=OtherAttributeField()),
    "to_representation": OtherRepresentation,
    "__init__": DynamicFields,
    **{name: overriding(name) for name in ("get_fields", "get_field_names", "get_extra_kwargs", "build_field")},
}


@pytest.mark.parametrize("serializer", INSTANCE_SERIALIZERS.values(), ids=INSTANCE_SERIALIZERS)
def test_a_serializer_with_code_of_its_own_is_called_for_each_row(as_reader, mount, serializer):
    mount(entries=variant(serializer_class=serializer))
    assert_equal_to_details(as_reader, fast=False)


def test_distinct_merges_no_rows_whose_columns_are_equal(as_reader, mount):
    meta = type("Meta", (), {"model": LogEntry, "fields": ("action_flag",)})
    queryset = LogEntry.objects.distinct().order_by(F("action_flag") * 1)
    mount(entries=variant(serializer_class=type("Flags", (EntrySerializer,), {"Meta": meta}), queryset=queryset))
    assert len(rows_of(as_reader, ENTRIES)) == 3


def test_a_list_serializer_of_its_own_is_used(as_reader, mount, entries):
    mount(entries=variant(serializer_class=OwnList, queryset=LogEntry.objects.order_by("pk")))
    assert [row["id"] for row in rows_of(as_reader, ENTRIES)] == [entry.pk for entry in reversed(entries)]


def test_many_to_many_relations_are_listed(as_reader, mount, reader):
    class MemberSerializer(serializers.ModelSerializer[User]):
        class Meta:
            model = User
            fields = ("id", "groups")

    mount(users=variant(queryset=User.objects.order_by("pk"), serializer_class=MemberSerializer))
    group = Group.objects.create(name="staff")
    reader.groups.add(group)
    assert rows_of(as_reader, "/api/v1/users/") == [{"id": reader.pk, "groups": [group.pk]}]


@pytest.mark.parametrize("method", ["from_db", "__init__", "object_repr"])
def test_a_model_that_changes_its_rows_as_they_are_read_is_listed_as_changed(as_reader, mount, monkeypatch, method):
    original = getattr(LogEntry, method)

    def from_db(cls, *args, **kwargs):
        entry = original(*args, **kwargs)
        entry.object_repr += "!"
        return entry

    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.object_repr += "!"

    shown = property(lambda self: f"{vars(self)['repr']}!", lambda self, value: vars(self).update(repr=value))
    changed = {"from_db": classmethod(from_db), "__init__": init, "object_repr": shown}
    monkeypatch.setattr(LogEntry, method, changed[method])
    mount(entries=variant(serializer_class=with_fields()))
    assert_equal_to_details(as_reader, fast=False)
    assert all(row["object_repr"].endswith("!") for row in rows_of(as_reader, ENTRIES))


@pytest.mark.parametrize("fields", [{}, {"loud": serializers.CharField()}])
def test_a_queryset_with_annotations_lists_instances(as_reader, mount, fields):
    queryset = LogEntry.objects.annotate(loud=Upper("object_repr"))
    mount(entries=variant(queryset=queryset, serializer_class=with_fields(**fields)))
    assert_equal_to_details(as_reader, fast=False)


def test_the_rows_of_another_model_than_that_of_the_serializer_are_instances():
    columns: Any = columns_serializer(EntrySerializer)
    assert columns.fits(LogEntry.objects.all())
    assert not columns.fits(Group.objects.all())


class Numbered(KeysetPagination):
    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        rows = super().paginate_queryset(queryset, request, view)
        return rows and [row for row in rows if row.pk]


def paginate_queryset(view: Any, queryset: Any) -> list[LogEntry]:
    return [entry for entry in super(EntryViewSet, view).paginate_queryset(queryset) or () if entry.pk]


PARTS_OF_VIEWS: dict[str, Any] = {
    "get_serializer": lambda view, *args, **kwargs: Computed(*args, **kwargs, context=view.get_serializer_context()),
    "get_serializer_context": lambda view: {"request": view.request, "view": view, "more": 1},
    "paginate_queryset": paginate_queryset,
    "get_paginated_response": lambda view, rows: Response(rows),
    "pagination_class": None,
}


@pytest.mark.parametrize("name", PARTS_OF_VIEWS)
def test_a_view_with_code_of_its_own_lists_instances(as_reader, mount, name):
    mount(entries=variant(**{name: PARTS_OF_VIEWS[name]}))
    assert_equal_to_details(as_reader, fast=False)


@pytest.mark.parametrize("paginator", [pagination.LimitOffsetPagination, pagination.PageNumberPagination, Numbered])
def test_another_pagination_lists_instances(as_reader, mount, paginator):
    mount(entries=variant(pagination_class=type("Page", (paginator,), {"default_limit": 10})))
    assert_equal_to_details(as_reader, fast=False)


def test_each_action_may_have_a_serializer_of_its_own(as_reader, mount):
    def get_serializer_class(view):
        return EntrySerializer if view.action == "list" else Computed

    mount(entries=variant(get_serializer_class=get_serializer_class))
    with instances() as made:
        row = rows_of(as_reader, ENTRIES)[0]
    assert made.count == 0
    assert "letters" not in row
    assert "letters" in as_reader("GET", f"{ENTRIES}{row['id']}/", status=200)


def test_permissions_are_listed_in_the_ordering_of_their_model(as_reader, mount):
    class PermissionSerializer(serializers.ModelSerializer[Permission]):
        class Meta:
            model = Permission
            fields = ("id", "codename")

    queryset = Permission.objects.select_related("content_type")
    mount(permissions=variant(queryset=queryset, serializer_class=PermissionSerializer))
    with instances(Permission) as made:
        rows = rows_of(as_reader, "/api/v1/permissions/")
    assert made.count == 0
    assert [row["id"] for row in rows] == list(Permission.objects.values_list("pk", flat=True)[:20])
