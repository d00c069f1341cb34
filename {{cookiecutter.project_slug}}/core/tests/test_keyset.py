"""Keyset pagination: each row once, forwards and backwards, in every ordering that a queryset can have.

The rows are those of Django's own models, which every project has. What the database sorts is what is expected: null
values and capitals stand where SQLite and PostgreSQL put them.
"""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Avg, Case, Count, F, Index, IntegerField, QuerySet, Value, When
from django.db.models.functions import Length, Lower, TruncDate
from django.test.utils import CaptureQueriesContext

from core import keyset
from core.keyset import SIGNER, InvalidCursorError, paginate
from core.queryset_ordering import is_reversed, ordering_of
from core.tests.rows import create_user

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def entries() -> list[LogEntry]:
    """Eleven rows whose columns have ties, null values, capitals and accents in different combinations."""
    users = [create_user(name) for name in ("Zoe", "ada", "Émile")]
    kinds = [None, *ContentType.objects.order_by("-pk")[:2]]
    return LogEntry.objects.bulk_create(
        LogEntry(
            user=users[number % 3],
            content_type=kinds[number % 3 - number % 2],
            object_id=[None, "b", "", "B"][number % 4],
            object_repr=["same", "Same", "other"][number % 3],
            action_flag=1 + number % 2,
            action_time=MONDAY + timedelta(hours=9 * (number % 5)),
        )
        for number in range(11)
    )


def pages(queryset: Any, size: int = 3, *, filtered: bool = False) -> list[list[Any]]:
    """Return the rows of all pages, after checking that the way back has the same ones."""
    page = paginate(queryset, size=size, filtered=filtered)
    assert page.previous is None
    forwards = [page.rows]
    while page.next is not None:
        page = paginate(queryset, size=size, cursor=page.next, filtered=filtered)
        forwards.append(page.rows)
    backwards: list[list[Any]] = []
    while page.previous is not None:
        page = paginate(queryset, size=size, cursor=page.previous, filtered=filtered)
        backwards.insert(0, page.rows)
    assert page.rows == forwards[0]
    assert backwards == forwards[:-1]
    return forwards


def rows(queryset: Any, size: int = 3, *, filtered: bool = False) -> list[Any]:
    """Return the rows of all pages in one list."""
    found = pages(queryset, size, filtered=filtered)
    assert {len(page) for page in found[:-1]} <= {size}
    return [row for page in found for row in page]


# Orderings. Ties are ordered by the primary key, in the direction of the last part.

ORDERINGS: dict[str, tuple[tuple[Any, ...], str]] = {
    "primary key": (("pk",), "pk"),
    "primary key by its name, backwards": (("-id",), "-pk"),
    "ties": (("action_flag",), "pk"),
    "ties, backwards": (("-action_flag",), "-pk"),
    "several columns": (("action_flag", "object_repr", "action_time"), "pk"),
    "several columns, backwards": (("-action_flag", "-action_time"), "-pk"),
    "mixed directions": (("-action_flag", "object_repr"), "pk"),
    "mixed directions, the other way": (("action_flag", "-action_time"), "-pk"),
    "primary key first": (("pk", "-action_time"), "pk"),
    "primary key in the other direction": (("-action_flag", "pk"), "pk"),
    "nullable column": (("content_type_id",), "pk"),
    "nullable column, backwards": (("-content_type_id",), "-pk"),
    "nullable column first": (("content_type_id", "-user_id"), "-pk"),
    "nullable column last": (("-action_flag", "content_type_id"), "pk"),
    "nullable text": (("content_type_id", "-object_id"), "-pk"),
    "nulls first": ((F("content_type").asc(nulls_first=True),), "pk"),
    "nulls last": ((F("content_type").asc(nulls_last=True),), "pk"),
    "nulls first, backwards": ((F("content_type").desc(nulls_first=True),), "-pk"),
    "nulls last, backwards": ((F("content_type").desc(nulls_last=True), "action_flag"), "pk"),
    "nulls of a relation last": ((F("content_type__model").desc(nulls_last=True),), "-pk"),
    "column of a relation": (("user__username",), "pk"),
    "column of a relation, backwards": (("-user__username", "object_repr"), "pk"),
    "column of a nullable relation": (("content_type__model",), "pk"),
    "column of a nullable relation, backwards": (("-content_type__model",), "-pk"),
    "relation without an ordering": (("content_type",), "pk"),
    "relation by its key": (("content_type__pk", "user_id"), "pk"),
    "expression": ((Lower("object_repr"),), "pk"),
    "expression, backwards": ((Lower("object_repr").desc(), "action_time"), "pk"),
    "nullable expression": ((Lower("object_id").desc(),), "-pk"),
    "nullable expression, nulls first": ((Lower("object_id").asc(nulls_first=True),), "pk"),
    "F": ((F("action_time"), F("action_flag").desc()), "-pk"),
    "transform": (("-action_time__hour",), "-pk"),
    "date of a time": ((TruncDate("action_time"),), "pk"),
    "none": ((), "pk"),
}


