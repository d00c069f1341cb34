"""The commands of the rendered project's docs/operate.md that need containers: what the page promises happens."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import yaml
from baking import AUTHOR, TEMPLATE, TIMEOUT, Bake, BakedProject, full_isbn, wait_until
from containers import PASSWORD, Stack, bake_with_lock, build, containers, patient_deploy, remove_images, web
from documents import OPERATE, block, blocks

PAGE = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
COUNT = "from accounts.tasks import count_users; "


def owned(bake: Bake) -> BakedProject:
    """A project whose owner has followed the recipes for uploads, to the books, and for background tasks."""
    project = bake_with_lock(bake)
    field = blocks(project, "Uploads", "python")[0]
    project.edit("books/models.py", "    created_at = models", f"    {field}    created_at = models")
    project.edit("apis/v1/books.py", '"isbn", "created_at", "updated_at"]', '"isbn", "created_at", "attachment"]')
    [extra] = re.findall(r'`("attachment": \{.*?\})`', project.read(OPERATE))
    project.edit("apis/v1/books.py", '{"subtitle": {"default": ""}}', f'{{"subtitle": {{"default": ""}}, {extra}}}')
    [migrate] = [text for text in blocks(project, "Uploads") if "makemigrations" in text]
    project.run("sh", "-ec", migrate.removeprefix("uv run "))
    setting, tasks = blocks(project, "Background tasks", "python")
    settings = project.read("django_project/settings.py").replace(
        '    "core",\n', '    "core",\n    "django_tasks_db",\n'
    )
    (project.path / "django_project/settings.py").write_text(settings + setting, encoding="utf-8")
    (project.path / "accounts/tasks.py").write_text(tasks, encoding="utf-8")
    worker = block(project, "Background tasks", "yaml")
    project.edit("docker-compose.yml", "  # Runs once, before any", f"{worker}\n  # Runs once, before any")
    project.run("sh", "-ec", blocks(project, "Background tasks")[0], UV_NO_SYNC="1")
    return project


@pytest.fixture(scope="module")
def project(engine: None, bake: Bake) -> Iterator[BakedProject]:
    project = owned(bake)
    patient_deploy(project)
    try:
        build(project)
        yield project
    finally:
        remove_images(project)


@pytest.fixture(scope="module")
def stack(project: BakedProject) -> Iterator[Stack]:
    with containers(project, services=web()) as stack:
        stack.up()
        yield stack


@pytest.fixture
def follow(stack: Stack) -> Callable[[str], str]:
    """A function that runs commands of the page."""
    return lambda commands: stack.project.run("sh", "-ec", commands, **stack.variables)


@pytest.fixture(scope="module")
def token(stack: Stack) -> dict[str, str]:
    return stack.token()


def isbn(number: int) -> str:
    """Return the ISBN of the book with this number."""
    return full_isbn(f"979{number:09}")


def attach(stack: Stack, token: dict[str, str], number: int) -> str:
    """Create a book with an attachment, and return the path of the file."""
    book = {"title": f"Book {number}", "author": "A. Author", "isbn": isbn(number)}
    files = {"attachment": (f"note-{number}.svg", PAGE, "image/svg+xml")}
    url = f"{stack.url}/api/v1/books/"
    created = httpx.post(url, data=book, files=files, headers=token, timeout=TIMEOUT)
    assert created.status_code == 201, created.text
    return str(httpx.URL(created.json()["attachment"]).path)


def check_attached(stack: Stack, number: int, path: str) -> None:
    """The book and its file are there, and a list shows the file as the single row does."""
    [listed] = stack.get(f"/api/v1/books/?isbn={isbn(number)}").json()["results"]
    assert httpx.URL(listed["attachment"]).path == path
    assert stack.get(f"/api/v1/books/{listed['id']}/").json() == listed
    assert stack.get(path).content == PAGE


def test_the_first_administrator_can_log_in(stack: Stack, follow: Callable[[str], str]) -> None:
    # The command asks; here the environment has the answers.
    answers = {"USERNAME": "first", "EMAIL": "first@example.com", "PASSWORD": PASSWORD}
    given = " ".join(f"--env DJANGO_SUPERUSER_{name}='{value}'" for name, value in answers.items())
    command = block(stack.project, "First administrator").strip()
    follow(command.replace("exec web", f"exec -T {given} web") + " --noinput")
    with httpx.Client(base_url=stack.url, timeout=TIMEOUT) as client:
        form = {"username": "first", "password": PASSWORD}
        form["csrfmiddlewaretoken"] = client.get("/admin/login/").cookies["csrftoken"]
        assert client.post("/admin/login/?next=/admin/", data=form).headers["Location"] == "/admin/"


def test_the_command_to_roll_back_serves_the_version_before(stack: Stack, follow: Callable[[str], str]) -> None:
    commit = "git add --all && git commit --quiet --message Change"
    stack.project.run("sh", "-ec", f"git init --quiet && {commit}", status=0, **AUTHOR)
    stack.project.edit("core/templates/base.html", "</body>", "<!-- newer --></body>")
    try:
        stack.project.run("sh", "-ec", commit, status=0, **AUTHOR)
        stack.project.run("sh", "deploy.sh", **stack.variables)
        assert "<!-- newer -->" in stack.get().text
        follow(block(stack.project, "Deploy and roll back"))
        assert "<!-- newer -->" not in stack.get().text
    finally:
        shutil.rmtree(stack.project.path / ".git")


def test_an_upload_comes_back_through_the_proxy_and_outlives_a_deployment(stack: Stack, token: dict[str, str]) -> None:
    path = attach(stack, token, 1)
    stack.project.run("sh", "deploy.sh", **stack.variables)
    check_attached(stack, 1, path)


def test_the_command_for_an_upload_changes_a_book(
    stack: Stack, token: dict[str, str], follow: Callable[[str], str]
) -> None:
    attach(stack, token, 2)
    [book] = stack.get(f"/api/v1/books/?isbn={isbn(2)}").json()["results"]
    [command] = [text for text in blocks(stack.project, "Uploads") if text.startswith("curl")]
    (stack.project.path / "report.pdf").write_bytes(b"%PDF-1.7")
    command = command.replace(":8000", f":{stack.port}").replace("books/1/", f"books/{book['id']}/")
    changed = json.loads(follow(command.replace("Token …", token["Authorization"]).replace("curl", "curl --silent")))
    (stack.project.path / "report.pdf").unlink()
    assert stack.get(httpx.URL(changed["attachment"]).path).content == b"%PDF-1.7"
    url = f"{stack.url}/api/v1/books/{book['id']}/"
    removed = httpx.patch(url, json={"attachment": None}, headers=token, timeout=TIMEOUT)
    assert (removed.status_code, removed.json()["attachment"]) == (200, None)


def test_an_upload_in_the_admin_comes_back_through_the_proxy(stack: Stack, token: dict[str, str]) -> None:
    with httpx.Client(base_url=stack.url, timeout=TIMEOUT, follow_redirects=True) as client:
        form = {"username": "tester", "password": PASSWORD}
        form["csrfmiddlewaretoken"] = client.get("/admin/login/").cookies["csrftoken"]
        client.post("/admin/login/?next=/admin/", data=form)
        book = {"title": "Admin", "author": "A. Author", "isbn": isbn(3), "subtitle": ""}
        book["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
        page = client.post("/admin/books/book/add/", data=book, files={"attachment": ("a.txt", b"text")})
        assert "was added successfully" in page.text
    assert stack.get("/media/attachments/a.txt").content == b"text"


def test_a_browser_runs_nothing_of_an_upload(stack: Stack, token: dict[str, str]) -> None:
    headers = stack.get(attach(stack, token, 4)).headers
    assert headers["Content-Disposition"] == "attachment"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    # The other pages keep their own policy.
    assert "sandbox" not in stack.get("/").headers["Content-Security-Policy"]


def test_the_proxy_cannot_write_uploads_and_lists_none(stack: Stack) -> None:
    assert "Read-only file system" in stack.compose("exec", "-T", "proxy", "touch", "/srv/media/x", status=1)
    assert stack.get("/media/").status_code == stack.get("/media/missing.txt").status_code == 404


def test_a_backup_restores_what_was_deleted_with_its_volumes(
    stack: Stack, token: dict[str, str], follow: Callable[[str], str]
) -> None:
    path = attach(stack, token, 5)
    follow(block(stack.project, "Backups"))
    stack.compose("down", "--volumes")
    stack.up()
    assert stack.get("/api/v1/books/").json()["results"] == []
    assert stack.get(path).status_code == 404
    follow(block(stack.project, "Restore a backup"))
    check_attached(stack, 5, path)
    assert attach(stack, token, 6)


def test_the_steps_to_a_new_version_of_postgresql_keep_the_data(
    stack: Stack, token: dict[str, str], follow: Callable[[str], str]
) -> None:
    """The image is the same before and after: this machine may have only one version."""
    path = attach(stack, token, 7)
    save, delete, restore = blocks(stack.project, "Upgrade PostgreSQL")
    follow(save)
    follow(delete)
    restoring = iter(restore.splitlines())
    follow(next(restoring))
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    query = ["exec", "-T", "db", "psql", "--username=app", "--tuples-only", f"--command={tables}"]
    assert stack.compose(*query).strip() == "0"
    follow("\n".join(restoring))
    # The proxy has no health check for which the command could wait.
    stack.up()
    check_attached(stack, 7, path)


def test_the_worker_runs_tasks_also_after_the_command_that_replaces_it(
    stack: Stack, follow: Callable[[str], str]
) -> None:
    follow(blocks(stack.project, "Background tasks")[-1])
    number = stack.python(f"{COUNT}print(count_users.enqueue().id)").strip()
    status = f"{COUNT}print(count_users.get_result('{number}').status)"
    wait_until(lambda: stack.python(status).strip() == "SUCCESSFUL", "the task has run")
    assert int(stack.python(f"{COUNT}print(count_users.get_result('{number}').return_value)")) > 0


def test_the_log_of_failed_requests_is_as_the_page_shows(stack: Stack, follow: Callable[[str], str]) -> None:
    stack.compose("stop", "db")
    try:
        response = stack.get("/health/ready")
    finally:
        stack.compose("start", "db")
    assert response.status_code == 503
    stack.line_of(response)
    [(command, expected)] = re.findall(r"```console\n\$ (.*)\n(.*)\n```", stack.project.read(OPERATE))
    line = json.loads(follow(command).splitlines()[-1])
    assert line["status"] == 503
    assert list(line) == re.findall(r'"(\w+)": ', expected)


def steps_of_ci(text: str) -> tuple[list[str], dict[str, Any]]:
    """The commands and the variables of the job `containers`, without what runs only after a failure."""
    configuration: Any = yaml.safe_load(text)
    job = configuration.get("jobs", configuration)["containers"]
    steps = job.get("script") or [step["run"] for step in job["steps"] if "run" in step and "if" not in step]
    variables = job.get("env") or {
        key: value for key, value in job["variables"].items() if key != "DOCKER_TLS_CERTDIR"
    }
    return steps, variables


def test_ci_builds_the_image_and_starts_the_project_without_an_environment_file(project: BakedProject) -> None:
    steps, variables = steps_of_ci(project.read(".github/workflows/ci.yml"))
    assert steps_of_ci((TEMPLATE / ".gitlab-ci.yml").read_text(encoding="utf-8")) == (steps, variables)
    with containers(project) as stack:
        file = project.path / ".env"
        hidden = file.rename(project.path.parent / "hidden.env")
        try:
            for step in steps:
                project.run("sh", "-ec", step, **(stack.variables | variables))
            stack.compose("stop", "db", **variables)
            assert "503" in project.run("sh", "-ec", steps[-1], status=1, **(stack.variables | variables))
        finally:
            hidden.rename(file)
