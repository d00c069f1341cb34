"""The first start, and what servers, their probes and the log see of the project."""

import asyncio
import gc
import json
import logging
import re
import socket
from io import StringIO

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth import authenticate, get_user_model
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import RequestFactory

from core.checks import check_static_files
from core.environment import BASE_DIR, make_env_file
from core.logs import AccessFormatter, JSONFormatter, RequestIDFilter
from core.middleware import RequestIDMiddleware
from django_project import asgi, wsgi


@pytest.mark.django_db
def test_the_wsgi_application_responds_whatever_the_query(settings):
    answer = []
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 1

    def start_response(status, headers, exc_info=None, /):
        answer.append(status)

    body = wsgi.application(RequestFactory().get("/health/live?a=b&c=d").environ, start_response)
    assert answer == ["200 OK"]
    assert b"".join(body) == b'{"status": "ok"}'


# Django leaves it to Python to close the request's empty body.
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
def test_the_asgi_application_responds():
    async def exchange():
        scope = {"type": "http", "method": "GET", "path": "/health/live", "headers": [], "query_string": b""}
        server = ApplicationCommunicator(asgi.application, scope)
        await server.send_input({"type": "http.request"})
        return [await server.receive_output(timeout=60) for _ in range(2)]

    start, body = asyncio.run(exchange())
    # Now, not during another test.
    gc.collect()
    assert start["status"] == 200
    assert body["body"] == b'{"status": "ok"}'


@pytest.mark.django_db
def test_models_have_their_migrations():
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())


def test_a_response_has_the_id_that_a_proxy_gave_the_request(client):
    assert client.get("/health/live", headers={"x-request-id": "from-the-proxy"})["X-Request-ID"] == "from-the-proxy"


@pytest.mark.parametrize("sent", ["", "short", "x" * 65, "with space 123", "line%0Abreak123", "ümläut-12345"])
def test_a_malformed_request_id_is_replaced(client, sent):
    answered = client.get("/health/live", headers={"x-request-id": sent})["X-Request-ID"]
    assert answered != sent
    assert len(answered) == 32


def test_a_log_line_is_json_with_the_request_id_of_the_response(client):
    lines = StringIO()
    handler = logging.StreamHandler(lines)
    handler.addFilter(RequestIDFilter())
    handler.setFormatter(JSONFormatter())
    logging.getLogger().addHandler(handler)
    try:
        response = client.get("/no-such-page/")
    finally:
        logging.getLogger().removeHandler(handler)
    line = json.loads(lines.getvalue().splitlines()[0])
    assert line["message"] == "Not Found: /no-such-page/"
    assert line["level"] == "WARNING"
    assert line["request_id"] == response["X-Request-ID"]


@pytest.mark.parametrize(("proxies", "address"), [(0, "127.0.0.1"), (1, "2001:db8::7"), (2, "203.0.113.9")])
def test_the_access_log_has_the_clients_address_as_the_trusted_proxies_report_it(rf, settings, proxies, address):
    settings.TRUSTED_PROXIES = proxies
    request = rf.get("/books/", headers={"x-forwarded-for": "203.0.113.9, 2001:db8::7"})
    RequestIDMiddleware(lambda request: HttpResponse())(request)
    # As gunicorn names the variables of the WSGI environment.
    facts = {"h": "127.0.0.1", "m": "GET", "U": "/books/", "s": "200"}
    facts |= {f"{{{name}}}e": value for name, value in request.environ.items()}
    record = logging.LogRecord("gunicorn.access", logging.INFO, "", 0, "%s", (facts,), None)
    line = json.loads(AccessFormatter().format(record))
    assert (line["address"], line["method"], line["path"], line["status"]) == (address, "GET", "/books/", 200)


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


def test_the_check_for_deployment_accepts_static_files_that_are_there(settings):
    settings.DEBUG = True
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    assert check_static_files(None) == []


def test_probes_may_use_any_host_name_and_plain_http(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/health/live", headers={"host": "10.0.0.7"}).status_code == 200


@pytest.fixture
def folder(tmp_path):
    """A folder with nothing but the example of an environment file."""
    (tmp_path / ".env.example").write_bytes((BASE_DIR / ".env.example").read_bytes())
    return tmp_path


def test_the_environment_file_gets_a_secret_of_its_own(folder):
    assert make_env_file(folder)
    first = (folder / ".env").read_text(encoding="utf-8")
    assert len(re.findall(r"(?m)^SECRET_KEY=[\w-]{50,}$", first)) == 1
    assert (folder / ".env").stat().st_mode & 0o077 == 0
    (folder / ".env").unlink()
    make_env_file(folder)
    assert (folder / ".env").read_text(encoding="utf-8") != first


def test_an_environment_file_that_exists_is_kept(folder):
    (folder / ".env").write_text("SECRET_KEY=mine\n", encoding="utf-8")
    assert not make_env_file(folder)
    assert (folder / ".env").read_text(encoding="utf-8") == "SECRET_KEY=mine\n"


@pytest.mark.django_db
def test_the_demo_administrator_can_sign_in_with_the_printed_password(capsys):
    call_command("demo")
    password = re.search(r"password: (\S+)", capsys.readouterr().out)
    assert password
    admin = authenticate(username="admin", password=password[1])
    assert admin
    assert admin.is_superuser


@pytest.mark.django_db
def test_demo_data_can_be_loaded_again(capsys):
    call_command("demo")
    capsys.readouterr()
    call_command("demo")
    assert "password:" not in capsys.readouterr().out
    assert get_user_model().objects.count() == 1


@pytest.mark.django_db
def test_demo_makes_no_administrator_of_a_user_who_is_there():
    get_user_model().objects.create_user("admin")
    with pytest.raises(CommandError, match="createsuperuser"):
        call_command("demo", stdout=StringIO())


def test_a_database_that_cannot_be_used_is_one_clear_line(monkeypatch):
    def fail(*args, **options):
        raise OperationalError("unable to open database file\nwith details")

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("WEB_PORT", str(free.getsockname()[1]))
    monkeypatch.setattr("core.management.commands.start.MigrationExecutor", fail)
    with pytest.raises(
        CommandError, match=r"^The database cannot be used: unable to open database file\. DATABASE_URL"
    ):
        call_command("start")


def test_a_taken_port_is_one_clear_line(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("WEB_PORT", str(taken.getsockname()[1]))
        with pytest.raises(CommandError, match=r"Port \d+ cannot be used .* Set WEB_PORT"):
            call_command("start")


@pytest.mark.parametrize("port", ["80000", "tcp://10.0.0.7:8000"])
def test_a_wrong_port_is_one_clear_line(monkeypatch, port):
    monkeypatch.setenv("WEB_PORT", port)
    with pytest.raises(CommandError, match=r'"WEB_PORT" invalid: .* Set it in the environment or in \.env\.$'):
        call_command("start")
