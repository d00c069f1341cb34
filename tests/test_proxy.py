"""The proxy in front of a rendered project's containers."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from baking import PATIENCE, BakedProject, HTTPClient, http_get, http_patch, http_post, wait_until
from containers import (
    FEW_LOGINS,
    PASSWORD,
    PATIENT_POOL,
    Responses,
    Stack,
    containers,
    loading,
    new_book,
    stored,
    web,
)

LIMIT = 25 * 1024 * 1024

# A view that responds a line a second, in place of the project's own URLs.
STREAM = """
import time
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

def stream(request):
    def lines():
        for number in range(60):
            yield f"{number}\\n"
            time.sleep(1)
    return StreamingHttpResponse(lines(), content_type="text/plain")

urlpatterns = [path("stream/", stream), path("", lambda request: HttpResponse("home"))]
"""


@contextlib.contextmanager
def slow_clients(port: int, count: int) -> Iterator[None]:
    """Connections that send a byte a second, half of them in the headers and half in the body of a request.

    The block begins when each of them has sent some.
    """
    head = b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    # Nearly as much as the proxy holds back of a request.
    starts = [head + b"X-Slow: ", head + b"Content-Length: 65000\r\n\r\n" + b" " * 60_000]
    stop, slow = threading.Event(), threading.Event()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE)) for _ in range(count)]
        for number, client in enumerate(clients):
            client.sendall(starts[number % 2])

        def drip() -> None:
            while not stop.wait(1):
                for client in clients:
                    # The server may give up on some of them.
                    with contextlib.suppress(OSError):
                        client.sendall(b" ")
                slow.set()

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert slow.wait(PATIENCE)
            yield
        finally:
            stop.set()
            thread.join()


def test_slow_clients_do_not_keep_others_from_being_served(stack: Stack) -> None:
    # Gunicorn has 128 threads.
    with slow_clients(int(stack.port), 300):
        assert [stack.get("/api/v1/books/").status_code for _ in range(5)] == [200] * 5


def test_a_client_that_takes_too_long_for_its_headers_is_cut_off(stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", int(stack.port)), timeout=PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        assert client.recv(1000)[:12] in {b"", b"HTTP/1.1 408", b"HTTP/1.1 400"}


def test_clients_that_do_not_close_their_connections_keep_nobody_waiting(stack: Stack) -> None:
    with contextlib.ExitStack() as clients:
        for _ in range(50):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", int(stack.port))))
            client.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert [stack.get("/health/live").status_code for _ in range(20)] == [200] * 20


def test_a_stream_of_a_minute_is_complete(project: BakedProject, tmp_path: Path) -> None:
    urls = tmp_path / "urls.py"
    urls.write_text(STREAM, encoding="utf-8")
    urls.chmod(0o644)
    service = {"volumes": [f"{urls}:/app/django_project/urls.py:ro"]}
    with containers(project, services={"web": service}) as stack:
        stack.up()
        assert stack.get("/stream/").text.split() == [str(number) for number in range(60)]


def test_an_upload_may_be_as_large_as_the_setting_says(stack: Stack) -> None:
    headers = stack.token()
    settings = stack.python("from django.conf import settings; print(settings.MAX_UPLOAD_SIZE)")
    assert int(settings) == LIMIT

    def upload(size: int) -> httpx.Response:
        form = {"content-type": "multipart/form-data; boundary=x"}
        start, end = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n', b"\r\n--x--\r\n"
        body = start + b"0" * (size - len(start) - len(end)) + end
        return http_post(f"{stack.url}/api/v1/books/", content=body, headers=headers | form)

    at_limit, above, far_above = (upload(size) for size in (LIMIT, LIMIT + 1, 2 * LIMIT))
    # The form lacks everything that a book has.
    assert (at_limit.status_code, at_limit.json()["code"]) == (400, "invalid")
    assert (above.status_code, above.json()["code"]) == (413, "too_large")
    assert far_above.status_code == 413


def test_responses_are_compressed_and_their_etag_serves_for_a_change(stack: Stack) -> None:
    headers = stack.token()
    assert "content-encoding" in stack.get("/").headers, stack.get("/").headers
    book = {"title": "Ä" * 100, "subtitle": "Ö" * 100, "author": "A" * 100, "isbn": new_book()["isbn"]}
    url = http_post(f"{stack.url}/api/v1/books/", json=book, headers=headers).json()["url"]
    read = http_get(url)
    assert "content-encoding" in read.headers
    changed = http_patch(url, json={"title": "T"}, headers=headers | {"If-Match": read.headers["etag"]})
    assert changed.status_code == 200
    again = http_patch(url, json={"title": "U"}, headers=headers | {"If-Match": read.headers["etag"]})
    assert again.status_code == 412


def logged(stack: Stack, response: httpx.Response) -> dict[str, Any]:
    """The line of the access log about a response, which comes after it."""
    found: list[dict[str, Any]] = []

    def there() -> list[dict[str, Any]]:
        number = response.headers["x-request-id"]
        found[:] = [line for line in stack.log() if line.get("request_id") == number and "address" in line]
        return found

    wait_until(there, "the request in the log")
    return found[0]


def test_the_access_log_has_the_address_of_the_client(stack: Stack) -> None:
    forged = {"X-Forwarded-For": "203.0.113.7"}
    own = logged(stack, stack.get("/api/", **forged))["address"]
    try:
        stack.up(TRUSTED_PROXIES="2")
        forwarded = logged(stack, stack.get("/api/", **forged))["address"]
    finally:
        stack.up()
    proxy = stack.ids("proxy")[0]
    networks = "{{range .NetworkSettings.Networks}}{{.Gateway}} {{.IPAddress}}{{end}}"
    gateway, own_address = stack.docker("inspect", f"--format={networks}", proxy).split()
    # Clients on this machine come from the gateway of the containers' network.
    assert own == gateway != own_address
    assert forwarded == "203.0.113.7"


@pytest.fixture(scope="module")
def replicas(project: BakedProject) -> Iterator[Stack]:
    """Three containers of web, which share a cache."""
    services = web(CACHE_URL="redis://cache:6379/0", **FEW_LOGINS, **PATIENT_POOL)
    with containers(project, services=services) as stack:
        stack.up("--scale", "web=3", COMPOSE_PROFILES="cache")
        yield stack


def refused_logins(stack: Stack) -> int:
    """How many of twelve failed attempts are one too many, counted from none."""
    stack.compose("--profile=cache", "exec", "-T", "cache", "valkey-cli", "flushall")
    login = {"username": "tester", "password": "wrong"}
    statuses = [http_post(f"{stack.url}/api/v1/auth/token/", json=login).status_code for _ in range(12)]
    return statuses.count(429)


def test_replicas_agree_about_tokens_throttles_and_sessions(replicas: Stack) -> None:
    def on_each(path: str, **headers: str) -> list[str]:
        code = f"""
