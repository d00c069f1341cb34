"""The proxy in front of a rendered project's containers."""

import contextlib
import socket
import statistics
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from baking import BakedProject, HTTPClient, http_get, http_patch
from containers import FEW_LOGINS, PASSWORD, Responses, Stack, containers, loading, new_book, patient, stored, web

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
        clients = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 10)) for _ in range(count)]
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
            assert slow.wait(60)
            yield
        finally:
            stop.set()
            thread.join()


def test_slow_clients_do_not_keep_others_from_being_served(stack: Stack) -> None:
    # Gunicorn has 128 threads.
    with slow_clients(int(stack.port), 300):
        assert [stack.get("/api/v1/books/").status_code for _ in range(5)] == [200] * 5


def test_a_client_that_takes_too_long_for_its_headers_is_cut_off(stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", int(stack.port)), timeout=60) as client:
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
        return httpx.post(f"{stack.url}/api/v1/books/", content=body, headers=headers | form, timeout=60)

    at_limit, above, far_above = (upload(size) for size in (LIMIT, LIMIT + 1, 2 * LIMIT))
    # The form lacks everything that a book has.
    assert (at_limit.status_code, at_limit.json()["code"]) == (400, "invalid")
    assert (above.status_code, above.json()["code"]) == (413, "too_large")
    assert far_above.status_code == 413


def test_responses_are_compressed_and_their_etag_serves_for_a_change(stack: Stack) -> None:
    headers = stack.token()
    assert "content-encoding" in stack.get("/").headers, stack.get("/").headers
    book = {"title": "Ä" * 100, "subtitle": "Ö" * 100, "author": "A" * 100, "isbn": new_book()["isbn"]}
    url = httpx.post(f"{stack.url}/api/v1/books/", json=book, headers=headers, timeout=60).json()["url"]
    read = http_get(url)
    assert "content-encoding" in read.headers
    changed = http_patch(url, json={"title": "T"}, headers=headers | {"If-Match": read.headers["etag"]})
    assert changed.status_code == 200
    again = http_patch(url, json={"title": "U"}, headers=headers | {"If-Match": read.headers["etag"]})
    assert again.status_code == 412


def test_the_access_log_has_the_address_of_the_client(stack: Stack) -> None:
    own = stack.get("/api/", **{"X-Forwarded-For": "203.0.113.7"}).headers["x-request-id"]
    lines = stack.log()
    stack.up(TRUSTED_PROXIES="2")
    forwarded = stack.get("/api/", **{"X-Forwarded-For": "203.0.113.7"}).headers["x-request-id"]
    lines += stack.log()
    stack.up()
    proxy = stack.ids("proxy")[0]
    networks = "{{range .NetworkSettings.Networks}}{{.Gateway}} {{.IPAddress}}{{end}}"
    gateway, own_address = stack.docker("inspect", f"--format={networks}", proxy).split()
    addresses = {line.get("request_id"): line.get("address") for line in lines}
    # Clients on this machine come from the gateway of the containers' network.
    assert addresses[own] == gateway != own_address
    assert addresses[forwarded] == "203.0.113.7"


@pytest.fixture(scope="module")
def replicas(project: BakedProject) -> Iterator[Stack]:
    """Three containers of web, which share a cache."""
    services = web(CACHE_URL="redis://cache:6379/0", **FEW_LOGINS)
    with containers(project, services=services, configs=patient(project)) as stack:
        stack.up("--scale", "web=3", COMPOSE_PROFILES="cache")
        yield stack


def test_replicas_agree_about_tokens_throttles_and_sessions(replicas: Stack) -> None:
    def on_each(path: str, **headers: str) -> list[str]:
        code = f"""
import sys, urllib.error, urllib.request as r
try: print(r.urlopen(r.Request("http://127.0.0.1:8000{path}", headers={headers!r}), timeout=60).status)
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
    login = {"username": "tester", "password": "wrong"}
    failed = [httpx.post(f"{replicas.url}/api/v1/auth/token/", json=login, timeout=60) for _ in range(12)]
    # Ten failed attempts a day.
    assert [response.status_code for response in failed].count(429) == 2
    migrations = replicas.compose("logs", "--no-log-prefix", "migrate").count("Applying books.0001_initial")
    assert migrations == 1


def test_requests_are_spread_over_the_replicas(replicas: Stack) -> None:
    for _ in range(60):
        assert replicas.get("/api/").status_code == 200
    served = [replicas.docker("logs", container).count('"path": "/api/"') for container in replicas.ids()]
    assert sum(served) == 60
    assert min(served) > 0


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
        stack.compose("up", "--wait", "--no-deps", "--force-recreate", "web")
    assert stack.ids() != before
    check_stops(stack, responses, stops=1)


def test_replicas_that_stop_without_notice_fail_no_read_and_lose_no_acknowledged_write(replicas: Stack) -> None:
    with loading(replicas, pause=0) as responses:
        for container in replicas.ids():
            replicas.docker("restart", container)
            responses.wait_for_more()
    check_stops(replicas, responses, stops=3)


def test_a_hung_cache_delays_no_request_by_more_than_a_second(replicas: Stack) -> None:
    cache = replicas.compose("--profile=cache", "ps", "--quiet", "cache").strip()
    replicas.docker("pause", cache)
    try:
        responses = [replicas.get("/api/v1/books/") for _ in range(5)]
        ready = replicas.get("/health/ready")
    finally:
        replicas.docker("unpause", cache)
    assert {response.status_code for response in responses} == {200}
    assert (ready.status_code, ready.json()["checks"]["cache"]) == (200, "unavailable")
    numbers = {response.headers["x-request-id"] for response in responses}
    waits = [line["milliseconds"] for line in replicas.log() if line.get("request_id") in numbers and "path" in line]
    assert len(waits) == 5
    # The machine may delay some; the cache delays all.
    assert statistics.median(waits) < 1000
