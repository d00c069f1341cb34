"""What holds for every URL of the API: its root, its documentation, its errors, and how browsers may use it."""

import logging
import re
import sqlite3
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError, ProgrammingError
from django.db.models import ProtectedError
from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import Client
from django.urls import Resolver404, path
from django.utils.html import escape
from rest_framework import serializers
from rest_framework.exceptions import APIException, ErrorDetail, NotFound, PermissionDenied, Throttled, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ModelViewSet

from accounts.models import User
from apis.tests.conftest import API
from apis.viewsets import ConditionalModelViewSet

pytestmark = pytest.mark.django_db

FAIL = "/api/v1/fail/"


@pytest.fixture
def fail(mount: Any) -> Any:
    """Serve a view that raises an error; return what calls it."""

    def call(error: Any, *, status: int, **headers: str) -> Any:
        class Fail(APIView):
            permission_classes = (AllowAny,)

            def get(self, request: Any) -> None:
                raise error

        mount(path("fail/", Fail.as_view()))
        api = API()
        body = api("GET", FAIL, status=status, **headers)
        return body, api.response

    return call


# The root and the documentation


def test_the_root_lists_what_follows(anon):
    links = anon("GET", "/api/", status=200)
    assert {"token", "user", "schema", "docs"} <= set(links)
    assert links["user"] == "http://testserver/api/v1/auth/user/"
    for url in links.values():
        assert Client().get(url).status_code in {200, 401, 405}


def test_the_root_lists_no_resource_whose_url_has_parameters(anon, monkeypatch):
    router = SimpleRouter(use_regex_path=False)
    router.register("users/<int:user>/notes", type("Notes", (ModelViewSet,), {}), basename="note")
    monkeypatch.setattr("apis.v1.urls.router", router)
    assert set(anon("GET", "/api/", status=200)) == {"token", "user", "schema", "docs"}


def test_a_browser_gets_pages(client):
    page = client.get("/api/", headers={"accept": "text/html"})
    assert page["Content-Type"].startswith("text/html")
    assert f"<title>Root \N{EN DASH} {escape(project.PROJECT['name'])}</title>" in page.content.decode()


def test_the_browsable_api_leads_to_the_site_and_to_logging_in_and_out(client, reader):
    url = "/api/v1/auth/user/"
    page = client.get(f"{url}?page=1&a=b", headers={"accept": "text/html"}).content.decode()
    assert f'<a class="navbar-brand" href="/">{escape(project.PROJECT["name"])}</a>' in page
    assert f'<a href="/accounts/login/?next={url}%3Fpage%3D1%26a%3Db">Log in</a>' in page
    client.force_login(reader)
    page = client.get(url, headers={"accept": "text/html"}).content.decode()
    assert "Log out reader" in page
    assert client.post("/accounts/logout/", {"next": url}).url == url
    assert "Log out" not in client.get(url, headers={"accept": "text/html"}).content.decode()


def test_the_browsable_api_has_nothing_inline(client, reader):
    client.force_login(reader)
    for url in ("/api/", "/api/v1/auth/user/", "/api/v1/auth/token/"):
        page = client.get(url, headers={"accept": "text/html"}).text
        assert re.findall(r'<html|<style| style=| on\w+=|<script(?! src| type="application/json")', page) == ["<html"]


def test_the_openapi_document_has_the_name_of_the_project(client):
    first, second = (client.get("/api/schema/", headers={"accept": "application/json"}) for _ in range(2))
    assert first.content == second.content
    document = first.json()
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == project.PROJECT["name"]
    assert "/api/v1/auth/token/" in document["paths"]


def test_every_operation_has_a_name_of_its_own_and_the_error_response(client):
    document = client.get("/api/schema/", headers={"accept": "application/json"}).json()
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        name, responses = operation["operationId"], operation["responses"]
        described = {bool(responses[code]["description"]) for code in responses if code.startswith("2")}
        assert described == {True}, name
        assert responses["default"] == {"$ref": "#/components/responses/Problem"}, name