@pytest.mark.parametrize("name", ORDERINGS)
def test_each_row_is_on_one_page_in_every_ordering(name):
    ordering, tie = ORDERINGS[name]
    # With two rows a page, each row is once the one from which a link leads on or back.
    assert rows(LogEntry.objects.order_by(*ordering), 2) == list(LogEntry.objects.order_by(*ordering, tie))


@pytest.mark.parametrize("descending", [False, True])
def test_an_annotation_orders(descending):
    rank = Case(When(object_repr="other", then=Value(1)), default=None, output_field=IntegerField())
    queryset = LogEntry.objects.annotate(rank=rank, letters=Length("object_id"))
    for name in ("rank", "letters"):
        ordering = f"-{name}" if descending else name
        expected = list(queryset.order_by(ordering, "-pk" if descending else "pk"))
        assert rows(queryset.order_by(ordering)) == expected


@pytest.mark.parametrize("ordering", ["average", "-average"])
def test_computed_numbers_order(ordering):
    """The average of a third has more digits in the database than in Python, or others."""
    permissions = list(Permission.objects.order_by("pk")[:7])
    for number in range(7):
        Group.objects.create(name=f"group {number}").permissions.set([*permissions[:2], permissions[number]])
    queryset = Group.objects.annotate(average=Avg("permissions__pk") / 3).order_by(ordering)
    assert rows(queryset, 2) == list(queryset.order_by(ordering, "-pk" if ordering.startswith("-") else "pk"))


def test_the_ordering_of_the_model_is_the_default():
    assert rows(LogEntry.objects.all()) == list(LogEntry.objects.order_by("-action_time", "-pk"))


@pytest.mark.parametrize("ordering", [("pk",), ("-action_flag", "object_repr"), ("object_id",)])
def test_a_reversed_queryset_has_the_rows_the_other_way(ordering):
    assert (
        rows(LogEntry.objects.order_by(*ordering, "pk").reverse())
        == rows(LogEntry.objects.order_by(*ordering, "pk"))[::-1]
    )
    expected = list(LogEntry.objects.order_by("-action_time", "-pk"))[::-1]
    assert rows(LogEntry.objects.reverse()) == expected
    assert rows(LogEntry.objects.reverse(), filtered=True) == expected


def test_an_ordering_of_the_model_may_follow_relations():
    queryset = Permission.objects.filter(content_type__app_label__in=["admin", "auth"])
    assert rows(queryset, 4) == list(queryset.order_by(*(Permission._meta.ordering or ()), "pk"))


@pytest.mark.parametrize("ordering", ["permission", "-permission"])
def test_a_relation_is_ordered_by_the_ordering_of_its_model(ordering):
    for permission in Random(1).sample(list(Permission.objects.order_by("pk")), 12):
        Group.objects.create(name=f"of {permission.pk}").permissions.add(permission)
    through = Group.permissions.through.objects
    parts = [f"permission__{part}" for part in Permission._meta.ordering or ()]
    if ordering.startswith("-"):
        parts = [f"-{part}" for part in parts]
    expected = list(through.order_by(*parts, "-pk" if ordering.startswith("-") else "pk"))
    assert rows(through.order_by(ordering), 2) == expected


@pytest.mark.parametrize("ordering", [("object_repr",), ("-object_id", "action_time"), ("user__username",), ()])
def test_an_ordering_of_dictionaries(ordering):
    names = ["id", "object_id", "object_repr", "action_time", "user__username"]
    queryset = LogEntry.objects.order_by(*ordering).values(*names)
    tie = "-pk" if ordering and ordering[-1].startswith("-") else "pk"
    expected = LogEntry.objects.order_by(*ordering, tie).values_list("pk", flat=True)
    assert [row["id"] for row in rows(queryset)] == list(expected)


# Rows that have no place in an ordering are paged by their position.


def test_groups_are_paged_by_position():
    groups = LogEntry.objects.values("action_time").annotate(count=Count("pk")).order_by("-action_time")
    assert rows(groups, 2) == list(groups)


