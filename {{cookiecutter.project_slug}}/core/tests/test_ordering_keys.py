"""Which orderings have keys for cursors. Those without are paged by position."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection, models
from django.db.models import F, QuerySet, Window
from django.db.models.functions import Lower, RowNumber
from django.test.utils import isolate_apps

from core.keyset import paginate
from core.ordering_keys import ordering_keys


def lookups(queryset):
    """Return the lookups of the keys, with a minus for descending ones; None without keys."""
    keys = ordering_keys(queryset)
    return keys and [f"-{key.lookup}" if key.descending else key.lookup for key in keys]


@isolate_apps("core")
def test_a_primary_key_of_several_fields_breaks_ties_as_a_whole():
    class Seat(models.Model):
        pk = models.CompositePrimaryKey("row", "number")
        row = models.IntegerField()
        number = models.IntegerField()

        class Meta:
            app_label = "core"

    assert lookups(QuerySet(Seat)) == ["row", "number"]
    assert lookups(QuerySet(Seat).order_by("-number")) == ["-number", "-row"]


@isolate_apps("core")
def test_django_does_not_reverse_an_expression_in_the_ordering_of_a_related_model():
    class Author(models.Model):
        name = models.CharField(max_length=9)
        born = models.DateField()

        class Meta:
            app_label = "core"
            ordering = (F("name").asc(nulls_last=True), F("born"), "id")

    class Work(models.Model):
        author = models.ForeignKey(Author, models.CASCADE)

        class Meta:
            app_label = "core"

    assert lookups(QuerySet(Work).order_by("-author")) == ["author__name", "-author__born", "-author__id", "-id"]
    # `F()` is the column of the foreign key.
    assert lookups(QuerySet(Work).order_by(F("author").desc())) == ["-author_id", "-id"]


@isolate_apps("core")
@pytest.mark.parametrize("ordering", ["data", "cover", "blob", F("title")[:1], Lower("title"), "?"])
def test_values_that_a_cursor_cannot_hold_are_no_keys(ordering):
    class Item(models.Model):
        title = models.CharField(max_length=9)
        data = models.JSONField()
        cover = models.FileField()
        blob = models.BinaryField()

        class Meta:
            app_label = "core"

    assert lookups(QuerySet(Item).order_by("title")) == ["title", "id"]
    assert lookups(QuerySet(Item).order_by(ordering)) is None


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
    assert lookups(QuerySet(Price).order_by("amount")) == (["amount", "id"] if exact else None)


def test_what_a_filter_would_change_is_paged_by_position():
    assert lookups(LogEntry.objects.order_by("user")) == ["user_id", "id"]
    assert lookups(LogEntry.objects.order_by("user").distinct("user")) is None
    assert lookups(LogEntry.objects.order_by("user").annotate(number=Window(RowNumber()))) is None
