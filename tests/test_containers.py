"""The image and the containers of a rendered project, on a real engine."""

import contextlib
import fcntl
import functools
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from baking import COMBINATIONS, ROOT, Bake, BakedProject, environment, full_isbn, need

PASSWORD = "a-long-passphrase-7"
UNLIMITED = {"web": {"environment": dict.fromkeys(("THROTTLE_ANON", "THROTTLE_USER", "THROTTLE_LOGIN"), "90000/min")}}
# A day is a window that no test sees the end of.
FEW_LOGINS = {"web": {"environment": UNLIMITED["web"]["environment"] | {"THROTTLE_LOGIN": "10/day"}}}
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
    # What the test lays over docker-compose.yml; JSON is YAML as well.
    override: dict[str, Any] = field(default_factory=dict)

    def docker(self, *arguments: str, status: int = 0, **variables: str) -> str:
        return self.project.run("docker", *arguments, status=status, **variables)

    def compose(self, *arguments: str, status: int = 0, **variables: str) -> str:
        return self.docker("compose", *arguments, status=status, **(self.variables | variables))

    @property
    def variables(self) -> dict[str, Any]:
        variables = {"WEB_PORT": self.port, "COMPOSE_PROJECT_NAME": self.name, "COMPOSE_PROGRESS": "plain"}
        if self.override:
            file = self.project.path.parent / f"{self.name}.json"
            file.write_text(json.dumps(self.override), encoding="utf-8")
            others = [path.name for path in self.project.path.glob("docker-compose.override.yml")]
            variables["COMPOSE_FILE"] = ":".join(["docker-compose.yml", *others, str(file)])
        return variables

    def up(self, *options: str, **variables: Any) -> None:
        self.compose("up", "--wait", "--wait-timeout", "300", *options, **variables)

    def get(self, path: str = "/", port: str = "") -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{port or self.port}{path}", timeout=60)

    def python(self, code: str) -> str:
        return self.compose("exec", "-T", "web", "python", "manage.py", "shell", "--verbosity=0", "--command", code)

    def token(self) -> dict[str, str]:
        """The headers of an administrator, who is made for this."""
        code = f"""
from django.contrib.auth import get_user_model
get_user_model().objects.create_superuser("tester", password="{PASSWORD}")
"""
        self.python(code)
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/api/v1/auth/token/",
            json={"username": "tester", "password": PASSWORD},
            timeout=60,
        )
        assert answer.is_success, answer.text
        return {"Authorization": f"Token {answer.json()['token']}"}

    def post(self, number: int, headers: dict[str, str]) -> httpx.Response:
        book = {"title": f"Book {number}", "author": "A. Author", "isbn": isbn(number)}
        return httpx.post(f"http://127.0.0.1:{self.port}/api/v1/books/", json=book, headers=headers, timeout=60)


def isbn(number: int) -> str:
    return full_isbn(f"978{number:09}")


@contextlib.contextmanager
def containers(project: BakedProject, ports: int = 1, **override: Any) -> Iterator[Stack]:
    """Containers that are gone with their volumes at the end."""
    stack = Stack(project, free_ports(ports), f"test-{uuid.uuid4().hex[:8]}", override)
    try:
        yield stack
    finally:
        stack.compose("down", "--volumes", "--remove-orphans", "--timeout", "3")


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
    with containers(project, services=UNLIMITED) as stack:
        stack.up()
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
        log = build(project)
        number = step.search(log)
        assert number
        assert f"#{number[1]} CACHED" in log
        lock.write_text(f"{locked}\n# {uuid.uuid4()}\n", encoding="utf-8")
        log = build(project)
        number = step.search(log)
        assert number
        assert f"#{number[1]} CACHED" not in log
    finally:
        views.write_text(before, encoding="utf-8")
        lock.write_text(locked, encoding="utf-8")
        build(project)


def test_a_build_makes_one_image_for_web_and_migrate(project: BakedProject) -> None:
    log = project.run("docker", "compose", "--progress=plain", "build")
    assert len(re.findall(r"#\d+ naming to", log)) == 1


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


