"""Pagination."""

import pytest
from django.core.paginator import Paginator
from django.db.models import Count
from django.urls import path
from guide.models import Customer, Order
from guide.support import CustomerSerializer, OrderSerializer, as_view, customer, follow, names, order, orders
from rest_framework import generics, pagination, serializers, viewsets
from rest_framework.decorators import action, api_view
from rest_framework.response import Response
from rest_framework.views import APIView


class CustomerList(generics.ListAPIView):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer


class OrderList(generics.ListAPIView):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer


class Ten(pagination.PageNumberPagination):
    page_size = 10
    page_size_query_param = "page_size"
    max_page_size = 15


def customers(count):
    """The names of so many customers, in their order."""
    return [customer(f"Name {number:02}").name for number in range(count)]


def found(client, url):
    return [row["name"] for row in follow(client, url)]


def test_list_has_pages_by_default(mount, api):
    mount(path("customers/", CustomerList.as_view()))
    expected = customers(45)
    first = api.get("/api/v1/customers/").json()
    assert len(first["results"]) == 20
    assert first["previous"] is None
    assert found(api, "/api/v1/customers/") == expected


def test_short_list_has_no_other_pages(mount, api):
    mount(path("customers/", CustomerList.as_view()))
    customers(3)
    page = api.get("/api/v1/customers/").json()
    assert (page["next"], page["previous"], len(page["results"])) == (None, None, 3)


def test_empty_list_is_a_page(mount, api):
    mount(path("customers/", CustomerList.as_view()))
    page = api.get("/api/v1/customers/").json()
    assert (page["next"], page["previous"], page["results"]) == (None, None, [])


def test_link_to_the_previous_page_leads_back(mount, api):
    mount(path("customers/", CustomerList.as_view()))
    customers(45)
    first = api.get("/api/v1/customers/").json()
    second = api.get(first["next"]).json()
    assert api.get(second["previous"]).json()["results"] == first["results"]


def test_page_number_pagination_of_a_view(mount, api):
    mount(path("customers/", as_view(CustomerList, pagination_class=pagination.PageNumberPagination)))
    expected = customers(25)
    page = api.get("/api/v1/customers/?page=2").json()
    assert page["count"] == 25
    assert [row["name"] for row in page["results"]] == expected[20:]
    assert names(api.get("/api/v1/customers/?page=last")) == expected[20:]
    assert api.get("/api/v1/customers/?page=3").status_code == 404
    assert found(api, "/api/v1/customers/") == expected


def test_subclass_of_page_number_pagination_has_sizes(mount, api):
    mount(path("customers/", as_view(CustomerList, pagination_class=Ten)))
    expected = customers(25)
    assert len(names(api.get("/api/v1/customers/"))) == 10
    assert len(names(api.get("/api/v1/customers/?page_size=3"))) == 3
    assert len(names(api.get("/api/v1/customers/?page_size=100"))) == 15
    assert found(api, "/api/v1/customers/?page_size=4") == expected


def test_parameters_of_a_pagination_have_names_of_their_own(mount, api):
    class Custom(pagination.PageNumberPagination):
        page_size = 5
        page_query_param = "p"
        page_size_query_param = "size"
        django_paginator_class = Paginator

    mount(path("customers/", as_view(CustomerList, pagination_class=Custom)))
    expected = customers(12)
    assert names(api.get("/api/v1/customers/?p=2")) == expected[5:10]
    assert names(api.get("/api/v1/customers/?p=2&size=4")) == expected[4:8]
    assert found(api, "/api/v1/customers/") == expected


def test_limit_offset_pagination_of_a_view(mount, api):
    mount(path("customers/", as_view(CustomerList, pagination_class=pagination.LimitOffsetPagination)))
    expected = customers(25)
    page = api.get("/api/v1/customers/?limit=4&offset=10").json()
    assert (page["count"], [row["name"] for row in page["results"]]) == (25, expected[10:14])
    assert found(api, "/api/v1/customers/?limit=7") == expected
    assert found(api, "/api/v1/customers/") == expected


