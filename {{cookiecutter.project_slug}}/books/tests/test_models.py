"""The model of a book, its ISBN in both forms, and its admin."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from books.isbn import normalise
from books.models import Book

pytestmark = pytest.mark.django_db


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
    with pytest.raises(ValidationError, match="already exists"):
        book(isbn="0141439580").full_clean()
    with pytest.raises(IntegrityError):
        book().save()


def test_the_admin_adds_lists_and_finds_a_book(admin_client):
    data = {"title": "Emma", "subtitle": "", "author": "Jane Austen", "isbn": "0-14-143958-0"}
    assert admin_client.post("/admin/books/book/add/", data).status_code == 302
    assert Book.objects.get().isbn == "9780141439587"
    found = admin_client.get("/admin/books/book/", {"q": "austen"}).content.decode()
    for text in ("Emma", "Jane Austen", "9780141439587", "Created at"):
        assert text in found
    assert "0 books" in admin_client.get("/admin/books/book/", {"q": "dickens"}).content.decode()


def test_the_admin_says_what_is_wrong_with_an_isbn(admin_client):
    data = {"title": "Emma", "author": "Jane Austen", "isbn": "9780141439588"}
    page = admin_client.post("/admin/books/book/add/", data).content.decode()
    assert "The check digit of this ISBN is wrong." in page
    assert not Book.objects.exists()


@pytest.mark.parametrize(
    "text",
    ["9780141439518", "978-0-14-143951-8", " 978 0141439518 ", "0141439513", "0-14-143951-3"],
)
def test_every_form_of_an_isbn_becomes_its_thirteen_digits(text):
    assert normalise(text) == "9780141439518"


@pytest.mark.parametrize("text", ["080442957X", "0-8044-2957-x"])
def test_the_check_digit_of_an_isbn_10_can_be_an_x(text):
    assert normalise(text) == "9780804429573"


@pytest.mark.parametrize("text", ["9780141439519", "0141439514", "080442957-1"])
def test_a_wrong_check_digit_is_refused(text):
    with pytest.raises(ValidationError) as error:
        normalise(text)
    assert error.value.code == "check_digit"


@pytest.mark.parametrize(
    "text",
    ["", "978", "97801414395180", "978014143951X", "9770141439518", "٩٧٨٠١٤١٤٣٩٥١٨", "X141439513", "a" * 9999],
)
def test_what_is_no_isbn_is_refused(text):
    with pytest.raises(ValidationError) as error:
        normalise(text)
    assert error.value.code == "invalid"
