"""Which orderings have keys for cursors. Those without are paged by position."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection, models
from django.db.models import Count, Exists, F, Max, OrderBy, OuterRef, QuerySet, Window
from django.db.models.functions import Lower, Now, RowNumber
from django.test.utils import isolate_apps

from core.keyset import in_total_order, paginate
from core.ordering_keys import ordering_keys


def names(queryset):
    """Return the names of the keys, with a minus for descending ones; None without keys."""
    keys = ordering_keys(queryset)
    return keys and [f"-{key.name}" if key.descending else key.name for key in keys]


@isolate_apps("core")
def test_a_primary_key_of_several_fields_breaks_ties_as_a_whole():
    class Seat(models.Model):
        pk = models.CompositePrimaryKey("row", "number")
        row = models.IntegerField()
        number = models.IntegerField()

        class Meta:
            app_label = "core"

    assert names(QuerySet(Seat)) == ["row", "number"]
    assert names(QuerySet(Seat).order_by("-number")) == ["-number", "-row"]


@isolate_apps("core")
def test_the_name_of_a_foreign_key_is_a_key_if_its_model_has_no_ordering():
    class Author(models.Model):
        name = models.CharField(max_length=9)

        class Meta:
            app_label = "core"
            ordering = ("name",)

    class Publisher(models.Model):
        class Meta:
            app_label = "core"

    class Work(models.Model):
        author = models.ForeignKey(Author, models.CASCADE)
        publisher = models.ForeignKey(Publisher, models.CASCADE)

        class Meta:
            app_label = "core"

    works: QuerySet[Work] = QuerySet(Work)
    assert names(works.order_by("-publisher")) == ["-publisher_id", "-id"]
    assert names(works.order_by("-author")) is None
    assert names(works.order_by("author__name")) is None
    # These are the column of the foreign key.
    assert names(works.order_by("-author_id")) == ["-author_id", "-id"]
    assert names(works.order_by(F("author").desc())) == ["-author_id", "-id"]


@isolate_apps("core")
def test_an_inherited_column_is_a_key():
    class Place(models.Model):
        name = models.CharField(max_length=9)

        class Meta:
            app_label = "core"
            ordering = ("-name",)

    class Cafe(Place):
        class Meta:
            app_label = "core"

    assert names(QuerySet(Cafe)) == ["-name", "-place_ptr_id"]
    assert names(QuerySet(Cafe).order_by("pk")) == ["place_ptr_id"]


@isolate_apps("core")
@pytest.mark.parametrize("ordering", ["data", "cover", "blob", "text", "endless", F("title")[:1], Lower("title"), "?"])
def test_values_that_a_cursor_cannot_hold_are_no_keys(ordering):
    class Item(models.Model):
        title = models.CharField(max_length=9)
        data = models.JSONField()
        cover = models.FileField()
        blob = models.BinaryField()
        text = models.TextField()
        endless = models.CharField(max_length=5_000)

        class Meta:
            app_label = "core"

    assert names(QuerySet(Item).order_by("title")) == ["title", "id"]
    assert names(QuerySet(Item).order_by(ordering)) is None


class Flipped(models.IntegerField):
    """Stores the negative number, which sorts the other way."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return -value

    def get_prep_value(self, value: Any) -> Any:
        return -value


class Negated(OrderBy):
    def as_sql(self, compiler: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
        return super().as_sql(compiler, connection, "-%(expression)s %(ordering)s")


@isolate_apps("core")
def test_what_converts_values_is_no_key():
    class Flip(models.Model):
        number = Flipped(unique=True)
        other = models.IntegerField()

        class Meta:
            app_label = "core"

    class Note(models.Model):
        flip = models.ForeignKey(Flip, models.CASCADE, to_field="number")

        class Meta:
            app_label = "core"

    class Keyed(models.Model):
        number = Flipped(primary_key=True)

        class Meta:
            app_label = "core"

    assert names(QuerySet(Flip).order_by("other")) == ["other", "id"]
    assert names(QuerySet(Flip).order_by("number")) is None
    assert names(QuerySet(Flip).order_by(Negated(F("other")))) is None
    assert names(QuerySet(Note).order_by("flip")) is None
    assert names(QuerySet(Keyed)) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "queryset", [Group.objects.distinct("name"), Group.objects.order_by("-name").distinct("name")]
)
def test_distinct_names_are_paged(queryset):
    if connection.vendor != "postgresql":
        pytest.skip("DISTINCT ON is of PostgreSQL")
    Group.objects.bulk_create([Group(name=f"group {number}") for number in range(3)])
    first = paginate(queryset, size=2)
    second = paginate(queryset, size=2, cursor=first.next or "")
    assert sorted(group.name for group in first.rows + second.rows) == ["group 0", "group 1", "group 2"]


@isolate_apps("core")
def test_decimals_are_keys_where_they_are_exact():
    class Price(models.Model):
        amount = models.DecimalField(max_digits=10, decimal_places=2)

        class Meta:
            app_label = "core"

    exact = connection.vendor != "sqlite"
    assert names(QuerySet(Price).order_by("amount")) == (["amount", "id"] if exact else None)


@isolate_apps("core")
def test_times_of_the_database_are_keys_where_it_writes_them_as_python_does():
    class Event(models.Model):
        time = models.DateTimeField(db_default=Now())

        class Meta:
            app_label = "core"

    assert names(QuerySet(Event).order_by("time")) == (None if connection.vendor == "sqlite" else ["time", "id"])


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.distinct("user"),
        lambda rows: rows.annotate(number=Window(RowNumber())),
        # A row for each group of the user.
        lambda rows: rows.annotate(group=F("user__groups")),
        lambda rows: rows.annotate(group=Count("pk") + F("user__groups")),
        # An annotation with the name of a column.
        lambda rows: rows.values("id").annotate(user=Max("object_repr")),
    ],
)
def test_what_a_filter_would_change_is_paged_by_position(change):
    rows = LogEntry.objects.order_by("user")
    assert names(rows) == ["user_id", "id"]
    assert names(change(rows)) is None


def test_a_cursor_names_columns_directions_and_the_place_of_null_values():
    for last, place in ((False, "first"), (True, "last")):
        item = F("content_type").desc(nulls_first=not last or None, nulls_last=last or None)
        keys = ordering_keys(LogEntry.objects.order_by("user", item)) or ()
        assert list(map(str, keys)) == ["user_id", f"-content_type_id nulls {place}", "-id"]


def test_a_field_is_a_key_once():
    assert names(LogEntry.objects.order_by("-user", "user_id", "pk", "-id")) == ["-user_id", "id"]


def test_a_row_for_each_row_of_the_model_has_keys():
    same = LogEntry.objects.filter(pk=OuterRef("pk"))
    rows = LogEntry.objects.order_by("user").annotate(groups=Count("user__groups"), same=Exists(same))
    assert names(rows) == ["user_id", "id"]


def test_instances_are_sorted_by_the_primary_key_too():
    rows = LogEntry.objects.order_by("-user__username")
    assert str(in_total_order(rows).query).endswith('"django_admin_log"."id" DESC')
    # These have keys, and the primary key among them.
    assert str(in_total_order(LogEntry.objects.order_by("user", "id")).query).count('"id" ASC') == 1


def test_rows_that_the_primary_key_could_change_are_not_sorted_by_it():
    for rows in (LogEntry.objects.values("user").distinct(), LogEntry.objects.values("user").annotate(Count("pk"))):
        assert in_total_order(rows) is rows
