"""Filtering and searching."""

import pytest
from django.db.models import Count
from django.urls import path
from django_filters.rest_framework import DjangoFilterBackend
from guide.models import Article, Customer, Order, Tag
from guide.support import (
    ArticleSerializer,
    CustomerSerializer,
    OrderSerializer,
    as_view,
    client_of,
    customer,
    follow,
    names,
    order,
    orders,
)
from rest_framework import filters, generics, viewsets
from rest_framework.settings import api_settings


class OrderList(generics.ListAPIView):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer


def test_filtering_against_the_current_user(mount, ann, bob):
    class Orders(generics.ListAPIView):
        serializer_class = OrderSerializer

        def get_queryset(self):
            return Order.objects.filter(owner=self.request.user)

    mount(path("orders/", Orders.as_view()))
    mine = order(owner=ann)
    order(owner=bob)
    assert names(client_of(ann).get("/api/v1/orders/"), "id") == [mine.pk]


def test_filtering_against_the_url(mount, api):
    class Orders(generics.ListAPIView):
        serializer_class = OrderSerializer

        def get_queryset(self):
            return Order.objects.filter(customer__name=self.kwargs["name"])

    mount(path("orders/<name>/", Orders.as_view()))
    found = order(customer("Ada"))
    order(customer("Bo"))
    assert names(api.get("/api/v1/orders/Ada/"), "id") == [found.pk]
    assert names(api.get("/api/v1/orders/Nobody/"), "id") == []


def test_filtering_against_query_parameters(mount, api):
    class Orders(generics.ListAPIView):
        serializer_class = OrderSerializer

        def get_queryset(self):
            queryset = Order.objects.all()
            name = self.request.query_params.get("customer_name")
            return queryset if name is None else queryset.filter(customer__name=name)

    mount(path("orders/", Orders.as_view()))
    found = order(customer("Ada"))
    order(customer("Bo"))
    assert len(names(api.get("/api/v1/orders/"), "id")) == 2
    assert names(api.get("/api/v1/orders/?customer_name=Ada"), "id") == [found.pk]


def test_own_query_parameter_stays_in_the_links_of_pages(mount, api):
    class Orders(generics.ListAPIView):
        serializer_class = OrderSerializer

        def get_queryset(self):
            return Order.objects.filter(status=self.request.query_params["state"])

    mount(path("orders/", Orders.as_view()))
    orders(30, status="paid")
    orders(30, status="sent")
    assert [row["status"] for row in follow(api, "/api/v1/orders/?state=paid")] == ["paid"] * 30


def test_view_set_filters_against_query_parameters(mount, api):
    class Orders(viewsets.ModelViewSet):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer

        def get_queryset(self):
            queryset = super().get_queryset()
            gift = self.request.query_params.get("is_gift")
            return queryset if gift is None else queryset.filter(gift=gift == "yes")

    mount(orders=Orders)
    order(gift=False)
    found = order(gift=True)
    assert names(api.get("/api/v1/orders/?is_gift=yes"), "id") == [found.pk]


def test_filter_backends_of_the_view_replace_the_default_ones(mount, api):
    class Orders(OrderList):
        filter_backends = [DjangoFilterBackend]
        filterset_fields = ["status"]
        search_fields = ["note"]

    mount(path("orders/", Orders.as_view()))
    order(status="paid", note="a")
    order(status="sent", note="b")
    assert names(api.get("/api/v1/orders/?status=paid"), "status") == ["paid"]
    assert len(names(api.get("/api/v1/orders/?search=a"), "note")) == 2


def test_view_without_filter_backends_ignores_filters(mount, api):
    class Orders(OrderList):
        filter_backends = []
        filterset_fields = ["status"]

    mount(path("orders/", Orders.as_view()))
    order(status="paid")
    assert names(api.get("/api/v1/orders/?status=sent&anything=1"), "status") == ["paid"]


class IsOwnerFilterBackend(filters.BaseFilterBackend):
    """Show each user the own rows alone."""

    def filter_queryset(self, request, queryset, view):
        return queryset.filter(owner=request.user)


def test_filter_backend_shows_the_rows_of_their_owner(mount, ann, bob):
    class Orders(viewsets.ModelViewSet):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer
        filter_backends = [IsOwnerFilterBackend]

    mount(orders=Orders)
    rows = orders(25, owner=ann)
    other = order(owner=bob)
    assert [row["id"] for row in follow(client_of(ann), "/api/v1/orders/")] == [row.pk for row in reversed(rows)]
    for method in ("get", "patch", "put", "delete"):
        response = getattr(client_of(ann), method)(f"/api/v1/orders/{other.pk}/", {}, format="json")
        assert response.status_code == 404, method
    assert client_of(bob).patch(f"/api/v1/orders/{other.pk}/", {"note": "x"}, format="json").status_code == 200
    assert client_of(bob).delete(f"/api/v1/orders/{other.pk}/").status_code == 204


def test_filter_backend_is_added_to_the_default_ones(mount, ann, bob):
    class Orders(OrderList):
        filter_backends = [*api_settings.DEFAULT_FILTER_BACKENDS, IsOwnerFilterBackend]
        filterset_fields = ["status"]
        ordering_fields = ["placed_at"]

    mount(path("orders/", Orders.as_view()))
    rows = orders(25, owner=ann, status="paid")
    orders(3, owner=ann, status="sent")
    orders(3, owner=bob, status="paid")
    found = follow(client_of(ann), "/api/v1/orders/?status=paid&ordering=placed_at")
    assert [row["id"] for row in found] == [row.pk for row in rows]


