"""What servers, their probes and the log see of the project."""

import asyncio
import gc
import json
import logging
import os
import runpy
from io import BytesIO, StringIO
from unittest.mock import patch

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from core.checks import check_mail, check_static_files
from core.logs import AccessFormatter, JSONFormatter, RequestIDFilter
from core.middleware import RequestIDMiddleware
from django_project import asgi, wsgi


@pytest.mark.parametrize(
    ("environment", "file", "expected"),
    [
        ({}, "", ("2", "5000")),
        ({}, "WEB_CONCURRENCY=4\nSTATEMENT_TIMEOUT=900\n", ("4", "900")),
        ({"WEB_CONCURRENCY": "3", "STATEMENT_TIMEOUT": "0"}, "WEB_CONCURRENCY=4\nSTATEMENT_TIMEOUT=900\n", ("3", "0")),
    ],
    ids=["defaults", "file", "environment"],
)
def test_gunicorn_takes_its_settings_from_the_environment_and_then_from_the_file(
    tmp_path, monkeypatch, environment, file, expected
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(file, encoding="utf-8")
    with patch.dict(os.environ, environment, clear=True):
        workers = runpy.run_path(str(settings.BASE_DIR / "gunicorn.conf.py"))["workers"]
        assert (workers, os.environ["STATEMENT_TIMEOUT"]) == expected
        # The settings of Django read the same.
        assert os.environ["WEB_CONCURRENCY"] == workers


def test_gunicorn_keeps_the_garbage_collector_from_the_objects_that_workers_share():
    before = gc.get_freeze_count()
    with patch.dict(os.environ):
        pre_fork = runpy.run_path(str(settings.BASE_DIR / "gunicorn.conf.py"))["pre_fork"]
    try:
        pre_fork(None, None)
        assert gc.get_freeze_count() > before
    finally:
        gc.unfreeze()


@pytest.mark.django_db
def test_the_wsgi_application_responds_whatever_the_query(settings):
    answer = []
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 1

    def start_response(status, headers, exc_info=None, /):
        answer.append(status)

    body = wsgi.application(RequestFactory().get("/health/live?a=b&c=d").environ, start_response)
    assert answer == ["200 OK"]
    assert b"".join(body) == b'{"status": "ok"}'


# Bytes that are read in whole pieces.
LIMIT = 2**20


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("length", "headers", "left"),
    [
        (200_000, {}, 0),
        (LIMIT + 1, {}, 0),
        (LIMIT + 2 * wsgi.MARGIN, {}, wsgi.MARGIN),
        (200_000, {"HTTP_EXPECT": "100-continue"}, 200_000),
    ],
    ids=["refused", "too large", "far too large", "not sent yet"],
)
def test_a_body_that_no_view_reads_is_read_before_the_response(settings, length, headers, left):
    settings.MAX_UPLOAD_SIZE = LIMIT
    # The health probe reads no body.
    request = RequestFactory().post("/health/live", content_type="text/plain", **headers).environ
    body = BytesIO(bytes(length))
    wsgi.application({**request, "CONTENT_LENGTH": str(length), "wsgi.input": body}, lambda *args: None)
    assert len(body.read()) == left


def test_a_streaming_response_can_read_the_body(monkeypatch):
    body = BytesIO(b"echo")
    echo = StreamingHttpResponse(iter(body.read, b""))
    monkeypatch.setattr(wsgi, "django_application", lambda environ, start_response: echo)
    response = wsgi.application(RequestFactory().post("/").environ | {"wsgi.input": body}, lambda *args: None)
    assert b"".join(response) == b"echo"


# Django leaves it to Python to close the request's empty body.
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
def test_the_asgi_application_responds():
    async def exchange():
        scope = {"type": "http", "method": "GET", "path": "/health/live", "headers": [], "query_string": b""}
        server = ApplicationCommunicator(asgi.application, scope)
        await server.send_input({"type": "http.request"})
        return [await server.receive_output(timeout=300) for _ in range(2)]

    start, body = asyncio.run(exchange())
    # Now, not during another test.
    gc.collect()
    assert start["status"] == 200
    assert body["body"] == b'{"status": "ok"}'


@pytest.mark.django_db
def test_models_have_their_migrations():
    call_command("makemigrations", "--check", "--dry-run")


def test_a_response_has_the_id_that_a_proxy_gave_the_request(client):
    assert client.get("/health/live", headers={"x-request-id": "from-the-proxy"})["X-Request-ID"] == "from-the-proxy"


