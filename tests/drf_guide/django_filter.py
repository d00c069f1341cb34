"""django-filter's integration with DRF."""

from datetime import timedelta

import pytest
from django.db import models
from django.urls import path
from django_filters import rest_framework as filters
from guide.models import Article, Customer, Order, Tag
from guide.support import (
    START,
    ArticleSerializer,
    OrderSerializer,
    as_view,
    client_of,
    customer,
    follow,
    names,
    order,
    orders,
    refused,
)
from rest_framework import generics, viewsets

URL = "/api/v1/orders/"


class OrderList(generics.ListAPIView):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer


def served(mount, **declared):
    """Serve a list with a filter set of these filters."""
    meta = type("Meta", (), {"model": Order, "fields": declared.pop("fields", [])})
    filterset = type("OrderFilter", (filters.FilterSet,), {**declared, "Meta": meta})
    mount(path("orders/", as_view(OrderList, filterset_class=filterset)))


def totals(client, query):
    return sorted({int(float(row["total"])) for row in client.get(f"{URL}?{query}").json()["results"]})


def test_filterset_fields_as_a_list(mount, api):
    mount(path("orders/", as_view(OrderList, filterset_fields=["status", "gift", "customer"])))
    found = order(status="paid", gift=True)
    order(status="paid", gift=False)
    order(customer("Bo"), status="paid", gift=True)
    assert len(names(api.get(f"{URL}?status=paid"), "id")) == 3
    query = f"status=paid&gift=true&customer={found.customer_id}"
    assert names(api.get(f"{URL}?{query}"), "id") == [found.pk]


def test_filterset_fields_as_a_tuple_with_a_backend_of_the_view(mount, api):
    class Orders(OrderList):
        filter_backends = (filters.DjangoFilterBackend,)
        filterset_fields = ("status", "customer__name")

    mount(path("orders/", Orders.as_view()))
    found = order(customer("Ada"), status="paid")
    order(customer("Bo"), status="paid")
    assert names(api.get(f"{URL}?customer__name=Ada&status=paid"), "id") == [found.pk]


def test_filterset_fields_as_a_dictionary_of_lookups(mount, api):
    fields = {
        "total": ["gte", "lt"],
        "customer__name": ["exact", "icontains"],
        "placed_at": ["year", "date__gte"],
        "note": ["isnull"],
        "status": ["in"],
    }
    mount(path("orders/", as_view(OrderList, filterset_fields=fields)))
    orders(6)
    assert totals(api, "total__gte=1&total__lt=2") == [1]
    assert totals(api, "customer__name__icontains=AD&total__gte=2") == [2]
    assert totals(api, "customer__name=Bo") == []
    assert totals(api, "placed_at__year=2026&placed_at__date__gte=2026-01-02") == []
    assert totals(api, "note__isnull=true") == [0, 1, 2]
    assert totals(api, "status__in=new,paid") == [0, 1, 2]


def test_filterset_class_with_number_filters(mount, api):
    class OrderFilter(filters.FilterSet):
        min_total = filters.NumberFilter(field_name="total", lookup_expr="gte")
        max_total = filters.NumberFilter(field_name="total", lookup_expr="lte")

        class Meta:
            model = Order
            fields = ["status", "customer"]

    class Orders(viewsets.ModelViewSet):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer
        filterset_class = OrderFilter

    mount(orders=Orders)
    orders(60, status="paid")
    orders(3, status="sent")
    rows = follow(api, f"{URL}?min_total=1&max_total=1&status=paid")
    assert len(rows) == 20
    assert {row["status"] for row in rows} == {"paid"}
    assert len(follow(api, f"{URL}?min_total=1&status=paid")) == 40


def test_range_filter(mount, api):
    served(mount, total=filters.RangeFilter())
    orders(6)
    assert totals(api, "total_min=1") == [1, 2]
    assert totals(api, "total_max=1") == [0, 1]
    assert totals(api, "total_min=1&total_max=1") == [1]


def test_date_ranges(mount, api):
    served(
        mount,
        placed=filters.DateFromToRangeFilter(field_name="placed_at"),
        at=filters.IsoDateTimeFromToRangeFilter(field_name="placed_at"),
        on=filters.DateFilter(field_name="placed_at", lookup_expr="date"),
    )
    for days in range(3):
        order(placed_at=START + timedelta(days=days), total=days)
    assert totals(api, "placed_after=2026-01-02") == [1, 2]
    assert totals(api, "placed_after=2026-01-02&placed_before=2026-01-02") == [1]
    assert totals(api, "at_after=2026-01-01T12:00:00Z&at_before=2026-01-02T00:00:00Z") == [1]
    assert totals(api, "on=2026-01-03") == [2]


