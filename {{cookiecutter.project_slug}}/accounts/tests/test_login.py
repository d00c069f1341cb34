"""Logging in and out on the site and in the admin, and the limits for failed attempts."""

import asyncio
import re
from typing import Any

import pytest
from django.contrib.auth import aauthenticate, authenticate, get_user
from django.contrib.auth.backends import ModelBackend
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path, reverse_lazy

from accounts.login_limits import TooManyAttemptsError
from accounts.models import User
from core.tests.rows import create_user

pytestmark = pytest.mark.django_db

PASSWORD = "quiet-reading-room"
SITE, ADMIN = "/accounts/login/", reverse_lazy("admin:login")
PAGES = pytest.mark.parametrize("url", [SITE, ADMIN], ids=["site", "admin"])


@pytest.fixture(autouse=True)
def _clock(clock: Any) -> None:
    """Let no window end by chance."""


@pytest.fixture(autouse=True)
def _limit(settings: Any) -> None:
    settings.LOGIN_RATE = "10/min"
    settings.TRUSTED_PROXIES = 0


@pytest.fixture(autouse=True)
def reader() -> User:
    """A user who may log in on both pages."""
    return create_user("reader", password=PASSWORD, is_staff=True)


def attempt(url: Any, *, address: str = "10.0.0.1", **credentials: str) -> Any:
    """Send the form of a login page with a new session; return the response."""
    form = {"username": "reader", "password": PASSWORD, **credentials}
    return Client().post(url, form, REMOTE_ADDR=address)


def fail(url: Any, times: int = 10, **values: str) -> None:
    """Use a wrong password several times, which the form refuses."""
    for _ in range(times):
        response = attempt(url, **{"password": "wrong", **values})
        assert response.status_code == 200
        assert "errorlist" in response.content.decode() or "errornote" in response.content.decode()


# Logging in and out


def test_the_login_page_has_a_form_that_logs_in(client, reader):
    page = client.get(SITE).content.decode()
    assert "<h1>Log in</h1>" in page
    assert set(re.findall(r'<input[^>]* name="(\w+)"', page)) >= {
        "csrfmiddlewaretoken",
        "username",
        "password",
        "next",
    }
    response = client.post(SITE, {"username": "reader", "password": PASSWORD})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert get_user(client) == reader


def test_a_wrong_password_and_an_inactive_user_do_not_log_in(client):
    for active, password in ((True, "wrong"), (False, PASSWORD)):
        User.objects.update(is_active=active)
        assert client.post(SITE, {"username": "reader", "password": password}).status_code == 200
        assert not get_user(client).is_authenticated


def test_the_form_needs_its_csrf_token():
    browser = Client(enforce_csrf_checks=True)
    assert browser.post(SITE, {"username": "reader", "password": PASSWORD}).status_code == 403


@pytest.mark.parametrize(
    ("following", "location"), [("/admin/", "/admin/"), ("https://evil.example/", "/"), ("//x", "/")]
)
def test_a_user_returns_to_the_page_that_needed_the_login(client, following, location):
    page = client.get(SITE, {"next": following}).content.decode()
    shown = re.search('name="next" value="([^"]*)"', page)
    assert shown
    form = {"username": "reader", "password": PASSWORD, "next": following}
    assert client.post(SITE, form)["Location"] == location


def test_logging_out_needs_a_form_and_leads_home(client, reader):
    client.force_login(reader)
    assert client.get("/accounts/logout/").status_code == 405
    assert get_user(client).is_authenticated
    response = client.post("/accounts/logout/")
    assert (response.status_code, response["Location"]) == (302, "/")
    assert not get_user(client).is_authenticated


def test_each_page_of_a_logged_in_user_has_a_form_to_log_out(client, reader):
    assert "/accounts/logout/" not in client.get("/accounts/password_reset/").content.decode()
    client.force_login(reader)
    page = client.get("/accounts/password_reset/").content.decode()
    assert re.search(r'action="/accounts/logout/">\s*<input[^>]*csrfmiddlewaretoken[^>]*>\s*reader\s', page)


def test_a_name_is_normalized(client):
    create_user("Zoë", password=PASSWORD)
    for typed in ("Zoe\u0308", "\uff3aoë"):
        assert attempt(SITE, username=typed).status_code == 302


