"""What Django's documentation teaches, in an owner's project."""

import json
import unicodedata
from datetime import UTC, datetime

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from apis.models import Token
from books.models import Book
from shop.models import Customer

pytestmark = pytest.mark.django_db
PASSWORD = "quiet-reading-room"
TOKENS = "/api/v1/auth/token/"


@pytest.fixture
def zoe():
    return User.objects.create_user("Zoë", password=PASSWORD)


def logged_in(client, name, password=PASSWORD):
    return client.post(TOKENS, {"username": name, "password": password}, content_type="application/json")


def who(client, token):
    return client.get("/api/v1/auth/user/", headers={"authorization": f"Token {token}"}).status_code


@pytest.mark.parametrize("validators", [True, False])
@pytest.mark.parametrize("way", ["set_password", "update", "unusable", "admin"])
def test_a_new_password_ends_tokens_and_sessions(client, zoe, settings, validators, way):
    if not validators:
        settings.AUTH_PASSWORD_VALIDATORS = []
    token = logged_in(client, "Zoë").json()["token"]
    browser = Client()
    browser.force_login(zoe)
    assert who(client, token) == 200
    user = User.objects.get(pk=zoe.pk)
    if way == "update":
        User.objects.filter(pk=zoe.pk).update(password="!")
    elif way == "admin":
        admin = Client()
        admin.force_login(User.objects.create_superuser("admin"))
        new = {"password1": "another-reading-room", "password2": "another-reading-room", "usable_password": "true"}
        assert admin.post(f"/admin/accounts/user/{zoe.pk}/password/", new).status_code == 302
    else:
        user.set_password("another-reading-room" if way == "set_password" else None)
        user.save()
    assert who(client, token) == 401
    assert browser.get("/api/v1/auth/user/").status_code == 401


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD", "wide"])
def test_a_name_is_normalized_the_same_way_at_each_login(zoe, form):
    User.objects.create_user("wide", password=PASSWORD)
    name = unicodedata.normalize(form, "Zoë") if form != "wide" else "\uff57\uff49\uff44\uff45"
    assert logged_in(Client(), name).status_code == 200
    page = Client().post("/accounts/login/", {"username": name, "password": PASSWORD})
    assert (page.status_code, page["Location"]) == (302, "/")


