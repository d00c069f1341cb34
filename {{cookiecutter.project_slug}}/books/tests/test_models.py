"""The model of a book, its ISBN in both forms, its admin, the demo books and invented ones."""

from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse_lazy

from books.isbn import normalize_isbn
from books.models import Book
from books.views import PAGE_SIZE
from core.management.commands import demo
from core.search import normalize

pytestmark = pytest.mark.django_db

ADMIN = reverse_lazy("admin:books_book_changelist")


def book(**values):
    return Book(**{"title": "Emma", "author": "Jane Austen", "isbn": "9780141439587", **values})


def test_a_book_keeps_what_it_was_given():
    book(subtitle="A Novel").save()
    saved = Book.objects.get()
    fields = (saved.title, saved.subtitle, saved.author, saved.isbn)
    assert fields == ("Emma", "A Novel", "Jane Austen", "9780141439587")
    assert saved.created_at <= saved.updated_at
    assert str(saved) == "Emma"


@pytest.mark.parametrize(("field", "limit"), [("title", 250), ("subtitle", 250), ("author", 100)])
def test_a_text_has_its_limit(field, limit):
    book(**{field: "x" * limit}).full_clean()
    with pytest.raises(ValidationError) as error:
        book(**{field: "x" * (limit + 1)}).full_clean()
    assert list(error.value.message_dict) == [field]


@pytest.mark.parametrize("field", ["title", "author", "isbn"])
def test_all_but_the_subtitle_is_required(field):
    with pytest.raises(ValidationError) as error:
        book(**{field: ""}).full_clean()
    assert list(error.value.message_dict) == [field]
    book(subtitle="").full_clean()


def test_an_isbn_is_stored_as_digits_however_the_book_is_saved():
    Book.objects.create(title="Emma", author="Jane Austen", isbn="0-14-143958-0")
    Book.objects.bulk_create([book(title="Dracula", isbn="978-0-14-143984-6")])
    assert set(Book.objects.values_list("isbn", flat=True)) == {"9780141439587", "9780141439846"}


def test_a_wrong_isbn_cannot_be_saved():
    with pytest.raises(ValidationError):
        book(isbn="9780141439588").save()


def test_an_isbn_is_there_once():
    book().save()
    with pytest.raises(ValidationError) as raised:
        book(isbn="0141439580").full_clean()
    assert raised.value.error_dict["isbn"][0].code == "unique"
    with pytest.raises(IntegrityError):
        book().save()


def test_the_admin_adds_lists_and_finds_a_book(admin_client):
    data = {"title": "Emma", "subtitle": "", "author": "Jane Austen", "isbn": "0-14-143958-0"}
    assert admin_client.post(f"{ADMIN}add/", data).status_code == 302
    assert Book.objects.get().isbn == "9780141439587"
    found = admin_client.get(ADMIN, {"q": "austen"}).content.decode()
    for text in ("Emma", "Jane Austen", "9780141439587", "Created at"):
        assert text in found
    assert "1 book" in admin_client.get(ADMIN, {"q": "978-0-14-143958-7"}).content.decode()
    assert "0 books" in admin_client.get(ADMIN, {"q": "dickens"}).content.decode()


def test_the_list_of_the_admin_counts_and_finds_no_more_rows_than_its_limits(admin_client, monkeypatch):
    monkeypatch.setattr("books.admin.BoundedPaginator.LIMIT", 10)
    monkeypatch.setattr("books.admin.MAX_FOUND", 5)
    seed(20)
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(ADMIN)
        found = admin_client.get(ADMIN, {"q": "t"})
    assert (page.context["cl"].result_count, found.context["cl"].result_count) == (10, 5)
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT" in sql for sql in counts)


@pytest.mark.parametrize(("count", "bounded"), [(150, False), (151, True)])
def test_the_list_of_the_admin_says_when_there_are_more_rows_than_it_shows(admin_client, monkeypatch, count, bounded):
    monkeypatch.setattr("books.admin.BoundedPaginator.LIMIT", 150)
    seed(count)
    page = admin_client.get(ADMIN).content.decode()
    assert ("The first 150 books. Search to find the others." in page) == bounded
    # It would delete rows that nobody has counted.
    assert ('<span class="all hidden">' in page) == (not bounded)


def test_an_admin_action_may_have_a_field_for_each_row_of_the_list(admin_client):
    seed(3)
    ticked = [Book.objects.values_list("pk", flat=True)[0]] * 2_000
    chosen = {"action": "delete_selected", "_selected_action": ticked, "post": "yes"}
    assert admin_client.post(ADMIN, chosen).status_code == 302
    assert Book.objects.count() == 2


