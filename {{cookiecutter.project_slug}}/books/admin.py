"""Books in the admin: its list reads a bounded number of rows, however many there are."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from books.isbn import normalize_isbn
from books.models import Book

MAX_FOUND = 1_000


class BoundedPaginator(Paginator):
    """Paginate only the first `LIMIT` rows: counting a large table, or skipping most of its rows, takes seconds."""

    LIMIT = 10_000

    @cached_property
    def counted(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.LIMIT + 1].count())

    @property
    def count(self) -> int:
        return min(self.counted, self.LIMIT)

    @property
    def is_bounded(self) -> bool:
        """Whether there are more rows than the pages show; the templates of this admin say so."""
        return self.counted > self.LIMIT


@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    list_display = ("title", "subtitle", "author", "isbn", "created_at")
    sortable_by = ("title", "author", "isbn", "created_at")  # each has an index
    list_filter = ("created_at",)
    search_fields = ("search",)
    search_help_text = "Words of title, subtitle or author, or an ISBN. The list shows at most 1,000 matches."
    readonly_fields = ("created_at", "updated_at")
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        if not search_term:
            return queryset, False
        try:
            condition = Q(isbn=normalize_isbn(search_term))
        except ValidationError:
            condition = Q(search__icontains=search_term)
        # Limit the matches before the list sorts them.
        found = list(queryset.filter(condition).order_by().values_list("pk", flat=True)[:MAX_FOUND])
        return queryset.filter(pk__in=found), False