def test_an_unknown_name_costs_as_many_password_hashes_as_a_wrong_password(zoe, monkeypatch):
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def count(hasher, password, salt):
        hashed.append(password)
        return encode(hasher, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", count)
    for name in ("Zoë", "nobody"):
        assert logged_in(Client(), name, "wrong").status_code == 401
    assert hashed == ["wrong", "wrong"]


@pytest.mark.parametrize("path", ["/admin/login/", "/accounts/login/", TOKENS])
def test_sixty_wrong_passwords_are_limited(zoe, clock, path):
    form = {"username": "Zoë", "password": "wrong"}
    responses = [Client().post(path, form) for _ in range(60)]
    statuses = [response.status_code for response in responses]
    assert statuses.count(429) == 50
    assert 0 < int(responses[-1]["Retry-After"]) <= 61
    # The account is limited at each of them, from another address, too.
    for other in ("/admin/login/", "/accounts/login/", TOKENS):
        assert Client(REMOTE_ADDR="10.9.8.7").post(other, form).status_code == 429
    cache.clear()
    assert logged_in(Client(), "Zoë").status_code == 200


def test_where_django_sends_people_to_log_in_is_a_page(client, zoe):
    page = client.get("/accounts/login/")
    assert page.status_code == 200
    assert "csrfmiddlewaretoken" in page.content.decode()
    location = client.post("/accounts/login/?next=/books/", {"username": "Zoë", "password": PASSWORD})["Location"]
    assert location == "/books/"
    assert client.post("/accounts/logout/").status_code == 302


BOOKS = [
    ("lukasz", "Łukasz Żuk"),
    ("tromso", "Tromsø in Winter"),
    ("strasse", "Straße"),
    ("istanbul", "İstanbul I\u0131"),
    ("aether", "Æther"),
    ("oeuvre", "Œuvre"),
    ("ding", "Đing"),
    ("thor", "Þor"),
    ("cafe", "Cafe\u0301"),
    ("ŁUKASZ", "Lukasz"),
]


@pytest.mark.parametrize(("terms", "title"), BOOKS)
def test_search_finds_letters_that_do_not_decompose(client, terms, title):
    Book.objects.create(title=title, author="A", isbn="9780141439587")
    assert len(client.get("/api/v1/books/", {"search": terms}).json()["results"]) == 1
    assert title in client.get("/", {"search": terms}).content.decode()
    admin = Client()
    admin.force_login(User.objects.create_superuser("admin"))
    assert title in admin.get("/admin/books/book/", {"q": terms}).content.decode()


def test_a_command_makes_rows_of_a_fixture_and_of_bulk_update_searchable(client, tmp_path):
    fields = {"title": "Emma", "author": "Jane Austen", "isbn": "9780141439587"}
    stamps = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    (tmp_path / "books.json").write_text(json.dumps([{"model": "books.book", "pk": 1, "fields": fields | stamps}]))
    call_command("loaddata", str(tmp_path / "books.json"), verbosity=0)
    changed = Book.objects.create(title="Old", author="A", isbn="9780141439846")
    changed.title = "Persuasion"
    Book.objects.bulk_update([changed], ["title"])
    call_command("rebuild_search", verbosity=0)
    for terms in ("emma", "persuasion"):
        assert len(client.get("/api/v1/books/", {"search": terms}).json()["results"]) == 1, terms


def test_the_admin_does_not_promise_to_act_on_rows_above_its_limit(monkeypatch):
    monkeypatch.setattr("books.admin.BoundedPaginator.LIMIT", 150)
    Book.objects.bulk_create(Book(title=f"{n}", author="A", isbn=isbn(n)) for n in range(200))
    admin = Client()
    admin.force_login(User.objects.create_superuser("admin"))
    page = admin.get("/admin/books/book/").content.decode()
    assert "first 150 books" in page
    assert "Select all 150" not in page


def isbn(number):
    digits = f"9780{number:08}"
    return digits + str(-(sum(map(int, digits[::2])) + 3 * sum(map(int, digits[1::2]))) % 10)


def test_a_url_field_in_the_admin():
    admin = Client()
    admin.force_login(User.objects.create_superuser("admin"))
    page = admin.get("/admin/shop/customer/add/").content.decode()
    assert 'name="website"' in page
    form = {"name": "Mia", "email": "mia@example.com", "website": "example.com"}
    assert admin.post("/admin/shop/customer/add/", form).status_code == 302
    assert Customer.objects.get().website.endswith("://example.com")


@pytest.mark.parametrize("model", ["shop/customer", "shop/order", "shop/voucher", "accounts/user", "apis/token"])
def test_the_admin_of_a_model(model):
    admin = Client()
    user = User.objects.create_superuser("admin")
    Token.issue(user)
    admin.force_login(user)
    assert admin.get(f"/admin/{model}/").status_code == 200
    assert admin.get(f"/admin/{model}/?q=admin").status_code == 200
    assert admin.get(f"/admin/{model}/add/").status_code == (403 if model == "apis/token" else 200)


def test_a_user_has_a_bounded_number_of_tokens(zoe, settings):
    settings.MAX_TOKENS_PER_USER = 3
    keys = []
    for number in range(5):
        key, token = Token.issue(zoe)
        Token.objects.filter(pk=token.pk).update(created_at=datetime(2026, 1, 1 + number, tzinfo=UTC))
        keys.append(key)
    assert [who(Client(), key) for key in keys] == [401, 401, 200, 200, 200]


def test_a_field_of_ones_own_on_the_user(zoe):
    admin = Client()
    admin.force_login(User.objects.create_superuser("admin"))
    page = admin.get(f"/admin/accounts/user/{zoe.pk}/change/").content.decode()
    assert 'name="nickname"' in page