def test_the_admin_says_what_is_wrong_with_an_isbn(admin_client):
    data = {"title": "Emma", "author": "Jane Austen", "isbn": "9780141439588"}
    page = admin_client.post(f"{ADMIN}add/", data).content.decode()
    assert "The check digit of this ISBN is wrong." in page
    assert not Book.objects.exists()


FORMS = {
    "9780141439518": ["9780141439518", "978-0-14-143951-8", " 978 0141439518 ", "0141439513", "0-14-143951-3"],
    "9780804429573": ["080442957X", "0-8044-2957-x"],
}
WRONG = {
    "check_digit": ["9780141439519", "0141439514", "080442957-1"],
    "invalid": [
        "",
        "97801414395180",
        "978014143951X",
        "9770141439518",
        "٩٧٨٠١٤١٤٣٩٥١٨",
        "X141439513",
        "9-7-8-0-1-4-1-4-3-9-5-1-8",
        "a" * 9999,
    ],
}


@pytest.mark.parametrize(("digits", "text"), [(digits, text) for digits in FORMS for text in FORMS[digits]])
def test_every_form_of_an_isbn_becomes_its_thirteen_digits(digits, text):
    assert normalize_isbn(text) == digits


@pytest.mark.parametrize(("code", "text"), [(code, text) for code in WRONG for text in WRONG[code]])
def test_what_is_no_isbn_is_refused(code, text):
    with pytest.raises(ValidationError) as error:
        normalize_isbn(text)
    assert error.value.code == code


def seed(count, **options):
    """Run `seed_books`; returns the books that are there then, and what it printed."""
    output = options.pop("stdout", StringIO())
    call_command("seed_books", count=count, stdout=output, **options)
    return list(Book.objects.order_by("isbn").values_list("isbn", "title", "subtitle", "author")), output.getvalue()


def test_another_seed_stands_for_other_books():
    first, _ = seed(20)
    both, _ = seed(20, seed=1)
    assert len(both) == 40
    assert [row[1:] for row in both[20:]] != [row[1:] for row in first]


def test_invented_books_are_the_same_each_time_and_added_where_they_are_missing():
    Book.objects.create(title="Mine", author="Me", isbn="9781735467221")
    first, _ = seed(20)
    invented = Book.objects.exclude(title="Mine").order_by("pk").values_list("pk", flat=True)
    Book.objects.filter(pk__in=list(invented[10:])).delete()
    assert seed(20)[0] == first
    more, _ = seed(30)
    assert len(more) == 31
    assert set(first) < set(more)


def test_the_demo_books_have_valid_isbns_and_are_found_without_accents():
    seed(None)
    books = {book.title: book for book in Book.objects.all()}
    assert len(books) > PAGE_SIZE
    for book in books.values():
        assert normalize_isbn(book.isbn) == book.isbn
        book.full_clean(exclude=["isbn"])
    for words, title in {"miserables": "Les Misérables", "capek": "R.U.R.", "kierkegaard soren": "Fear and"}.items():
        assert Book.objects.get(search__icontains=words).title.startswith(title)
    # Added again, they are the same.
    assert f"{len(books)} books are in the database." in seed(None)[1]
    assert Book.objects.count() == len(books)


def test_an_invented_book_is_found_and_has_a_valid_isbn():
    seed(20)
    for row in Book.objects.all():
        assert normalize_isbn(row.isbn) == row.isbn
        assert row.search.split()[0] in normalize(row.title)


@pytest.mark.parametrize("wrong", ["0", "-1", "ten", "1.5", "", "10000001", "9" * 10_000, "٣"])
def test_a_wrong_count_or_seed_is_one_clear_line(wrong):
    with pytest.raises(CommandError, match=r"^--count is a whole number from 1 to 10000000\.$"):
        seed(wrong)
    if wrong != "0":
        with pytest.raises(CommandError, match=r"^--seed is a whole number from 0 to 9\.$"):
            seed(1, seed=wrong)
    assert not Book.objects.exists()


class Terminal(StringIO):
    def isatty(self):
        return True


def test_progress_is_shown_on_a_terminal_alone(monkeypatch):
    monkeypatch.setattr(demo, "BATCH", 10)
    assert "20 of 20\n" in seed(20, stdout=Terminal())[1]
    assert "20 of 20" not in seed(20)[1]


def test_seeding_keeps_no_statements_in_memory(monkeypatch, settings):
    settings.DEBUG = True
    monkeypatch.setattr(demo, "BATCH", 1)
    seed(50)
    assert len(connection.queries_log) < 10