def test_the_migrations_of_a_new_version_run_before_it_serves(stack: Stack) -> None:
    migration = stack.project.path / "accounts" / "migrations" / "0002_new.py"
    code = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
    migration.write_text(f'{code}    dependencies = [("accounts", "0001_initial")]\n', encoding="utf-8")
    try:
        stack.up("--build")
        migrations = stack.compose("exec", "-T", "web", "python", "manage.py", "showmigrations", "accounts")
        assert "[X] 0002_new" in migrations
    finally:
        migration.unlink()
        build(stack.project)


def test_compose_alone_changes_a_setting_without_a_rebuild(stack: Stack) -> None:
    image = stack.docker("image", "inspect", "--format={{.Id}}", stack.project.path.name)
    assert stack.get().status_code == 200
    stack.up(HTTPS="true")
    assert stack.get().status_code == 301
    assert stack.docker("image", "inspect", "--format={{.Id}}", stack.project.path.name) == image


def test_no_mounted_folder_hides_the_environment(project: BakedProject) -> None:
    services = yaml.safe_load(project.read("docker-compose.yml"))["services"]
    assert not {"volumes", "configs"} & {*services["web"], *services["migrate"]}
    code = "import sys; print(sys.prefix)"
    assert project.run("docker", "run", "--rm", project.path.name, "python", "-c", code) == "/opt/venv\n"


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


# The worker that was started last.
KILL_A_WORKER = """
import os, pathlib
commands = {int(path.parent.name): path.read_bytes() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")}
os.kill(max(pid for pid, command in commands.items() if b"gunicorn" in command and pid != os.getpid()), 9)
"""


def test_a_killed_worker_loses_no_acknowledged_write(stack: Stack) -> None:
    headers = stack.token()
    with writing(stack, headers) as acknowledged:
        time.sleep(1.5)
        stack.compose("exec", "-T", "web", "python", "-c", KILL_A_WORKER)
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
    pids = re.compile(r"(?m)^web +\d+ +\d+ +(\d+) .*python \S*gunicorn ")
    assert len(pids.findall(processes)) == 3
    assert pids.findall(stack.compose("top", "web")) == pids.findall(processes)


def test_a_database_that_falls_silent_is_a_clear_answer(stack: Stack) -> None:
    assert stack.get("/api/v1/books/").status_code == 200
    database, network = stack.compose("ps", "--quiet", "db").strip(), f"{stack.name}_default"
    stack.docker("network", "disconnect", "--force", network, database)
    answer = stack.get("/api/v1/books/")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    stack.docker("network", "connect", "--alias", "db", network, database)
    wait_until_read(stack, 30)


def test_a_stop_finishes_what_is_in_flight_and_ends_with_status_zero_within_ten_seconds(stack: Stack) -> None:
    body = b'{"username": "nobody", "password": "wrong"}'
    head = b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    stop = threading.Thread(target=stack.compose, args=("stop", "web"))
    with socket.create_connection(("127.0.0.1", int(stack.port)), timeout=60) as client:
        client.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:10])
        time.sleep(0.5)
        started = time.monotonic()
        stop.start()
        time.sleep(2)
        client.sendall(body[10:])
        answer = client.recv(65536)
    stop.join()
    assert time.monotonic() - started < 10
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401")), answer
    container = stack.compose("ps", "--all", "--quiet", "web").strip()
    assert stack.docker("inspect", "--format={{.State.ExitCode}}", container).strip() == "0"


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


