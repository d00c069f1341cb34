"""What servers, their probes and the log see of the project."""

import asyncio
import json
import logging
from io import StringIO

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test import RequestFactory

from core.logs import JSONFormatter, RequestIDFilter
from django_project import asgi, wsgi


@pytest.mark.django_db
def test_the_wsgi_application_answers():
    answer = []

    def start_response(status, headers, exc_info=None, /):
        answer.append(status)

    body = wsgi.application(RequestFactory().get("/health/live").environ, start_response)
    assert answer == ["200 OK"]
    assert b"".join(body) == b'{"status": "ok"}'


# Django leaves it to Python to close the request's empty body.
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
def test_the_asgi_application_answers():
    async def exchange():
        scope = {"type": "http", "method": "GET", "path": "/health/live", "headers": [], "query_string": b""}
        server = ApplicationCommunicator(asgi.application, scope)
        await server.send_input({"type": "http.request"})
        return [await server.receive_output(), await server.receive_output()]

    start, body = asyncio.run(exchange())
    assert start["status"] == 200
    assert body["body"] == b'{"status": "ok"}'


@pytest.mark.django_db
def test_models_have_their_migrations():
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())


def test_an_answer_carries_the_id_that_a_proxy_gave_the_request(client):
    assert client.get("/health/live", headers={"x-request-id": "from-the-proxy"})["X-Request-ID"] == "from-the-proxy"


@pytest.mark.parametrize("sent", ["", "short", "x" * 65, "with space 123", "line%0Abreak123", "ümläut-12345"])
def test_a_malformed_request_id_is_replaced(client, sent):
    answered = client.get("/health/live", headers={"x-request-id": sent})["X-Request-ID"]
    assert answered != sent
    assert len(answered) == 32


def test_a_log_line_is_json_with_the_request_id_of_the_answer(client):
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


def test_live_asks_neither_database_nor_cache(client):
    # Without the mark django_db, any query fails.
    response = client.get("/health/live")
    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
def test_ready_says_that_database_and_cache_answer(client):
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "checks": {"database": "ok", "cache": "ok"}}


@pytest.mark.django_db
def test_not_ready_while_the_database_does_not_answer(client, monkeypatch):
    def fail():
        raise DatabaseError

    monkeypatch.setattr(connection, "cursor", fail)
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "unavailable", "cache": "ok"}


@pytest.mark.django_db
def test_not_ready_while_the_cache_forgets(client, monkeypatch):
    monkeypatch.setattr(LocMemCache, "get", lambda *args, **options: None)
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"] == {"database": "ok", "cache": "unavailable"}


def test_probes_may_use_any_host_name_and_plain_http(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/health/live", headers={"host": "10.0.0.7"}).status_code == 200