def test_predefined_date_range(mount, api, monkeypatch):
    monkeypatch.setattr("django_filters.filters.now", lambda: START)
    served(mount, placed=filters.DateRangeFilter(field_name="placed_at"))
    order(placed_at=START, total=1)
    order(placed_at=START - timedelta(days=900), total=2)
    assert totals(api, "placed=today") == [1]


def test_filter_by_a_point_in_time_reads_iso_8601(mount, api):
    mount(path("orders/", as_view(OrderList, filterset_fields={"placed_at": ["exact", "gt"]})))
    orders(3)
    assert totals(api, "placed_at=2026-01-01T01:00:00Z") == [1]
    assert totals(api, "placed_at=2026-01-01T02:00:00%2B01:00") == [1]
    assert totals(api, "placed_at__gt=2026-01-01T01:00:00Z") == [2]


def test_list_in_a_parameter(mount, api):
    class NumberIn(filters.BaseInFilter, filters.NumberFilter):
        pass

    class NumberBetween(filters.BaseRangeFilter, filters.NumberFilter):
        pass

    served(
        mount,
        total__in=NumberIn(field_name="total", lookup_expr="in"),
        total__range=NumberBetween(field_name="total", lookup_expr="range"),
    )
    orders(6)
    assert totals(api, "total__in=0,2") == [0, 2]
    assert totals(api, "total__range=1,2") == [1, 2]


@pytest.mark.parametrize("value", ["true", "True"])
def test_boolean_filter_reads_lower_case(mount, api, value):
    served(mount, gift=filters.BooleanFilter(), has_note=filters.BooleanFilter("note", "isnull", exclude=True))
    order(gift=True, total=1)
    order(gift=False, total=2, note="x")
    assert totals(api, f"gift={value}") == [1]
    assert totals(api, "gift=false") == [2]
    assert totals(api, f"has_note={value}") == [2]


def test_multiple_choices(mount, api):
    served(mount, status=filters.MultipleChoiceFilter(choices=Order.Status.choices))
    order(status="new", total=1)
    order(status="paid", total=2)
    order(status="sent", total=3)
    assert totals(api, "status=new&status=sent") == [1, 3]
    assert refused(api.get(f"{URL}?status=lost"), "status")


def test_rows_of_another_model_by_their_slug(mount, api):
    served(
        mount,
        tags=filters.ModelMultipleChoiceFilter(
            "tags__slug", to_field_name="slug", queryset=Tag.objects.all(), conjoined=True
        ),
        customer=filters.ModelChoiceFilter(queryset=Customer.objects.all()),
    )
    red, blue = (Tag.objects.create(name=name, slug=name.lower()) for name in ("Red", "Blue"))
    order(total=1).tags.set([red])
    both = order(total=2)
    both.tags.set([red, blue])
    assert totals(api, "tags=red") == [1, 2]
    assert totals(api, "tags=red&tags=blue") == [2]
    assert totals(api, f"customer={both.customer_id}") == [1, 2]
    assert refused(api.get(f"{URL}?customer=99"), "customer")


def test_method_of_a_filter_set(mount, api):
    class OrderFilter(filters.FilterSet):
        unpaid = filters.BooleanFilter(method="filter_unpaid")
        q = filters.CharFilter(method="filter_text")

        class Meta:
            model = Order
            fields = []

        def filter_unpaid(self, queryset, name, value):
            return queryset.filter(status="new") if value else queryset.exclude(status="new")

        def filter_text(self, queryset, name, value):
            return queryset.filter(models.Q(note__icontains=value) | models.Q(customer__name__icontains=value))

    mount(path("orders/", as_view(OrderList, filterset_class=OrderFilter)))
    order(status="new", total=1, note="red")
    order(status="paid", total=2, note="red")
    assert totals(api, "unpaid=true") == [1]
    assert totals(api, "unpaid=false&q=RE") == [2]
    assert totals(api, "q=ada") == [1, 2]


def test_filter_set_reads_the_request(mount, ann, bob):
    class OrderFilter(filters.FilterSet):
        class Meta:
            model = Order
            fields = ["status"]

        @property
        def qs(self):
            return super().qs.filter(owner=self.request.user)

    mount(path("orders/", as_view(OrderList, filterset_class=OrderFilter)))
    order(owner=ann, total=1)
    order(owner=bob, total=2)
    assert totals(client_of(ann), "") == [1]
    assert totals(client_of(bob), "status=new") == [2]


