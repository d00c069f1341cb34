"""What holds for every address of the API."""

import json

import pytest
from django.conf import settings as project
from django.test import Client
from rest_framework.throttling import SimpleRateThrottle

pytestmark = pytest.mark.django_db


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
    document = client.get("/api/schema/", headers={"accept": "application/json"}).json()
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == project.PROJECT["name"]
    assert "/api/v1/auth/token/" in document["paths"]


def test_the_documentation_page_takes_nothing_from_other_hosts(client):
    page = client.get("/api/docs/").content.decode()
    assert "swagger-ui" in page
    assert "https://" not in page
    assert "<style" not in page


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("GET", "/api/no-such-thing/", 404, "not_found"),
        ("GET", "/api/v2/", 404, "not_found"),
        ("POST", "/api/", 405, "method_not_allowed"),
        ("FOO", "/api/v1/auth/user/", 405, "method_not_allowed"),
        ("GET", "/api/v1/auth/token/", 405, "method_not_allowed"),
    ],
)
def test_an_error_is_a_problem_in_json(anon, method, address, status, code):
    problem = anon(method, address, status=status)
    assert anon.response["Content-Type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["request_id"] == anon.response["X-Request-ID"]
    assert {"type", "title", "detail"} <= set(problem)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("", 400),
        ("[1]", 400),
        ('{"username": 5, "password": "x"}', 400),
        (b'{"username": "\xff"}', 400),
        ("[" * 100_000, 400),
        ('{"username": "' + "x" * 3_000_000 + '"}', 413),
    ],
    ids=["malformed", "empty", "list", "number", "not UTF-8", "nested", "large"],
)
def test_a_bad_body_is_refused(anon, body, status):
    assert anon("POST", "/api/v1/auth/token/", body, status=status)["detail"]


def test_other_types_of_content_are_refused(anon):
    headers = {"content_type": "application/x-www-form-urlencoded"}
    assert anon("POST", "/api/v1/auth/token/", "a=b", status=415, **headers)["code"] == "unsupported_media_type"
    assert anon("GET", "/api/", status=406, accept="application/xml")["code"] == "not_acceptable"


def test_an_unexpected_error_says_nothing_about_the_inside(anon, monkeypatch):
    monkeypatch.setattr("apis.urls.RootView.get", lambda *_: json.loads("secret"))
    problem = anon("GET", "/api/", status=500)
    assert anon.response["Content-Type"] == "application/problem+json"
    assert "secret" not in str(problem)


@pytest.mark.parametrize(
    ("scope", "sent", "allowed"),
    [
        ("anon", ("GET", "/api/"), 200),
        ("login", ("POST", "/api/v1/auth/token/", {"username": "a", "password": "b"}), 401),
    ],
)
def test_too_many_requests_are_refused_for_a_while(anon, monkeypatch, scope, sent, allowed):
    monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, scope, "3/day")
    for _ in range(3):
        anon(*sent, status=allowed)
    assert anon(*sent, status=429)["code"] == "throttled"
    assert 0 < int(anon.response["Retry-After"]) <= 24 * 60 * 60
