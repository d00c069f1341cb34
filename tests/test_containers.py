"""The image and the containers of a rendered project, on a real engine."""

import contextlib
import fcntl
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from baking import COMBINATIONS, Bake, BakedProject, environment, need

pytestmark = pytest.mark.xdist_group("docker")

LOCK = Path(tempfile.gettempdir()) / "cookiecutter-drf-docker-containers.lock"


@pytest.fixture(scope="module", autouse=True)
def engine() -> Iterator[None]:
    """An engine, for one run of these tests at a time."""
    docker = shutil.which("docker")
    up = docker and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0
    need(up, "a Docker engine")
    with LOCK.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def free_ports(count: int = 1) -> str:
    """A free port, or a range of them, as WEB_PORT takes it."""
    for first in range(21000, 29000, 7):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return str(first) if count == 1 else f"{first}-{first + count - 1}"
    raise AssertionError("no free port")


@dataclass
class Stack:
    """The containers of a project under a name, an image and a port of their own."""

    project: BakedProject
    port: str
    name: str

    def docker(self, *arguments: str, status: int = 0, **variables: str) -> str:
        return self.project.run("docker", *arguments, status=status, **variables)

    def compose(self, *arguments: str, status: int = 0, **variables: str) -> str:
        variables = {"WEB_PORT": self.port, "COMPOSE_PROJECT_NAME": self.name, "COMPOSE_PROGRESS": "plain"} | variables
        return self.docker("compose", *arguments, status=status, **variables)

    def up(self, *options: str, **variables: Any) -> None:
        self.compose("up", "--wait", "--wait-timeout", "90", *options, **variables)

    def get(self, path: str = "/", port: str = "") -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{port or self.port}{path}", timeout=10)

    def python(self, code: str) -> str:
        return self.compose("exec", "-T", "web", "python", "manage.py", "shell", "--verbosity=0", "--command", code)

    def token(self) -> dict[str, str]:
        """The headers of an administrator, who is made for this."""
        code = """
from django.contrib.auth import get_user_model
get_user_model().objects.create_superuser("tester", password="a-long-passphrase-7")
"""
        self.python(code)
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/api/v1/auth/token/",
            json={"username": "tester", "password": "a-long-passphrase-7"},
            timeout=10,
        )
        assert answer.is_success, answer.text
        return {"Authorization": f"Token {answer.json()['token']}"}

    def post(self, number: int, headers: dict[str, str]) -> httpx.Response:
        book = {"title": f"Book {number}", "author": "A. Author", "isbn": isbn(number)}
        return httpx.post(f"http://127.0.0.1:{self.port}/api/v1/books/", json=book, headers=headers, timeout=10)


def isbn(number: int) -> str:
    digits = f"978{number:09d}"
    return digits + str(-sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10)


@contextlib.contextmanager
def containers(project: BakedProject, ports: int = 1) -> Iterator[Stack]:
    """Containers that are gone with their volumes at the end."""
    stack = Stack(project, free_ports(ports), f"test-{uuid.uuid4().hex[:8]}")
    try:
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "3")


def bake_with_lock(bake: Bake, **answers: Any) -> BakedProject:
    """A project with a slug of its own, which is its image's name, and with uv.lock."""
    project = bake(project_slug=f"baked-{uuid.uuid4().hex[:8]}", **answers)
    project.run("uv", "lock", "--quiet")
    return project


def build(project: BakedProject) -> str:
    return project.run("docker", "build", "--progress=plain", "--tag", project.path.name, ".")


@pytest.fixture(scope="module")
def project(engine: None, bake: Bake) -> Iterator[BakedProject]:
    """The default project and its image."""
    project = bake_with_lock(bake)
    build(project)
    yield project
    project.run("docker", "image", "rm", "--force", project.path.name)


@pytest.fixture
def stack(project: BakedProject) -> Iterator[Stack]:
    with containers(project) as stack:
        stack.up(THROTTLE_USER="9000/min")
        yield stack


def test_an_image_is_a_snapshot(stack: Stack) -> None:
    name, old, new = "core/templates/base.html", "</body>", "<!-- edited --></body>"
    stack.project.edit(name, old, new)
    try:
        stack.up("--force-recreate", "--no-deps", "web")
        assert "<!-- edited -->" not in stack.get().text
        stack.up("--build", "--no-deps", "web")
        assert "<!-- edited -->" in stack.get().text
    finally:
        stack.project.edit(name, new, old)
        build(stack.project)


def test_containers_of_one_image_answer_separately(project: BakedProject) -> None:
    with containers(project, ports=3) as stack:
        stack.up("--scale", "web=3")
        first = int(stack.port.partition("-")[0])
        assert [stack.get("/health/ready", str(port)).status_code for port in range(first, first + 3)] == [200] * 3
        names = {stack.compose("exec", "-T", f"--index={n}", "web", "hostname") for n in (1, 2, 3)}
        assert len(names) == 3


