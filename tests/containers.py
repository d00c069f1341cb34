"""A rendered project in containers on a real engine: fixtures and helpers of the tests that need one."""

import contextlib
import itertools
import json
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import yaml
from baking import PATIENCE, Bake, BakedProject, environment, free_port, full_isbn, need, wait_until

# Arguments of `docker compose`: start, and wait until all is healthy.
UP = ("up", "--wait", f"--wait-timeout={PATIENCE}")
PASSWORD = "a-long-passphrase-7"
RATES = dict.fromkeys(("THROTTLE_ANON", "THROTTLE_USER", "THROTTLE_LOGIN"), "90000/min")


def web(**variables: str) -> dict[str, Any]:
    """Services with these variables in the containers of the project, and rates that no test exceeds."""
    return {name: {"environment": RATES | variables} for name in ("web", "web-next")}


# The longest window. It ends at midnight UTC: a test that counts must notice when that comes.
FEW_LOGINS = {"THROTTLE_LOGIN": "10/day"}
# For web() where the database never goes away: a request waits this long for a connection, instead of ten seconds.
PATIENT_POOL = {"POOL_TIMEOUT": str(PATIENCE)}


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine."""
    docker = shutil.which("docker")
    up = docker and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0
    need(up, "a Docker engine")


@dataclass
class Stack:
    """The containers of a project under a name, an image and a port of their own."""

    project: BakedProject
    port: str
    name: str
    # What the test lays over docker-compose.yml, after `patience`; JSON is YAML as well.
    override: dict[str, Any] = field(default_factory=dict)
    # SCRIPT_NAME.
    prefix: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def docker(self, *arguments: str, status: int = 0, **variables: str) -> str:
        return self.project.run("docker", *arguments, status=status, **variables)

    def compose(self, *arguments: str, status: int = 0, **variables: str) -> str:
        return self.docker("compose", *arguments, status=status, **(self.variables | variables))

    @property
    def variables(self) -> dict[str, Any]:
        files = [path.name for path in self.project.path.glob("docker-compose.override.yml")]
        for name, content in (("patience", patience(self.project)), ("override", self.override)):
            file = self.project.path.parent / f"{self.name}-{name}.json"
            file.write_text(json.dumps(content), encoding="utf-8")
            files.append(str(file))
        return {
            "WEB_PORT": self.port,
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_PROGRESS": "plain",
            "COMPOSE_FILE": ":".join(["docker-compose.yml", *files]),
        }

    def up(self, *options: str, **variables: Any) -> None:
        """Start everything, and wait until the proxy responds, which has no health check."""
        self.compose(*UP, *options, **variables)
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(httpx.TransportError):
                self.get("/health/live")
                return
            assert time.monotonic() < end, "the proxy does not respond"
            time.sleep(0.05)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def get(self, path: str = "/", **headers: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers=headers, timeout=PATIENCE)

    def ids(self, service: str = "web") -> list[str]:
        """The containers of a service."""
        return self.compose("ps", "--quiet", service).split()

    def log(self, service: str = "web") -> list[dict[str, Any]]:
        """The lines of a service's log."""
        return [json.loads(line) for line in self.compose("logs", "--no-log-prefix", service).splitlines()]

    def line_of(self, response: httpx.Response) -> dict[str, Any]:
        """The line of the server's log about a request, which comes after the response."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            number = response.headers["x-request-id"]
            found.extend(line for line in self.log() if line.get("request_id") == number and "path" in line)
            return bool(found)

        wait_until(is_there, "the line of the log")
        [line] = found
        return line

    def python(self, code: str) -> str:
        return self.compose("exec", "-T", "web", "python", "manage.py", "shell", "--verbosity=0", "--command", code)

    def token(self) -> dict[str, str]:
        """The headers of an administrator, who is made for the first test that needs one."""
        if self.headers:
            return self.headers
        code = f"""
