"""Books in the API: reading is open, writing needs the permission."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission

from apis.tests.conftest import API, api_of
from apis.v1.books import BookSerializer
from books.models import Book
from core.tests.rows import create_user

pytestmark = pytest.mark.django_db

BOOKS = "/api/v1/books/"
# A key that no database generates in a test.
PK = 1_000_000
BOOK = f"{BOOKS}{PK}/"
EMMA = {"title": "Emma", "subtitle": "A Novel", "author": "Jane Austen", "isbn": "9780141439587"}
# Before now, whatever the clock does during a test.
EARLIER = datetime(2020, 1, 1, tzinfo=UTC)
OTHER = {"title": "Dracula", "subtitle": "", "author": "Bram Stoker", "isbn": "9780141439846"}


@pytest.fixture
def emma():
    return Book.objects.create(**EMMA, pk=PK)


def test_a_book_has_exactly_these_fields(anon, emma):
    for book in (anon("GET", BOOK, status=200), anon("GET", BOOKS, status=200)["results"][0]):
        created_at, updated_at = (datetime.fromisoformat(book.pop(name)) for name in ("created_at", "updated_at"))
        assert created_at <= updated_at
        assert book == {"id": PK, "url": f"http://testserver{BOOK}", **EMMA}


def test_a_book_can_be_created_read_changed_and_deleted(as_editor):
    created = as_editor("POST", BOOKS, {**EMMA, "isbn": "0-14-143958-0"}, status=201)
    url = as_editor.response["Location"]
    assert url == created["url"]
    assert created["isbn"] == EMMA["isbn"]
    assert as_editor("GET", url, status=200) == created
    changed = as_editor("PATCH", url, {"title": "Emma!"}, status=200)
    assert (changed["title"], changed["subtitle"]) == ("Emma!", "A Novel")
    replaced = as_editor("PUT", url, {name: EMMA[name] for name in ("title", "author", "isbn")}, status=200)
    assert (replaced["title"], replaced["subtitle"]) == ("Emma", "")
    as_editor("DELETE", url, status=204)
    as_editor("GET", url, status=404)


def test_a_changed_book_is_found_by_its_new_words_alone(as_editor, emma):
    as_editor("PATCH", BOOK, {"title": "Persuasion"}, status=200)
    assert names(as_editor("GET", f"{BOOKS}?search=persuasion", status=200)) == ["Persuasion"]
    assert names(as_editor("GET", f"{BOOKS}?search=emma", status=200)) == []


def test_what_the_server_decides_cannot_be_sent(as_editor, emma):
    sent = {"id": 7, "created_at": "2000-01-01T00:00:00Z", "updated_at": "2000-01-01T00:00:00Z", "url": "x"}
    Book.objects.update(updated_at=EARLIER)
    before = as_editor("GET", BOOK, status=200)
    after = as_editor("PATCH", BOOK, sent, status=200)
    assert (after["id"], after["url"], after["created_at"]) == (PK, before["url"], before["created_at"])
    assert datetime.fromisoformat(after["updated_at"]) > EARLIER


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("title", "x" * 251, "max_length"),
        ("author", "x" * 101, "max_length"),
        ("title", "", "blank"),
        ("author", None, "null"),
        ("title", {}, "invalid"),
        ("title", "a\x00b", "null_characters_not_allowed"),
        ("isbn", "9780141439588", "check_digit"),
        ("isbn", "no isbn", "invalid"),
    ],
)
def test_a_bad_field_is_refused_by_name(as_editor, emma, method, field, value, code):
    url = BOOKS if method == "POST" else BOOK
    problem = as_editor(method, url, {**OTHER, field: value}, status=400)
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, code)]
    assert Book.objects.get().title == "Emma"


def test_required_fields_are_named(as_editor):
    problem = as_editor("POST", BOOKS, {}, status=400)
    assert sorted(error["field"] for error in problem["errors"]) == ["author", "isbn", "title"]


def test_an_isbn_that_is_there_already_is_a_conflict(as_editor, emma):
    problem = as_editor("POST", BOOKS, {**EMMA, "isbn": "0141439580"}, status=409)
    assert problem["errors"][0]["field"] == "isbn"
    assert Book.objects.count() == 1


def client_of(kind):
    """Return a client of a user of this kind."""
    if kind == "anonymous":
        return API()
    user = create_user("user", is_staff=True)
    if kind == "editor":
        user.user_permissions.set(Permission.objects.filter(content_type__app_label="books"))
    return api_of(user)


READ = {"GET": 200, "HEAD": 200, "OPTIONS": 200}
ALLOWED = {
    BOOKS: {**READ, "POST": 201, "PUT": 405, "DELETE": 405},
    BOOK: {**READ, "PUT": 200, "PATCH": 200, "DELETE": 204, "POST": 405},
}
# The status of reading, and of writing where it is not the one above.
USERS = {"anonymous": (200, 401), "reader": (200, 403), "editor": (200, None)}


@pytest.mark.parametrize("kind", USERS)
@pytest.mark.parametrize(("url", "method"), [(url, name) for url in ALLOWED for name in ALLOWED[url]])
def test_who_may_do_what(emma, kind, url, method):
    allowed, (read, write) = ALLOWED[url][method], USERS[kind]
    # As in DRF, permissions come before the method: 401 or 403 for a method that the URL does not allow.
    status = read if method in READ else write or allowed
    api = client_of(kind)
    api(method, url, OTHER if method in {"POST", "PUT", "PATCH"} else None, status=status)
    if status == 401:
        assert api.response["WWW-Authenticate"] == "Token"
    if status == 405:
        assert method not in api.response["Allow"].split(", ")


@pytest.mark.parametrize("url", [f"{BOOKS}{PK + 1}/", f"{BOOKS}emma/", f"{BOOKS}{10**40}/", f"{BOOKS}-1/"])
def test_a_book_that_is_not_there_is_404(anon, emma, url):
    assert anon("GET", url, status=404)["code"] == "not_found"


def test_the_same_number_of_queries_however_many_books(anon, django_assert_num_queries):
    Book.objects.bulk_create([Book(**EMMA), Book(**OTHER)])
    for size in (1, 2):
        with django_assert_num_queries(1):
            anon("GET", f"{BOOKS}?page_size={size}", status=200)


def names(page):
    return [book["title"] for book in page["results"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Dracula", "Emma"]),
        ("ordering=-title", ["Emma", "Dracula"]),
        ("ordering=author", ["Dracula", "Emma"]),
        ("ordering=-created_at", ["Dracula", "Emma"]),
        ("author=Jane Austen", ["Emma"]),
        ("author=Jane", []),
        ("isbn=0-14-143958-0", ["Emma"]),
        ("search=NOVEL aust", ["Emma"]),
        ("search=nothing", []),
        ("created_after=2000-01-01T00:00:00Z", ["Dracula", "Emma"]),
        ("created_before=2000-01-01T00:00:00%2B02:00", []),
    ],
)
def test_a_list_is_filtered_and_ordered(anon, emma, query, found):
    Book.objects.update(created_at=EARLIER)
    Book.objects.create(**OTHER)
    assert names(anon("GET", f"{BOOKS}?{query}", status=200)) == found


def test_the_form_of_a_browser_may_leave_filters_empty(client, emma):
    empty = {"author": "", "isbn": "", "created_after": "", "created_before": ""}
    page = client.get(BOOKS, {**empty, "search": "emma"}, headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "A Novel" in page.content.decode()


def test_filters_hold_for_single_books_too(anon, emma):
    anon("GET", f"{BOOK}?author=Jane Austen", status=200)
    anon("GET", f"{BOOK}?author=Nobody", status=404)


TEXTS = ["autor=Jane", "isbn=123", "author=%00"]
TIMES = ["created_after=yesterday", "created_after=0001-01-01T00:00:00%2B23:59"]
PAGES = ["page_size=-1", "page_size=0", "page_size=101", "page_size=%D9%A1", "cursor=broken"]


@pytest.mark.parametrize("query", [*TEXTS, *TIMES, *PAGES])
def test_a_bad_query_is_refused_by_name(anon, query):
    assert anon("GET", f"{BOOKS}?{query}", status=400)["errors"][0]["field"] == query.split("=")[0]


def test_a_row_of_the_list_is_what_the_detail_shows(anon, emma):
    row = anon("GET", BOOK, status=200)
    assert anon("GET", BOOKS, status=200) == {"next": None, "previous": None, "results": [row]}
    assert list(anon("GET", BOOKS, status=200)["results"][0]) == list(BookSerializer.Meta.fields)


def test_an_unchanged_book_is_not_sent_again(anon, emma):
    anon("GET", BOOK, status=200)
    anon("GET", BOOK, status=304, if_none_match=anon.response["ETag"])


def test_a_change_of_what_the_client_has_not_seen_is_refused(as_editor, emma):
    url = BOOK
    as_editor("GET", url, status=200)
    seen = as_editor.response["ETag"]
    as_editor("PATCH", url, {"title": "Persuasion"}, status=200, if_match=seen)
    for method in ("PUT", "PATCH", "DELETE"):
        problem = as_editor(method, url, None if method == "DELETE" else OTHER, status=412, if_match=seen)
        assert problem["code"] == "precondition_failed"
    assert Book.objects.get().title == "Persuasion"


def test_the_operations_on_books_are_described_with_examples(client):
    document = client.get("/api/schema/", headers={"accept": "application/json"}).json()
    for url in (BOOKS, BOOKS + "{id}/"):
        for operation in document["paths"][url].values():
            assert operation["summary"]
            if "requestBody" in operation:
                assert operation["requestBody"]["content"]["application/json"]["examples"]
