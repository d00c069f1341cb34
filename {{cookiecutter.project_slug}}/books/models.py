"""The book model."""

from django.db import models
from django.urls import reverse

from books.isbn import ISBNField
from core.search import SearchField


class Book(models.Model):
    """A book, uniquely identified by its ISBN."""

    title = models.CharField(max_length=250)
    subtitle = models.CharField(max_length=250, blank=True)
    author = models.CharField(max_length=100)
    isbn = ISBNField("ISBN", unique=True, help_text="10 or 13 digits, with or without hyphens.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    search = SearchField(sources=("title", "subtitle", "author"))

    class Meta:
        ordering = ("title", "id")
        # One for each ordering of a list, and one for the books of an author by title. The id makes each position
        # unique, so that the next page starts exactly after the last row.
        indexes = (
            models.Index(fields=["title", "id"], name="book_title"),
            models.Index(fields=["author", "id"], name="book_author"),
            models.Index(fields=["created_at", "id"], name="book_created_at"),
            models.Index(fields=["author", "title", "id"], name="book_author_title"),
        )

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("book_detail", args=[self.pk])
