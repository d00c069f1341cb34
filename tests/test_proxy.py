"""The proxy in front of a rendered project's containers."""

import contextlib
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from baking import BakedProject
from containers import FEW_LOGINS, PASSWORD, Responses, Stack, containers, isbn, loading, stored, web

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
    """Connections that send a byte a second, half of them in the headers and half in the body of a request."""
    head = b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    starts = [head + b"X-Slow: ", head + b"Content-Length: 5000\r\n\r\n{"]
    stop = threading.Event()
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

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def test_slow_clients_do_not_keep_others_from_being_served(stack: Stack) -> None:
    with slow_clients(int(stack.port), 300):
        time.sleep(2)
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
    book = {"title": "Ä" * 100, "subtitle": "Ö" * 100, "author": "A" * 100, "isbn": isbn(1)}
    url = httpx.post(f"{stack.url}/api/v1/books/", json=book, headers=headers, timeout=60).json()["url"]
    read = httpx.get(url)
    assert "content-encoding" in read.headers
    changed = httpx.patch(url, json={"title": "T"}, headers=headers | {"If-Match": read.headers["etag"]})
    assert changed.status_code == 200
    again = httpx.patch(url, json={"title": "U"}, headers=headers | {"If-Match": read.headers["etag"]})
    assert again.status_code == 412


def test_the_access_log_has_the_address_of_the_client(stack: Stack) -> None:
    own = stack.get("/api/", **{"X-Forwarded-For": "203.0.113.7"}).headers["x-request-id"]
    stack.up(TRUSTED_PROXIES="2")
    forwarded = stack.get("/api/", **{"X-Forwarded-For": "203.0.113.7"}).headers["x-request-id"]
    proxy = stack.ids("proxy")[0]
    networks = "{{range .NetworkSettings.Networks}}{{.Gateway}} {{.IPAddress}}{{end}}"
    gateway, own_address = stack.docker("inspect", f"--format={networks}", proxy).split()
    addresses = {line.get("request_id"): line.get("address") for line in stack.log()}
    # Clients on this machine come from the gateway of the containers' network.
    assert addresses.get(own, gateway) == gateway != own_address
    assert addresses[forwarded] == "203.0.113.7"


@pytest.fixture
def replicas(project: BakedProject) -> Iterator[Stack]:
    """Three containers of web, which share a cache."""
    with containers(project, services=web(CACHE_URL="redis://cache:6379/0", **FEW_LOGINS)) as stack:
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
    with httpx.Client(base_url=replicas.url, follow_redirects=True) as browser:
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


def test_a_container_that_is_replaced_fails_no_read(stack: Stack) -> None:
    headers = stack.token()
    before = stack.ids()
    with loading(stack, headers, pause=0.05) as responses:
        time.sleep(1)
        stack.compose("up", "--wait", "--no-deps", "--force-recreate", "web")
        time.sleep(1)
    assert stack.ids() != before
    assert len(responses.statuses) > 50
    check_stops(stack, responses, stops=1)


def check_stops(stack: Stack, responses: Responses, stops: int) -> None:
    """No read may fail, no acknowledged write be lost, and of each of the two writers one request at each stop.

    gunicorn breaks the connections that it has not accepted when it stops, and the proxy must not repeat a POST.
    """
    assert {status for method, status in responses.statuses if method == "GET"} == {200}
    writes = [status for method, status in responses.statuses if method == "POST"]
    assert set(writes) <= {201, 502}
    assert writes.count(502) <= 2 * stops
    assert responses.acknowledged <= stored(stack)


def test_replicas_that_stop_without_notice_fail_no_read_and_lose_no_acknowledged_write(replicas: Stack) -> None:
    headers = replicas.token()
    with loading(replicas, headers, pause=0) as responses:
        for container in replicas.ids():
            time.sleep(1)
            replicas.docker("restart", container)
        time.sleep(1)
    check_stops(replicas, responses, stops=3)


@pytest.fixture
def public(project: BakedProject) -> Iterator[Stack]:
    """A stack with a domain, for which Caddy issues a certificate by its own authority."""
    with containers(project, services=web()) as stack:
        yield stack


def curl(stack: Stack, *arguments: str) -> str:
    """What curl prints; it trusts the authority of the stack's proxy."""
    authority = stack.project.path.parent / f"{stack.name}.crt"
    if not authority.exists():
        stack.compose("cp", "https:/data/caddy/pki/authorities/local/root.crt", str(authority), DOMAIN=DOMAIN)
    names = [option for port in (80, 443) for option in ("--resolve", f"{DOMAIN}:{port}:127.0.0.1")]
    command = ["curl", "--silent", "--show-error", "--cacert", str(authority), *names, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


DOMAIN = "library.localhost"


def test_a_domain_alone_switches_https_on(public: Stack) -> None:
    public.up(DOMAIN=DOMAIN)
    headers = curl(public, "--dump-header", "-", "--output", "/dev/null", f"https://{DOMAIN}/admin/login/")
    assert headers.startswith("HTTP/2 200")
    assert "strict-transport-security: max-age=" in headers
    assert re.search("set-cookie: csrftoken=.*; Secure", headers)
    redirect = curl(public, "--dump-header", "-", f"http://{DOMAIN}/admin/")
    assert redirect.startswith("HTTP/1.1 308")
    assert f"Location: https://{DOMAIN}/admin/" in redirect
    assert f'"https://{DOMAIN}/api/v1/books/"' in curl(public, f"https://{DOMAIN}/api/")
    # The local port goes on serving.
    assert public.get("/").status_code == 200


def test_without_its_ports_or_a_certificate_the_stack_serves_locally(public: Stack) -> None:
    with socket.create_server(("0.0.0.0", 443)):
        output = public.compose("up", "--wait", status=1, DOMAIN=DOMAIN)
        assert re.search("443.*(address already in use|port is already allocated)", output)
        assert public.get("/").status_code == 200
    public.up(DOMAIN="library.invalid")
    assert public.get("/").status_code == 200
    end = time.monotonic() + 120
    while "could not get certificate" not in (log := public.compose("logs", "https", DOMAIN="library.invalid")):
        assert time.monotonic() < end, log
        time.sleep(0.5)


def test_a_hung_cache_delays_no_request_by_more_than_a_second(replicas: Stack) -> None:
    cache = replicas.compose("--profile=cache", "ps", "--quiet", "cache").strip()
    replicas.docker("pause", cache)
    try:
        with ThreadPoolExecutor(4) as clients:
            responses = list(clients.map(lambda _: replicas.get("/api/v1/books/"), range(12)))
        ready = replicas.get("/health/ready")
    finally:
        replicas.docker("unpause", cache)
    assert {response.status_code for response in responses} == {200}
    assert (ready.status_code, ready.json()["checks"]["cache"]) == (200, "unavailable")
    waits: Any = [line["milliseconds"] for line in replicas.log() if line.get("path") == "/api/v1/books/"]
    assert max(waits) < 1000
