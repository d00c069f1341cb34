"""The API's resources: which books a request gets, and what it may do with them."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apis.serializers import BookSerializer
from books.isbn import normalise
from books.models import Book
from core.filters import TextFilter, UTCFilter
from core.generics import ModelViewSet
from core.search import matching

# What `BookSerializer` says of each book, but for its address.
ROWS = Book.objects.values(*(name for name in BookSerializer.Meta.fields if name != "url"))


class BookFilter(filters.FilterSet):
    only_filters = True
    author = TextFilter(max_length=100, help_text="The whole name of the author.")
    isbn = filters.CharFilter(method="by_isbn", max_length=20, help_text="An ISBN in either form.")
    created_after = UTCFilter("created_at", "gt", help_text="Added after this time.")
    created_before = UTCFilter("created_at", "lt", help_text="Added before this time.")
    search = TextFilter(method="by_words", max_length=200, help_text="Words of title, subtitle or author.")

    @extend_schema_field({"type": "string", "format": "isbn"})
    def by_isbn(self, queryset: QuerySet[Book], name: str, value: str) -> QuerySet[Book]:
        try:
            return queryset.filter(isbn=normalise(value))
        except DjangoValidationError as error:
            raise ValidationError({name: error.message}) from error

    def by_words(self, queryset: QuerySet[Book], name: str, value: str) -> QuerySet[Book]:
        return queryset.filter(matching(value))


@extend_schema_view(
    list=extend_schema(summary="List books"),
    create=extend_schema(summary="Add a book"),
    retrieve=extend_schema(summary="Read a book"),
    update=extend_schema(summary="Replace a book"),
    partial_update=extend_schema(summary="Change a book"),
    destroy=extend_schema(summary="Delete a book"),
)
class BookViewSet(ModelViewSet):
    """The books of the library."""

    queryset: Any = Book.objects.all()
    serializer_class = BookSerializer
    filterset_class = BookFilter
    ordering_fields = ("title", "author", "created_at")
    # An id is a number: anything else is an unknown address.
    lookup_value_converter = "int"

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        # Rows as dictionaries: half the work of model instances and a serializer. A test compares the two.
        rows = self.paginate_queryset(self.filter_queryset(ROWS.all())) or []
        address = request.build_absolute_uri(request.path)
        return self.get_paginated_response([{"id": row["id"], "url": f"{address}{row['id']}/", **row} for row in rows])
