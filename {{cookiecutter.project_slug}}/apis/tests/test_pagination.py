"""Pages of lists: the default keyset pages, DRF's other pagination classes, and rows that are no model instances."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.db.models import Count
from rest_framework import pagination, serializers, viewsets
from rest_framework.response import Response

from apis.pagination import KeysetPagination
from apis.serializers import columns_serializer
from apis.tests.conftest import API, add_entry
from apis.viewsets import ConditionalModelViewSet
from core.keyset import SIGNER
from core.ordering_keys import ordering_keys

pytestmark = pytest.mark.django_db

GROUPS = "/api/v1/groups/"
COUNT = 25


class GroupSerializer(serializers.ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class GroupViewSet(ConditionalModelViewSet):
    queryset = Group.objects.all()
    serializer_class: Any = GroupSerializer
    ordering = ("name",)
    ordering_fields = ("id", "name")


@pytest.fixture(autouse=True)
def _groups(no_users_or_groups: None, mount: Any) -> None:
    mount(groups=GroupViewSet)
    Group.objects.bulk_create(Group(name=f"group {number:02}") for number in range(COUNT))


@pytest.mark.parametrize("ordering", [("id",), ("-id",), ("name", "id"), ("-name",), ()])
def test_a_list_of_columns_has_the_keys_of_its_queryset(ordering):
    # With other keys, a filtered list would not use its index.
    columns: Any = columns_serializer(GroupSerializer)
    queryset = Group.objects.order_by(*ordering)
    assert ordering_keys(columns.values(queryset)) == ordering_keys(queryset)


def variant(**attributes: Any) -> type[GroupViewSet]:
    """Return a subclass of the viewset with other attributes."""
    return type("Variant", (GroupViewSet,), attributes)


def paginated(**attributes: Any) -> type[GroupViewSet]:
    """Return a subclass of the viewset whose pagination class has these attributes."""
    return variant(pagination_class=type("Pages", (KeysetPagination,), attributes))


def follow(api: API, url: str, link: str = "next") -> list[list[Any]]:
    """Return the rows of this page and all that its links lead to."""
    pages = []
    following: str | None = url
    while following:
        page = api("GET", following, status=200)
        pages.append(page["results"])
        following = page[link]
    return pages


def query_of(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


# Keyset pages


def test_the_links_lead_to_each_row_once_there_and_back(as_reader):
    pages = follow(as_reader, f"{GROUPS}?page_size=10")
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [row["name"] for page in pages for row in page] == [f"group {number:02}" for number in range(COUNT)]
    last = as_reader("GET", f"{GROUPS}?page_size=10", status=200)
    while last["next"]:
        last = as_reader("GET", last["next"], status=200)
    assert follow(as_reader, last["previous"], "previous") == [pages[1], pages[0]]


def test_a_link_keeps_the_other_parameters(as_reader):
    page = as_reader("GET", f"{GROUPS}?page_size=10&ordering=-name", status=200)
    assert page["previous"] is None
    query = query_of(page["next"])
    assert page["next"].startswith(f"http://testserver{GROUPS}?")
    assert (query["page_size"], query["ordering"]) == (["10"], ["-name"])
    assert as_reader("GET", page["next"], status=200)["results"][0]["name"] == "group 14"


def test_the_link_back_to_the_first_page_may_have_no_cursor(as_reader, mount):
    mount(groups=variant(ordering=("?",)))
    page = as_reader("GET", GROUPS, status=200)
    assert as_reader("GET", page["next"], status=200)["previous"] == f"http://testserver{GROUPS}"


@pytest.mark.parametrize(
    ("query", "count"), [("", 20), ("page_size=1", 1), ("page_size=25", 25), ("page_size=100", 25)]
)
def test_the_client_chooses_the_size_of_a_page_up_to_a_maximum(as_reader, query, count):
    assert len(as_reader("GET", f"{GROUPS}?{query}", status=200)["results"]) == count


@pytest.mark.parametrize("size", ["0", "-1", "101", "1" * 5000, "ten", "1.5", "", "+5", "%D9%A1", "1_0", "%00"])
def test_another_size_is_refused_by_name(as_reader, size):
    problem = as_reader("GET", f"{GROUPS}?page_size={size}", status=400)
    assert problem["errors"] == [
        {"field": "page_size", "code": "invalid", "detail": "Use a number from 1 to 100."},
    ]


@pytest.mark.parametrize(
    "cursor", ["broken", "a:b", "%00", "x" * 5000, SIGNER.sign_object(["-name,-id", False, "a", 1])]
)
def test_a_cursor_of_another_list_or_ordering_is_refused_by_name(as_reader, cursor):
    problem = as_reader("GET", f"{GROUPS}?cursor={cursor}", status=400)
    assert [error["field"] for error in problem["errors"]] == ["cursor"]


def test_a_cursor_belongs_to_its_ordering(as_reader):
    page = as_reader("GET", f"{GROUPS}?ordering=-name", status=200)
    as_reader("GET", page["next"], status=200)
    as_reader("GET", page["next"].replace("-name", "id"), status=400)
    # `?ordering=` leaves the default.
    as_reader("GET", page["next"].replace("-name", ""), status=400)


def test_a_subclass_may_have_other_sizes_and_names(as_reader, mount):
    mount(groups=paginated(page_size=3, max_page_size=5, page_size_query_param="limit", cursor_query_param="after"))
    page = as_reader("GET", GROUPS, status=200)
    assert len(page["results"]) == 3
    assert set(query_of(page["next"])) == {"after"}
    assert len(as_reader("GET", f"{GROUPS}?limit=5", status=200)["results"]) == 5
    for query in ("limit=6", "page_size=3", "cursor=x", "after=x"):
        as_reader("GET", f"{GROUPS}?{query}", status=400)


def test_the_client_may_not_choose_a_size_without_a_parameter_for_it(as_reader, mount):
    mount(groups=paginated(page_size=3, page_size_query_param=None))
    assert len(as_reader("GET", GROUPS, status=200)["results"]) == 3
    as_reader("GET", f"{GROUPS}?page_size=5", status=400)


def test_a_list_without_a_size_has_no_pages_unless_the_client_asks_for_them(as_reader, mount):
    mount(groups=paginated(page_size=None))
    assert len(as_reader("GET", GROUPS, status=200)) == COUNT
    assert len(as_reader("GET", f"{GROUPS}?page_size=5", status=200)["results"]) == 5


def test_a_subclass_may_have_another_form(as_reader, mount):
    class Wrapped(KeysetPagination):
        def get_paginated_response(self, data: Any) -> Response:
            return Response({"links": {"next": self.link(self.page.next)}, "data": data})

    mount(groups=variant(pagination_class=Wrapped))
    body = as_reader("GET", GROUPS, status=200)
    assert len(body["data"]) == 20
    assert len(as_reader("GET", body["links"]["next"], status=200)["data"]) == 5


def test_the_schema_describes_the_pages():
    view = paginated(max_page_size=7)()
    paginator: Any = view.paginator
    parameters = {each["name"]: each for each in paginator.get_schema_operation_parameters(view)}
    assert list(parameters) == ["cursor", "page_size"]
    assert parameters["page_size"]["schema"]["maximum"] == 7
    schema = paginator.get_paginated_response_schema({"type": "array"})
    assert set(schema["required"]) == set(schema["properties"]) == {"next", "previous", "results"}
    assert schema["properties"]["results"] == {"type": "array"}


# DRF's other pagination classes


@pytest.mark.parametrize(
    ("base", "attributes"),
    [
        (pagination.PageNumberPagination, {"page_size": 10, "page_size_query_param": "size"}),
        (pagination.LimitOffsetPagination, {"default_limit": 10}),
        (pagination.CursorPagination, {"page_size": 10, "ordering": "name"}),
    ],
)
def test_drfs_pagination_classes_work(as_reader, mount, base, attributes):
    mount(groups=variant(pagination_class=type("Pages", (base,), attributes)))
    pages = follow(as_reader, f"{GROUPS}?ordering=name")
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [row["name"] for page in pages for row in page] == [f"group {number:02}" for number in range(COUNT)]
    assert as_reader("GET", f"{GROUPS}?size_of_page=5", status=400)["errors"][0]["field"] == "size_of_page"


def test_no_pagination_is_a_plain_list(as_reader, mount):
    mount(groups=variant(pagination_class=None))
    assert len(as_reader("GET", GROUPS, status=200)) == COUNT
    as_reader("GET", f"{GROUPS}?page_size=5", status=400)


# Rows that are no model instances


class RowSerializer(serializers.Serializer[Any]):
    """A serializer that no model belongs to."""

    id = serializers.IntegerField()
    name = serializers.CharField()


def union(view: Any) -> Any:
    groups = Group.objects.order_by()
    return groups.filter(name__lt="group 10").union(groups.filter(name__gte="group 10")).order_by("name")


ROWS = {
    "list": lambda view: list(Group.objects.order_by("name")),
    "slice": lambda view: Group.objects.order_by("name")[:COUNT],
    "union": union,
    "values": lambda view: Group.objects.values("id", "name"),
    "values without the key": lambda view: Group.objects.annotate(number=Count("user")).values("name", "number"),
}


@pytest.mark.parametrize("serializer", [GroupSerializer, RowSerializer])
@pytest.mark.parametrize("kind", ROWS)
def test_rows_that_are_no_plain_queryset_have_pages(as_reader, mount, kind, serializer):
    class NameSerializer(serializers.Serializer[Any]):
        name = serializers.CharField()

    ordering = None if kind in {"list", "slice", "union"} else ("name",)
    shown = NameSerializer if kind == "values without the key" else serializer
    mount(groups=variant(queryset=None, get_queryset=ROWS[kind], ordering=ordering, serializer_class=shown))
    pages = follow(as_reader, f"{GROUPS}?page_size=10")
    assert [row["name"] for page in pages for row in page] == [f"group {number:02}" for number in range(COUNT)]


def test_groups_of_rows_have_pages(as_reader, mount, reader):
    class Flags(serializers.Serializer[Any]):
        action_flag = serializers.IntegerField()
        number = serializers.IntegerField()

    for flag in (ADDITION, CHANGE, CHANGE):
        add_entry(reader, action_flag=flag)
    groups = LogEntry.objects.values("action_flag").annotate(number=Count("pk")).order_by("action_flag")
    own = {"queryset": None, "get_queryset": lambda view: groups.all(), "ordering": None, "serializer_class": Flags}
    mount(groups=variant(**own))
    pages = follow(as_reader, f"{GROUPS}?page_size=1")
    assert [[row["number"] for row in page] for page in pages] == [[1], [2]]


def test_a_view_set_without_a_model_may_use_the_pages(as_reader, mount):
    class Numbers(viewsets.GenericViewSet[Any]):
        def list(self, request: Any) -> Response:
            return self.get_paginated_response(self.paginate_queryset([*range(45)]))

    mount(groups=Numbers)
    assert [len(page) for page in follow(as_reader, GROUPS)] == [20, 20, 5]
