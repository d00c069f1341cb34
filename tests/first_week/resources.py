"""The resources of the app `shop` in version 1 of the API."""

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import filters, generics, pagination, serializers, views, viewsets
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from apis.v1.books import BookSerializer, BookViewSet
from apis.viewsets import ConditionalModelViewSet
from books.models import Book
from shop import models


class CustomerSerializer(serializers.ModelSerializer[models.Customer]):
    serializer_related_field = serializers.PrimaryKeyRelatedField

    class Meta:
        model = models.Customer
        fields = ("id", "name", "email", "website")


class CustomerViewSet(ConditionalModelViewSet):
    queryset = models.Customer.objects.all()
    serializer_class = CustomerSerializer


class OrderSerializer(serializers.ModelSerializer[models.Order]):
    class Meta:
        model = models.Order
        fields = ("id", "customer", "total", "placed_at", "data", "created_at")


class OrderViewSet(ConditionalModelViewSet):
    queryset = models.Order.objects.all()
    serializer_class = OrderSerializer
    filterset_fields = ("customer", "customer__name")
    search_fields = ("customer__name", "lines__product")
    ordering_fields = ("created_at", "customer__name", "placed_at", "total")


class LineSerializer(serializers.ModelSerializer[models.Line]):
    class Meta:
        model = models.Line
        fields = ("id", "product")


class DetailedOrderSerializer(serializers.ModelSerializer[models.Order]):
    customer = CustomerSerializer(read_only=True)
    customer_name = serializers.CharField(source="customer.name", read_only=True)
    caption = serializers.SerializerMethodField()
    text = serializers.StringRelatedField(source="customer")
    email = serializers.SlugRelatedField("email", source="customer", queryset=models.Customer.objects.all())
    lines = LineSerializer(many=True, read_only=True)
    line_ids = serializers.PrimaryKeyRelatedField(source="lines", many=True, read_only=True)
    count = serializers.IntegerField(read_only=True)

    class Meta:
        model = models.Order
        fields = (
            *("id", "customer", "customer_name", "caption", "text", "email", "lines", "line_ids", "count"),
            *("is_large", "created_at"),
        )

    def get_caption(self, order: models.Order) -> str:
        return f"{order.customer.name}: {order.total}"


class DetailedOrderViewSet(ConditionalModelViewSet):
    queryset = models.Order.objects.annotate(count=Count("lines")).select_related("customer").prefetch_related("lines")
    serializer_class = DetailedOrderSerializer
    ordering = ("total", "-placed_at")


class OwnFilter(filters.BaseFilterBackend):
    """Show users their own rows only."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        return queryset.filter(owner=request.user)


class OwnOrderViewSet(ConditionalModelViewSet):
    queryset = models.Order.objects.all()
    serializer_class = OrderSerializer
    filter_backends = (OwnFilter,)


class MineOrderViewSet(ConditionalModelViewSet):
    """The other way that DRF's guide shows: `get_queryset`, and the user is set in `perform_create`."""

    queryset = models.Order.objects.all()
    serializer_class = OrderSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(owner_id=self.request.user.pk)

    def perform_create(self, serializer: Any) -> None:
        serializer.save(owner=self.request.user)


class NumberedViewSet(CustomerViewSet):
    pagination_class = pagination.PageNumberPagination


class OffsetViewSet(CustomerViewSet):
    pagination_class = pagination.LimitOffsetPagination


class CursorByName(pagination.CursorPagination):
    ordering = "name"


class CursorViewSet(CustomerViewSet):
    pagination_class = CursorByName


class UnpagedViewSet(CustomerViewSet):
    pagination_class = None


class BuggyViewSet(CustomerViewSet):
    """Every customer that it saves lacks a column that must not be null."""

    def perform_create(self, serializer: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO shop_customer (name, email, website) VALUES ('a', NULL, '')")


class VoucherSerializer(serializers.ModelSerializer[models.Voucher]):
    class Meta:
        model = models.Voucher
        fields = ("id", "code", "percent")


class VoucherViewSet(ConditionalModelViewSet):
    queryset = models.Voucher.objects.all()
    serializer_class = VoucherSerializer

    @action(detail=False, permission_classes=[IsAuthenticated])
    def best(self, request: Request) -> Response:
        first = self.filter_queryset(self.get_queryset()).order_by("-percent").first()
        return Response(VoucherSerializer(first).data)


class ShopBookSerializer(serializers.ModelSerializer[models.Book]):
    class Meta:
        model = models.Book
        fields = ("id", "title")


class ShopBookViewSet(ConditionalModelViewSet):
    queryset = models.Book.objects.all()
    serializer_class = ShopBookSerializer


class ComputedBookSerializer(BookSerializer):
    letter = serializers.SerializerMethodField()

    class Meta(BookSerializer.Meta):
        model = Book
        fields = [*BookSerializer.Meta.fields, "letter"]

    def get_letter(self, book: Book) -> str:
        return book.title[:1]


class ComputedBookViewSet(BookViewSet):
    serializer_class = ComputedBookSerializer


class PlainView(views.APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response({"user": request.user.get_username()})

    @extend_schema(request=OpenApiTypes.OBJECT, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        return Response(request.data)


@extend_schema(responses=OpenApiTypes.OBJECT)
@api_view(["GET"])
def function(request: Request) -> Response:
    return Response({"query": request.query_params.dict()})


@extend_schema(responses=OpenApiTypes.OBJECT)
@api_view(["GET"])
@permission_classes([AllowAny])
def public(request: Request) -> Response:
    return Response({})


class PlainViewSet(viewsets.ViewSet):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def list(self, request: Request) -> Response:
        return Response([1, 2, 3])


class NoQueryset(generics.GenericAPIView[Any]):
    serializer_class = LineSerializer

    def post(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.data)


class Export(views.APIView):
    """A download that is made while it is sent."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request) -> StreamingHttpResponse:
        def rows() -> Iterator[str]:
            for customer in models.Customer.objects.iterator():
                csv.writer(line := StringIO()).writerow([customer.pk, customer.name])
                yield line.getvalue()

        return StreamingHttpResponse(rows(), content_type="text/csv")