@pytest.mark.parametrize(
    "kind",
    [
        lambda queryset: list(queryset.order_by("pk")),
        lambda queryset: queryset.order_by("pk")[:7],
        lambda queryset: queryset.union(queryset).order_by("pk"),
    ],
)
def test_lists_slices_and_unions_are_paged_by_position(kind):
    given = kind(LogEntry.objects.order_by())
    assert rows(given, 2) == list(given)


@pytest.mark.parametrize("names", [(), ("action_time",)])
def test_tuples_are_paged_by_position(names):
    queryset = LogEntry.objects.order_by("pk").values_list(*names)
    assert rows(queryset) == list(queryset)


def test_a_random_ordering_is_paged_by_position():
    page = paginate(LogEntry.objects.order_by("?"), size=4)
    sizes = [len(page.rows)]
    while page.next is not None:
        page = paginate(LogEntry.objects.order_by("?"), size=4, cursor=page.next)
        sizes.append(len(page.rows))
    assert sizes == [4, 4, 3]


# Writes between the requests of two pages


def test_rows_written_between_two_pages_neither_repeat_nor_hide_others(entries):
    queryset = LogEntry.objects.order_by("pk")
    first = paginate(queryset, size=3)
    LogEntry.objects.create(pk=entries[0].pk - 1, user=create_user("new"), object_repr="in front", action_flag=1)
    queryset.filter(pk__in=[entries[2].pk, entries[3].pk]).delete()
    second = paginate(queryset, size=3, cursor=first.next or "")
    assert second.rows == entries[4:7]
    assert [row.object_repr for row in paginate(queryset, size=3, cursor=second.previous or "").rows] == [
        "in front",
        *[entry.object_repr for entry in entries[:2]],
    ]


def test_a_page_whose_rows_were_all_deleted_leads_back():
    queryset = LogEntry.objects.order_by("pk")
    first = paginate(queryset, size=3)
    queryset.exclude(pk__in=[row.pk for row in first.rows]).delete()
    empty = paginate(queryset, size=3, cursor=first.next or "")
    assert (empty.rows, empty.next) == ([], None)
    assert paginate(queryset, size=3, cursor=empty.previous or "").rows == first.rows


def test_a_page_before_rows_that_were_all_deleted_leads_to_the_first():
    queryset = LogEntry.objects.order_by("pk")
    first = paginate(queryset, size=3)
    second = paginate(queryset, size=3, cursor=first.next or "")
    queryset.filter(pk__in=[row.pk for row in first.rows]).delete()
    empty = paginate(queryset, size=3, cursor=second.previous or "")
    assert (empty.rows, empty.next, empty.previous) == ([], "", None)


def test_no_rows_are_one_empty_page():
    assert pages(LogEntry.objects.none()) == [[]]


# Filtered lists look among the next rows of an index first


@pytest.mark.parametrize("candidates", [1, 4, 1000])
@pytest.mark.parametrize("ordering", [("pk",), ("-pk",), ("object_repr",), ("-object_repr", "-pk")])
def test_filtered_lists_show_each_row_once(monkeypatch, candidates, ordering):
    monkeypatch.setattr(keyset, "MAX_CANDIDATES", candidates)
    monkeypatch.setattr(LogEntry._meta, "indexes", [Index(fields=["object_repr", "id"], name="of_this_test")])
    tie = "-pk" if ordering[-1].startswith("-") else "pk"
    for condition in ({"action_flag": 1}, {"object_id": "b"}, {"object_repr": "other"}, {"object_repr": "none"}):
        expected = list(LogEntry.objects.filter(**condition).order_by(*ordering, tie))
        assert rows(LogEntry.objects.filter(**condition).order_by(*ordering), 2, filtered=True) == expected


@pytest.mark.parametrize(("filtered", "ordering", "count"), [(True, "pk", 2), (False, "pk", 1), (True, "user", 1)])
def test_candidates_are_looked_for_only_where_an_index_has_them(monkeypatch, filtered, ordering, count):
    monkeypatch.setattr(keyset, "MAX_CANDIDATES", 6)
    with CaptureQueriesContext(connection) as queries:
        paginate(LogEntry.objects.filter(action_flag=1).order_by(ordering), size=2, filtered=filtered)
    assert len(queries) == count


