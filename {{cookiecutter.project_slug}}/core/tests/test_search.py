"""Search: the normalized column, its terms, and how rows are repaired that were changed past `save()`."""

import json
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import NotSupportedError, ProgrammingError, connection
from django.test.utils import CaptureQueriesContext

from books.models import Book
from core.search import AddSearchIndex, normalize, searchable_models

pytestmark = pytest.mark.django_db


def add(title: str, isbn: str = "9780141439587", **values: Any) -> Book:
    return Book.objects.create(**{"title": title, "author": "Jane Austen", "isbn": isbn, **values})


def found(terms: str) -> bool:
    return Book.objects.filter(search__icontains=terms).exists()


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("", ""),
        ("  Two   words ", "two words"),
        ("ÉMILE Zola", "emile zola"),
        ("E\u0301mile", "emile"),
        ("Łukasz Đorđe Tromsø", "lukasz dorde tromso"),
        ("Æsop œuvre Straße", "aesop oeuvre strasse"),
        ("Reykjavík Þór ð", "reykjavik thor d"),
        ("I\u015f\u0131k \u0131l\u0131k İstanbul", "isik ilik istanbul"),
        ("Ħal Ŧ ŋ", "hal t n"),
        ("O'Brien, J.-P. (1984)", "o brien j p 1984"),
        ("snake_case", "snake case"),
        ("ﬁne ²", "fine 2"),
        ("Ελλάδα Москва 東京", "ελλαδα москва 東京"),
        # Vowel signs are left out, as accents are.
        ("किताब की", "कतब क"),
        ("& % _ -", ""),
    ],
)
def test_a_text_is_normalized_to_words_without_case_and_accents(text, normalized):
    assert normalize(text) == normalized
    assert normalize(normalized) == normalized


@pytest.mark.parametrize(
    "terms",
    ["lukasz", "ŁUKASZ", "łuk", "tromso", "Tromsø", "lukasz tromso", "tromso  lukasz", "rom", "lu", "l t", "& lukasz"],
)
def test_a_row_is_found_by_parts_of_its_words_in_any_order(terms):
    add("Łukasz i Tromsø")
    assert found(terms)


@pytest.mark.parametrize("terms", ["lukasz oslo", "uk", "k", "ukaz", "lukasz_tromso x", "%", "_", "' OR 1=1"])
def test_a_row_without_the_terms_is_not_found(terms):
    add("Łukasz i Tromsø")
    # Terms without a word are ignored: they do not filter a list.
    assert found(terms) == (not normalize(terms))


def test_short_terms_begin_a_word():
    add("A tale of two cities")
    assert found("of")
    assert found("ta")
    assert not found("wo")
    assert found("two")


def test_every_source_is_searched_when_a_row_is_saved():
    book = add("Emma", subtitle="A novel", author="Jane Austen")
    for terms in ("emma", "novel", "austen", "emma austen novel"):
        assert found(terms)
    book.title = "Persuasion"
    book.save()
    assert found("persuasion")
    assert not found("emma")


def test_rows_created_in_bulk_are_found():
    Book.objects.bulk_create([Book(title="Emma", author="Jane Austen", isbn="9780141439587")])
    assert found("emma")


def rebuild() -> str:
    output = StringIO()
    call_command("rebuild_search", stdout=output)
    return output.getvalue()


def update(book: Book, path: Any) -> None:
    Book.objects.update(title="Persuasion")


def bulk_update(book: Book, path: Any) -> None:
    book.title = "Persuasion"
    Book.objects.bulk_update([book], ["title"])


def save_one_field(book: Book, path: Any) -> None:
    book.title = "Persuasion"
    book.save(update_fields=["title"])


def load_a_fixture(book: Book, path: Any) -> None:
    time = "2026-01-01T00:00:00Z"
    fields = {"title": "Persuasion", "author": "J", "isbn": book.isbn, "created_at": time, "updated_at": time}
    (path / "book.json").write_text(json.dumps([{"model": "books.book", "pk": book.pk, "fields": fields}]))
    call_command("loaddata", str(path / "book.json"), verbosity=0)


@pytest.mark.parametrize("change", [update, bulk_update, save_one_field, load_a_fixture])
def test_a_command_repairs_rows_that_were_changed_past_save(tmp_path, change):
    add("Dracula", "9780141439846")
    change(add("Emma"), tmp_path)
    rebuild()
    assert found("persuasion")
    assert not found("emma")
    assert found("dracula") or change is update
    assert "books: 0 rows changed" in rebuild()


def test_the_command_repairs_rows_in_batches(monkeypatch):
    Book.objects.bulk_create([Book(title="Emma", author="J", isbn=str(number)) for number in ISBNS])
    Book.objects.update(title="Persuasion")
    monkeypatch.setattr("core.search.rebuild_search_fields.__defaults__", (2,))
    assert "books: 5 rows changed" in rebuild()
    assert Book.objects.filter(search__icontains="persuasion").count() == 5


def test_the_command_locks_the_rows_that_it_is_about_to_write():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no row locks: its transaction locks the database")
    add("Emma")
    with CaptureQueriesContext(connection) as queries:
        rebuild()
    [reading] = [query["sql"] for query in queries if 'FROM "books_book"' in query["sql"]]
    assert "FOR UPDATE" in reading


ISBNS = [9780141439587, 9780141439846, 9780140444308, 9780141439518, 9780804429573]


def test_models_with_a_search_column_are_found():
    assert Book in searchable_models()


# The index of PostgreSQL


def run(operation: str, vendor: str = "postgresql", execute: Any = None) -> list[str]:
    """Run an operation with a schema editor that records its statements."""
    statements: list[str] = []
    database = SimpleNamespace(vendor=vendor, alias="default")
    editor = SimpleNamespace(connection=database, execute=execute or statements.append)
    state = SimpleNamespace(apps=apps)
    getattr(AddSearchIndex("book"), operation)("books", editor, state, state)
    return statements


def test_a_database_without_the_table_gets_no_index(settings):
    settings.DATABASE_ROUTERS = [SimpleNamespace(allow_migrate=lambda alias, app_label, **hints: app_label != "books")]
    assert run("database_forwards") == run("database_backwards") == []


def test_the_index_is_built_without_blocking_writes():
    dropped, extension, created = run("database_forwards")
    assert dropped == 'DROP INDEX CONCURRENTLY IF EXISTS "books_book_search"'
    assert extension == "CREATE EXTENSION IF NOT EXISTS pg_trgm"
    assert created.startswith('CREATE INDEX CONCURRENTLY "books_book_search" ON "books_book" USING gin')
    assert run("database_backwards") == [dropped]
    assert AddSearchIndex("book").describe() == "Create a trigram index on search of book"


def test_other_databases_have_no_such_index():
    for operation in ("database_forwards", "database_backwards"):
        assert run(operation, vendor="sqlite") == []


# A user who may not create it, and a server on which it is not installed.
@pytest.mark.parametrize("error", [ProgrammingError, NotSupportedError])
def test_a_missing_extension_is_a_message_that_says_what_to_do(error):
    def refuse(statement: str) -> None:
        if "EXTENSION" in statement:
            raise error("permission denied\nwith details")

    with pytest.raises(CommandError, match=r"created: permission denied\. .*CREATE EXTENSION pg_trgm"):
        run("database_forwards", execute=refuse)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="Only PostgreSQL has trigram indexes.")
def test_a_search_can_use_the_index():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = Book.objects.filter(search__icontains="lukasz").order_by().explain()
    assert "books_book_search" in plan
