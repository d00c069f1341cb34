"""A project under gunicorn, on each database, used over HTTP."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
import yaml
from baking import (
    COMBINATIONS,
    PATIENCE,
    Bake,
    BakedProject,
    HTTPClient,
    free_port,
    http_delete,
    http_get,
    http_post,
    new_database,
    running,
    wait_until,
)
from psycopg_pool.base import AttemptWithBackoff

NEW = {"title": "Utopia", "subtitle": "", "author": "Thomas More", "isbn": "978-0-14-144232-7"}


class Served:
    """A running project, and the password of its administrator."""

    def __init__(self, project: BakedProject, variables: dict[str, str], address: str, password: str) -> None:
        self.project = project
        self.variables = variables
        self.address = address
        self.password = password

    def client(self, **headers: str) -> httpx.Client:
        return HTTPClient(base_url=self.address, headers=headers)

    def token(self, username: str, password: str) -> str:
        credentials = {"username": username, "password": password}
        response = http_post(f"{self.address}/api/v1/auth/token/", json=credentials)
        assert response.status_code == 200, response.text
        return f"Token {response.json()['token']}"

    def as_admin(self) -> httpx.Client:
        return self.client(authorization=self.token("admin", self.password))


@pytest.fixture(scope="module", params=COMBINATIONS)
def project(bake: Bake, request: pytest.FixtureRequest) -> BakedProject:
    """A project with its static files."""
    project = bake(**request.param)
    project.manage("collectstatic", "--noinput", DEBUG="false")
    return project


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def served(project: BakedProject, request: pytest.FixtureRequest) -> Iterator[Served]:
    """A project in production mode under gunicorn; without HTTPS, which a proxy would speak."""
    variables = {"DEBUG": "false", "HTTPS": "false"}
    if request.param == "postgres":
        variables["DATABASE_URL"] = new_database(request.getfixturevalue("postgres"))
    project.manage("migrate", **variables)
    password = re.search(r"password: (\S+)", project.manage("demo", **variables))
    assert password
    port = free_port()
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}"]
    address = f"http://127.0.0.1:{port}"
    with running(command, project.path, f"{address}/health/live", **variables):
        yield Served(project, variables, address, password[1])


def includes(served: Served, name: str) -> bool:
    return bool(served.project.answers[f"include_{name}"])


def test_the_home_page_shows_the_parts_of_the_project(served: Served) -> None:
    page = http_get(served.address)
    assert page.status_code == 200
    assert f"<title>{served.project.answers.get('project_name', 'Library')}</title>" in page.text
    assert ("Anna Karenina" in page.text) == includes(served, "books")
    assert ('href="/api/"' in page.text) == includes(served, "apis")


def test_a_book_has_a_page_and_json(served: Served) -> None:
    book = http_get(f"{served.address}/books/1/")
    assert book.status_code == (200 if includes(served, "books") else 404)
    books = http_get(f"{served.address}/api/v1/books/")
    if includes(served, "books") and includes(served, "apis"):
        assert list(books.json()) == ["next", "previous", "results"]
        assert len(books.json()["results"]) == 20
    else:
        assert books.status_code == 404


def test_static_files_are_served_with_debug_off(served: Served) -> None:
    pages = ["/", "/admin/login/"] + (["/api/", "/api/docs/"] if includes(served, "apis") else [])
    for page in pages:
        text = http_get(served.address + page, headers={"accept": "text/html"}).text
        files = re.findall(r'(?:href|src)="(/static/[^"]+)"', text)
        assert files, page
        for file in files:
            assert http_get(served.address + file).status_code == 200, file
            # The hash of the content is in the name: browsers may cache the file for ever.
            assert re.search(r"\.[0-9a-f]{12}\.", file), file


def test_health_is_answered_to_any_host_name(served: Served) -> None:
    for probe in ("live", "ready"):
        response = http_get(f"{served.address}/health/{probe}", headers={"host": "10.1.2.3"})
        assert (response.status_code, response.json()["status"]) == (200, "ok")


def test_errors_show_no_internals(served: Served) -> None:
    missing = http_get(f"{served.address}/no-such-page/")
    assert missing.status_code == 404
    assert "Page not found" in missing.text
    assert "urlpatterns" not in missing.text
    assert http_get(served.address, headers={"host": "evil.example"}).status_code == 400
    api = http_get(f"{served.address}/api/no-such-thing/")
    assert api.status_code == 404
    expected = "application/problem+json" if includes(served, "apis") else "text/html; charset=utf-8"
    assert api.headers["content-type"] == expected


def test_the_administrator_logs_in(served: Served) -> None:
    with served.client() as browser:
        form = browser.get("/admin/login/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.text)
        assert token
        data = {"username": "admin", "password": served.password, "csrfmiddlewaretoken": token[1]}
        assert browser.post("/admin/login/?next=/admin/", data=data).headers["location"] == "/admin/"
        assert browser.get("/admin/").status_code == 200


def test_a_book_is_created_read_changed_and_deleted_with_a_token(served: Served) -> None:
    if not (includes(served, "books") and includes(served, "apis")):
        assert http_post(f"{served.address}/api/v1/books/", json=NEW).status_code in {403, 404}
        return
    with served.as_admin() as api:
        created = api.post("/api/v1/books/", json=NEW)
        assert created.status_code == 201, created.text
        address = created.json()["url"]
        assert created.json()["isbn"] == "9780141442327"
        assert NEW["title"] in http_get(f"{served.address}/books/{created.json()['id']}/").text
        assert api.get(address).json() == created.json()
        assert api.post("/api/v1/books/", json=NEW).status_code == 409
        assert api.patch(address, json={"title": "Utopia!"}).json()["title"] == "Utopia!"
        assert api.put(address, json=NEW).json()["title"] == "Utopia"
        assert api.delete(address).status_code == 204
        assert api.get(address).status_code == 404


def test_a_user_without_permission_must_not_write(served: Served) -> None:
    if not includes(served, "apis"):
        assert http_get(f"{served.address}/api/").status_code == 404
        return
    create = "from accounts.models import User; User.objects.create_user('reader', password='quiet-reading-room')"
    served.project.manage("shell", "--command", create, **served.variables)
    assert http_get(f"{served.address}/api/v1/auth/user/").headers["www-authenticate"] == "Token"
    token = served.token("reader", "quiet-reading-room")
    who = http_get(f"{served.address}/api/v1/auth/user/", headers={"authorization": token})
    assert who.json()["username"] == "reader"
    if includes(served, "books"):
        books = f"{served.address}/api/v1/books/"
        assert http_post(books, json=NEW).status_code == 401
        assert http_post(books, json=NEW, headers={"authorization": token}).status_code == 403
        assert http_delete(f"{books}1/", headers={"authorization": token}).status_code == 403
    assert http_delete(f"{served.address}/api/v1/auth/token/", headers={"authorization": token}).status_code == 204
    assert http_get(f"{served.address}/api/v1/auth/user/", headers={"authorization": token}).status_code == 401


@pytest.fixture(scope="module")
def prepared(bake: Bake) -> BakedProject:
    """The default project with its tables and static files, for servers with settings of their own."""
    project = bake()
    project.manage("migrate", DEBUG="false")
    project.manage("collectstatic", "--noinput", DEBUG="false")
    return project


def test_http_is_redirected_to_https(prepared: BakedProject) -> None:
    port = free_port()
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}"]
    address = f"http://127.0.0.1:{port}"
    with running(command, prepared.path, f"{address}/health/live", DEBUG="false", TRUSTED_PROXIES="1"):
        redirect = http_get(address)
        assert (redirect.status_code, redirect.headers["location"]) == (301, f"https://127.0.0.1:{port}/")
        behind_a_proxy = http_get(f"{address}/admin/login/", headers={"x-forwarded-proto": "https"})
        assert behind_a_proxy.status_code == 200
        assert behind_a_proxy.headers["strict-transport-security"] == "max-age=2592000"
        assert "secure" in behind_a_proxy.headers["set-cookie"].lower()


@pytest.mark.parametrize(("trusted", "status"), [("", 403), ("https://library.example", 200)])
def test_a_form_is_accepted_behind_a_proxy_under_the_name_that_the_settings_trust(
    prepared: BakedProject, trusted: str, status: int
) -> None:
    port = free_port()
    variables = {"DEBUG": "false", "TRUSTED_PROXIES": "1", "CSRF_TRUSTED_ORIGINS": trusted}
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}"]
    address = f"http://127.0.0.1:{port}/admin/login/"
    with running(command, prepared.path, f"http://127.0.0.1:{port}/health/live", **variables):
        headers = {"x-forwarded-proto": "https", "origin": "https://library.example"}
        form = http_get(address, headers=headers)
        token = form.cookies["csrftoken"]
        headers |= {"cookie": f"csrftoken={token}", "referer": "https://library.example/admin/login/"}
        data = {"username": "a", "password": "b", "csrfmiddlewaretoken": token}
        assert http_post(address, headers=headers, data=data).status_code == status


def test_the_threads_of_eight_processes_stay_below_the_limit_of_the_container(bake: Bake) -> None:
    project = bake()
    limit = yaml.safe_load(project.read("docker-compose.yml"))["services"]["web"]["deploy"]["resources"]["limits"][
        "pids"
    ]
    code = "import runpy; print(runpy.run_path('gunicorn.conf.py')['threads'])"
    assert 0 < 8 * (int(project.run("python", "-c", code)) + 1) < limit


def test_the_root_of_the_api_lists_the_resources_of_its_router_alone(bake: Bake) -> None:
    project = bake()
    line = '    path("admin/", admin.site.urls),\n'
    more = '    path("shelves/", icon, name="shelf-list"), path("api/<int:pk>/", icon, name="page-list"),\n'
    project.edit("django_project/urls.py", line, line + more)
    code = "from django.test import Client; print(sorted(Client(headers={'host': 'localhost'}).get('/api/').json()))"
    listed = project.manage("shell", "--verbosity=0", "--command", code, DEBUG="true")
    assert listed.strip() == "['books', 'docs', 'schema', 'token', 'user']"


def test_headers_of_untrusted_proxies_are_ignored(prepared: BakedProject) -> None:
    port = free_port()
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}"]
    address = f"http://127.0.0.1:{port}"
    headers = {"SCRIPT_NAME": "/api", "X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on"}
    with running(command, prepared.path, f"{address}/health/live", HTTPS="false", DEBUG="false"):
        response = http_get(f"{address}/api/", headers=headers)
        assert response.status_code == 200
        assert response.json()["docs"] == f"{address}/api/docs/"


def test_a_project_below_a_path_has_it_in_pages_static_files_and_the_schema(prepared: BakedProject) -> None:
    port = free_port()
    variables = {"DEBUG": "false", "HTTPS": "false", "SCRIPT_NAME": "/library"}
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}"]
    server = f"http://127.0.0.1:{port}"
    with running(command, prepared.path, f"{server}/library/health/live", **variables):
        page = http_get(f"{server}/library/").text
        links = set(re.findall(r'(?:href|src)="(/[^"]*)"', page))
        assert any("/static/" in link for link in links)
        assert {link.split("/")[1] for link in links} == {"library"}
        assert {http_get(server + link, follow_redirects=True).status_code for link in links} == {200}
        schema = http_get(f"{server}/library/api/schema/?format=json").json()
        assert schema["servers"] == [{"url": "/library"}]
        assert http_get(f"{server}/library/api/").json()["books"] == f"{server}/library/api/v1/books/"


def test_without_static_files_errors_have_the_right_status_and_shape(bake: Bake) -> None:
    project, port = bake(), free_port()
    variables = {"DEBUG": "false", "HTTPS": "false"}
    project.manage("migrate", **variables)
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}"]
    server = f"http://127.0.0.1:{port}"
    with running(command, project.path, f"{server}/health/live", **variables):
        assert http_get(f"{server}/api/v1/books/").status_code == 200
        problem = http_get(f"{server}/api/nosuch")
        assert (problem.status_code, problem.json()["code"]) == (404, "not_found")
        assert http_get(server, headers={"host": "evil.example"}).status_code == 400
        page = http_get(server)
        assert (page.status_code, "<h1>Server error</h1>" in page.text) == (500, True)
    assert "core.I001" in project.manage("check", "--deploy", "--fail-level", "WARNING", DEBUG="false")


# Prints what the settings say about the pool of a process.
POOL = """
from django.conf import settings
pool = settings.DATABASE["OPTIONS"]["pool"]
print(pool["max_size"], pool["timeout"])
"""


def test_requests_wait_for_new_connections_after_an_unnoticed_restart_of_the_database(
    bake: Bake, postgres: str
) -> None:
    project, port, database = bake(), free_port(), new_database(postgres)
    variables = {"DEBUG": "false", "HTTPS": "false", "DATABASE_URL": database, "THROTTLE_ANON": "1000000/min"}
    size, timeout = map(int, project.manage("shell", "--verbosity=0", "--command", POOL, **variables).split())
    # The pauses after the second dead connection and each further one, at their longest.
    first = AttemptWithBackoff.INITIAL_DELAY * (1 + AttemptWithBackoff.DELAY_JITTER)
    assert sum(first * AttemptWithBackoff.DELAY_BACKOFF**number for number in range(size - 1)) < timeout
    # No request is given up because the machine is slow.
    old, new = (f'"timeout": {limit},\n        "reconnect_timeout"' for limit in (timeout, PATIENCE))
    project.edit("django_project/settings.py", old, new)
    project.manage("migrate", **variables)
    # No statement is cancelled while the test holds a lock.
    variables["STATEMENT_TIMEOUT"] = "0"
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    books = f"http://127.0.0.1:{port}/api/v1/books/"
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

    def get(number: int) -> int:
        return http_get(books).status_code

    with running(command, project.path, books, **variables), psycopg.connect(database, autocommit=True) as connection:

        def waiting() -> int:
            found = connection.execute(
                "SELECT pid FROM pg_locks WHERE relation = 'books_book'::regclass AND NOT granted"
            )
            return len(found.fetchall())

        with ThreadPoolExecutor(4) as clients:
            # Each of these requests keeps a connection until the lock is released: all that the pool may have.
            with connection.transaction():
                connection.execute("LOCK TABLE books_book IN ACCESS EXCLUSIVE MODE")
                statuses = clients.map(get, range(4))
                wait_until(lambda: waiting() == 4, "four requests wait for the lock")
            assert list(statuses) == 4 * [200]
        assert len(connection.execute(f"SELECT pg_terminate_backend(pid) {others}").fetchall()) == 4
        assert {get(number) for number in range(5)} == {200}


def test_the_projects_own_tests_pass_on_postgresql(bake: Bake, postgres_url: str) -> None:
    project = bake()
    assert " passed" in project.run("python", "-m", "pytest", "-p", "no:cacheprovider", DATABASE_URL=postgres_url)


@pytest.mark.parametrize("answers", COMBINATIONS)
def test_a_missing_secret_key_is_one_line_for_the_server_too(bake: Bake, answers: dict[str, Any]) -> None:
    project = bake(**answers)
    (project.path / ".env").unlink()
    output = project.run("python", "manage.py", "check", status=1)
    assert output.count("\n") == 1
    assert "SECRET_KEY" in output