def test_a_full_disk_is_a_clear_answer_and_loses_nothing(project: BakedProject) -> None:
    volume = {"db": {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=150m"}}}
    with containers(project, services=UNLIMITED, volumes=volume) as stack:
        stack.up()
        headers = stack.token()
        stack.compose("exec", "-T", "db", "sh", "-c", "cat /dev/zero > /var/lib/postgresql/filler; true")
        acknowledged, refused = set(), []
        for number in range(3000):
            answer = stack.post(number, headers)
            if answer.status_code == 201:
                acknowledged.add(isbn(number))
            else:
                refused.append(answer)
                break
        assert refused, "the disk was not full"
        assert refused[0].status_code == 503
        assert refused[0].json()["code"] == "unavailable"
        stack.compose("exec", "-T", "db", "rm", "/var/lib/postgresql/filler")
        wait_until_read(stack, 30)
        assert stack.post(9000, headers).status_code == 201
        assert acknowledged <= stored(stack)
        stack.compose(
            "exec", "-T", "db", "pg_amcheck", "--username=app", "--install-missing", "--heapallindexed", "app"
        )


@pytest.fixture
def replicas(project: BakedProject) -> Iterator[Stack]:
    """Three replicas behind a proxy, as docs/scaling.md lays them out."""
    page = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    block = re.search(r"(?s)```yaml\n(.*?)```", page)
    assert block
    file = project.path / "docker-compose.override.yml"
    file.write_text(block[1], encoding="utf-8")
    try:
        with containers(project, services=FEW_LOGINS) as stack:
            stack.up()
            yield stack
    finally:
        file.unlink()


@contextlib.contextmanager
def reading_and_writing(stack: Stack, headers: dict[str, str]) -> Iterator[list[Any]]:
    """Send requests one after the other during the block: what was answered, or the error instead of an answer."""
    answers: list[Any] = []
    stop = threading.Event()

    def send(send_one: Callable[[int], httpx.Response]) -> None:
        for number in itertools.count(1):
            if stop.wait(0.05):
                return
            try:
                answers.append(send_one(number).status_code)
            except httpx.HTTPError as error:
                answers.append(error)

    threads = [
        threading.Thread(target=send, args=[lambda _: stack.get("/api/v1/books/")]),
        threading.Thread(target=send, args=[lambda number: stack.post(number, headers)]),
    ]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_replicas_are_restarted_and_replaced_behind_a_proxy_without_a_failed_request(replicas: Stack) -> None:
    headers = replicas.token()
    with reading_and_writing(replicas, headers) as answers:
        time.sleep(1)
        replicas.compose("restart", "web")
        time.sleep(1)
        commands = re.search(r"(?s)```sh\n(.*?)```", (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8"))
        assert commands
        before = set(replicas.compose("ps", "--quiet", "web").split())
        replicas.project.run("sh", "-ec", commands[1], **replicas.variables)
        after = set(replicas.compose("ps", "--quiet", "web").split())
        time.sleep(1)
    assert len(before) == len(after) == 3
    assert not before & after
    assert len(answers) > 50
    assert set(answers) == {200, 201}


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
    login = {"username": "tester", "password": "wrong"}
    address = f"http://127.0.0.1:{replicas.port}/api/v1/auth/token/"
    # Ten, of which making the token took one.
    statuses = [httpx.post(address, json=login, timeout=60).status_code for _ in range(12)]
    assert statuses.count(429) == 3
    assert statuses[-3:] == [429] * 3
    with httpx.Client(base_url=f"http://127.0.0.1:{replicas.port}", follow_redirects=True) as browser:
        browser.get("/admin/login/")
        form = {"username": "tester", "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        assert "Log out" in browser.post("/admin/login/?next=/admin/", data=form).text
        assert all("Log out" in browser.get("/admin/").text for _ in range(6))
    migrations = replicas.compose("logs", "--no-log-prefix", "migrate").count("Applying books.0001_initial")
    assert migrations == 1


def test_the_number_of_workers_follows_the_limit_of_the_container(project: BakedProject) -> None:
    code = "import runpy; print(runpy.run_path('gunicorn.conf.py')['processors']())"
    one, two = (
        project.run("docker", "run", "--rm", f"--cpus={cpus}", project.path.name, "python", "-c", code).strip()
        for cpus in ("0.5", "1.5")
    )
    assert one == "1"
    assert two == str(min(2, os.cpu_count() or 1))


def test_the_log_of_the_server_is_one_line_of_json_for_each_request(stack: Stack) -> None:
    number = stack.get("/api/v1/books/?search=secret").headers["X-Request-ID"]
    end = time.monotonic() + 30
    found: list[dict[str, Any]] = []
    while not found and time.monotonic() < end:
        lines = [json.loads(line) for line in stack.compose("logs", "--no-log-prefix", "web").splitlines()]
        found = [line for line in lines if line.get("request_id") == number]
    (line,) = found
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/books/", 200)


def test_the_cache_is_shared_when_its_profile_is_on(project: BakedProject) -> None:
    environment = FEW_LOGINS["web"]["environment"] | {"CACHE_URL": "redis://cache:6379/0"}
    with containers(project, ports=2, services={"web": {"environment": environment}}) as stack:
        stack.up("--scale", "web=2", COMPOSE_PROFILES="cache")
        try:
            ports = [int(port) for port in stack.port.split("-")]
            login = {"username": "tester", "password": "wrong"}
            addresses = [f"http://127.0.0.1:{port}/api/v1/auth/token/" for port in ports]
            statuses = [httpx.post(addresses[n % 2], json=login, timeout=60).status_code for n in range(12)]
            assert statuses.count(429) == 2
        finally:
            stack.compose("down", COMPOSE_PROFILES="cache")


def test_watch_rebuilds_after_a_change(stack: Stack) -> None:
    command = ["docker", "compose", "watch", "--no-up"]
    output: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    name, old, new = "core/templates/base.html", "</body>", "<!-- watched --></body>"
    with subprocess.Popen(command, cwd=stack.project.path, env=environment(**stack.variables), **output) as watch:
        try:
            assert watch.stdout
            assert "Watch enabled" in watch.stdout.readline()
            stack.project.edit(name, old, new)
            end = time.monotonic() + 180
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if "<!-- watched -->" in stack.get().text:
                        break
                assert time.monotonic() < end
                time.sleep(0.5)
        finally:
            watch.terminate()
            stack.project.edit(name, new, old)
    build(stack.project)


def test_a_taken_port_is_named(project: BakedProject) -> None:
    with containers(project) as stack, socket.create_server(("127.0.0.1", int(stack.port))):
        output = stack.compose("up", "--wait", status=1)
        assert stack.port in output
        assert re.search("port is already allocated|address already in use", output)


def test_without_an_environment_file_up_says_how_to_make_it(project: BakedProject) -> None:
    file = project.path / ".env"
    hidden = file.rename(project.path.parent / "hidden.env")
    try:
        with containers(project) as stack:
            assert "is missing. Make .env by `just up`" in stack.compose("up", "--wait", status=1)
    finally:
        hidden.rename(file)


def test_the_recipes_for_a_new_password_and_a_new_version_of_postgresql_keep_the_data(stack: Stack) -> None:
    change, dump, restore = (
        command
        for command in re.findall(r"`(docker compose exec [^`]*)`", stack.project.read("README.md"))
        if "ALTER USER" in command or "all.sql" in command
    )
    assert stack.post(1, stack.token()).status_code == 201
    run = functools.partial(stack.project.run, "sh", "-ec", **stack.variables)
    run(change)
    stack.up("--force-recreate", POSTGRES_PASSWORD="new")
    assert "Book 1" in stack.get("/api/v1/books/").text
    run(dump)
    stack.compose("down", "--volumes")
    stack.compose("up", "--wait", "db")
    run(restore)
    stack.up()
    assert "Book 1" in stack.get("/api/v1/books/").text


def test_a_volume_of_another_version_of_postgresql_is_named_and_left_alone(project: BakedProject) -> None:
    with containers(project) as stack:
        old = "mkdir -p 17/docker && echo 17 > 17/docker/PG_VERSION"
        stack.compose("run", "--rm", "--no-deps", "--entrypoint", "sh", "db", "-c", f"cd /var/lib/postgresql && {old}")
        stack.compose("up", "--wait", status=1)
        assert "The volume holds a database of PostgreSQL 17, the image is 18" in stack.compose("logs", "db")
        find = ["--entrypoint", "find", "db", "/var/lib/postgresql", "-path", "*/docker/PG_VERSION"]
        found = stack.compose("run", "--rm", "--no-deps", *find)
        assert found.split() == ["/var/lib/postgresql/17/docker/PG_VERSION"]


def test_a_missing_key_ends_the_server_at_once_with_one_line(project: BakedProject) -> None:
    output = project.run("docker", "run", "--rm", "--init", project.path.name, status=1)
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
