"""The book resource at `/api/v1/books/`.

`BookFilter` selects the rows, `BookSerializer` converts between rows and JSON, and `BookViewSet` responds to requests.
The decorators `extend_schema…` describe the resource in the API documentation, and change nothing else.
"""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db.models import QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import (
    OpenApiExample,
    extend_schema,
    extend_schema_field,
    extend_schema_serializer,
    extend_schema_view,
)
from rest_framework import serializers
from rest_framework.permissions import DjangoModelPermissionsOrAnonReadOnly, IsAuthenticatedOrReadOnly
from rest_framework.validators import UniqueValidator

from apis.filters import UTCDateTimeFilter
from apis.viewsets import ConditionalModelViewSet
from books.isbn import MAX_LENGTH, normalize_isbn
from books.models import Book


@extend_schema_field({"type": "string", "format": "isbn", "minLength": 10, "maxLength": MAX_LENGTH})
class ISBNSerializerField(serializers.CharField):
    """Convert an ISBN-10 or ISBN-13, with or without hyphens, to 13 digits before `UniqueValidator` looks it up."""

    def to_internal_value(self, data: Any) -> str:
        """Return the value to store; DRF calls this with what the client has sent."""
        return normalize_isbn(super().to_internal_value(data))


# Examples for the API documentation: what a client sends, and what it gets back.
BOOK = {"title": "Emma", "subtitle": "", "author": "Jane Austen", "isbn": "9780141439587"}
# An ISBN-10 is accepted, and stored as an ISBN-13.
SENT = {**BOOK, "isbn": "0-14-143958-0"}
TIMES = {"created_at": "2030-01-31T00:00:00Z", "updated_at": "2030-01-31T00:00:00Z"}
STORED = {"id": 1, "url": "http://127.0.0.1:8000/api/v1/books/1/", **BOOK, **TIMES}


@extend_schema_serializer(
    examples=[OpenApiExample("Sent", SENT, request_only=True), OpenApiExample("Stored", STORED, response_only=True)]
)
class BookSerializer(serializers.ModelSerializer[Book]):
    # DRF would add the same field; it is declared here to show the router's name for the URL of a book.
    url = serializers.HyperlinkedIdentityField(view_name="book-detail")
    # DRF adds no `UniqueValidator` to a declared field, so it is listed here.
    isbn = ISBNSerializerField(label="ISBN", max_length=MAX_LENGTH, validators=[UniqueValidator(Book.objects.all())])

    class Meta:
        model = Book
        fields = ["id", "url", "title", "subtitle", "author", "isbn", "created_at", "updated_at"]
        # PUT replaces the whole book: an omitted subtitle becomes empty.
        extra_kwargs = {"subtitle": {"default": ""}}


class BookFilter(filters.FilterSet):
    """The query parameters that filter the list."""

    isbn = filters.CharFilter(method="by_isbn", help_text="An ISBN-10 or ISBN-13; hyphens are optional.")
    created_after = UTCDateTimeFilter("created_at", "gt", help_text="Added after this time.")
    created_before = UTCDateTimeFilter("created_at", "lt", help_text="Added before this time.")

    class Meta:
        model = Book
        fields = ("author",)

    @extend_schema_field({"type": "string", "format": "isbn"})
    def by_isbn(self, queryset: QuerySet[Book], name: str, value: str) -> QuerySet[Book]:
        """Return the books with this ISBN. `name` is the filter's `field_name`, "isbn"."""
        try:
            return queryset.filter(isbn=normalize_isbn(value))
        except DjangoValidationError as error:
            # Raise DRF's error, so that the response names the parameter.
            raise serializers.ValidationError({name: error.message}) from error


# `ConditionalModelViewSet` is DRF's `ModelViewSet` with transactions and row locks, which make simultaneous writes
# safe, and with the header `ETag`, which begins with a hash of the row. If a client sends the `ETag` back in
# `If-Match` with a write, and the row has changed since, the response is 412 (Precondition Failed).
@extend_schema_view(
    list=extend_schema(summary="List books"),
    create=extend_schema(summary="Add a book"),
    retrieve=extend_schema(summary="Show a book"),
    update=extend_schema(summary="Replace a book"),
    partial_update=extend_schema(summary="Change a book"),
    destroy=extend_schema(summary="Delete a book"),
)
class BookViewSet(ConditionalModelViewSet):
    """The books of the library."""

    queryset = Book.objects.all()
    serializer_class = BookSerializer
    # Everybody may read. Writing needs a permission such as `add_book`, which `DjangoModelPermissionsOrAnonReadOnly`
    # checks. `IsAuthenticatedOrReadOnly` only makes the documentation show that reading needs no login.
    permission_classes = (IsAuthenticatedOrReadOnly, DjangoModelPermissionsOrAnonReadOnly)
    filterset_class = BookFilter
    # `?search=` looks in the column `Book.search`, which has the words of title, subtitle and author.
    search_fields = ("search",)
    # `Book` has an index for each of them.
    ordering_fields = ("title", "author", "created_at")
    # The URL has `<int:pk>`, so an id that is not an integer is a 404.
    lookup_value_converter = "int"