@pytest.mark.parametrize("url", ["/api/", "/api/v1/auth/token/", "/api/v1/auth/user/"])
def test_logging_in_is_described_with_examples(client, url):
    document = client.get("/api/schema/", headers={"accept": "application/json"}).json()
    for operation in document["paths"][url].values():
        assert operation["summary"]
        assert operation["security"]
        if "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"]["examples"]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_a_view_set_without_a_docstring_has_no_description_of_ours(mount, client):
    class NameSerializer(serializers.ModelSerializer[User]):
        class Meta:
            model = User
            fields = ("id",)

    class Undescribed(ConditionalModelViewSet):
        queryset = User.objects.all()
        serializer_class = NameSerializer

    mount(undescribed=Undescribed)
    document = client.get("/api/schema/", headers={"accept": "application/json"}).json()
    operation = document["paths"]["/api/v1/undescribed/"]["get"]
    assert "DRF's ModelViewSet" not in str(operation)
    assert {parameter["name"] for parameter in operation["parameters"]} >= {"cursor", "page_size"}


def test_the_documentation_page_loads_nothing_from_other_hosts(client):
    page = client.get("/api/docs/").content.decode()
    assert "swagger-ui" in page
    assert '<html lang="en">' in page
    assert "https://" not in page
    assert "<style" not in page


# Errors are problems


@pytest.mark.parametrize(
    ("method", "url", "status", "code"),
    [
        ("GET", "/api/no-such-thing/", 404, "not_found"),
        ("GET", "/api/v2/", 404, "not_found"),
        ("POST", "/api/", 405, "method_not_allowed"),
        ("GET", "/api/v1/auth/token/", 405, "method_not_allowed"),
        ("POST", "/api/schema/", 405, "method_not_allowed"),
    ],
)
def test_an_error_is_a_problem_in_json(anon, method, url, status, code):
    problem = anon(method, url, status=status)
    assert anon.response["Content-Type"] == "application/problem+json"
    assert problem.pop("detail")
    assert problem == {
        "type": "about:blank",
        "title": {404: "Not Found", 405: "Method Not Allowed"}[status],
        "status": status,
        "code": code,
        "request_id": anon.response["X-Request-ID"],
    }


def test_a_problem_made_of_a_page_has_neither_its_etag_nor_its_length(anon):
    anon("GET", "/api/no-such-thing/", status=404)
    assert "ETag" not in anon.response
    assert anon.response["Content-Length"] == str(len(anon.response.content))


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404, 404, "not_found"),
        (Resolver404({"tried": "secret"}), 404, "not_found"),
        (NotFound("Gone."), 404, "not_found"),
        (DjangoPermissionDenied, 403, "permission_denied"),
        (PermissionDenied("Not yours.", code="foreign"), 403, "foreign"),
        (Throttled(wait=7), 429, "throttled"),
        (ProtectedError("secret", set()), 409, "conflict"),
        (ValidationError("Wrong."), 400, "invalid"),
        (DjangoValidationError("Wrong."), 400, "invalid"),
        (DataError("secret"), 400, "invalid"),
        (OperationalError("secret"), 503, "unavailable"),
        (InterfaceError("secret"), 503, "unavailable"),
        (IntegrityError("secret"), 500, "error"),
        (ProgrammingError("secret"), 500, "error"),
        (DatabaseError("secret"), 500, "error"),
        (ZeroDivisionError("secret"), 500, "error"),
    ],
)
def test_an_exception_in_a_view_is_a_problem_that_tells_nothing_about_the_inside(fail, caplog, error, status, code):
    with caplog.at_level(logging.WARNING):
        problem, response = fail(error, status=status)
    assert response["Content-Type"] == "application/problem+json"
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["request_id"] == response["X-Request-ID"]
    assert "secret" not in str(problem)
    database = isinstance(error, DatabaseError | InterfaceError) and status != 409
    assert ("secret" in caplog.text) == (status >= 500 or database)
    assert ("Retry-After" in response) == (status in {429, 503})


