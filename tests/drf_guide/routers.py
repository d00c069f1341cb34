"""Routers and format suffixes."""

from django.urls import include, path, reverse
from guide.models import Customer, Order, Tag
from guide.support import CustomerSerializer, OrderSerializer, TagSerializer, customer, names, order
from rest_framework import viewsets
from rest_framework.decorators import action, api_view
from rest_framework.response import Response
from rest_framework.routers import DefaultRouter, DynamicRoute, Route, SimpleRouter
from rest_framework.urlpatterns import format_suffix_patterns


class CustomerViewSet(viewsets.ModelViewSet):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer

    @action(detail=True)
    def letter(self, request, pk=None, format=None, **kwargs):
        return Response(self.get_object().name[0])


class OrderViewSet(viewsets.ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer


class TagViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Tag.objects.order_by("name")
    serializer_class = TagSerializer
    lookup_field = "slug"


def test_simple_router_names_its_urls(mount_versions):
    router = SimpleRouter()
    router.register("customers", CustomerViewSet)
    mount_versions(v1=router.urls)
    assert reverse("v1:customer-list") == "/api/v1/customers/"
    assert reverse("v1:customer-detail", args=[7]) == "/api/v1/customers/7/"
    assert reverse("v1:customer-letter", args=[7]) == "/api/v1/customers/7/letter/"


def test_router_without_trailing_slashes(mount_versions, api):
    router = SimpleRouter(trailing_slash=False)
    router.register("customers", CustomerViewSet)
    mount_versions(v1=router.urls)
    key = customer().pk
    assert names(api.get("/api/v1/customers")) == ["Ada"]
    assert api.get(f"/api/v1/customers/{key}").json()["name"] == "Ada"
    assert api.get(f"/api/v1/customers/{key}/letter").json() == "A"


def test_default_router_has_a_root_that_links_to_the_lists(mount_versions, api):
    router = DefaultRouter()
    router.register("customers", CustomerViewSet)
    router.register("tags", TagViewSet)
    mount_versions(v1=router.urls)
    response = api.get("/api/v1/")
    assert response.status_code == 200, response.content
    assert response.json() == {
        "customers": "http://testserver/api/v1/customers/",
        "tags": "http://testserver/api/v1/tags/",
    }
    assert api.get(response.json()["customers"]).status_code == 200


def test_default_router_has_format_suffixes(mount_versions, api):
    router = DefaultRouter()
    router.register("customers", CustomerViewSet)
    mount_versions(v1=router.urls)
    key = customer().pk
    assert names(api.get("/api/v1/customers.json")) == ["Ada"]
    assert api.get(f"/api/v1/customers/{key}.json").json()["name"] == "Ada"
    assert api.get(f"/api/v1/customers/{key}/letter.json").json() == "A"
    assert api.get("/api/v1/customers.xml").status_code == 404


def test_format_suffixes_of_other_urls(mount, api):
    @api_view(["GET"])
    def hello(request, format=None):
        return Response({"format": format})

    mount(*format_suffix_patterns([path("hello/", hello)], allowed=["json", "html"]))
    assert api.get("/api/v1/hello.json").json() == {"format": "json"}
    assert api.get("/api/v1/hello/").json() == {"format": None}
    assert api.get("/api/v1/hello.xml").status_code == 404


def test_urls_of_a_router_are_added_to_others_or_included(mount_api, api):
    @api_view()
    def hello(request):
        return Response("hello")

    customers, tags = SimpleRouter(), SimpleRouter()
    customers.register("customers", CustomerViewSet)
    tags.register("tags", TagViewSet)
    urlpatterns = [path("hello/", hello)]
    urlpatterns += customers.urls
    mount_api(
        path("v1/", include((urlpatterns, "v1"))),
        path("inner/", include((tags.urls, "tags"), namespace="inner")),
    )
    Tag.objects.create(name="Red", slug="red")
    assert api.get("/api/v1/hello/").json() == "hello"
    assert api.get(reverse("v1:customer-list")).status_code == 200
    assert api.get(reverse("inner:tag-detail", args=["red"])).json()["name"] == "Red"


def test_router_with_path_converters(mount_versions, api):
    class Orders(OrderViewSet):
        lookup_value_converter = "int"

        @action(detail=False, url_path="by/<str:name>")
        def by(self, request, name):
            return Response(name)

    router = SimpleRouter(use_regex_path=False)
    router.register("orders", Orders)
    mount_versions(v1=router.urls)
    row = order()
    assert api.get(f"/api/v1/orders/{row.pk}/").json()["id"] == row.pk
    assert api.get("/api/v1/orders/by/ada/").json() == "ada"
    assert api.get("/api/v1/orders/x/").status_code == 404


def test_lookup_value_regex_limits_the_url(mount, api):
    class Tags(TagViewSet):
        lookup_value_regex = "[a-z]{3}"

    mount(tags=Tags)
    Tag.objects.create(name="Red", slug="red")
    Tag.objects.create(name="Black", slug="black")
    assert api.get("/api/v1/tags/red/").json()["name"] == "Red"
    assert api.get("/api/v1/tags/black/").status_code == 404


def test_custom_router_has_routes_of_its_own(mount_versions, api):
    class ReadOnlyRouter(SimpleRouter):
        routes = [
            Route(
                url=r"^{prefix}$",
                mapping={"get": "list"},
                name="{basename}-list",
                detail=False,
                initkwargs={"suffix": "List"},
            ),
            Route(
                url=r"^{prefix}/{lookup}$",
                mapping={"get": "retrieve"},
                name="{basename}-detail",
                detail=True,
                initkwargs={"suffix": "Detail"},
            ),
            DynamicRoute(
                url=r"^{prefix}/{lookup}/{url_path}$", name="{basename}-{url_name}", detail=True, initkwargs={}
            ),
        ]

    router = ReadOnlyRouter()
    router.register("customers", CustomerViewSet)
    mount_versions(v1=router.urls)
    key = customer().pk
    assert names(api.get("/api/v1/customers")) == ["Ada"]
    assert api.get(f"/api/v1/customers/{key}").status_code == 200
    assert api.get(f"/api/v1/customers/{key}/letter").json() == "A"
    assert api.post("/api/v1/customers", {}).status_code == api.delete(f"/api/v1/customers/{key}").status_code == 405


def test_prefix_of_a_router_has_a_parameter(mount_versions, api):
    class OrdersOfCustomer(OrderViewSet):
        def get_queryset(self):
            return Order.objects.filter(customer=self.kwargs["customer_pk"])

    router = SimpleRouter()
    router.register(r"customers/(?P<customer_pk>[^/.]+)/orders", OrdersOfCustomer, basename="order")
    mount_versions(v1=router.urls)
    row = order()
    order(customer("Bo"))
    assert names(api.get(f"/api/v1/customers/{row.customer_id}/orders/"), "id") == [row.pk]
    assert api.get(f"/api/v1/customers/99/orders/{row.pk}/").status_code == 404