from django.contrib.auth import get_user_model
get_user_model().objects.create_superuser("tester", password="{PASSWORD}")
"""
        self.python(code)
        answer = httpx.post(
            f"{self.url}/api/v1/auth/token/",
            json={"username": "tester", "password": PASSWORD},
            timeout=PATIENCE,
        )
        assert answer.is_success, answer.text
        self.headers = {"Authorization": f"Token {answer.json()['token']}"}
        return self.headers

    def post(self) -> httpx.Response:
        """Create a book."""
        return httpx.post(f"{self.url}/api/v1/books/", json=new_book(), headers=self.token(), timeout=PATIENCE)


NUMBERS = itertools.count(1)


def new_book() -> dict[str, str]:
    """A book with a title and an ISBN that no other one has."""
    number = next(NUMBERS)
    return {"title": f"Book {number}", "author": "A. Author", "isbn": full_isbn(f"978{number:09}")}


# The stacks that exist now.
STACKS: list[Stack] = []


@contextlib.contextmanager
def containers(project: BakedProject, prefix: str = "", **override: Any) -> Iterator[Stack]:
    """Containers that are gone with their volumes at the end."""
    stack = Stack(project, str(free_port()), f"test-{uuid.uuid4().hex[:8]}", override, prefix)
    STACKS.append(stack)
    try:
        yield stack
    except BaseException:
        sys.stdout.write(logs(stack))
        # It must not hide why the test failed.
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            remove(stack)
        raise
    else:
        remove(stack)
    finally:
        STACKS.remove(stack)


def remove(stack: Stack) -> None:
    """Remove the containers and their volumes."""
    process = subprocess.run(
        ["docker", "compose", "--profile=*", "down", "--volumes", "--remove-orphans", "--timeout", "3"],
        cwd=stack.project.path,
        env=environment(**stack.variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert process.returncode == 0, process.stdout


def logs(stack: Stack) -> str:
    """The last lines of each container, or why they cannot be had: pytest would end all tests at an exception here."""
    try:
        return stack.compose("--profile=*", "logs", "--tail=20")
    except (AssertionError, OSError) as error:
        return f"no logs: {error}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of the containers where a test fails that shares them with others."""
    report = yield
    if report.failed:
        report.sections += [(f"containers of {stack.name}", logs(stack)) for stack in STACKS]
    return report


def bake_with_lock(bake: Bake, **answers: Any) -> BakedProject:
    """A project with a slug of its own, which is its image's name, and with uv.lock."""
    project = bake(project_slug=f"baked-{uuid.uuid4().hex[:8]}", **answers)
    project.run("uv", "lock", "--quiet")
    return project


def build(project: BakedProject) -> str:
    return project.run("docker", "build", "--progress=plain", "--tag", project.path.name, ".")


def remove_images(project: BakedProject) -> None:
    """Remove all images of a project, also those whose name a later build has taken, or they fill the disk.

    Dockerfile labels them with the project's slug.
    """
    label = f"label=org.opencontainers.image.title={project.path.name}"
    images = set(project.run("docker", "image", "ls", "--quiet", "--filter", label).split())
    if images:
        project.run("docker", "image", "rm", "--force", *images)


@pytest.fixture(scope="module")
def project(engine: None, bake: Bake) -> Iterator[BakedProject]:
    """The default project and its image, which also reads POOL_TIMEOUT."""
    project = bake_with_lock(bake)
    project.edit(
        "django_project/settings.py",
        '"timeout": 10,\n        "r',
        '"timeout": env.int("POOL_TIMEOUT", 10),\n        "r',
    )
    try:
        build(project)
        yield project
    finally:
        remove_images(project)


def patient(project: BakedProject) -> dict[str, Any]:
    """The proxy's configuration, with more time to reach a container, because a busy machine starts one slowly."""
    content = yaml.safe_load(project.read("docker-compose.yml"))["configs"]["Caddyfile"]["content"]
    for limit in ("lb_try_duration", "response_header_timeout"):
        assert content.count(f"{limit} 30s") == 1
        content = content.replace(f"{limit} 30s", f"{limit} {PATIENCE}s")
    return {"Caddyfile": {"content": content}}