def test_a_page_of_own_columns_is_one_comparison_of_rows():
    queryset = LogEntry.objects.order_by("object_repr", "action_time")
    cursor = paginate(queryset, size=3).next or ""
    with CaptureQueriesContext(connection) as queries:
        paginate(queryset, size=3, cursor=cursor)
    assert len(queries) == 1
    where = queries[0]["sql"].partition("WHERE")[2]
    assert ") > (" in where
    assert " OR " not in where
    assert "OFFSET" not in where


# Cursors

KEYED = LogEntry.objects.order_by("action_time")


def cursor_of(queryset: QuerySet[Any]) -> str:
    return paginate(queryset, size=2).next or ""


def values_of(cursor: str) -> list[Any]:
    signature, backwards, *values = SIGNER.unsign_object(cursor)
    return [signature, backwards, *values]


@pytest.mark.parametrize(
    "change",
    [
        lambda cursor: "broken",
        lambda cursor: cursor[:-1],
        lambda cursor: cursor + "x",
        lambda cursor: "A" + cursor[1:],
        lambda cursor: cursor.partition(":")[0],
        lambda cursor: cursor.partition(":")[0] + ":" + "A" * 43,
        lambda cursor: "ü\0",
        lambda cursor: "x" * 10_000,
    ],
)
def test_a_cursor_that_was_tampered_with_is_refused(change):
    with pytest.raises(InvalidCursorError):
        paginate(KEYED, size=2, cursor=change(cursor_of(KEYED)))


def test_a_cursor_with_another_purpose_or_key_is_refused():
    values = values_of(cursor_of(KEYED))
    for signer in (type(SIGNER)(salt="core"), type(SIGNER)(key="another", salt=SIGNER.salt)):
        with pytest.raises(InvalidCursorError):
            paginate(KEYED, size=2, cursor=signer.sign_object(values))


@pytest.mark.parametrize(
    "other",
    [
        LogEntry.objects.order_by("-action_time"),
        LogEntry.objects.order_by("action_time", "user"),
        LogEntry.objects.order_by(F("action_time").asc(nulls_last=True)),
        LogEntry.objects.order_by("?"),
        LogEntry.objects.order_by(Lower("object_repr")),
        LogEntry.objects.order_by("action_time").values("action_time").annotate(count=Count("pk")),
        Group.objects.order_by("name"),
        KEYED.union(KEYED).order_by("action_time"),
        KEYED[:7],
    ],
    ids=["direction", "columns", "nulls", "random", "expression", "groups", "model", "union", "slice"],
)
def test_a_cursor_belongs_to_its_ordering(other):
    with pytest.raises(InvalidCursorError):
        paginate(other, size=2, cursor=cursor_of(KEYED))


@pytest.mark.parametrize("values", [["no time", 1], [["datetime", "no time"], 1], ["x", "y"], [1], [1, 2, 3]])
def test_a_cursor_whose_columns_have_changed_their_types_is_refused(values):
    signature = values_of(cursor_of(KEYED))[0]
    with pytest.raises(InvalidCursorError):
        paginate(KEYED, size=2, cursor=SIGNER.sign_object([signature, False, *values]))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        "ü",
        1.5,
        MONDAY,
        datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001  # without USE_TZ
        date(2026, 1, 2),
        time(1, 2, 3, 4),
        timedelta(days=-3, microseconds=5),
        Decimal("1.50"),
        UUID(int=7),
    ],
)
def test_a_cursor_keeps_the_values_of_every_type_of_column(value):
    cursor = keyset.KeysetCursor("name", backwards=True, values=[value])
    decoded = keyset.KeysetCursor.decode(cursor.encode())
    assert decoded == cursor
    assert type(decoded.values[0]) is type(value)


# The workaround in core/queryset_ordering.py


def test_the_ordering_of_a_queryset_still_has_to_be_read_from_its_query():
    # When this fails, Django may offer what core/queryset_ordering.py works around: replace the module then.
    public = {name for name in dir(QuerySet) if "order" in name and not name.startswith("_")}
    # Django 6.1 has `totally_ordered`, which tells whether the ordering is total, but not what it is.
    assert public - {"totally_ordered"} == {"order_by", "ordered"}


def test_the_ordering_is_what_order_by_was_given_or_that_of_the_model():
    expression = Lower("object_repr").desc()
    assert ordering_of(LogEntry.objects.order_by("-pk", expression)) == ("-pk", expression)
    assert ordering_of(LogEntry.objects.all()) == ("-action_time",)
    assert ordering_of(LogEntry.objects.order_by()) == ()
    assert not is_reversed(LogEntry.objects.all())
    assert is_reversed(LogEntry.objects.reverse())
    assert ordering_of(Group.objects.all()) == ()
