"""What holds for every address of the API, and logging in and out."""

from datetime import timedelta

import pytest
from django.conf import settings as project
from django.core.cache.backends.locmem import LocMemCache
from django.db import IntegrityError, OperationalError
from django.test import Client
from django.utils import timezone
from rest_framework.exceptions import PermissionDenied
from rest_framework.settings import api_settings

from accounts.models import User
from apis.models import Token
from apis.tests.conftest import API, api_of

pytestmark = pytest.mark.django_db

CREDENTIALS = {"username": "reader", "password": "quiet-reading-room"}


def test_the_root_lists_what_follows(anon):
    links = anon("GET", "/api/", status=200)
    assert {"token", "user", "schema", "docs"} <= set(links)
    assert links["user"] == "http://testserver/api/v1/auth/user/"
    for address in links.values():
        assert Client().get(address).status_code in {200, 401, 405}


def test_a_browser_gets_pages(client):
    page = client.get("/api/", headers={"accept": "text/html"})
    assert page["Content-Type"].startswith("text/html")
    assert "Django REST framework" in page.content.decode()


def test_the_openapi_document_has_the_projects_name(anon, client):
    first, second = (client.get("/api/schema/", headers={"accept": "application/json"}) for _ in range(2))
    assert first.content == second.content
    document = first.json()
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == project.PROJECT["name"]
    assert "/api/v1/auth/token/" in document["paths"]


def test_the_documentation_page_takes_nothing_from_other_hosts(client):
    page = client.get("/api/docs/").content.decode()
    assert "swagger-ui" in page
    assert '<html lang="en">' in page
    assert "https://" not in page
    assert "<style" not in page


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("GET", "/api/no-such-thing/", 404, "not_found"),
        ("GET", "/api/v2/", 404, "not_found"),
        ("POST", "/api/", 405, "method_not_allowed"),
        ("GET", "/api/v1/auth/token/", 405, "method_not_allowed"),
        ("POST", "/api/schema/", 405, "method_not_allowed"),
        ("POST", "/api/docs/", 405, "method_not_allowed"),
        ("OPTIONS", "/api/docs/", 405, "method_not_allowed"),
    ],
)
def test_an_error_is_a_problem_in_json(anon, method, address, status, code):
    problem = anon(method, address, status=status)
    assert anon.response["Content-Type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["request_id"] == anon.response["X-Request-ID"]
    assert {"type", "title", "detail"} <= set(problem)


BROKEN = ["", "{", "[1]", "[" * 100_000, b'{"username": "\xff"}']
WRONG = ['{"username": {}, "password": "x"}', '{"username": "a", "password": "\\u0000"}']


@pytest.mark.parametrize("body", [*BROKEN, *WRONG])
def test_a_bad_body_is_refused(anon, body):
    assert anon("POST", "/api/v1/auth/token/", body, status=400)["code"]


def test_a_large_body_is_refused(anon, settings):
    assert anon("POST", "/api/v1/auth/token/", {"username": "x" * 3_000_000}, status=413)["code"] == "too_large"
    settings.MAX_UPLOAD_SIZE = 1_000
    assert anon("POST", "/api/v1/auth/token/", {"username": "x" * 1_000}, status=413)["code"] == "too_large"


def test_other_types_of_content_are_refused(anon):
    headers = {"content_type": "text/csv"}
    assert anon("POST", "/api/v1/auth/token/", "a,b", status=415, **headers)["code"] == "unsupported_media_type"
    for address in ("/api/", "/api/schema/", "/api/docs/"):
        assert anon("GET", address, status=406, accept="application/xml")["code"] == "not_acceptable"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [(ZeroDivisionError, 500, "error"), (OperationalError, 503, "unavailable"), (IntegrityError, 500, "error")],
)
def test_an_error_of_the_server_says_nothing_about_the_inside(anon, monkeypatch, caplog, error, status, code):
    def fail(*args):
        raise error("no connection to 10.0.0.7")

    monkeypatch.setattr("apis.views.RootView.get", fail)
    problem = anon("GET", "/api/", status=status)
    assert anon.response["Content-Type"] == "application/problem+json"
    assert problem["code"] == code
    assert "10.0.0.7" not in str(problem)
    assert ("10.0.0.7" in caplog.text) == (status >= 500)
    assert ("Retry-After" in anon.response) == (status == 503)


@pytest.mark.parametrize(
    "scope",
    ["anon", "user"],
)
def test_too_many_requests_are_refused_for_a_while(anon, reader, monkeypatch, scope):
    monkeypatch.setitem(api_settings.DEFAULT_THROTTLE_RATES, scope, "3/day")
    client = api_of(reader) if scope == "user" else anon
    for _ in range(3):
        client("GET", "/api/", status=200)
    assert client("GET", "/api/", status=429)["code"] == "throttled"
    assert 0 < int(client.response["Retry-After"]) <= 24 * 60 * 60


def test_an_error_may_name_fields(anon, monkeypatch):
    def fail(*args):
        raise PermissionDenied({"owner": "Not yours."})

    monkeypatch.setattr("apis.views.RootView.get", fail)
    assert anon("GET", "/api/", status=403)["errors"][0]["field"] == "owner"