def test_a_code_change_reuses_the_dependency_layer_and_a_lock_change_does_not(project: BakedProject) -> None:
    step = re.compile(r"#(\d+) \[builder \d+/\d+\] RUN --mount=type=cache")
    views, lock = project.path / "core" / "pages.py", project.path / "uv.lock"
    before, locked = views.read_text(encoding="utf-8"), lock.read_text(encoding="utf-8")
    build(project)
    try:
        views.write_text(f"{before}\n# {uuid.uuid4()}\n", encoding="utf-8")
        started = time.monotonic()
        log = build(project)
        seconds = time.monotonic() - started
        number = step.search(log)
        assert number
        assert f"#{number[1]} CACHED" in log
        assert seconds < 15
        lock.write_text(f"{locked}\n# {uuid.uuid4()}\n", encoding="utf-8")
        log = build(project)
        number = step.search(log)
        assert number
        assert f"#{number[1]} CACHED" not in log
    finally:
        views.write_text(before, encoding="utf-8")
        lock.write_text(locked, encoding="utf-8")
        build(project)


def test_containers_are_ephemeral_and_the_root_file_system_refuses_writes(stack: Stack) -> None:
    stack.compose("exec", "-T", "web", "touch", "/tmp/note")
    stack.compose("exec", "-T", "web", "test", "-e", "/tmp/note")
    assert "Read-only file system" in stack.compose("exec", "-T", "-u", "0", "web", "touch", "/app/note", status=1)
    stack.compose("rm", "--stop", "--force", "web")
    stack.up()
    stack.compose("exec", "-T", "web", "test", "-e", "/tmp/note", status=1)


def test_data_outlives_containers_and_not_their_volume(stack: Stack) -> None:
    assert stack.post(1, stack.token()).status_code == 201
    stack.compose("down")
    stack.up()
    assert "Book 1" in stack.get("/api/v1/books/").text
    stack.compose("down", "--volumes")
    stack.up()
    assert stack.get("/api/v1/books/").json()["results"] == []


@pytest.mark.parametrize("answers", COMBINATIONS)
def test_the_first_up_on_an_empty_volume_migrates_and_serves(
    engine: None, bake: Bake, answers: dict[str, Any]
) -> None:
    project = bake_with_lock(bake, **answers)
    try:
        with containers(project) as stack:
            stack.up("--build")
            assert stack.get("/").status_code == 200
            assert stack.get("/admin/login/").status_code == 200
            assert stack.get("/health/ready").json()["status"] == "ok"
            assert stack.get("/api/").status_code == (200 if answers["include_apis"] else 404)
            assert "(no migrations)" not in stack.compose(
                "exec", "-T", "web", "python", "manage.py", "migrate", "--check"
            )
    finally:
        project.run("docker", "image", "rm", "--force", project.path.name)


def test_compose_alone_changes_a_setting_without_a_rebuild(stack: Stack) -> None:
    image = stack.docker("image", "inspect", "--format={{.Id}}", stack.project.path.name)
    assert stack.get().status_code == 200
    stack.up(HTTPS="true")
    assert stack.get().status_code == 301
    assert stack.docker("image", "inspect", "--format={{.Id}}", stack.project.path.name) == image


def test_the_image_holds_no_secret_and_no_tool_of_the_build(project: BakedProject) -> None:
    name = project.path.name
    history = project.run("docker", "history", "--no-trunc", name)
    inspected = project.run("docker", "image", "inspect", name)
    secrets = re.findall(r"(?m)^(?:SECRET_KEY|POSTGRES_PASSWORD)=(.+)$", project.read(".env"))
    assert len(secrets) == 2
    for text in (history, inspected):
        assert "of-the-build" not in text
        assert not any(secret in text for secret in secrets)
    code = "import os; print(*(os.path.join(d, n) for d, ds, ns in os.walk('/') for n in ds + ns), sep='\\n')"
    paths = project.run("docker", "run", "--rm", "--user=0", name, "python", "-c", code).splitlines()
    assert "/app/manage.py" in paths
    names = {path for path in paths if not path.startswith(("/proc/", "/sys/"))}
    last = {path.rpartition("/")[2] for path in names}
    assert not last & {".env", ".git", "db.sqlite3", "docker-compose.yml"}
    programs = {path.rpartition("/")[2] for path in names if "/bin/" in path}
    assert "python3" in programs
    assert not programs & {"gcc", "cc", "clang", "uv", "uvx"}
    assert not [path for path in names if path.startswith("/app/") and "/tests" in path]


@pytest.mark.parametrize("user", ["", "123456:0", "40000:40000"])
def test_the_server_is_not_root_also_under_a_random_uid(project: BakedProject, user: str) -> None:
    options = ["--detach", "--rm", "--init", "--read-only", "--tmpfs=/tmp", "--env=SECRET_KEY=" + "k" * 50]
    options += [f"--user={user}"] if user else []
    container = project.run("docker", "run", *options, project.path.name).strip()
    try:
        assert project.run("docker", "exec", container, "id", "-u").strip() == (user or "10001").partition(":")[0]
        end = time.monotonic() + 15
        health = ["docker", "inspect", "--format={{.State.Health.Status}}", container]
        while (state := project.run(*health).strip()) != "healthy":
            assert time.monotonic() < end, state
            time.sleep(0.2)
    finally:
        project.run("docker", "rm", "--force", container)


