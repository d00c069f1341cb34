"""The addresses of the library's pages."""

from django.urls import path

from books.views import BookDetailView, BookListView

urlpatterns = [
    path("", BookListView.as_view(), name="home"),
    path("books/<int:pk>/", BookDetailView.as_view(), name="book_detail"),
]
