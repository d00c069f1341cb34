"""Books over the API: reading is open, writing needs the permission."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from apis.models import Token
from apis.tests.conftest import API, api_of
from apis.v1.books import BookSerializer
from books.models import Book

pytestmark = pytest.mark.django_db

BOOKS = "/api/v1/books/"
EMMA = {"title": "Emma", "subtitle": "A Novel", "author": "Jane Austen", "isbn": "9780141439587"}
OTHER = {"title": "Dracula", "subtitle": "", "author": "Bram Stoker", "isbn": "9780141439846"}


@pytest.fixture
def emma():
    return Book.objects.create(**EMMA, pk=1)


def test_a_book_has_exactly_these_fields(anon, emma):
    for book in (anon("GET", f"{BOOKS}1/", status=200), anon("GET", BOOKS, status=200)["results"][0]):
        created_at, updated_at = book.pop("created_at"), book.pop("updated_at")
        assert created_at <= updated_at
        assert created_at.endswith("Z")
        assert book == {"id": 1, "url": "http://testserver/api/v1/books/1/", **EMMA}


def test_a_book_can_be_created_read_changed_and_deleted(as_editor):
    created = as_editor("POST", BOOKS, {**EMMA, "isbn": "0-14-143958-0"}, status=201)
    address = as_editor.response["Location"]
    assert address == created["url"]
    assert created["isbn"] == EMMA["isbn"]
    assert as_editor("GET", address, status=200) == created
    changed = as_editor("PATCH", address, {"title": "Emma!"}, status=200)
    assert (changed["title"], changed["subtitle"]) == ("Emma!", "A Novel")
    replaced = as_editor("PUT", address, {name: EMMA[name] for name in ("title", "author", "isbn")}, status=200)
    assert (replaced["title"], replaced["subtitle"]) == ("Emma", "")
    as_editor("DELETE", address, status=204)
    as_editor("GET", address, status=404)


def test_a_changed_book_is_found_by_its_new_words_alone(as_editor, emma):
    as_editor("PATCH", f"{BOOKS}1/", {"title": "Persuasion"}, status=200)
    assert names(as_editor("GET", f"{BOOKS}?search=persuasion", status=200)) == ["Persuasion"]
    assert names(as_editor("GET", f"{BOOKS}?search=emma", status=200)) == []


def test_what_the_server_decides_cannot_be_sent(as_editor, emma):
    sent = {"id": 7, "created_at": "2000-01-01T00:00:00Z", "updated_at": "2000-01-01T00:00:00Z", "url": "x"}
    before = as_editor("GET", f"{BOOKS}1/", status=200)
    after = as_editor("PATCH", f"{BOOKS}1/", sent, status=200)
    assert (after["id"], after["url"], after["created_at"]) == (1, before["url"], before["created_at"])
    assert after["updated_at"] > before["updated_at"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
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
    address = BOOKS if method == "POST" else f"{BOOKS}1/"
    problem = as_editor(method, address, {**OTHER, field: value}, status=400)
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
    """A client of such a user."""
    if kind == "anonymous":
        return API()
    user = User.objects.create_user("user", is_staff=kind == "staff", is_superuser=kind == "superuser")
    if kind not in {"reader", "staff", "superuser"}:
        user.user_permissions.set(Permission.objects.all())
    api = api_of(user)
    if kind == "inactive editor":
        User.objects.update(is_active=False)
    if kind == "expired token":
        Token.objects.update(expires_at="2000-01-01T00:00Z")
    if kind == "revoked token":
        Token.objects.all().delete()
    return api


READ = {"GET": 200, "HEAD": 200, "OPTIONS": 200}
ALLOWED = {
    BOOKS: {**READ, "POST": 201, "PUT": 405, "DELETE": 405},
    f"{BOOKS}1/": {**READ, "PUT": 200, "PATCH": 200, "DELETE": 204, "POST": 405},
}
# The answer to reading, and to writing, where it is not the one above.
USERS = {
    "anonymous": (200, 401),
    **dict.fromkeys(["reader", "staff"], (200, 403)),
    **dict.fromkeys(["editor", "superuser"], (200, None)),
    **dict.fromkeys(["inactive editor", "expired token", "revoked token"], (401, 401)),
}


@pytest.mark.parametrize("kind", USERS)
@pytest.mark.parametrize(("address", "method"), [(address, name) for address in ALLOWED for name in ALLOWED[address]])
def test_who_may_do_what(emma, kind, address, method):
    allowed, (read, write) = ALLOWED[address][method], USERS[kind]
    # As in DRF, permissions come before the method: 401 or 403 for a method that the URL does not allow.
    status = read if method in READ else write or allowed
    api = client_of(kind)
    api(method, address, OTHER if method in {"POST", "PUT", "PATCH"} else None, status=status)
    if status == 401:
        assert api.response["WWW-Authenticate"] == "Token"
    if status == 405:
        assert method not in api.response["Allow"].split(", ")


@pytest.mark.parametrize("address", [f"{BOOKS}2/", f"{BOOKS}emma/", f"{BOOKS}{10**40}/", f"{BOOKS}-1/"])
def test_a_book_that_is_not_there_is_404(anon, emma, address):
    assert anon("GET", address, status=404)["code"] == "not_found"


def test_the_same_number_of_queries_however_many_books(anon, django_assert_num_queries):
    Book.objects.bulk_create([Book(**EMMA), Book(**OTHER)])
    for size in (1, 2):
        with django_assert_num_queries(1):
            anon("GET", f"{BOOKS}?page_size={size}", status=200)


def names(answer):
    return [book["title"] for book in answer["results"]]


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
    Book.objects.create(**OTHER)
    assert names(anon("GET", f"{BOOKS}?{query}", status=200)) == found


def test_the_form_of_a_browser_may_leave_filters_empty(client, emma):
    empty = {"author": "", "isbn": "", "created_after": "", "created_before": ""}
    page = client.get(BOOKS, {**empty, "search": "emma"}, headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "A Novel" in page.content.decode()


def test_filters_hold_for_single_books_too(anon, emma):
    anon("GET", f"{BOOKS}1/?author=Jane Austen", status=200)
    anon("GET", f"{BOOKS}1/?author=Nobody", status=404)


TEXTS = ["autor=Jane", "isbn=123", "author=%00"]
TIMES = ["created_after=yesterday", "created_after=0001-01-01T00:00:00%2B23:59"]
PAGES = ["page_size=-1", "page_size=0", "page_size=101", "page_size=%D9%A1", "cursor=broken"]


@pytest.mark.parametrize("query", [*TEXTS, *TIMES, *PAGES])
def test_a_bad_query_is_refused_by_name(anon, query):
    assert anon("GET", f"{BOOKS}?{query}", status=400)["errors"][0]["field"] == query.split("=")[0]


def test_a_cursor_belongs_to_its_ordering(anon, emma):
    Book.objects.create(**OTHER)
    following = anon("GET", f"{BOOKS}?page_size=1", status=200)["next"]
    assert names(anon("GET", following, status=200)) == ["Emma"]
    anon("GET", f"{following}&ordering=author", status=400)


def test_a_row_of_the_list_is_what_the_page_of_the_book_shows(anon, emma):
    row = anon("GET", f"{BOOKS}1/", status=200)
    assert anon("GET", BOOKS, status=200) == {"next": None, "previous": None, "results": [row]}
    assert list(anon("GET", BOOKS, status=200)["results"][0]) == list(BookSerializer.Meta.fields)


def test_an_unchanged_answer_is_not_sent_again(anon, emma):
    anon("GET", f"{BOOKS}1/", status=200)
    anon("GET", f"{BOOKS}1/", status=304, if_none_match=anon.response["ETag"])


def test_a_change_of_what_the_client_has_not_seen_is_refused(as_editor, emma):
    address = f"{BOOKS}1/"
    as_editor("GET", address, status=200)
    seen = as_editor.response["ETag"]
    as_editor("PATCH", address, {"title": "Persuasion"}, status=200, if_match=seen)
    for method in ("PUT", "PATCH", "DELETE"):
        problem = as_editor(method, address, None if method == "DELETE" else OTHER, status=412, if_match=seen)
        assert problem["code"] == "precondition_failed"
    assert Book.objects.get().title == "Persuasion"


def test_an_address_without_its_last_slash_keeps_method_and_body(as_editor):
    as_editor("POST", "/api/v1/books", EMMA, status=308)
    assert as_editor.response["Location"] == BOOKS


def test_a_session_writes_only_with_the_token_of_a_form(admin_user):
    browser = Client(enforce_csrf_checks=True, headers={"x-csrftoken": "t" * 32})
    browser.force_login(admin_user)
    assert browser.post(BOOKS, OTHER, content_type="application/json").status_code == 403
    browser.cookies["csrftoken"] = "t" * 32
    assert browser.post(BOOKS, OTHER, content_type="application/json").status_code == 201


def test_websites_use_the_api_only_where_the_settings_say_so(anon, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    for address, status in ((BOOKS, 200), ("/api/v1/books", 308), ("/api/no-such-thing/", 404)):
        anon("GET", address, status=status, origin="https://app.example")
        assert anon.response["Access-Control-Allow-Origin"] == "https://app.example"
    anon("GET", BOOKS, status=200, origin="https://evil.example")
    assert "Access-Control-Allow-Origin" not in anon.response
