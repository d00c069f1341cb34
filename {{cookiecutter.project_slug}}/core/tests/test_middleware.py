"""What happens to every request and response: security headers, HTTPS, bodies that are refused, and slashes."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path, reverse_lazy

from core.middleware import HEADERS, SecurityHeadersMiddleware

pytestmark = pytest.mark.django_db


def echo(request: Any) -> HttpResponse:
    return HttpResponse(request.body or b"empty")


def framed(request: Any) -> HttpResponse:
    return HttpResponse(headers={"Content-Security-Policy": "frame-ancestors https://a.example"})


urlpatterns = [path("echo/", echo), path("framed/", framed), path("", include("django_project.urls"))]


@pytest.fixture(autouse=True)
def _urls(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    # A view of our own, for which no form has a token.
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "Csrf" not in name]


# Security headers


@pytest.mark.parametrize(
    ("url", "status"), [("/echo/", 200), ("/no-such-page/", 404), (reverse_lazy("admin:index"), 302)]
)
def test_security_headers_are_sent_with_every_response(client, url, status):
    response = client.get(url)
    assert response.status_code == status
    assert response["Content-Security-Policy"] == (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )
    assert response["Permissions-Policy"] == "camera=(), geolocation=(), microphone=()"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["X-Frame-Options"] == "DENY"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"


def test_a_view_keeps_a_header_of_its_own(client):
    response = client.get("/framed/")
    assert response["Content-Security-Policy"] == "frame-ancestors https://a.example"
    assert response["Permissions-Policy"] == HEADERS["Permissions-Policy"]


@pytest.mark.parametrize(("status", "sent"), [(200, True), (404, False), (500, False)])
def test_djangos_error_pages_for_developers_keep_their_styles(settings, status, sent):
    settings.DEBUG = True
    middleware = SecurityHeadersMiddleware(lambda request: HttpResponse(status=status))
    assert ("Content-Security-Policy" in middleware(RequestFactory().get("/"))) == sent


# HTTPS


@pytest.mark.parametrize("url", ["/echo/", "/no-such-page/", "/admin/"])
def test_plain_http_is_redirected_where_the_settings_say_so(client, settings, url):
    settings.SECURE_SSL_REDIRECT = True
    response = client.get(url)
    assert (response.status_code, response["Location"]) == (301, f"https://testserver{url}")


def test_browsers_are_told_to_stay_with_https(client, settings):
    settings.SECURE_HSTS_SECONDS = 60
    assert client.get("/echo/", secure=True)["Strict-Transport-Security"] == "max-age=60"
    assert "Strict-Transport-Security" not in client.get("/echo/")


# Bodies


@pytest.mark.parametrize(
    ("headers", "status", "title"),
    [
        ({"content-type": "text/plain; charset=latin-1"}, 415, "Unknown encoding"),
        ({"content-type": "text/plain; charset=rot13"}, 415, "Unknown encoding"),
        ({"transfer-encoding": "chunked"}, 411, "Length required"),
        ({"cookie": "sessionid=a\0b"}, 400, "Bad request"),
        ({"content-length": "1001"}, 413, "Too large"),
    ],
)
def test_a_request_that_would_be_misread_is_refused(settings, headers, status, title):
    settings.MAX_UPLOAD_SIZE = 1_000
    content_type = headers.get("content-type", "text/plain")
    # The client computes the length itself.
    length = {"CONTENT_LENGTH": headers["content-length"]} if "content-length" in headers else {}
    others = {name: headers[name] for name in headers if not name.startswith("content-")}
    response = Client().generic("POST", "/echo/", "text", content_type, headers=others, **length)
    assert response.status_code == status
    assert f"<h1>{title}</h1>" in response.content.decode()


@pytest.mark.parametrize("content_type", ["text/plain", "text/plain; charset=UTF-8", "text/plain; charset=utf8"])
def test_text_in_utf_8_is_read(client, content_type):
    assert client.generic("POST", "/echo/", "ü", content_type).content.decode() == "ü"


def test_the_limit_of_a_body_is_a_setting(client, settings):
    settings.MAX_UPLOAD_SIZE = 10
    assert client.generic("POST", "/echo/", "x" * 10).status_code == 200
    assert client.generic("POST", "/echo/", "x" * 11).status_code == 413
    settings.MAX_UPLOAD_SIZE = None
    assert client.generic("POST", "/echo/", "x" * 11).status_code == 200


# Slashes and unchanged pages


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_url_without_its_last_slash_keeps_method_and_query(client, method):
    response = client.generic(method, "/echo?a=b")
    assert (response.status_code, response["Location"]) == (308, "/echo/?a=b")


def test_an_unchanged_page_is_not_sent_again(client):
    etag = client.get("/echo/")["ETag"]
    unchanged = client.get("/echo/", headers={"if-none-match": etag})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