import sys, urllib.error, urllib.request as r
try: print(r.urlopen(r.Request("http://127.0.0.1:8000{path}", headers={headers!r}), timeout={PATIENCE}).status)
except urllib.error.HTTPError as error: print(error.code)
"""
        return [replicas.compose("exec", "-T", f"--index={n}", "web", "python", "-c", code).strip() for n in (1, 2, 3)]

    headers = replicas.token()
    assert on_each("/api/v1/auth/user/", **headers) == ["200"] * 3
    with HTTPClient(base_url=replicas.url, follow_redirects=True) as browser:
        browser.get("/admin/login/")
        form = {"username": "tester", "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        assert "Log out" in browser.post("/admin/login/?next=/admin/", data=form).text
        assert all("Log out" in browser.get("/admin/").text for _ in range(6))
    # Ten failed attempts a day. Not at once if another day begins, or if the cache responds too late to be asked.
    wait_until(lambda: refused_logins(replicas) == 2, "two of twelve attempts refused")
    migrations = replicas.compose("logs", "--no-log-prefix", "migrate").count("Applying books.0001_initial")
    assert migrations == 1


def test_requests_are_spread_over_the_replicas(replicas: Stack) -> None:
    for _ in range(60):
        assert replicas.get("/api/").status_code == 200

    def served() -> list[int]:
        return [replicas.docker("logs", container).count('"path": "/api/"') for container in replicas.ids()]

    # The log comes after the response.
    wait_until(lambda: sum(served()) >= 60, "60 requests in the logs")
    assert sum(served()) == 60
    assert min(served()) > 0


def check_stops(stack: Stack, responses: Responses, stops: int) -> None:
    """No read may fail, no acknowledged write may be lost, and each of the two writers may lose a few requests.

    gunicorn breaks the connections that it has not accepted when it stops, or that are idle, and the proxy must not
    repeat a POST.
    """
    assert {status for method, status in responses.statuses if method == "GET"} == {200}
    writes = [status for method, status in responses.statuses if method == "POST"]
    assert set(writes) <= {201, 502}
    assert writes.count(502) <= 2 * 2 * stops
    assert responses.acknowledged <= stored(stack)


def test_a_container_that_is_replaced_fails_no_read(stack: Stack) -> None:
    before = stack.ids()
    with loading(stack) as responses:
        stack.compose("up", "--wait", "--wait-timeout", str(PATIENCE), "--no-deps", "--force-recreate", "web")
    assert stack.ids() != before
    check_stops(stack, responses, stops=1)


def test_replicas_that_stop_without_notice_fail_no_read_and_lose_no_acknowledged_write(replicas: Stack) -> None:
    with loading(replicas, pause=0) as responses:
        for container in replicas.ids():
            replicas.docker("restart", container)
            responses.wait_for_more()
    check_stops(replicas, responses, stops=3)


# A cache that accepts connections, prints where they come from, and stays silent.
SILENT = """
import socket
server = socket.create_server(("", 6379))
print("ready", flush=True)
clients = []
while True:
    clients.append(server.accept())
    print(clients[-1][1][0], flush=True)
