"""Pages of the library: the list of books, and the page of one book."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.views.generic import DetailView, TemplateView

from books.models import Book
from core.keyset import InvalidCursorError, KeysetPage, paginate
from core.views import error_page

ORDERINGS = {"title": "Title", "author": "Author", "-created_at": "Newest first"}
PAGE_SIZE = 20
# In a library of more books than this, a search whose results fill several pages shows no number: counting is slow.
MAX_COUNTED = 1_000


class BookListView(TemplateView):
    """A page of the books that match a search, in one of `ORDERINGS`.

    Not a `ListView`: its paginator counts all rows and skips those of earlier pages with OFFSET.
    """

    template_name = "books/book_list.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the page, or 400 if the ordering is unknown or the cursor is invalid."""
        search, ordering = request.GET.get("search", "")[:200], request.GET.get("ordering", "title")
        cursor = request.GET.get("cursor", "")
        if ordering not in ORDERINGS:
            return error_page(400)
        # Do not load the search column: it is long and not shown.
        books = Book.objects.order_by(ordering).defer("search")
        if search.strip():
            # SearchField's own `icontains`: every term must match.
            books = books.filter(search__icontains=search)
        try:
            # With a filter, few rows may match: see `filtered_rows` in core/keyset.py.
            page = paginate(books, size=PAGE_SIZE, cursor=cursor, filtered=bool(search.strip()))
        except InvalidCursorError:
            return error_page(400)
        count = count_results(books, page) if search else None
        context = {
            "search": search,
            "ordering": ordering,
            "cursor": cursor,
            "page": page,
            "book_list": page.rows,
            "count": count,
            "orderings": ORDERINGS,
            "page_size": PAGE_SIZE,
        }
        return self.render_to_response(context)


def count_results(books: QuerySet[Book], page: KeysetPage) -> int | None:
    """Return the number of results.

    None if they fill several pages, and the library has more than MAX_COUNTED books: counting would be slow.
    """
    if page.next is None and page.previous is None:
        return len(page.rows)
    # The slice stops the count at MAX_COUNTED + 1.
    if Book.objects.order_by()[: MAX_COUNTED + 1].count() > MAX_COUNTED:
        return None
    return books.count()


class BookDetailView(DetailView):
    """The page of one book."""

    model = Book
    template_name = "books/book_detail.html"
