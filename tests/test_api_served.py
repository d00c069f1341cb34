"""The API under a real server: parallel clients, thousands of rows, hostile requests, a generated client."""

import contextlib
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from baking import (
    PATIENCE,
    TIMEOUT,
    Bake,
    BakedProject,
    HTTPClient,
    environment,
    free_port,
    full_isbn,
    http_delete,
    http_get,
    http_patch,
    http_post,
    http_request,
    new_database,
    running,
)

TIES = 5000
WRITES = 100
UNLIMITED = {f"THROTTLE_{scope}": "1000000/min" for scope in ("ANON", "USER", "LOGIN")}
FILL = f"""
from books.models import Book
from books.isbn import check_digit
def isbn(number): return (digits := f"979{{number:09}}") + check_digit(digits)
Book.objects.bulk_create(
    [Book(title="Same" if 100 <= n < {TIES + 100} else f"Book {{n}}", author=f"Author {{n % 7}}", isbn=isbn(n))
     for n in range({TIES + 200})]
)
"""


@dataclass(frozen=True)
class Served:
    """A running project, the password of its administrator, the log of its server, and its database."""

    project: BakedProject
    address: str
    password: str
    log: Path
    database: str

    @property
    def books(self) -> str:
        return f"{self.address}/api/v1/books/"

    def count(self) -> int:
        """The number of books in the database."""
        connect: Any = psycopg.connect if "://" in self.database else sqlite3.connect
        with contextlib.closing(connect(self.database)) as connection:
            [number] = connection.execute("SELECT count(*) FROM books_book").fetchone()
        return int(number)

    def token(self) -> dict[str, str]:
        answer = http_post(f"{self.address}/api/v1/auth/token/", json={"username": "admin", "password": self.password})
        return {"authorization": f"Token {answer.json()['token']}"}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def served(bake: Bake, request: pytest.FixtureRequest) -> Iterator[Served]:
    """The default project with thousands of books, under two processes of gunicorn."""
    project = bake()
    # No request is given up because the machine is slow.
    project.edit("django_project/settings.py", '"timeout": 20,', f'"timeout": {PATIENCE},')
    of_pool = ',\n        "reconnect_timeout"'
    project.edit("django_project/settings.py", f'"timeout": 10{of_pool}', f'"timeout": {PATIENCE}{of_pool}')
    variables = {"DEBUG": "false", "HTTPS": "false", "STATEMENT_TIMEOUT": "0", **UNLIMITED}
    database = str(project.path / "db.sqlite3")
    if request.param == "postgres":
        database = variables["DATABASE_URL"] = new_database(request.getfixturevalue("postgres"))
    project.manage("collectstatic", "--noinput", **variables)
    project.manage("migrate", **variables)
    password = re.search(r"password: (\S+)", project.manage("demo", **variables))
    assert password
    project.manage("shell", "--command", FILL, **variables)
    port = free_port()
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "2"]
    address = f"http://127.0.0.1:{port}"
    log = project.path.parent / f"{project.path.name}-server.log"
    with running(command, project.path, f"{address}/health/live", **variables):
        yield Served(project, address, password[1], log, database)
    # The server may have written after its responses.
    written = log.read_text()
    for bad in ('"ERROR"', "Traceback", "body bytes"):
        assert bad not in written, written


def walk(client: httpx.Client, address: str | None, direction: str = "next") -> Iterator[list[int]]:
    """The ids on each page from this one on."""
    while address:
        page = client.get(address)
        assert page.status_code == 200, page.text
        yield [book["id"] for book in page.json()["results"]]
        address = page.json()[direction]


@pytest.mark.parametrize("ordering", ["title", "-title", "author", "-created_at"])
def test_all_pages_have_each_row_once_forwards_and_backwards(served: Served, ordering: str) -> None:
    with HTTPClient() as client:
        first = f"{served.books}?ordering={ordering}&page_size=100"
        pages, address, last = [], first, first
        while address:
            page = client.get(address).json()
            pages.append([book["id"] for book in page["results"]])
            last, address = address, page["next"]
        rows = [row for page in pages for row in page]
        assert len(rows) == len(set(rows)) == served.count()
        assert list(walk(client, last, "previous")) == pages[::-1]