"""
# Connections are accepted in their order: after this one, all earlier ones are counted.
LAST = "import socket; socket.create_connection(('127.0.0.1', 6379))"


@contextlib.contextmanager
def silent_cache(stack: Stack) -> Iterator[str]:
    """A container in place of the cache; yields its name."""
    name = f"{stack.name}-silent"
    place = ["--network", f"{stack.name}_default", "--network-alias", "cache"]
    stack.compose("--profile=cache", "stop", "cache")
    try:
        stack.docker("run", "--detach", "--name", name, *place, stack.project.path.name, "python", "-c", SILENT)
        wait_until(lambda: stack.docker("logs", name), "the silent cache")
        yield name
    finally:
        stack.docker("rm", "--force", name)
        stack.up("--scale", "web=3", COMPOSE_PROFILES="cache")


def test_a_hung_cache_delays_no_request_by_more_than_a_second(replicas: Stack) -> None:
    with silent_cache(replicas) as cache:
        responses = [replicas.get("/api/v1/books/") for _ in range(5)]
        ready = replicas.get("/health/ready")
        replicas.docker("exec", cache, "python", "-c", LAST)
        wait_until(lambda: "127.0.0.1" in replicas.docker("logs", cache), "the last connection")
        _, *clients, _ = replicas.docker("logs", cache).split()
    assert {response.status_code for response in responses} == {200}
    assert (ready.status_code, ready.json()["checks"]["cache"]) == (200, "unavailable")
    # Each request has waited once for the cache: at most until these two limits.
    assert len(clients) == 6
    settings = replicas.project.read("django_project/settings.py")
    [limits] = re.findall(r'"socket_connect_timeout": ([\d.]+), "socket_timeout": ([\d.]+)', settings)
    assert sum(map(float, limits)) < 1
