"""What the library's pages show of the books: the model holds the content, a view chooses, a template displays."""

from typing import Any

from django.core.exceptions import BadRequest
from django.views.generic import DetailView, TemplateView

from books.models import Book
from core.paging import InvalidCursorError, paginate
from core.search import matching

ORDERINGS = {"title": "Title", "author": "Author", "-created_at": "Newest first"}
PAGE_SIZE = 20


class BookListView(TemplateView):
    """A page of the books that match a search, in one of `ORDERINGS`."""

    template_name = "books/book_list.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        search = self.request.GET.get("search", "")[:200]
        ordering = self.request.GET.get("ordering", "title")
        if ordering not in ORDERINGS:
            raise BadRequest("unknown ordering")
        try:
            page = paginate(
                Book.objects.filter(matching(search)).defer("search"),
                ordering=ordering,
                size=PAGE_SIZE,
                cursor=self.request.GET.get("cursor", ""),
            )
        except InvalidCursorError as error:
            raise BadRequest(str(error)) from error
        return super().get_context_data(
            **kwargs, page=page, book_list=page.rows, search=search, ordering=ordering, orderings=ORDERINGS
        )


class BookDetailView(DetailView):
    """Everything about one book."""

    model = Book
    template_name = "books/book_detail.html"
