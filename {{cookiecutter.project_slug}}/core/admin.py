"""The base of an admin for models with many rows."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.utils.functional import cached_property


class BoundedPaginator(Paginator):
    """Pages of the first `LIMIT` rows: counting all of a large table, and skipping most of it, takes seconds."""

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
        """Whether there are more rows than the pages show; the templates of the model's admin say so."""
        return self.counted > self.LIMIT


class BoundedAdmin(admin.ModelAdmin):
    """An admin whose list shows the rows that `BoundedPaginator` counts; a search finds the others."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