def test_a_missing_environment_file_and_a_wrong_password_say_what_to_do(project: BakedProject) -> None:
    with containers(project) as stack:
        stack.up()
        stack.compose("down")
        output = stack.compose("up", "--wait", status=1, POSTGRES_PASSWORD="another")
        assert "migrate" in output
        assert 'README.md, "Containers"' in stack.compose("logs", "migrate", POSTGRES_PASSWORD="another")
        assert "is missing" in stack.compose("config", status=1, POSTGRES_PASSWORD="")


@contextlib.contextmanager
def writing(stack: Stack, headers: dict[str, str]) -> Iterator[set[str]]:
    """Post books one after the other in two threads during the block: the ISBNs of those that were acknowledged."""
    acknowledged: set[str] = set()
    stop = threading.Event()

    def write(first: int) -> None:
        number = first
        while not stop.is_set():
            number += 1
            with contextlib.suppress(httpx.HTTPError):
                if stack.post(number, headers).status_code == 201:
                    acknowledged.add(isbn(number))
            time.sleep(0.02)

    threads = [threading.Thread(target=write, args=(first,)) for first in (1_000_000, 2_000_000)]
    for thread in threads:
        thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def stored(stack: Stack) -> set[str]:
    code = "from books.models import Book; print(*Book.objects.values_list('isbn', flat=True), sep='\\n')"
    return set(stack.python(code).split())


def wait_until_read(stack: Stack, seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if stack.get("/api/v1/books/").status_code == 200:
                return
        assert time.monotonic() < end, f"no read after {seconds} s"
        time.sleep(0.1)


def test_a_killed_worker_loses_no_acknowledged_write(stack: Stack) -> None:
    headers = stack.token()
    with writing(stack, headers) as acknowledged:
        time.sleep(1.5)
        kill = "import os,signal; os.kill(max(int(p) for p in os.listdir('/proc') if p.isdigit() and int(p) < 20), 9)"
        stack.compose("exec", "-T", "web", "python", "-c", kill)
        wait_until_read(stack, 5)
        time.sleep(1)
        before = len(acknowledged)
        stack.compose("kill", "--signal=KILL", "web")
        stack.up()
        time.sleep(1)
    assert len(acknowledged) > before > 10
    assert acknowledged <= stored(stack)


def test_a_restart_of_the_database_needs_none_of_the_server(stack: Stack) -> None:
    headers = stack.token()
    processes = stack.compose("top", "web")
    with writing(stack, headers) as acknowledged:
        time.sleep(1.5)
        stack.compose("restart", "db")
        wait_until_read(stack, 5)
        before = len(acknowledged)
        time.sleep(1.5)
    assert len(acknowledged) > before > 10
    assert acknowledged <= stored(stack)
    pids = re.compile(r"(?m)^\S+ +\S+ +(\d+) .*gunicorn")
    assert pids.findall(processes)
    assert pids.findall(stack.compose("top", "web")) == pids.findall(processes)


def test_a_stop_ends_with_status_zero_within_ten_seconds(stack: Stack) -> None:
    started = time.monotonic()
    stack.compose("stop", "web")
    assert time.monotonic() - started < 10
    container = stack.compose("ps", "--all", "--quiet", "web").strip()
    assert stack.docker("inspect", "--format={{.State.ExitCode}}", container).strip() == "0"


def test_a_missing_key_ends_the_server_at_once_with_one_line(project: BakedProject) -> None:
    output = project.run("docker", "run", "--rm", project.path.name, status=1)
    assert output.count("\n") == 1
    assert "SECRET_KEY" in output


def test_the_dockerfile_is_without_reproach(project: BakedProject) -> None:
    assert "no warnings found" in project.run("docker", "build", "--check", ".")


def test_the_image_is_at_most_ninety_megabytes_larger_than_its_base(project: BakedProject) -> None:
    base = re.findall(r"(?m)^FROM (\S+)", project.read("Dockerfile"))[-1]
    sizes = [
        int(project.run("docker", "image", "inspect", "--format={{.Size}}", name))
        for name in (project.path.name, base)
    ]
    assert sizes[0] - sizes[1] <= 90_000_000


def test_every_command_of_the_tour_prints_what_the_page_says(project: BakedProject) -> None:
    blocks = re.findall(r"(?s)```console\n\$ (.*?)\n(.*?)```", project.read("docs/docker.md"))
    assert len(blocks) >= 7
    with containers(project) as stack:
        for command, expected in blocks:
            variables = {"WEB_PORT": stack.port, "COMPOSE_PROJECT_NAME": stack.name}
            process = subprocess.run(
                ["sh", "-c", command],
                cwd=project.path,
                env=environment(**variables),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                check=False,
            )
            # A line of nothing but dots stands for any number of lines.
            pattern = re.escape(expected).replace("…\\\n", "(?s:.*)").replace("…", ".*")
            assert re.fullmatch(pattern, process.stdout), f"{command}\n{process.stdout}"


def test_hadolint_finds_nothing(project: BakedProject) -> None:
    project.run("hadolint", "Dockerfile")
