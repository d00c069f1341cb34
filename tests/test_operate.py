"""The commands of the rendered project's docs/operate.md that need no containers: what the page promises happens."""

import contextlib
import gzip
import re
import socketserver
import sqlite3
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from baking import (
    COMBINATIONS,
    PATIENCE,
    ROOT,
    TIMEOUT,
    Bake,
    BakedProject,
    free_port,
    http_get,
    need,
    running,
    uv,
    wait_until,
)
from documents import OPERATE, block, blocks, sections

PASSWORD = "a-long-passphrase-7"
# The tests that run the commands of each section.
TESTED = {
    "First administrator": "test_the_first_administrator_can_log_in",
    "Deploy and roll back": "test_the_command_to_roll_back_serves_the_version_before",
    "Secrets": "test_a_secret_comes_from_a_file",
    "Rotate the secret key": "test_sessions_and_tokens_outlive_a_new_key_as_long_as_the_old_one_is_a_fallback",
    "Mail": "test_the_command_for_mail_sends_one_by_the_server_of_the_url",
    "Uploads": "test_the_command_for_an_upload_changes_a_book",
    "Backups": "test_a_backup_restores_what_was_deleted_with_its_volumes",
    "Restore a backup": "test_a_backup_restores_what_was_deleted_with_its_volumes",
    "Errors in Sentry": "test_an_error_of_a_request_reaches_sentry",
    "Traces with OpenTelemetry": "test_the_workers_send_traces",
    "Background tasks": "test_a_worker_runs_a_task",
    "A typed client": "test_a_typed_client_is_written",
    "Dependencies": "test_the_command_for_dependencies_takes_newer_versions",
    "Upgrade PostgreSQL": "test_the_steps_to_a_new_version_of_postgresql_keep_the_data",
}
# It has JSON schemas for all of them.
CHECK_JSONSCHEMA = ["uvx", "--quiet", "check-jsonschema@0.39.0"]


@dataclass
class Endpoint:
    """What clients have sent to an HTTP server on this machine."""

    url: str
    bodies: list[bytes] = field(default_factory=list)

    def wait_for(self, *words: bytes) -> None:
        """Return when all words were received: parts of one event may come in several requests."""
        wait_until(lambda: all(word in b"".join(self.bodies) for word in words), f"{words} sent")


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Endpoint(f"http://127.0.0.1:{server.server_port}")
        bodies = found.bodies
        threading.Thread(target=server.serve_forever).start()
        try:
            yield found
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def project(bake: Bake) -> BakedProject:
    """A project that no test changes."""
    return bake()


@pytest.fixture
def owned(bake: Bake) -> BakedProject:
    """A project of which the commands on the page make an environment."""
    need(uv(), "uv")
    return bake(ci="none")


def follow(project: BakedProject, commands: str, **variables: Any) -> str:
    return project.run("sh", "-ec", commands, **variables)


def append(project: BakedProject, name: str, text: str) -> None:
    (project.path / name).write_text(f"{project.read(name)}\n{text}", encoding="utf-8")


def gunicorn(port: int) -> list[str]:
    return ["uv", "run", "--quiet", "gunicorn", "--bind", f"127.0.0.1:{port}", "django_project.wsgi"]


def test_every_command_of_the_page_is_run_by_a_test() -> None:
    page = (ROOT / "{{cookiecutter.project_slug}}" / OPERATE).read_text(encoding="utf-8")
    assert {heading for heading, text in sections(page).items() if "```sh" in text} == set(TESTED)
    tests = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("tests/test_operate*.py"))
    assert set(TESTED.values()) <= set(re.findall(r"(?m)^def (test_\w+)", tests))


@pytest.mark.parametrize("answers", COMBINATIONS)
def test_the_links_of_the_page_lead_somewhere(bake: Bake, answers: dict[str, Any]) -> None:
    project = bake(**answers, ci="none")
    for path, heading in re.findall(r"\]\((\.\./[\w./]+)#([\w-]+)\)", project.read(OPERATE)):
        headings = sections((project.path / "docs" / path).read_text(encoding="utf-8"))
        assert heading in {name.lower().replace(" ", "-") for name in headings}
    for name in re.findall(r"`([\w/.-]+\.(?:py|yml|toml|md|sh))`", project.read(OPERATE)):
        made = {"tasks.py", "accounts/tasks.py", "docs/scaling.md", ".github/dependabot.yml"}
        assert name in made or (project.path / name).exists(), name