def test_custom_backend_reads_a_parameter_of_its_own(mount, api):
    class MinimumFilter(filters.BaseFilterBackend):
        def filter_queryset(self, request, queryset, view):
            least = request.query_params.get("at_least")
            return queryset if least is None else queryset.filter(total__gte=least)

    class Orders(OrderList):
        filter_backends = [MinimumFilter, filters.OrderingFilter]
        ordering_fields = ["placed_at"]

    mount(path("orders/", Orders.as_view()))
    orders(6)
    assert len(names(api.get("/api/v1/orders/?at_least=1&ordering=placed_at"), "id")) == 4


def test_filter_applies_to_a_single_row(mount, api):
    class Orders(viewsets.ReadOnlyModelViewSet):
        queryset = Order.objects.all()
        serializer_class = OrderSerializer
        filterset_fields = ["status"]

    mount(orders=Orders)
    row = order(status="paid")
    assert api.get(f"/api/v1/orders/{row.pk}/?status=paid").status_code == 200
    assert api.get(f"/api/v1/orders/{row.pk}/?status=sent").status_code == 404


def test_get_queryset_and_filters_work_together(mount, ann, bob):
    class Orders(generics.ListAPIView):
        serializer_class = OrderSerializer
        filterset_fields = ["status"]
        search_fields = ["note"]

        def get_queryset(self):
            return self.request.user.orders.all()

    mount(path("orders/", Orders.as_view()))
    found = order(owner=ann, status="paid", note="red")
    order(owner=ann, status="paid", note="blue")
    order(owner=ann, status="sent", note="red")
    order(owner=bob, status="paid", note="red")
    assert names(client_of(ann).get("/api/v1/orders/?status=paid&search=red"), "id") == [found.pk]


class CustomerList(generics.ListAPIView):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer


@pytest.mark.parametrize(
    ("fields", "term", "expected"),
    [
        (["name"], "LOVE", ["Ada Lovelace"]),
        (["name", "email"], "ada example", ["Ada Lovelace", "Grace Ada"]),
        (["name"], "ada, love", ["Ada Lovelace"]),
        (["name"], '"a lovelace"', ["Ada Lovelace"]),
        (["^name"], "ada", ["Ada Lovelace"]),
        (["=name"], "ada lovelace", []),
        (["=name"], '"ada lovelace"', ["Ada Lovelace"]),
        (["$name"], "^[AB]", ["Ada Lovelace", "Bo"]),
        (["name__endswith"], "Ada", ["Grace Ada"]),
        (["orders__note"], "urgent", ["Bo"]),
        (["orders__tags__name"], "red", ["Bo"]),
        (["name"], "", ["Ada Lovelace", "Bo", "Grace Ada"]),
    ],
)
def test_search_fields(mount, api, fields, term, expected):
    mount(path("customers/", as_view(CustomerList, search_fields=fields)))
    customer("Ada Lovelace")
    customer("Grace Ada")
    row = order(customer("Bo"), note="Very urgent")
    order(customer("Bo"), note="urgent as well")
    row.tags.add(Tag.objects.create(name="Red", slug="red"))
    assert names(api.get("/api/v1/customers/", {"search": term})) == expected


def test_search_in_values_of_a_json_field(mount, api):
    class Articles(generics.ListAPIView):
        queryset = Article.objects.all()
        serializer_class = ArticleSerializer
        search_fields = ["data__author__name"]

    mount(path("articles/", Articles.as_view()))
    Article.objects.create(title="A", slug="a", published="2026-01-01", data={"author": {"name": "Ada"}})
    Article.objects.create(title="B", slug="b", published="2026-01-01", data={"author": {"name": "Bo"}})
    assert names(api.get("/api/v1/articles/?search=ada"), "title") == ["A"]


def test_search_filter_chooses_its_fields_by_the_request(mount, api):
    class NameSearch(filters.SearchFilter):
        def get_search_fields(self, view, request):
            if request.query_params.get("name_only"):
                return ["name"]
            return super().get_search_fields(view, request)

    mount(
        path("customers/", as_view(CustomerList, filter_backends=[NameSearch], search_fields=["name", "email"])),
    )
    customer("Ada")
    assert names(api.get("/api/v1/customers/?search=example")) == ["Ada"]
    assert names(api.get("/api/v1/customers/?search=example&name_only=1")) == []


def test_pages_of_a_search_in_an_annotated_list(mount, api):
    class Customers(CustomerList):
        queryset = Customer.objects.annotate(count=Count("orders")).order_by("-count", "name")
        search_fields = ["name", "orders__note"]

    mount(path("customers/", Customers.as_view()))
    for number in range(25):
        row = customer(f"Name {number:02}")
        for _ in range(number % 2):
            order(row)
    found = [row["name"] for row in follow(api, "/api/v1/customers/?search=name")]
    assert found == [f"Name {n:02}" for n in (*range(1, 25, 2), *range(0, 25, 2))]


def test_filter_search_and_ordering_together_have_pages(mount, api):
    class Orders(OrderList):
        filterset_fields = ["status"]
        search_fields = ["note", "customer__name"]
        ordering_fields = ["total", "placed_at"]

    mount(path("orders/", Orders.as_view()))
    orders(60, status="paid", note="red")
    orders(9, status="sent", note="red")
    orders(9, status="paid", note="blue")
    rows = follow(api, "/api/v1/orders/?status=paid&search=red&ordering=total,-placed_at")
    assert len(rows) == 60
    totals = [float(row["total"]) for row in rows]
    assert totals == sorted(totals)
    for total in set(totals):
        times = [row["placed_at"] for row in rows if float(row["total"]) == total]
        assert times == sorted(times, reverse=True)