def test_parallel_writes_neither_skip_nor_repeat_a_row_of_the_pages(served: Served) -> None:
    token, before = served.token(), served.count()
    with HTTPClient() as reader, HTTPClient(headers=token) as writer:
        seen: list[int] = []
        created: list[str] = []
        for number, page in enumerate(walk(reader, f"{served.books}?page_size=100")):
            seen += page
            book = {"title": f"Book {number}", "author": "Writer", "isbn": isbn(number)}
            created.append(writer.post(served.books, json=book).json()["url"])
            if number % 2:
                assert writer.delete(created.pop()).status_code == 204
        assert len(seen) == len(set(seen))
        assert len(seen) >= before
        for address in created:
            writer.delete(address)


def isbn(number: int) -> str:
    """A valid ISBN that no other test uses, of this number below 10,000."""
    return full_isbn(f"97899999{number:04}")


def test_one_of_parallel_creations_of_an_isbn_succeeds(served: Served) -> None:
    token = served.token()

    def create(number: int) -> int:
        book = {"title": "Once", "author": "Everybody", "isbn": isbn(number)}
        return http_post(served.books, json=book, headers=token).status_code

    for number in range(5000, 5005):
        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(create, 8 * [number])) == [201] + 7 * [409]
    found = http_get(served.books, params={"author": "Everybody"}).json()["results"]
    assert len(found) == 5