# Limits


@PAGES
def test_many_wrong_passwords_end_in_429(url, clock):
    clock.now += 15
    fail(url, 10)
    for _ in range(50):
        response = attempt(url, password="wrong")
        assert response.status_code == 429
    assert response["Retry-After"] == "46"
    assert "<h1>Too many attempts</h1>" in response.content.decode()
    # The right password would tell an attacker that it is right.
    assert attempt(url).status_code == 429
    clock.now += 45
    assert attempt(url).status_code == 302


@PAGES
def test_the_limit_of_an_ip_address_holds_whatever_names_it_tries(url):
    for number in range(10):
        fail(url, 1, username=f"name {number}")
    assert attempt(url, username="another name").status_code == 429
    assert attempt(url, username="another name", address="10.0.0.2").status_code == 200
    assert attempt(url, address="10.0.0.2").status_code == 302


@PAGES
def test_the_limit_of_an_account_holds_whatever_ip_addresses_are_used(url):
    create_user("other", password=PASSWORD, is_staff=True)
    for number in range(10):
        fail(url, 1, address=f"10.0.1.{number}")
    for name in ("reader", "READER", "\uff52eader"):
        assert attempt(url, username=name, address="10.0.0.9").status_code == 429
    assert attempt(url, username="other", address="10.0.0.8").status_code == 302


def test_an_ip_address_that_has_used_up_its_attempts_cannot_use_up_those_of_an_account():
    fail(SITE, 10, username="another name")
    for _ in range(20):
        assert attempt(SITE, password="wrong").status_code == 429
    assert attempt(SITE, address="10.0.0.2").status_code == 302


def test_the_pages_share_one_limit():
    fail(SITE, 5)
    fail(ADMIN, 5)
    for url in (SITE, ADMIN):
        assert attempt(url).status_code == 429


@PAGES
def test_successful_logins_do_not_count(url):
    for _ in range(15):
        assert attempt(url).status_code == 302
    fail(url, 10)
    assert attempt(url).status_code == 429


def test_logins_by_other_backends_are_not_limited(settings, reader):
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, f"{__name__}.Directory"]
    for number in range(15):
        assert attempt(SITE, password="in the directory").status_code == 302
        # Without a name and a password, as single sign-on does.
        request = RequestFactory().post(SITE, REMOTE_ADDR=f"10.0.0.{number}")
        assert authenticate(request, ticket="valid") == reader
    fail(SITE, 10)
    assert attempt(SITE).status_code == 429


class Directory(ModelBackend):
    """Another backend, which knows another password, and tickets."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None, **kwargs: Any) -> Any:
        known = kwargs.get("ticket") == "valid" or password == "in the directory"
        return User.objects.get(username="reader") if known else None


def test_the_limit_is_a_setting(settings):
    settings.LOGIN_RATE = "1/day"
    fail(SITE, 1)
    response = attempt(SITE)
    assert response.status_code == 429
    assert int(response["Retry-After"]) == 24 * 60 * 60 + 1


def test_the_asynchronous_login_is_limited_too(monkeypatch):
    # The query would run in another thread, which has another transaction than this test.
    monkeypatch.setattr("django.contrib.auth.backends.ModelBackend.authenticate", lambda *args, **kwargs: None)
    request = RequestFactory().post(SITE)

    async def attempts() -> None:
        for _ in range(11):
            assert await aauthenticate(request, username="reader", password="wrong") is None

    with pytest.raises(TooManyAttemptsError, match="60 seconds"):
        asyncio.run(attempts())


def test_calls_without_a_request_are_not_limited(reader):
    for _ in range(12):
        assert authenticate(username="reader", password="wrong") is None
    assert authenticate(username="reader", password=PASSWORD) == reader


def test_another_error_of_a_view_stays_what_it_is(client, settings):
    settings.ROOT_URLCONF = __name__
    with pytest.raises(ZeroDivisionError):
        client.get("/broken/")


def broken(request: Any) -> HttpResponse:
    raise ZeroDivisionError


urlpatterns = [path("broken/", broken), path("", include("django_project.urls"))]