def test_queryset_of_a_filter_depends_on_the_request(mount, ann, bob):
    def own_customers(request):
        return Customer.objects.filter(orders__owner=request.user)

    served(mount, customer=filters.ModelChoiceFilter(queryset=own_customers))
    row = order(owner=ann, total=1)
    assert totals(client_of(ann), f"customer={row.customer_id}") == [1]
    assert refused(client_of(bob).get(f"{URL}?customer={row.customer_id}"), "customer")


def test_backend_of_the_view_gives_arguments_to_the_filter_set(mount, api):
    class Backend(filters.DjangoFilterBackend):
        def get_filterset_kwargs(self, request, queryset, view):
            return {**super().get_filterset_kwargs(request, queryset, view), **view.get_filterset_kwargs()}

    class OrderFilter(filters.FilterSet):
        def __init__(self, *args, status=None, **kwargs):
            super().__init__(*args, **kwargs)
            self.queryset = self.queryset.filter(status=status)

        class Meta:
            model = Order
            fields = ["gift"]

    class Orders(OrderList):
        filter_backends = [Backend]
        filterset_class = OrderFilter

        def get_filterset_kwargs(self):
            return {"status": "paid"}

    mount(path("orders/", Orders.as_view()))
    order(status="paid", total=1)
    order(status="new", total=2)
    assert totals(api, "") == totals(api, "gift=false") == [1]


def test_filter_set_with_an_ordering_filter(mount, api):
    served(mount, o=filters.OrderingFilter(fields=(("placed_at", "placed"), ("total", "total"))))
    orders(45)
    up, down = follow(api, f"{URL}?o=placed"), follow(api, f"{URL}?o=-placed")
    assert [row["placed_at"] for row in up] == sorted(row["placed_at"] for row in up)
    assert down == up[::-1]


@pytest.mark.parametrize(
    ("query", "field"), [("total=x", "total"), ("gift_since=yesterday", "gift_since"), ("status=lost", "status")]
)
def test_invalid_value_of_a_filter_is_refused(mount, api, query, field):
    served(mount, gift_since=filters.DateFilter(field_name="placed_at"), fields=["status", "total"])
    order()
    assert refused(api.get(f"{URL}?{query}"), field)


def test_required_filter(mount, api):
    served(mount, status=filters.CharFilter(required=True))
    order(total=1)
    assert refused(api.get(URL), "status")
    assert totals(api, "status=new") == [1]


def test_empty_value_does_not_filter(mount, api):
    mount(path("orders/", as_view(OrderList, filterset_fields=["status", "total", "gift"])))
    order(total=1)
    assert totals(api, "status=&total=&gift=") == [1]


def test_exclude_and_lookups_of_a_character_filter(mount, api):
    served(
        mount,
        note=filters.CharFilter(lookup_expr="icontains"),
        not_note=filters.CharFilter(field_name="note", exclude=True),
        choice=filters.LookupChoiceFilter(field_name="total", lookup_choices=[("exact", "Equals"), ("gt", "Above")]),
    )
    order(note="Red one", total=1)
    order(note="Blue", total=2)
    assert totals(api, "note=RED") == [1]
    assert totals(api, "not_note=Blue") == [1]
    assert totals(api, "choice=1&choice_lookup=gt") == [2]


def test_filter_overrides_by_the_type_of_the_field(mount, api):
    class ArticleFilter(filters.FilterSet):
        class Meta:
            model = Article
            fields = ["title", "published"]
            filter_overrides = {
                models.CharField: {
                    "filter_class": filters.CharFilter,
                    "extra": lambda _: {"lookup_expr": "icontains"},
                }
            }

    class Articles(generics.ListAPIView):
        queryset = Article.objects.all()
        serializer_class = ArticleSerializer
        filterset_class = ArticleFilter

    mount(path("articles/", Articles.as_view()))
    Article.objects.create(title="Red ink", slug="red", published="2026-01-01")
    Article.objects.create(title="Blue ink", slug="blue", published="2026-01-02")
    assert names(api.get("/api/v1/articles/?title=RED"), "title") == ["Red ink"]
    assert names(api.get("/api/v1/articles/?title=ink&published=2026-01-02"), "title") == ["Blue ink"]