@pytest.mark.parametrize("sent", ["", "short", "x" * 65, "with space 123", "line%0Abreak123", "ümläut-12345"])
def test_a_malformed_request_id_is_replaced(client, sent):
    answered = client.get("/health/live", headers={"x-request-id": sent})["X-Request-ID"]
    assert answered != sent
    assert len(answered) == 32


def test_a_log_line_is_json_with_the_request_id_of_the_response(client, caplog):
    caplog.set_level(logging.WARNING, "django.request")
    lines = StringIO()
    handler = logging.StreamHandler(lines)
    handler.addFilter(RequestIDFilter())
    handler.setFormatter(JSONFormatter())
    logging.getLogger().addHandler(handler)
    try:
        response = client.get("/no-such-page/")
    finally:
        logging.getLogger().removeHandler(handler)
    written = [json.loads(line) for line in lines.getvalue().splitlines()]
    [line] = [line for line in written if line["message"] == "Not Found: /no-such-page/"]
    assert line["level"] == "WARNING"
    assert line["request_id"] == response["X-Request-ID"]


@pytest.mark.parametrize(("proxies", "address"), [(0, "127.0.0.1"), (1, "2001:db8::7"), (2, "203.0.113.9")])
def test_the_access_log_has_the_clients_address_as_the_trusted_proxies_report_it(rf, settings, proxies, address):
    settings.TRUSTED_PROXIES = proxies
    request = rf.get("/page/", headers={"x-forwarded-for": "203.0.113.9, 2001:db8::7"})
    RequestIDMiddleware(lambda request: HttpResponse())(request)
    # As gunicorn names the variables of the WSGI environment.
    facts = {"h": "127.0.0.1", "m": "GET", "U": "/page/", "s": "200"}
    facts |= {"{" + name + "}e": value for name, value in request.environ.items()}
    record = logging.LogRecord("gunicorn.access", logging.INFO, "", 0, "%s", (facts,), None)
    line = json.loads(AccessFormatter().format(record))
    assert (line["address"], line["method"], line["path"], line["status"]) == (address, "GET", "/page/", 200)


def test_live_queries_neither_database_nor_cache(client):
    # Without the mark django_db, any query fails.
    response = client.get("/health/live")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
def test_ready_says_that_database_and_cache_respond(client):
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {"database": "ok", "cache": "ok"}}


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["/health/live", "/health/ready"])
def test_the_response_of_a_probe_is_not_cached(client, url):
    for response in (client.get(url), client.head(url)):
        assert response.status_code == 200
        assert response["Cache-Control"] == "no-store"
    assert client.post(url).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "database", "cache", "broken"),
    [(503, "unavailable", "ok", (connection, "cursor")), (200, "ok", "unavailable", (LocMemCache, "get"))],
)
def test_not_ready_without_the_database_and_ready_without_the_cache(
    client, monkeypatch, status, database, cache, broken
):
    monkeypatch.setattr(*broken, lambda *args, **options: None)
    response = client.get("/health/ready")
    assert response.status_code == status
    assert response.json()["checks"] == {"database": database, "cache": cache}


@pytest.fixture
def no_static_files(settings, tmp_path):
    """The storage of production, and no file in it."""
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }


def test_error_pages_need_no_static_files(client, no_static_files):
    response = client.get("/no-such-page/")
    assert response.status_code == 404
    assert "<h1>Page not found</h1>" in response.text


def test_the_check_for_deployment_names_missing_static_files(no_static_files):
    assert [message.id for message in check_static_files(None)] == ["core.I001"]


def test_the_check_for_deployment_accepts_static_files_that_are_there(no_static_files, tmp_path):
    manifest = {"version": "1.1", "paths": {"core/style.css": "core/style.0.css"}}
    (tmp_path / "staticfiles.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert check_static_files(None) == []


def test_the_check_for_deployment_says_that_no_mail_server_is_configured(settings):
    settings.DEFAULT_FROM_EMAIL = "webmaster@localhost"
    assert [message.id for message in check_mail(None)] == ["core.I002"]
    settings.DEFAULT_FROM_EMAIL = "library@example.com"
    assert check_mail(None) == []


def test_probes_may_use_any_host_name_and_plain_http(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/health/live", headers={"host": "10.0.0.7"}).status_code == 200