def test_twenty_parallel_clients_create_all_their_books(served: Served) -> None:
    token = served.token()

    def create(numbers: range) -> list[int]:
        with HTTPClient(headers=token) as client:
            books = [{"title": f"Book {n}", "author": "Twenty", "isbn": isbn(n)} for n in numbers]
            return [client.post(served.books, json=book).status_code for book in books]

    with ThreadPoolExecutor(20) as pool:
        statuses = pool.map(create, [range(start, start + WRITES // 20) for start in range(0, WRITES, WRITES // 20)])
        assert [status for each in statuses for status in each] == WRITES * [201]
    with HTTPClient() as client:
        found = walk(client, f"{served.books}?author=Twenty&page_size=100")
        assert sum(len(page) for page in found) == WRITES


def test_parallel_changes_of_different_fields_are_both_kept(served: Served) -> None:
    token = served.token()
    book = {"title": "Old", "author": "Old", "isbn": isbn(6000)}
    address = http_post(served.books, json=book, headers=token).json()["url"]

    def change(field: str) -> int:
        return http_patch(address, json={field: "New"}, headers=token).status_code

    for _ in range(10):
        http_patch(address, json={"title": "Old", "author": "Old"}, headers=token)
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(change, ["title", "author"])) == [200, 200]
        changed = http_get(address).json()
        assert (changed["title"], changed["author"]) == ("New", "New")


def raw(served: Served, request: bytes) -> int:
    """The status of the response to these bytes."""
    host, port = served.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        # The response can arrive before the server has read the whole request.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize(
    ("line", "headers", "body", "statuses"),
    [
        (b"GET /api/v1/auth/user/", [b"Authorization: Token \xff"], b"", {401}),
        (b"GET /api/v1/books/", [b"Authorization: Token \xff"], b"", {401}),
        (b"GET /", [b"Content-Type: text/html; charset=rot13"], b"", {415}),
        (b"GET /api/v1/books/", [b"Content-Type: application/json; charset=hex"], b"", {415}),
        (b"GET /api/", [b"Content-Type: text/plain; x*=unknown''a"], b"", {415}),
        (b"GET /api/v1/books/?search=%00", [], b"", {400}),
        (b"GET /api/v1/books/?search=%ED%A0%80", [], b"", {200, 400}),
        (b"GET /?search=%ED%A0%80%00", [], b"", {200, 400}),
        (b"GET /?cursor=%00", [], b"", {400}),
        (b"GET /api/v1/books/?page_size=-1", [], b"", {400}),
        (b"GET /api/v1/books/" + b"9" * 40 + b"/", [], b"", {404}),
        (b"GET /books/" + b"9" * 40 + b"/", [], b"", {404}),
        (b"GET /api/v1/books/" + b"9" * 5000 + b"/", [], b"", {400, 404, 414}),
        (b"GET /api/%FF%00/", [], b"", {400, 404}),
        (b"POST /api/v1/books/", [b"Content-Type: application/json"], b'{"title": "\\ud800"}', {400}),
        (b"POST /api/v1/books/", [b"Content-Type: application/json"], b"[" * 200_000, {400}),
        (b"POST /api/v1/books/", [b"Content-Type: application/json"], b'{"title": NaN}', {400}),
        (b"POST /api/v1/books/", [b"Content-Type: application/json"], b'"' + b"x" * 10_000_000 + b'"', {413}),
        (b"POST /api/v1/books/", [b"Content-Type: text/csv"], b"a,b", {415}),
        (b"POST /admin/login/", [b"Content-Type: multipart/form-data; boundary=x"], b"x" * 27_000_000, {413}),
        (b"OPTIONS /api/docs/", [], b"", {405}),
        (b"GET /api/schema/?version=%0a", [], b"", {200}),
        (b"GET /api/v1/books/", [b'Cookie: sessionid="a\\000b"'], b"", {400}),
        (b"GET /admin/", [b'Cookie: sessionid="a\\000b"'], b"", {400}),
        (b"GET /api/v1/books/1/", [b'If-Match: "x"'], b"", {412}),
        (b"GET /?" + 4000 * b"a&", [], b"", {200}),
    ],
)
def test_a_hostile_request_is_refused_and_leaves_no_trace(
    served: Served, line: bytes, headers: list[bytes], body: bytes, statuses: set[int]
) -> None:
    before = served.log.read_text()
    token = [b"Authorization: " + served.token()["authorization"].encode()] if body else []
    head = [line + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *headers, *token]
    request = b"\r\n".join([*head, b"Content-Length: %d" % len(body), b"", body])
    assert raw(served, request) in statuses
    written = served.log.read_text().removeprefix(before)
    assert '"ERROR"' not in written
    assert "Traceback" not in written


def test_errors_have_the_codes_that_the_page_lists(served: Served) -> None:
    listed = set(re.findall(r"(?m)^\| (\d{3}) \| `(\w+)` \|", served.project.read("docs/api.md")))
    database = {"DATABASE_URL": served.database} if "://" in served.database else {}
    user = "from accounts.models import User; User.objects.create_user('reader', password='reads all day')"
    served.project.manage("shell", "--command", user, **database)
    login, book = f"{served.address}/api/v1/auth/token/", {"title": "T", "author": "A", "isbn": isbn(9_999)}
    admin, reader = served.token(), {"username": "reader", "password": "reads all day"}
    created = http_post(served.books, json=book, headers=admin).json()["url"]
    answers = [
        http_post(served.books, json={}, headers=admin),
        http_post(served.books, content="{", headers={**admin, "content-type": "application/json"}),
        http_post(served.books, json=book),
        http_post(served.books, json=book, headers={"authorization": "Token wrong"}),
        http_post(login, json={**reader, "password": "wrong"}),
        http_post(
            served.books,
            json=book,
            headers={"authorization": f"Token {http_post(login, json=reader).json()['token']}"},
        ),
        http_get(f"{served.books}0/"),
        http_post(served.books, json=book, headers=admin),
        http_patch(created, json={"title": "U"}, headers={**admin, "if-match": '"old"'}),
    ]
    http_delete(created, headers=admin)
    found = {(str(answer.status_code), answer.json()["code"]) for answer in answers}
    # Others test what needs many requests or an outage.
    assert listed == found | {("429", "throttled"), ("503", "unavailable")}


def test_head_has_the_headers_of_get_and_logs_no_warning(served: Served) -> None:
    for path in ("/", "/health/live", "/api/v1/books/", "/api/nothing/", "/static/core/style.css"):
        head, whole = (http_request(method, f"{served.address}{path}") for method in ("HEAD", "GET"))
        assert (head.status_code, head.headers["content-type"]) == (whole.status_code, whole.headers["content-type"])
        assert head.headers.get("content-length") == whole.headers.get("content-length")
    assert "body bytes" not in served.log.read_text()


def test_a_chunked_body_is_refused_not_read_as_empty(served: Served) -> None:
    address = f"{served.books}1/"
    before = http_get(address).json()
    headers = {**served.token(), "content-type": "application/json"}
    answer = http_patch(address, content=iter([b'{"title":', b' "A"}']), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")
    assert http_post(f"{served.address}/", content=iter([b"a=b"])).status_code == 411
    assert http_get(address).json() == before


def test_cursors_hold_the_longest_titles_of_any_script(served: Served) -> None:
    token = served.token()
    for number in (8000, 8001):
        book = {"title": 250 * "\N{BOOKS}", "author": "Emoji", "isbn": isbn(number)}
        assert http_post(served.books, json=book, headers=token).status_code == 201
    with HTTPClient() as client:
        assert len(list(walk(client, f"{served.books}?author=Emoji&page_size=1"))) == 2


REPEATED = "EXAMPLES" not in os.environ
FRESH = ["--max-examples", "100", "--generation-database", "none"]
# As in DRF, a text field accepts a number, and an empty filter filters by nothing.
EXCLUDED = ["--exclude-checks", "negative_data_rejection"]


def test_schemathesis_finds_nothing(served: Served, tmp_path: Path) -> None:
    before = served.log.read_text()
    hooks = {
        "SCHEMATHESIS_HOOKS": "apis.tests.fuzzing",
        "PYTHONPATH": str(served.project.path),
        "WEB_PORT": served.address.rpartition(":")[2],
        "FUZZ_USERNAME": "admin",
        "FUZZ_PASSWORD": served.password,
    }
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{served.address}/api/schema/"),
        *("--no-color", "--continue-on-failure", "--generation-allow-x00", "false", *EXCLUDED),
        *("--request-timeout", str(TIMEOUT), "--wait-for-schema", str(PATIENCE)),
        *("--suppress-health-check", "too_slow"),
        # The same requests each time, however slow the machine is; `just fuzz` sends others.
        *(["--max-examples", "20", "--generation-deterministic"] if REPEATED else FRESH),
    ]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment(**hooks), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout
    assert int(re.findall(r"(\d+) generated", result.stdout)[-1]) > 200
    assert "Traceback" not in served.log.read_text().removeprefix(before)


def test_the_recipe_for_fuzzing_sends_requests(served: Served) -> None:
    port = served.address.rpartition(":")[2]
    few = ["--phases", "fuzzing", "--max-examples", "3", "--include-path", "/api/v1/auth/user/"]
    few += ["--seed", "1", "--request-timeout", str(TIMEOUT), "--wait-for-schema", str(PATIENCE)]
    output = served.project.run("just", "fuzz", "admin", served.password, *few, WEB_PORT=port, SECRET_KEY="k" * 50)
    assert re.search(r"[1-9]\d* passed", output), output


def test_a_generated_client_uses_the_api(served: Served, tmp_path: Path) -> None:
    program = str(Path(sys.executable).with_name("openapi-python-client"))
    # From a file: the program waits five seconds for a URL.
    (tmp_path / "schema.yml").write_bytes(http_get(f"{served.address}/api/schema/").content)
    generate = [program, "generate", "--path", "schema.yml", "--output-path", "generated", "--meta", "none"]
    subprocess.run(generate, check=True, capture_output=True, cwd=tmp_path, env=environment())
    script = f"""
from generated import AuthenticatedClient, Client
from generated.api.auth import current_user, login
from generated.api.books import books_create, books_list, books_retrieve
from generated.models import BookRequest, CredentialsRequest, Problem
token = login.sync(client=Client({served.address!r}), body=CredentialsRequest("admin", {served.password!r}))
client = AuthenticatedClient({served.address!r}, token.token)
assert current_user.sync(client=client).username == "admin"
book = books_create.sync(client=client, body=BookRequest(title="Client", author="Generated", isbn={isbn(7000)!r}))
assert books_retrieve.sync(book.id, client=client) == book
assert isinstance(books_retrieve.sync(10**9, client=client), Problem)
assert books_list.sync(client=client, author="Generated").results == [book]
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path, env=environment())
