"""The ordering of lists: by the query parameter, the view, the queryset and the model."""

from datetime import timedelta

import pytest
from django.db.models import Case, Count, F, Value, When
from django.db.models.functions import Lower
from django.urls import path
from guide.models import Customer, Order, Tag
from guide.support import (
    START,
    CustomerSerializer,
    OrderSerializer,
    TagSerializer,
    as_view,
    customer,
    follow,
    names,
    order,
    orders,
)
from rest_framework import filters, generics, serializers


class OrderList(generics.ListAPIView):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer


class CustomerList(generics.ListAPIView):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer


def times(client, url):
    return [row["placed_at"] for row in follow(client, url)]


def test_queryset_with_an_ordering(mount, api):
    mount(path("orders/", as_view(OrderList, queryset=Order.objects.all().order_by("placed_at"))))
    orders(45)
    found = times(api, "/api/v1/orders/")
    assert len(found) == 45
    assert found == sorted(found)


def test_queryset_with_a_descending_ordering(mount, api):
    mount(path("orders/", as_view(OrderList, queryset=Order.objects.order_by("-placed_at"))))
    orders(45)
    found = times(api, "/api/v1/orders/")
    assert len(found) == 45
    assert found == sorted(found, reverse=True)


def test_ordering_of_the_model(mount, api):
    mount(path("customers/", CustomerList.as_view()))
    for number in range(45):
        customer(f"Name {number * 7 % 45:02}")
    assert [row["name"] for row in follow(api, "/api/v1/customers/")] == [f"Name {n:02}" for n in range(45)]


@pytest.mark.filterwarnings("ignore::django.core.paginator.UnorderedObjectListWarning")
def test_queryset_and_model_without_any_ordering(mount, api):
    class Tags(generics.ListAPIView):
        queryset = Tag.objects.all()
        serializer_class = TagSerializer

    mount(path("tags/", Tags.as_view()))
    for number in range(45):
        Tag.objects.create(name=f"Tag {number}", slug=f"tag-{number}")
    assert len(follow(api, "/api/v1/tags/")) == 45


@pytest.mark.parametrize("ordering", ["placed_at", ["placed_at"], ("-total", "placed_at")])
def test_ordering_of_the_view(mount, api, ordering):
    mount(path("orders/", as_view(OrderList, ordering=ordering, ordering_fields=["total"])))
    orders(25)
    rows = follow(api, "/api/v1/orders/")
    by_total = ordering[0] == "-total"
    assert len(rows) == 25
    assert rows == sorted(rows, key=lambda row: (-float(row["total"]) if by_total else 0, row["placed_at"]))


def test_ordering_parameter_goes_before_the_ordering_of_the_view(mount, api):
    mount(path("orders/", as_view(OrderList, ordering=["-placed_at"], ordering_fields=["placed_at"])))
    orders(5)
    assert times(api, "/api/v1/orders/?ordering=placed_at") == times(api, "/api/v1/orders/")[::-1]


def test_ordering_fields_are_ascending_and_descending(mount, api):
    mount(path("orders/", as_view(OrderList, ordering_fields=["placed_at", "total"])))
    orders(45)
    up, down = times(api, "/api/v1/orders/?ordering=placed_at"), times(api, "/api/v1/orders/?ordering=-placed_at")
    assert up == sorted(up)
    assert down == up[::-1]


def test_ordering_by_several_fields(mount, api):
    mount(path("orders/", as_view(OrderList, ordering_fields=["placed_at", "total"])))
    orders(45)
    rows = follow(api, "/api/v1/orders/?ordering=-total,placed_at")
    assert len(rows) == 45
    assert rows == sorted(rows, key=lambda row: (-float(row["total"]), row["placed_at"]))


def test_ordering_by_a_field_with_equal_values(mount, api):
    mount(path("orders/", as_view(OrderList, ordering_fields=["status"])))
    orders(20, status="paid")
    orders(25, status="new")
    assert [row["status"] for row in follow(api, "/api/v1/orders/?ordering=-status")] == ["paid"] * 20 + ["new"] * 25


def test_ordering_by_a_field_of_a_relation(mount, api):
    mount(path("orders/", as_view(OrderList, ordering_fields=["customer__name", "placed_at"])))
    for number in range(45):
        order(customer(f"Name {number * 7 % 9}"), placed_at=START + timedelta(days=number))
    found = {row.pk: row.customer.name for row in Order.objects.select_related("customer")}
    for ordering in ("customer__name", "customer__name,-placed_at"):
        ordered = [found[row["id"]] for row in follow(api, f"/api/v1/orders/?ordering={ordering}")]
        assert len(ordered) == 45
        assert ordered == sorted(ordered)


@pytest.mark.parametrize("ordering", ["note", "-note"])
def test_ordering_by_a_field_with_null_values(mount, api, ordering):
    mount(path("orders/", as_view(OrderList, ordering_fields=["note"])))
    for number in range(50):
        order(note=f"Note {number:02}" if number % 2 else None)
    notes = [row["note"] for row in follow(api, f"/api/v1/orders/?ordering={ordering}")]
    filled = [note for note in notes if note is not None]
    assert len(notes) == 50
    assert filled == sorted(filled, reverse=ordering == "-note")
    assert filled in (notes[:25], notes[25:])