def test_the_api_answers_while_the_cache_is_gone(anon, monkeypatch):
    def fail(*args, **options):
        raise ConnectionError

    monkeypatch.setattr(LocMemCache, "incr", fail)
    anon("GET", "/api/", status=200)


def test_text_in_another_encoding_is_refused(anon):
    for address in ("/api/", "/api/v1/auth/token/"):
        problem = anon("POST", address, "{}", status=415, content_type="application/json; charset=rot13")
        assert problem["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    ("proxies", "first", "second", "throttled"),
    [
        (0, "10.0.0.1", "10.0.0.2", True),
        (1, "10.0.0.1", "10.0.0.2", False),
        (1, "10.0.0.1:1025", "10.0.0.1:1026", True),
        (1, "2001:db8::1", "[2001:db8::2]:1025", True),
        (1, "2001:db8::1", "2001:db8:0:1::1", False),
        (1, "::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
    ],
)
def test_a_client_is_known_by_the_address_that_a_trusted_proxy_gives(
    anon, monkeypatch, settings, proxies, first, second, throttled
):
    settings.TRUSTED_PROXIES = proxies
    monkeypatch.setitem(api_settings.DEFAULT_THROTTLE_RATES, "anon", "1/day")
    anon("GET", "/api/", status=200, x_forwarded_for=first)
    anon("GET", "/api/", status=429 if throttled else 200, x_forwarded_for=second)


def test_every_operation_is_described(client):
    document = client.get("/api/schema/", headers={"accept": "application/json"}).json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation.get("summary"), operation["operationId"]
        assert operation["security"]
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}
        if "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"].get("examples"), operation["operationId"]


def test_a_token_for_name_and_password(anon, reader):
    answer = anon("POST", "/api/v1/auth/token/", CREDENTIALS, status=200)
    assert set(answer) == {"token", "expires_at"}
    user = API({"authorization": f"Token {answer['token']}"})("GET", "/api/v1/auth/user/", status=200)
    assert user == {"id": reader.pk, "username": "reader", "email": "", "first_name": "", "last_name": ""}


def test_a_stale_token_does_not_keep_one_from_logging_in(reader):
    API({"authorization": "Token stale"})("POST", "/api/v1/auth/token/", CREDENTIALS, status=200)


@pytest.mark.parametrize("wrong", [{"username": "nobody"}, {"password": "wrong"}, {}])
def test_the_answer_is_the_same_for_a_wrong_name_a_wrong_password_and_an_inactive_user(anon, reader, wrong):
    User.objects.update(is_active=bool(wrong))
    answer = anon("POST", "/api/v1/auth/token/", CREDENTIALS | wrong, status=401)
    assert answer["code"] == "wrong_credentials"
    assert anon.response["WWW-Authenticate"] == "Token"


def test_a_revoked_token_is_worth_nothing(reader):
    first, second = api_of(reader), api_of(reader)
    first("DELETE", "/api/v1/auth/token/", status=204)
    assert first("GET", "/api/v1/auth/user/", status=401)["code"] == "invalid_token"
    second("GET", "/api/v1/auth/user/", status=200)


@pytest.mark.parametrize("new", ["loud-reading-room", None])
def test_a_new_password_or_none_revokes_the_tokens_of_its_user_alone(reader, as_editor, new):
    api = api_of(reader)
    reader.save()
    api("GET", "/api/v1/auth/user/", status=200)
    reader.set_password(new) if new else reader.set_unusable_password()
    reader.save()
    assert api("GET", "/api/v1/auth/user/", status=401)["code"] == "invalid_token"
    as_editor("GET", "/api/v1/auth/user/", status=200)


def test_a_password_that_is_replaced_while_it_is_checked_gives_a_token_that_is_worth_nothing(reader):
    checked = User.objects.get()
    reader.set_password("loud-reading-room")
    reader.save()
    api_of(checked)("GET", "/api/v1/auth/user/", status=401)


def test_an_expired_token_is_worth_nothing_and_goes_with_the_next_login(reader):
    old = api_of(reader)
    Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    old("GET", "/api/v1/auth/user/", status=401)
    api_of(reader)
    assert Token.objects.count() == 1


def test_the_lifetime_of_a_token_is_a_setting(anon, reader, settings):
    settings.TOKEN_LIFETIME = 60
    anon("POST", "/api/v1/auth/token/", CREDENTIALS, status=200)
    assert timezone.now() < Token.objects.get().expires_at <= timezone.now() + timedelta(seconds=60)


def test_the_database_does_not_know_the_token(anon, reader):
    key = anon("POST", "/api/v1/auth/token/", CREDENTIALS, status=200)["token"]
    assert key not in str(Token.objects.values().get())
    API({"authorization": f"Token {Token.objects.get().digest}"})("GET", "/api/v1/auth/user/", status=401)


@pytest.mark.parametrize("header", ["Token", "Token a b", "Token \xff", "Token wrong", "token x"])
def test_a_broken_authorization_is_401(reader, header):
    api = API({"authorization": header})
    api("GET", "/api/v1/auth/user/", status=401)
    assert api.response["WWW-Authenticate"] == "Token"


def test_who_am_i_needs_credentials(anon):
    assert anon("GET", "/api/v1/auth/user/", status=401)["code"] == "not_authenticated"
    anon("DELETE", "/api/v1/auth/token/", status=401)
