"""Versioning."""

import pytest
from django.urls import path, re_path, reverse
from guide.models import Customer, Order
from guide.support import CustomerSerializer, as_view, customer, names, order
from rest_framework import generics, serializers, versioning, viewsets
from rest_framework.decorators import api_view, versioning_class
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.reverse import reverse as reverse_with_request
from rest_framework.routers import DefaultRouter, SimpleRouter
from rest_framework.views import APIView


class CustomerLinks(serializers.HyperlinkedModelSerializer):
    class Meta:
        model = Customer
        fields = ["url", "id", "name"]


class OrderLinks(serializers.HyperlinkedModelSerializer):
    class Meta:
        model = Order
        fields = ["url", "id", "customer"]


class Customers(viewsets.ModelViewSet):
    queryset = Customer.objects.all()
    serializer_class = CustomerLinks


class Orders(viewsets.ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderLinks


class Version(APIView):
    def get(self, request, *args, **kwargs):
        return Response({"version": request.version})


def router(kind=SimpleRouter):
    made = kind()
    made.register("customers", Customers)
    made.register("orders", Orders)
    return made


def test_namespace_is_the_version_of_a_request(mount_versions, api):
    urls = [path("version/", Version.as_view())]
    mount_versions(v1=urls, v2=urls)
    for version in ("v1", "v2"):
        assert api.get(f"/api/{version}/version/").json() == {"version": version}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_hyperlinks_stay_in_their_version(mount_versions, api, version):
    mount_versions(v1=router().urls, v2=router().urls)
    row = order()
    base = f"http://testserver/api/{version}"
    shown = {
        "url": f"{base}/orders/{row.pk}/",
        "id": row.pk,
        "customer": f"{base}/customers/{row.customer_id}/",
    }
    assert api.get(f"/api/{version}/orders/{row.pk}/").json() == shown
    assert api.get(f"/api/{version}/orders/").json()["results"] == [shown]
    assert api.get(shown["customer"]).json()["url"] == shown["customer"]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_hyperlinks_are_written_in_their_version(mount_versions, api, version):
    mount_versions(v1=router().urls, v2=router().urls)
    link = f"http://testserver/api/{version}/customers/{customer().pk}/"
    response = api.post(f"/api/{version}/orders/", {"customer": link}, format="json")
    assert response.status_code == 201, response.content
    assert response["Location"] == response.json()["url"]
    assert response["Location"].startswith(f"http://testserver/api/{version}/orders/")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_pages_stay_in_their_version(mount_versions, api, version):
    mount_versions(v1=router().urls, v2=router().urls)
    for number in range(25):
        customer(f"Name {number:02}")
    link = api.get(f"/api/{version}/customers/").json()["next"]
    assert link.startswith(f"http://testserver/api/{version}/customers/?")
    assert len(api.get(link).json()["results"]) == 5


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_root_of_a_default_router_links_to_its_version(mount_versions, api, version):
    mount_versions(v1=router(DefaultRouter).urls, v2=router(DefaultRouter).urls)
    base = f"http://testserver/api/{version}"
    assert api.get(f"/api/{version}/").json() == {"customers": f"{base}/customers/", "orders": f"{base}/orders/"}


def test_reverse_with_a_request_stays_in_the_version(mount_versions, api):
    @api_view(["GET"])
    def links(request):
        return Response(reverse_with_request("customer-list", request=request))

    urls = [path("links/", links), *router().urls]
    mount_versions(v1=urls, v2=urls)
    assert api.get("/api/v1/links/").json() == "http://testserver/api/v1/customers/"
    assert api.get("/api/v2/links/").json() == "http://testserver/api/v2/customers/"
    assert reverse("v2:customer-list") == "/api/v2/customers/"


def test_serializer_depends_on_the_version(mount_versions, api):
    class View(viewsets.ReadOnlyModelViewSet):
        queryset = Customer.objects.all()

        def get_serializer_class(self):
            return CustomerSerializer if self.request.version == "v1" else CustomerLinks

    views = SimpleRouter()
    views.register("customers", View)
    mount_versions(v1=views.urls, v2=views.urls)
    customer()
    assert "email" in api.get("/api/v1/customers/").json()["results"][0]
    assert "url" in api.get("/api/v2/customers/").json()["results"][0]


def test_versions_have_view_sets_of_their_own(mount_versions, api):
    class NewCustomers(Customers):
        queryset = Customer.objects.filter(name__startswith="N")

    old, new = SimpleRouter(), SimpleRouter()
    old.register("customers", Customers)
    new.register("customers", NewCustomers)
    mount_versions(v1=old.urls, v2=new.urls)
    customer("Ada")
    customer("New")
    assert names(api.get("/api/v1/customers/")) == ["Ada", "New"]
    assert names(api.get("/api/v2/customers/")) == ["New"]


def test_version_in_the_path_of_a_view(mount_api, api):
    class Paths(versioning.URLPathVersioning):
        allowed_versions = ["v1", "v2"]

    class Links(Version):
        versioning_class = Paths

        def get(self, request, *args, **kwargs):
            return Response([request.version, reverse_with_request("bookings", request=request)])

    mount_api(re_path(r"^(?P<version>v\d)/bookings/$", Links.as_view(), name="bookings"))
    assert api.get("/api/v2/bookings/").json() == ["v2", "http://testserver/api/v2/bookings/"]
    assert api.get("/api/v3/bookings/").status_code == 404


def test_version_in_the_accept_header_of_a_view(mount, api):
    class Accept(versioning.AcceptHeaderVersioning):
        default_version = "1.0"
        allowed_versions = ["1.0", "2.0"]

    mount(path("version/", as_view(Version, versioning_class=Accept)))
    url = "/api/v1/version/"
    assert api.get(url).json() == {"version": "1.0"}
    assert api.get(url, headers={"Accept": "application/json; version=2.0"}).json() == {"version": "2.0"}
    assert api.get(url, headers={"Accept": "application/json; version=3.0"}).status_code == 406


def test_version_in_a_vendor_media_type(mount, api):
    class Bookings(JSONRenderer):
        media_type = "application/vnd.example.bookings+json"

    view = as_view(Version, versioning_class=versioning.AcceptHeaderVersioning, renderer_classes=[Bookings])
    mount(path("version/", view))
    accept = {"Accept": "application/vnd.example.bookings+json; version=1.0"}
    assert api.get("/api/v1/version/", headers=accept).json() == {"version": "1.0"}


def test_version_in_a_query_parameter_of_a_view(mount, api):
    class Query(versioning.QueryParameterVersioning):
        default_version = "1"
        allowed_versions = ["1", "2"]

    mount(path("version/", as_view(Version, versioning_class=Query)))
    assert api.get("/api/v1/version/").json() == {"version": "1"}
    assert api.get("/api/v1/version/?version=2").json() == {"version": "2"}
    assert api.get("/api/v1/version/?version=3").status_code == 404


def test_list_with_the_version_in_a_query_parameter(mount, api):
    class Query(versioning.QueryParameterVersioning):
        version_param = "v"

    class View(generics.ListAPIView):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer
        versioning_class = Query
        filterset_fields = ["name"]

    mount(path("customers/", View.as_view()))
    customer("Ada")
    customer("Bo")
    assert names(api.get("/api/v1/customers/?v=1&name=Bo")) == ["Bo"]


def test_version_in_the_host_name(mount, api, settings):
    settings.ALLOWED_HOSTS = ["v2.example.com"]
    mount(path("version/", as_view(Version, versioning_class=versioning.HostNameVersioning)))
    assert api.get("/api/v1/version/", headers={"Host": "v2.example.com"}).json() == {"version": "v2"}


def test_custom_versioning_by_a_header(mount, api):
    class Header(versioning.BaseVersioning):
        def determine_version(self, request, *args, **kwargs):
            return request.headers.get("X-API-Version")

    @api_view(["GET"])
    @versioning_class(Header)
    def version(request):
        return Response({"version": request.version, "scheme": type(request.versioning_scheme).__name__})

    mount(path("version/", version))
    response = api.get("/api/v1/version/", headers={"X-API-Version": "7"})
    assert response.json() == {"version": "7", "scheme": "Header"}


def test_view_without_versioning(mount, api):
    mount(path("version/", as_view(Version, versioning_class=None)))
    assert api.get("/api/v1/version/").json() == {"version": None}
