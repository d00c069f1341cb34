"""How books become JSON and JSON becomes books."""

from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from books.isbn import ISBNField as ISBNColumn
from books.isbn import normalise
from books.models import Book
from core.generics import ModelSerializer, TextField


@extend_schema_field({"type": "string", "format": "isbn", "minLength": 10, "maxLength": 20})
class ISBNField(TextField):
    """An ISBN in either form; what follows, the check that it is unique above all, sees its 13 digits."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            return normalise(text)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.message, code=error.code) from error


# Examples of the OpenAPI document.
BOOK = {"title": "Emma", "subtitle": "", "author": "Jane Austen", "isbn": "9780141439587"}
SENT = {**BOOK, "isbn": "0-14-143958-0"}
TIMES = {"created_at": "2030-01-31T00:00:00Z", "updated_at": "2030-01-31T00:00:00Z"}
STORED = {"id": 1, "url": "http://127.0.0.1:8000/api/v1/books/1/", **BOOK, **TIMES}


@extend_schema_serializer(
    examples=[OpenApiExample("Sent", SENT, request_only=True), OpenApiExample("Stored", STORED, response_only=True)]
)
class BookSerializer(ModelSerializer):
    serializer_field_mapping = {**ModelSerializer.serializer_field_mapping, ISBNColumn: ISBNField}

    class Meta:
        model = Book
        fields = ("id", "url", "title", "subtitle", "author", "isbn", "created_at", "updated_at")
        # An ISBN as it is sent; and a book that is replaced loses a subtitle that is left out.
        extra_kwargs = {"isbn": {"max_length": 20}, "subtitle": {"default": ""}}