def test_the_migrations_that_remove_a_field_keep_its_column_for_the_old_version(bake: Bake) -> None:
    project = bake(ci="none")
    project.manage("startapp", "authors", "name:char", "born:date?")
    project.manage("migrate", "--verbosity=0")
    project.edit("authors/models.py", "    born = models.DateField(null=True, blank=True)\n", "")
    columns = []
    for number, operations in enumerate(blocks(project, "Migrations during a deployment", "python"), 2):
        [before] = [path.stem for path in project.path.glob(f"authors/migrations/{number - 1:04}_*.py")]
        head = f'class Migration(migrations.Migration):\n    dependencies = [("authors", "{before}")]\n'
        code = f"from django.db import migrations\n\n\n{head}{textwrap.indent(operations, ' ' * 4)}"
        (project.path / f"authors/migrations/{number:04}_removal.py").write_text(code, encoding="utf-8")
        project.manage("migrate", "--verbosity=0", "--skip-checks")
        project.manage("makemigrations", "--check", "--dry-run", "--skip-checks")
        with contextlib.closing(sqlite3.connect(project.path / "db.sqlite3")) as database:
            columns.append([row[1] for row in database.execute("PRAGMA table_info(authors_author)")])
    assert columns == [["id", "name", "born"], ["id", "name"]]


