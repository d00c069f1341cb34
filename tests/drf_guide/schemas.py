"""The OpenAPI schema of views of an own app, by drf-spectacular, which DRF's guide recommends."""

import json

import pytest
from django.urls import include, path
from django_filters import rest_framework as filters
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, extend_schema
from drf_spectacular.validation import validate_schema
from drf_spectacular.views import SpectacularAPIView
from guide.models import Customer, Order
from guide.support import CustomerSerializer, DocumentSerializer, OrderSerializer
from rest_framework import generics, pagination, serializers, viewsets
from rest_framework.decorators import action, api_view, schema
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView


def paths(*patterns, **viewsets):
    """The paths of the schema of these views, which must be valid."""
    router = SimpleRouter()
    for prefix, viewset in viewsets.items():
        router.register(prefix, viewset)
    urls = path("api/v1/", include(([*patterns, *router.urls], "v1")))
    made = SchemaGenerator(patterns=[urls], api_version="v1").get_schema(request=None, public=True)
    validate_schema(made)
    return {name.removeprefix("/api/v1"): operations for name, operations in made["paths"].items()}


def parameters(operation):
    return {parameter["name"] for parameter in operation.get("parameters", ())}


class OrderFilter(filters.FilterSet):
    min_total = filters.NumberFilter(field_name="total", lookup_expr="gte")
    placed = filters.DateFromToRangeFilter(field_name="placed_at")

    class Meta:
        model = Order
        fields = ["status"]


class Orders(viewsets.ModelViewSet):
    queryset = Order.objects.all()
    serializer_class = OrderSerializer
    filterset_class = OrderFilter
    search_fields = ["note"]
    ordering_fields = ["total"]

    @action(detail=True, methods=["post"], url_path="pay-now", serializer_class=CustomerSerializer)
    def pay(self, request, pk=None):
        return Response({})


def test_schema_has_the_actions_of_a_view_set():
    made = paths(orders=Orders)
    assert set(made["/orders/"]) == {"get", "post"}
    assert set(made["/orders/{id}/"]) == {"get", "put", "patch", "delete"}
    assert set(made["/orders/{id}/pay-now/"]) == {"post"}


def test_schema_has_the_parameters_of_a_list():
    found = parameters(paths(orders=Orders)["/orders/"]["get"])
    assert {"min_total", "placed_after", "placed_before", "status", "search", "ordering"} <= found


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pagination.PageNumberPagination, {"page"}),
        (pagination.LimitOffsetPagination, {"limit", "offset"}),
        (pagination.CursorPagination, {"cursor"}),
    ],
)
def test_schema_has_the_parameters_of_a_pagination(kind, expected):
    view = type("View", (Orders,), {"pagination_class": kind})
    assert expected <= parameters(paths(orders=view)["/orders/"]["get"])


def test_schema_has_the_pages_of_the_default_pagination():
    content = paths(orders=Orders)["/orders/"]["get"]["responses"]["200"]["content"]["application/json"]
    assert content["schema"]["$ref"].endswith("PaginatedOrderList")


def test_schema_has_generic_views_and_their_uploads():
    class Upload(generics.CreateAPIView):
        serializer_class = DocumentSerializer
        parser_classes = [MultiPartParser]

    body = paths(path("documents/", Upload.as_view()))["/documents/"]["post"]["requestBody"]["content"]
    assert list(body) == ["multipart/form-data"]


def test_schema_is_extended_for_plain_views():
    class Sum(serializers.Serializer):
        total = serializers.IntegerField()

    class Total(APIView):
        @extend_schema(parameters=[OpenApiParameter("until", str)], responses=Sum)
        def get(self, request):
            return Response({"total": 1})

    @extend_schema(request=CustomerSerializer, responses={201: CustomerSerializer})
    @api_view(["POST"])
    def register(request):
        return Response({}, status=201)

    made = paths(path("total/", Total.as_view()), path("register/", register))
    assert parameters(made["/total/"]["get"]) == {"until"}
    assert "201" in made["/register/"]["post"]["responses"]


def test_schema_leaves_out_a_view():
    @api_view(["GET"])
    @schema(None)
    def hidden(request):
        return Response({})

    class Hidden(APIView):
        schema = None

        def get(self, request):
            return Response({})

    assert paths(path("hidden/", hidden), path("too/", Hidden.as_view())) == {}


def test_view_has_a_schema_class_of_its_own():
    class Tagged(AutoSchema):
        def get_tags(self):
            return ["special"]

    class View(generics.ListAPIView):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer
        schema = Tagged()

    assert paths(path("customers/", View.as_view()))["/customers/"]["get"]["tags"] == ["special"]


def test_schema_has_the_text_of_a_view():
    class View(generics.ListAPIView):
        """All customers of the shop."""

        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

    operation = paths(path("customers/", View.as_view()))["/customers/"]["get"]
    assert "All customers of the shop." in operation["description"]


def test_schema_is_served_for_each_version(mount_versions, anonymous):
    router = SimpleRouter()
    router.register("orders", Orders)
    urls = [path("openapi/", SpectacularAPIView.as_view(permission_classes=[AllowAny])), *router.urls]
    mount_versions(v1=urls, v2=urls)
    for version, other in (("v1", "v2"), ("v2", "v1")):
        url = f"/api/{version}/openapi/"
        response = anonymous.get(url, headers={"Accept": "application/vnd.oai.openapi+json"})
        assert response.status_code == 200, response.content
        served = set(json.loads(response.content)["paths"])
        assert f"/api/{version}/orders/" in served
        assert f"/api/{other}/orders/" not in served