def test_subclass_of_limit_offset_pagination(mount, api):
    class Custom(pagination.LimitOffsetPagination):
        default_limit = 6
        limit_query_param = "count"
        offset_query_param = "start"
        max_limit = 8

    mount(path("customers/", as_view(CustomerList, pagination_class=Custom)))
    expected = customers(25)
    assert names(api.get("/api/v1/customers/?start=3")) == expected[3:9]
    assert names(api.get("/api/v1/customers/?count=20")) == expected[:8]
    assert found(api, "/api/v1/customers/") == expected


def test_cursor_pagination_with_an_ordering(mount, api):
    class ByTime(pagination.CursorPagination):
        page_size = 4
        ordering = "-placed_at"

    mount(path("orders/", as_view(OrderList, pagination_class=ByTime)))
    rows = orders(18)
    assert [row["id"] for row in follow(api, "/api/v1/orders/")] == [row.pk for row in reversed(rows)]
    second = api.get(api.get("/api/v1/orders/").json()["next"]).json()
    assert len(api.get(second["previous"]).json()["results"]) == 4


def test_cursor_pagination_with_the_ordering_parameter(mount, api):
    class ByTime(pagination.CursorPagination):
        page_size = 4
        ordering = "-placed_at"
        cursor_query_param = "c"

    mount(path("orders/", as_view(OrderList, pagination_class=ByTime, ordering_fields=["placed_at", "id"])))
    rows = orders(18)
    assert [row["id"] for row in follow(api, "/api/v1/orders/?ordering=placed_at")] == [row.pk for row in rows]
    assert "?c=" in api.get("/api/v1/orders/").json()["next"] or "&c=" in api.get("/api/v1/orders/").json()["next"]


def test_view_without_pagination_returns_a_plain_list(mount, api):
    mount(path("customers/", as_view(CustomerList, pagination_class=None)))
    expected = customers(45)
    assert [row["name"] for row in api.get("/api/v1/customers/").json()] == expected


def test_pagination_with_a_response_of_its_own(mount, api):
    class Custom(pagination.PageNumberPagination):
        page_size = 2

        def get_paginated_response(self, data):
            links = {"next": self.get_next_link(), "previous": self.get_previous_link()}
            return Response({"links": links, "count": self.page.paginator.count, "results": data})

    mount(path("customers/", as_view(CustomerList, pagination_class=Custom)))
    expected = customers(3)
    page = api.get("/api/v1/customers/").json()
    assert (page["count"], page["links"]["previous"]) == (3, None)
    assert names(api.get(page["links"]["next"])) == expected[2:]


def test_pagination_with_links_in_a_header(mount, api):
    class LinkHeader(pagination.PageNumberPagination):
        page_size = 2

        def get_paginated_response(self, data):
            return Response(data, headers={"Link": f'<{self.get_next_link()}>; rel="next"'})

    mount(path("customers/", as_view(CustomerList, pagination_class=LinkHeader)))
    expected = customers(3)
    response = api.get("/api/v1/customers/")
    assert [row["name"] for row in response.json()] == expected[:2]
    link = response["Link"].partition(">")[0].lstrip("<")
    assert [row["name"] for row in api.get(link).json()] == expected[2:]


