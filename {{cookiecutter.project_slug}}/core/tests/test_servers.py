"""What servers, their probes and the log see of the project."""

import asyncio
import errno
import gc
import json
import logging
import os
import socket
import subprocess
import sys
import time
from io import StringIO

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory

from core.environment import BASE_DIR
from core.logs import JSONFormatter, RequestIDFilter
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


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn forks its processes, which Windows cannot")
def test_gunicorn_ends_slow_requests_and_refuses_new_ones_while_it_stops():
    # Its worker class in gunicorn.conf.py relies on the inside of gunicorn, which a new version may change.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address, port = free.getsockname(), free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", f"--bind=127.0.0.1:{port}", "--timeout=3", "django_project.wsgi"]
    environment = {**os.environ, "SECRET_KEY": "k" * 50, "WEB_CONCURRENCY": "1"}
    with subprocess.Popen(command, cwd=BASE_DIR, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr
            assert any("Booting worker" in line for line in server.stderr)
            with socket.create_connection(address, timeout=30) as slow:
                slow.sendall(b"GET / HTTP/1.1\r\n")
                assert slow.recv(1) == b""
            with socket.create_connection(address) as served:
                served.sendall(b"GET / HTTP/1.1\r\n")
                server.terminate()
                refused = False
                while not refused and server.poll() is None:
                    time.sleep(0.1)
                    with socket.socket() as new:
                        refused = new.connect_ex(address) == errno.ECONNREFUSED
                served.setblocking(False)
                with pytest.raises(BlockingIOError):
                    served.recv(1)
            _, log = server.communicate(timeout=30)
        finally:
            server.kill()
    assert "A request took longer than 3 s and was ended." in log
    assert server.returncode == 0


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
    ("database", "cache", "broken"),
    [("unavailable", "ok", (connection, "cursor")), ("ok", "unavailable", (LocMemCache, "get"))],
)
def test_not_ready_while_one_of_them_does_not_respond(client, monkeypatch, database, cache, broken):
    monkeypatch.setattr(*broken, lambda *args, **options: None)
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "checks": {"database": database, "cache": cache}}


def test_probes_may_use_any_host_name_and_plain_http(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/health/live", headers={"host": "10.0.0.7"}).status_code == 200