def patience(project: BakedProject) -> dict[str, Any]:
    """What every test lays over docker-compose.yml, so that no limit of the product ends what a busy machine does."""
    healthy = {"healthcheck": {"timeout": f"{PATIENCE}s", "start_period": f"{PATIENCE}s", "retries": 1000}}
    server = healthy | {
        "stop_grace_period": f"{PATIENCE}s",
        "environment": {
            "GUNICORN_CMD_ARGS": f"--timeout {PATIENCE} --graceful-timeout {PATIENCE - 10}",
            "STATEMENT_TIMEOUT": "0",
        },
    }
    services = {"db": healthy, "cache": healthy, "web": server, "web-next": server}
    return {"services": services, "configs": patient(project)}


def patient_deploy(project: BakedProject) -> None:
    """Let deploy.sh wait longer for a container that becomes healthy or ready."""
    project.edit("deploy.sh", "--wait-timeout 120", f"--wait-timeout {PATIENCE}")
    project.edit("deploy.sh", "timeout=20", f"timeout={PATIENCE}")


@pytest.fixture(scope="module")
def stack(project: BakedProject) -> Iterator[Stack]:
    """The running containers that the tests of a module share; a test that changes them restores them."""
    with containers(project, services=web(**PATIENT_POOL)) as stack:
        stack.up()
        yield stack


@pytest.fixture
def fresh(project: BakedProject) -> Iterator[Stack]:
    """Running containers of one test."""
    with containers(project, services=web()) as stack:
        stack.up()
        yield stack


@dataclass
class Responses:
    """What the clients of `loading` have got: methods with statuses, or with the error instead of a response."""

    statuses: list[tuple[str, Any]] = field(default_factory=list)
    # The ISBNs of the books whose creation was acknowledged.
    acknowledged: set[str] = field(default_factory=set)

    def wait_for_more(self) -> None:
        """Wait until the clients have read and created ten more books."""
        before = Counter(self.statuses)
        end = time.monotonic() + PATIENCE
        while min((Counter(self.statuses) - before)[good] for good in (("GET", 200), ("POST", 201))) < 10:
            assert time.monotonic() < end, self.statuses[-20:]
            time.sleep(0.05)


@contextlib.contextmanager
def loading(stack: Stack, pause: float = 0.05) -> Iterator[Responses]:
    """Read and create books from before the block until after it, in two threads each, one request after the other."""
    responses = Responses()
    stop = threading.Event()
    headers = stack.token()

    def read(client: httpx.Client) -> None:
        responses.statuses.append(("GET", client.get("/api/v1/books/").status_code))

    def write(client: httpx.Client) -> None:
        book = new_book()
        status = client.post("/api/v1/books/", json=book, headers=headers).status_code
        responses.statuses.append(("POST", status))
        if status == httpx.codes.CREATED:
            responses.acknowledged.add(book["isbn"])

    def send(method: str) -> None:
        with httpx.Client(base_url=stack.url, timeout=PATIENCE) as client:
            while True:
                try:
                    read(client) if method == "GET" else write(client)
                except httpx.HTTPError as error:
                    responses.statuses.append((method, repr(error)))
                if stop.wait(pause):
                    return

    threads = [threading.Thread(target=send, args=(method,)) for method in ("GET", "GET", "POST", "POST")]
    for thread in threads:
        thread.start()
    try:
        responses.wait_for_more()
        yield responses
        responses.wait_for_more()
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def stored(stack: Stack) -> set[str]:
    """The ISBNs of all books in the database."""
    code = "from books.models import Book; print(*Book.objects.values_list('isbn', flat=True), sep='\\n')"
    return set(stack.python(code).split())


def wait_until_read(stack: Stack) -> None:
    """Wait until the list of books responds, which needs the database."""
    end = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if stack.get("/api/v1/books/").status_code == 200:
                return
        assert time.monotonic() < end, "no book can be read"
        time.sleep(0.1)
