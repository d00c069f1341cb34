"""Demo data: well-known books whose authors' rights have ended, with ISBNs of real editions."""

import json
from collections.abc import Callable
from pathlib import Path

from books.models import Book


def load(say: Callable[[str], None]) -> None:
    """Add the books of `demo.json` and say how many; a book whose ISBN is there already is left alone."""
    rows = json.loads(Path(__file__).with_name("demo.json").read_text(encoding="utf-8"))
    before = Book.objects.count()
    Book.objects.bulk_create([Book(**row) for row in rows], ignore_conflicts=True)
    say(f"Books added: {Book.objects.count() - before}, in the library: {Book.objects.count()}")