def test_ordering_by_an_annotation(mount, api):
    class Counted(serializers.ModelSerializer):
        count = serializers.IntegerField(read_only=True)

        class Meta:
            model = Customer
            fields = ["id", "name", "count"]

    class Customers(generics.ListAPIView):
        queryset = Customer.objects.annotate(count=Count("orders"))
        serializer_class = Counted
        ordering_fields = ["count", "name"]
        ordering = ["-count"]

    mount(path("customers/", Customers.as_view()))
    for number in range(25):
        row = customer(f"Name {number:02}")
        for _ in range(number % 4):
            order(row)
    for ordering, reverse in (("", True), ("?ordering=count", False), ("?ordering=-count,name", True)):
        counts = [row["count"] for row in follow(api, f"/api/v1/customers/{ordering}")]
        assert len(counts) == 25
        assert counts == sorted(counts, reverse=reverse)


def test_queryset_ordered_by_expressions(mount, api):
    class Customers(CustomerList):
        queryset = Customer.objects.order_by(Lower("name").desc())

    class Orders(OrderList):
        queryset = Order.objects.order_by(F("note").asc(nulls_last=True), "-placed_at")

    mount(path("customers/", Customers.as_view()), path("orders/", Orders.as_view()))
    for number in range(25):
        row = customer(f"{'aB'[number % 2]}{number:02}")
        order(row, note=None if number % 2 else f"Note {number // 4:02}")
    found = [row["name"].lower() for row in follow(api, "/api/v1/customers/")]
    assert found == sorted(found, reverse=True)
    assert len(found) == 25
    notes = [row["note"] for row in follow(api, "/api/v1/orders/")]
    assert notes == sorted(notes[:13]) + [None] * 12


def test_queryset_ordered_by_a_relation_has_the_ordering_of_its_model(mount, api):
    mount(path("orders/", as_view(OrderList, queryset=Order.objects.order_by("customer", "-placed_at"))))
    for number in range(45):
        order(customer(f"Name {number * 7 % 9}"), placed_at=START + timedelta(days=number))
    found = {row.pk: row.customer.name for row in Order.objects.select_related("customer")}
    rows = follow(api, "/api/v1/orders/")
    ordered = [found[row["id"]] for row in rows]
    assert len(rows) == 45
    assert ordered == sorted(ordered)


def test_queryset_ordered_by_conditions(mount, api):
    first = Case(When(status="sent", then=Value(0)), When(status="new", then=Value(1)), default=Value(2))
    mount(path("orders/", as_view(OrderList, queryset=Order.objects.order_by(first, "placed_at"))))
    for state in ("new", "paid", "sent"):
        orders(15, status=state)
    rows = follow(api, "/api/v1/orders/")
    assert [row["status"] for row in rows] == ["sent"] * 15 + ["new"] * 15 + ["paid"] * 15


def test_reversed_queryset(mount, api):
    mount(path("orders/", as_view(OrderList, queryset=Order.objects.reverse())))
    rows = orders(25)
    assert [row["id"] for row in follow(api, "/api/v1/orders/")] == [row.pk for row in rows]


def test_queryset_with_a_limit(mount, api):
    class Latest(OrderList):
        def get_queryset(self):
            return Order.objects.order_by("-placed_at")[:30]

    mount(path("orders/", Latest.as_view()))
    rows = orders(45)
    assert [row["id"] for row in follow(api, "/api/v1/orders/")] == [row.pk for row in rows[:14:-1]]


def test_union_of_querysets(mount, api):
    class Either(OrderList):
        def get_queryset(self):
            free, cheap = (Order.objects.filter(total=total).order_by() for total in (0, 1))
            return free.union(cheap).order_by("placed_at")

    mount(path("orders/", Either.as_view()))
    rows = orders(45)
    assert [row["id"] for row in follow(api, "/api/v1/orders/")] == [row.pk for row in rows if row.total < 2]


def test_ordering_by_all_fields_of_the_model(mount, api):
    mount(path("customers/", as_view(CustomerList, ordering_fields="__all__")))
    customer("Ada")
    customer("Bo")
    assert names(api.get("/api/v1/customers/?ordering=-email")) == ["Bo", "Ada"]
    assert names(api.get("/api/v1/customers/?ordering=-id")) == ["Bo", "Ada"]


def test_ordering_without_ordering_fields_is_by_fields_of_the_serializer(mount, api):
    mount(path("customers/", CustomerList.as_view()))
    customer("Ada")
    customer("Bo")
    assert names(api.get("/api/v1/customers/?ordering=-name")) == ["Bo", "Ada"]
    assert names(api.get("/api/v1/customers/?ordering=email")) == ["Ada", "Bo"]


def test_ordering_fields_with_labels(mount, api):
    mount(path("customers/", as_view(CustomerList, ordering_fields=[("name", "The name"), ("email", "The address")])))
    customer("Ada")
    customer("Bo")
    assert names(api.get("/api/v1/customers/?ordering=-name")) == ["Bo", "Ada"]


def test_ordering_filter_with_a_parameter_of_its_own(mount, api):
    class Sort(filters.OrderingFilter):
        ordering_param = "sort"

    mount(path("customers/", as_view(CustomerList, filter_backends=[Sort], ordering_fields=["name"])))
    for number in range(25):
        customer(f"Name {number:02}")
    found = [row["name"] for row in follow(api, "/api/v1/customers/?sort=-name")]
    assert found == sorted(found, reverse=True)
    assert len(found) == 25


def test_queryset_with_distinct_rows_of_a_relation(mount, api):
    class Customers(CustomerList):
        queryset = Customer.objects.filter(orders__total__gte=0).distinct().order_by("-name")

    mount(path("customers/", Customers.as_view()))
    for number in range(25):
        row = customer(f"Name {number:02}")
        order(row)
        order(row)
    found = [row["name"] for row in follow(api, "/api/v1/customers/")]
    assert found == [f"Name {number:02}" for number in reversed(range(25))]