def test_a_secret_comes_from_a_file(project: BakedProject, tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("from-a-file-" + "k" * 50 + "\n", encoding="utf-8")
    command = block(project, "Secrets").replace("/run/secrets", str(tmp_path))
    follow(project, command, DEBUG="false")
    (tmp_path / "secret_key").rename(tmp_path / "renamed")
    output = project.run("sh", "-ec", command, status=1)
    assert "SECRET_KEY_FILE must be a readable file path" in output


def test_sessions_and_tokens_outlive_a_new_key_as_long_as_the_old_one_is_a_fallback(project: BakedProject) -> None:
    page = dict(line.split("=") for line in blocks(project, "Rotate the secret key", "")[0].splitlines())
    old, new = ["k" * 60, follow(project, block(project, "Rotate the secret key")).strip()]
    variables = {"DATABASE_URL": "sqlite:///keys.sqlite3", "DEBUG": "true"}
    project.manage("migrate", SECRET_KEY=old, **variables)
    create = f"from accounts.models import User; User.objects.create_superuser('admin', password='{PASSWORD}')"
    project.manage("shell", "--command", create, SECRET_KEY=old, **variables)

    def log_in(url: str) -> dict[str, str]:
        with httpx.Client(base_url=url, timeout=TIMEOUT) as client:
            form = {"username": "admin", "password": PASSWORD}
            form["csrfmiddlewaretoken"] = client.get("/accounts/login/").cookies["csrftoken"]
            client.post("/accounts/login/", data=form)
            return {"Cookie": f"sessionid={client.cookies['sessionid']}"}

    def status(url: str, headers: dict[str, str]) -> int:
        return http_get(f"{url}/api/v1/auth/user/", headers=headers).status_code

    def served(**keys: str) -> Any:
        url = f"http://127.0.0.1:{(port := free_port())}"
        command = ["python", "manage.py", "runserver", "--noreload", str(port)]
        return running(command, project.path, url, **variables, **keys), url

    server, url = served(SECRET_KEY=old)
    with server:
        used, unused = log_in(url), log_in(url)
        credentials = {"username": "admin", "password": PASSWORD}
        answer = httpx.post(f"{url}/api/v1/auth/token/", json=credentials, timeout=TIMEOUT)
        token = {"Authorization": f"Token {answer.json()['token']}"}
    keys = {name: {"the new key": new, "the old key": old}[value] for name, value in page.items()}
    server, url = served(**keys)
    with server:
        assert [status(url, headers) for headers in (used, token)] == [200, 200]
    server, url = served(SECRET_KEY=new)
    with server:
        assert [status(url, headers) for headers in (unused, token)] == [401, 401]


@pytest.fixture
def mail_server() -> Iterator[tuple[str, list[str]]]:
    """The URL of an SMTP server, and the lines that it gets."""
    lines: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 ready\r\n")
            in_data = False
            for line in self.rfile:
                lines.append(line.decode().strip())
                if in_data and lines[-1] != ".":
                    continue
                in_data = lines[-1].upper() == "DATA"
                self.wfile.write(b"354 go on\r\n" if in_data else b"250 ok\r\n")
                if lines[-1].upper() == "QUIT":
                    return

    class Server(socketserver.ThreadingTCPServer):
        # Its end does not wait for a client that is still there.
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"smtp://127.0.0.1:{server.server_address[1]}", lines
        finally:
            server.shutdown()


def test_the_command_for_mail_sends_one_by_the_server_of_the_url(
    project: BakedProject, mail_server: tuple[str, list[str]]
) -> None:
    page = dict(line.split("=", 1) for line in block(project, "Mail", "").splitlines())
    project.manage("check", **page)
    url, lines = mail_server
    command = block(project, "Mail").replace("docker compose exec -T web ", "")
    follow(project, command, **(page | {"EMAIL_URL": url}))
    assert "To: you@example.com" in lines
    assert f"From: {page['DEFAULT_FROM_EMAIL']}" in lines


def test_an_error_of_a_request_reaches_sentry(owned: BakedProject, endpoint: Endpoint) -> None:
    follow(owned, block(owned, "Errors in Sentry"))
    owned.edit("django_project/settings.py", "\nfrom environs", "\nimport sentry_sdk\nfrom environs")
    append(owned, "django_project/settings.py", block(owned, "Errors in Sentry", "python"))
    append(owned, "django_project/urls.py", 'urlpatterns += [path("broken/", lambda request: 1 / 0)]\n')
    url = f"http://127.0.0.1:{(port := free_port())}/broken/"
    variables = {"DEBUG": "false", "HTTPS": "false", "SENTRY_DSN": endpoint.url.replace("//", "//key@") + "/1"}
    with running(gunicorn(port), owned.path, url, **variables):
        endpoint.wait_for(b"ZeroDivisionError", b"/broken/")


def test_the_workers_send_traces(owned: BakedProject, endpoint: Endpoint, postgres_url: str) -> None:
    follow(owned, block(owned, "Traces with OpenTelemetry"))
    [line] = re.findall("`(from opentelemetry[^`]*)`", owned.read(OPERATE))
    owned.edit("gunicorn.conf.py", "from environs import Env\n", f"from environs import Env\n{line}\n")
    append(owned, "gunicorn.conf.py", block(owned, "Traces with OpenTelemetry", "python"))
    page = dict(line.split("=") for line in block(owned, "Traces with OpenTelemetry", "").splitlines())
    page["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint.url
    # Milliseconds.
    page["OTEL_BSP_SCHEDULE_DELAY"] = "100"
    url = f"http://127.0.0.1:{(port := free_port())}"
    variables = {"DEBUG": "false", "HTTPS": "false", "DATABASE_URL": postgres_url, "THROTTLE_ANON": "1000000/min"}
    owned.manage("migrate", **variables)
    with running(gunicorn(port), owned.path, url, **page, **variables):
        workers: set[bytes] = set()
        end = time.monotonic() + PATIENCE
        while len(workers) < 2:
            assert time.monotonic() < end, f"{len(workers)} workers, {len(endpoint.bodies)} requests"
            # A connection for each request: any of the workers may accept it.
            assert http_get(f"{url}/api/v1/books/").status_code == 200
            workers.update(re.findall(rb"service\.instance\.id.{0,9}([0-9a-f-]{36})", b"".join(endpoint.bodies), re.S))
    endpoint.wait_for(b"GET api/v1/books/", b"SELECT", page["OTEL_SERVICE_NAME"].encode())


def test_a_worker_runs_a_task(owned: BakedProject) -> None:
    add, run, _ = blocks(owned, "Background tasks")
    follow(owned, add)
    setting, tasks = blocks(owned, "Background tasks", "python")
    owned.edit("django_project/settings.py", '    "core",\n', '    "core",\n    "django_tasks_db",\n')
    append(owned, "django_project/settings.py", setting)
    (owned.path / "accounts" / "tasks.py").write_text(tasks, encoding="utf-8")
    migrate, work = run.splitlines()
    follow(owned, migrate)
    shell = "uv run --quiet python manage.py shell --verbosity 0 --command"
    count = "from accounts.tasks import count_users"
    number = follow(owned, f'{shell} "{count}; print(count_users.enqueue().id)"').strip()
    result = (
        f"{shell} \"{count}; found = count_users.get_result('{number}'); print(found.status, found.return_value)\""
    )
    assert follow(owned, f"{shell} \"{count}; print(count_users.get_result('{number}').status)\"").strip() == "READY"
    # The worker ends when nothing is left to do.
    follow(owned, f"{work} --batch")
    assert follow(owned, result).split() == ["SUCCESSFUL", "0"]


@pytest.mark.parametrize(("debug", "status"), [("true", "200"), ("false", "404")])
def test_django_serves_uploads_in_development_only(project: BakedProject, debug: str, status: str) -> None:
    (project.path / "media").mkdir(exist_ok=True)
    (project.path / "media" / "note.txt").write_text("text", encoding="utf-8")
    code = "from django.test import Client; print(Client(SERVER_NAME='localhost').get('/media/note.txt').status_code)"
    output = project.manage("shell", "--verbosity", "0", "--command", code, DEBUG=debug, HTTPS="false")
    assert output.splitlines()[-1] == status


def test_uploads_to_s3_come_back_by_signed_urls(owned: BakedProject, tmp_path: Path) -> None:
    [add] = re.findall(r"`(uv add 'django-storages[^`]*)`", owned.read(OPERATE))
    follow(owned, add)
    [line] = [text for text in blocks(owned, "Uploads", "python") if "s3" in text]
    [before] = re.findall(r'(?m)^    ("default": .*FileSystemStorage.*)$', owned.read("django_project/settings.py"))
    owned.edit("django_project/settings.py", before, line.strip())
    url = f"http://127.0.0.1:{(port := free_port())}"
    variables: dict[str, Any] = {"AWS_ENDPOINT_URL_S3": url, "AWS_DEFAULT_REGION": "us-east-1"}
    variables |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    script = """
import boto3
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
boto3.client("s3").create_bucket(Bucket="your-bucket")
print(default_storage.url(default_storage.save("note.txt", ContentFile(b"text"))))
"""
    server = ["uvx", "--quiet", "--from", "moto[server]==5.2.5", "moto_server"]
    # Downloads it, which may take longer than a server that is waited for.
    owned.run(*server, "--help")
    with running([*server, "--port", str(port)], tmp_path, url, AWS_DEFAULT_REGION="us-east-1"):
        command = ["uv", "run", "--quiet", "python", "manage.py", "shell", "--verbosity", "0", "--command", script]
        # boto logs where it has found the key.
        signed = owned.run(*command, **variables).splitlines()[-1]
        assert "Signature" in signed
        assert http_get(signed).content == b"text"


def test_a_typed_client_is_written(owned: BakedProject) -> None:
    follow(owned, block(owned, "A typed client"))
    package = owned.path / "library-client" / "library_client"
    assert (package / "api" / "books" / "books_list.py").exists()
    assert (package / "models" / "book.py").exists()


def test_the_command_for_dependencies_takes_newer_versions(owned: BakedProject) -> None:
    follow(owned, "uv lock --quiet --upgrade-package whitenoise==6.12.0")
    command = block(owned, "Dependencies")
    # tests/test_checks.py runs the checks.
    follow(owned, command.removesuffix(" && uv run just check\n"))
    assert "uv run just check" in command
    assert (owned.path / ".venv").exists()


@pytest.mark.parametrize(
    ("schema", "ci", "name"),
    [
        ("vendor.dependabot", "github", ".github/dependabot.yml"),
        ("vendor.github-workflows", "github", ".github/workflows/ci.yml"),
        ("vendor.gitlab-ci", "gitlab", ".gitlab-ci.yml"),
        ("vendor.renovate", "none", "renovate.json"),
    ],
)
def test_the_files_for_ci_and_updates_fit_their_schemas(bake: Bake, schema: str, ci: str, name: str) -> None:
    need(uv(), "uv")
    project = bake(ci=ci)
    if name == "renovate.json":
        (project.path / name).write_text(block(project, "Dependencies", "json"), encoding="utf-8")
    project.run(*CHECK_JSONSCHEMA, "--builtin-schema", schema, name)


def test_ci_has_the_versions_of_the_image_and_actions_at_commits(bake: Bake) -> None:
    github, gitlab = bake(ci="github").read(".github/workflows/ci.yml"), bake(ci="gitlab").read(".gitlab-ci.yml")
    project = bake(ci="none")
    [database] = re.findall(r"(?m)^    image: (postgres:\S+)$", project.read("docker-compose.yml"))
    python = set(re.findall(r"(?m)^FROM python:([0-9.]+)", project.read("Dockerfile")))
    assert python == {*re.findall(r'UV_PYTHON: "(.*)"', github)} == {*re.findall(r"uv:\S+-python([0-9.]+)", gitlab)}
    assert re.findall(r"(?m)image: (postgres:.*)$", github) == re.findall(r"name: (postgres:.*)$", gitlab, re.M)
    assert f"image: {database}\n" in github
    uses = re.findall(r"uses: (.*)", github)
    assert uses
    for action in uses:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[0-9.]+", action)
