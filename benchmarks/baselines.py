"""Views to compare the API with. The benchmark copies this module into the rendered project."""

from typing import Any

from books.models import Book
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path
from rest_framework import filters, generics, pagination, permissions, serializers, viewsets

FIELDS = ("id", "title", "subtitle", "author", "isbn", "created_at", "updated_at")


class BookSerializer(serializers.HyperlinkedModelSerializer):
    class Meta:
        model = Book
        fields = (*FIELDS, "url")


class Tutorial(generics.ListAPIView):
    """The first view of tutorials: every row in one response."""

    queryset = Book.objects.all()
    serializer_class = BookSerializer
    permission_classes = (permissions.DjangoModelPermissionsOrAnonReadOnly,)
    pagination_class = None
    filter_backends = ()


class Pages(pagination.PageNumberPagination):
    page_size = 20


class Usual(viewsets.ModelViewSet):
    """The usual view of other templates: page numbers, and DRF's own filters for search and ordering."""

    queryset = Book.objects.all()
    serializer_class = BookSerializer
    permission_classes = (permissions.DjangoModelPermissionsOrAnonReadOnly,)
    pagination_class = Pages
    filter_backends = (filters.SearchFilter, filters.OrderingFilter)
    search_fields = ("title", "subtitle", "author")
    ordering_fields = ("title", "author", "created_at")


def raw(request: HttpRequest) -> JsonResponse:
    """The upper limit: one statement, and its rows as they are."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(FIELDS)} FROM books_book ORDER BY title, id LIMIT 20")
        rows: list[dict[str, Any]] = [dict(zip(FIELDS, row, strict=True)) for row in cursor.fetchall()]
    address = request.build_absolute_uri("/api/v1/books/")
    for row in rows:
        row["url"] = f"{address}{row['id']}/"
    return JsonResponse({"next": None, "previous": None, "results": rows})


urlpatterns = [
    path("tutorial/", Tutorial.as_view()),
    path("usual/", Usual.as_view({"get": "list", "post": "create"})),
    path("usual/<int:pk>/", Usual.as_view({"get": "retrieve"}), name="book-detail"),
    path("raw/", raw),
]