def test_wrong_sql_is_a_bug_and_no_outage(fail):
    error = OperationalError("no such table")
    error.__cause__ = sqlite3.OperationalError("no such table")
    vars(error.__cause__)["sqlite_errorname"] = "SQLITE_ERROR"
    assert fail(error, status=500)[0]["code"] == "error"


def test_an_outage_in_a_view_of_django_is_the_same_problem(anon, mount):
    def fail(request: Any) -> HttpResponse:
        raise OperationalError

    mount(path("report/", fail))
    assert anon("GET", "/api/v1/report/", status=503)["code"] == "unavailable"
    assert anon.response["Retry-After"] == "5"


def test_a_status_that_no_standard_defines_is_a_problem_too(fail):
    assert fail(type("Odd", (APIException,), {"status_code": 499})(), status=499)[0]["title"] == "Error"


def test_a_problem_tells_how_long_to_wait(fail):
    assert fail(Throttled(wait=7), status=429)[1]["Retry-After"] == "7"
    assert fail(OperationalError, status=503)[1]["Retry-After"] == "5"


def test_an_error_of_a_field_is_named_with_its_path_and_code(fail):
    detail: Any = {
        "title": [ErrorDetail("Too long.", "max_length"), ErrorDetail("No.", "invalid")],
        "authors": [{}, {"name": [ErrorDetail("Required.", "required")]}],
        "non_field_errors": [ErrorDetail("Together wrong.", "together")],
    }
    problem, _ = fail(ValidationError(detail), status=400)
    assert problem["detail"] == "The request has errors."
    assert [(error["field"], error["code"], error["detail"]) for error in problem["errors"]] == [
        ("title", "max_length", "Too long."),
        ("title", "invalid", "No."),
        ("authors.1.name", "required", "Required."),
        ("non_field_errors", "together", "Together wrong."),
    ]


def test_an_error_without_a_field_belongs_to_none(fail):
    problem, _ = fail(ValidationError("Wrong.", code="wrong"), status=400)
    assert problem["errors"] == [{"field": "non_field_errors", "code": "wrong", "detail": "Wrong."}]


def test_another_error_may_name_fields_too(fail):
    problem, _ = fail(PermissionDenied({"owner": "Not yours."}), status=403)
    assert problem["code"] == "permission_denied"
    assert problem["errors"][0]["field"] == "owner"


def test_an_error_of_full_clean_names_its_fields(fail):
    error = DjangoValidationError(
        {
            "title": [DjangoValidationError("At most %(limit)s.", "max_length", {"limit": 3})],
            "__all__": ["Together wrong."],
        }
    )
    problem, _ = fail(error, status=400)
    assert problem["errors"] == [
        {"field": "title", "code": "max_length", "detail": "At most 3."},
        {"field": "non_field_errors", "code": "invalid", "detail": "Together wrong."},
    ]


@pytest.mark.parametrize(("detail", "errors"), [("Short and stout.", None), ({"pot": "Empty."}, "pot")])
def test_an_exception_may_set_its_detail_to_plain_text(fail, detail, errors):
    class Teapot(APIException):
        status_code = 418
        default_code = "teapot"

        def __init__(self, detail: Any) -> None:
            self.detail = detail

    problem, _ = fail(Teapot(detail), status=418)
    assert problem["code"] == "teapot"
    assert problem.get("errors", [{"field": None}])[0]["field"] == errors


def test_a_response_for_programs_is_kept_as_the_view_made_it(anon, mount):
    mount(
        path("quota/", lambda request: JsonResponse({"left": 0}, status=402)),
        path("stream/", lambda request: StreamingHttpResponse(["one"], status=503)),
    )
    assert anon("GET", "/api/v1/quota/", status=402) == {"left": 0}
    assert Client().get("/api/v1/stream/").getvalue() == b"one"


def test_a_unique_value_that_is_taken_is_a_conflict(fail):
    taken = {"name": [ErrorDetail("Taken.", "unique")]}
    assert fail(ValidationError(taken), status=409)[0]["code"] == "conflict"
    assert fail(ValidationError("Taken.", "unique_together"), status=409)[0]["code"] == "conflict"
    assert fail(ValidationError({**taken, "title": ["Wrong."]}), status=400)[0]["code"] == "invalid"


