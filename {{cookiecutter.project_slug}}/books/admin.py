"""Books in the admin: its list reads a bounded number of rows, however many there are."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from books.isbn import normalise
from books.models import Book
from core.admin import BoundedAdmin

MAX_FOUND = 1_000


@admin.register(Book)
class BookAdmin(BoundedAdmin):
    list_display = ("title", "subtitle", "author", "isbn", "created_at")
    sortable_by = ("title", "author", "isbn", "created_at")  # each has an index
    list_filter = ("created_at",)
    search_fields = ("search",)
    search_help_text = "Words of title, subtitle or author, or an ISBN: a thousand books that match, at most."
    readonly_fields = ("created_at", "updated_at")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        if not search_term:
            return queryset, False
        try:
            condition = Q(isbn=normalise(search_term))
        except ValidationError:
            condition = Q(search__icontains=search_term)
        # All that match would be sorted.
        found = list(queryset.filter(condition).order_by().values_list("pk", flat=True)[:MAX_FOUND])
        return queryset.filter(pk__in=found), False