def test_pagination_written_from_scratch(mount, api):
    class Halves(pagination.BasePagination):
        def paginate_queryset(self, queryset, request, view=None):
            self.total = queryset.count()
            return list(queryset[: self.total // 2])

        def get_paginated_response(self, data):
            return Response({"total": self.total, "results": data})

    mount(path("customers/", as_view(CustomerList, pagination_class=Halves)))
    expected = customers(6)
    assert api.get("/api/v1/customers/").json()["total"] == 6
    assert names(api.get("/api/v1/customers/")) == expected[:3]


def test_default_pagination_in_an_action(mount, api):
    class Customers(viewsets.ModelViewSet):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

        @action(detail=True)
        def orders(self, request, pk=None):
            page = self.paginate_queryset(self.get_object().orders.all())
            return self.get_paginated_response(OrderSerializer(page, many=True).data)

    mount(customers=Customers)
    rows = orders(45)
    order(customer("Bo"))
    url = f"/api/v1/customers/{customer().pk}/orders/"
    assert [row["id"] for row in follow(api, url)] == [row.pk for row in reversed(rows)]


def test_pagination_of_an_action(mount, api):
    class Customers(viewsets.ModelViewSet):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

        @action(detail=False, pagination_class=Ten)
        def everybody(self, request):
            page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
            return self.get_paginated_response(self.get_serializer(page, many=True).data)

    mount(customers=Customers)
    expected = customers(25)
    assert found(api, "/api/v1/customers/everybody/?page_size=6") == expected


def test_plain_list_has_pages_in_a_view(mount, api):
    class Numbers(APIView):
        def get(self, request):
            paginator = Ten()
            page = paginator.paginate_queryset(list(range(25)), request, view=self)
            return paginator.get_paginated_response([{"id": number} for number in page])

    mount(path("numbers/", Numbers.as_view()))
    assert [row["id"] for row in follow(api, "/api/v1/numbers/")] == list(range(25))


def test_queryset_has_pages_in_a_function(mount, api):
    @api_view(["GET"])
    def everybody(request):
        paginator = pagination.PageNumberPagination()
        page = paginator.paginate_queryset(Customer.objects.all(), request)
        return paginator.get_paginated_response(CustomerSerializer(page, many=True).data)

    mount(path("customers/", everybody))
    expected = customers(25)
    assert found(api, "/api/v1/customers/") == expected


def test_default_pagination_of_a_plain_list(mount, api):
    class Numbers(generics.GenericAPIView):
        queryset = Customer.objects.none()

        def get(self, request):
            page = self.paginate_queryset([{"id": number} for number in range(45)])
            return self.get_paginated_response(page)

    mount(path("numbers/", Numbers.as_view()))
    assert [row["id"] for row in follow(api, "/api/v1/numbers/")] == list(range(45))


def test_default_pagination_of_a_list_that_get_queryset_returns(mount_versions, api):
    class Number(serializers.Serializer):
        id = serializers.IntegerField()

    class Numbers(generics.ListAPIView):
        serializer_class = Number
        filter_backends = ()

        def get_queryset(self):
            return [{"id": number} for number in range(45)]

    mount_versions(v1=[path("numbers/", Numbers.as_view())])
    assert [row["id"] for row in follow(api, "/api/v1/numbers/")] == list(range(45))


def test_default_pagination_of_grouped_values(mount, api):
    class Row(serializers.Serializer):
        id = serializers.CharField(source="customer__name")
        count = serializers.IntegerField()

    class Groups(generics.ListAPIView):
        queryset = Order.objects.values("customer__name").annotate(count=Count("pk")).order_by("customer__name")
        serializer_class = Row

    mount(path("groups/", Groups.as_view()))
    expected = customers(25)
    for name in expected:
        order(customer(name))
        order(customer(name))
    assert follow(api, "/api/v1/groups/") == [{"id": name, "count": 2} for name in expected]


@pytest.mark.filterwarnings("ignore::django.core.paginator.UnorderedObjectListWarning")
def test_default_pagination_of_an_aggregate_without_an_ordering(mount, api):
    mount(path("customers/", as_view(CustomerList, queryset=Customer.objects.annotate(count=Count("orders")))))
    expected = customers(45)
    assert sorted(found(api, "/api/v1/customers/")) == expected


@pytest.mark.parametrize("count", [20, 40])
def test_last_page_that_is_full_has_no_next_one(mount, api, count):
    mount(path("customers/", CustomerList.as_view()))
    customers(count)
    url, pages = "/api/v1/customers/", 0
    while url:
        page = api.get(url).json()
        assert len(page["results"]) == 20
        url, pages = page["next"], pages + 1
    assert pages == count // 20


def test_pages_show_in_the_browsable_api(mount, api):
    mount(path("customers/", CustomerList.as_view()), path("ten/", as_view(CustomerList, pagination_class=Ten)))
    customers(45)
    for url in ("/api/v1/customers/", "/api/v1/ten/"):
        response = api.get(url, headers={"Accept": "text/html"})
        assert response.status_code == 200
        assert "Name 00" in response.content.decode()