def test_a_browser_sees_a_problem_in_a_page(fail):
    body, response = fail(PermissionDenied("Not yours."), status=403, accept="text/html")
    assert body is None
    assert response["Content-Type"].startswith("text/html")
    assert "Not yours." in response.content.decode()


def test_the_form_of_the_browsable_api_keeps_what_was_typed(admin_client, mount):
    class GroupSerializer(serializers.ModelSerializer[Group]):
        class Meta:
            model = Group
            fields = ("name",)

    mount(groups=type("Groups", (ModelViewSet,), {"queryset": Group.objects, "serializer_class": GroupSerializer}))
    page = admin_client.post("/api/v1/groups/", {"name": "typed" * 50}, headers={"accept": "text/html"})
    assert f'value="{"typed" * 50}"' in page.content.decode()


def test_an_error_of_the_client_leaves_no_traceback_in_the_log(fail, caplog):
    fail(ValidationError("Wrong."), status=400)
    assert "Traceback" not in caplog.text


def test_developers_see_tracebacks(fail, settings):
    settings.DEBUG = True
    body, response = fail(ZeroDivisionError("secret"), status=500)
    assert body is None
    assert b"ZeroDivisionError" in response.content


@pytest.mark.parametrize("url", ["/api/", "/api/v1/auth/token/"])
def test_a_large_body_is_a_problem(anon, settings, url):
    settings.MAX_UPLOAD_SIZE = 1_000
    assert anon("POST", url, {"username": "x" * 1_000}, status=413)["code"] == "too_large"


def test_a_chunked_body_is_a_problem(anon):
    problem = anon("POST", "/api/v1/auth/token/", status=411, transfer_encoding="chunked")
    assert problem["code"] == "length_required"


def test_an_unknown_host_is_a_problem(anon):
    assert anon("GET", "/api/", status=400, host="evil.example")["code"] == "bad_request"


@pytest.mark.parametrize("url", ["/api/", "/api/schema/", "/api/docs/"])
def test_an_unknown_representation_is_refused(anon, url):
    assert anon("GET", url, status=406, accept="application/xml")["code"] == "not_acceptable"


# Browsers of other origins


def test_a_url_without_its_last_slash_keeps_method_and_body(anon):
    anon("POST", "/api/v1/auth/token", {"username": "a", "password": "b"}, status=308)
    assert anon.response["Location"] == "/api/v1/auth/token/"


@pytest.fixture
def origin(settings: Any) -> str:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    return "https://app.example"


@pytest.mark.parametrize(
    ("url", "status"),
    [("/api/", 200), ("/api/v1/auth/user/", 401), ("/api/v1/auth/user", 308), ("/api/nothing/", 404)],
)
def test_allowed_origins_may_read_every_response(anon, origin, url, status):
    anon("GET", url, status=status, origin=origin)
    assert anon.response["Access-Control-Allow-Origin"] == origin
    exposed = set(anon.response["Access-Control-Expose-Headers"].split(", "))
    assert exposed == {"ETag", "Location", "Retry-After", "X-Request-ID"}


def test_allowed_origins_may_send_the_headers_of_the_api(anon, origin):
    asked = {"access_control_request_method": "PATCH", "access_control_request_headers": "if-match"}
    anon("OPTIONS", "/api/v1/auth/user/", status=200, origin=origin, **asked)
    assert "PATCH" in anon.response["Access-Control-Allow-Methods"]
    allowed = set(anon.response["Access-Control-Allow-Headers"].split(", "))
    assert {"authorization", "content-type", "if-match", "if-none-match", "x-request-id"} <= allowed


def test_other_origins_may_not(anon, origin):
    anon("GET", "/api/", status=200, origin="https://evil.example")
    assert "Access-Control-Allow-Origin" not in anon.response
    assert "Access-Control-Allow-Credentials" not in anon.response
