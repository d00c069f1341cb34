"""The containers of a rendered project, on a real engine."""

import contextlib
import functools
import itertools
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from baking import COMBINATIONS, PATIENCE, TEMPLATE, Bake, BakedProject, environment, free_port, wait_until
from console import commands, prints
from containers import (
    PATIENT_POOL,
    UP,
    Stack,
    bake_with_lock,
    containers,
    loading,
    remove_images,
    stored,
    wait_until_read,
    web,
)


@pytest.fixture(scope="module")
def stack(project: BakedProject) -> Iterator[Stack]:
    """Running containers with the pool's own limit: some tests take the database away."""
    with containers(project, services=web(POOL_TIMEOUT="${POOL_TIMEOUT:-10}")) as stack:
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
        stack.up("--build")


def test_containers_are_ephemeral_and_the_root_file_system_refuses_writes(stack: Stack) -> None:
    stack.compose("exec", "-T", "web", "touch", "/tmp/note")
    stack.compose("exec", "-T", "web", "test", "-e", "/tmp/note")
    assert "Read-only file system" in stack.compose("exec", "-T", "-u", "0", "web", "touch", "/app/note", status=1)
    stack.compose("rm", "--stop", "--force", "web")
    stack.up()
    stack.compose("exec", "-T", "web", "test", "-e", "/tmp/note", status=1)


def test_data_outlives_containers_and_not_their_volume(fresh: Stack) -> None:
    book = fresh.post().json()
    fresh.compose("down")
    fresh.up()
    assert fresh.get("/api/v1/books/").json()["results"] == [book]
    fresh.compose("down", "--volumes")
    fresh.up()
    assert fresh.get("/api/v1/books/").json()["results"] == []


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
        remove_images(project)


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
        stack.up("--build")


def test_compose_alone_changes_a_setting_without_a_rebuild(stack: Stack) -> None:
    image = stack.docker("image", "inspect", "--format={{.Id}}", stack.project.path.name)
    assert stack.get().status_code == 200
    try:
        stack.up(HTTPS="true")
        assert stack.get().status_code == 301
        assert stack.docker("image", "inspect", "--format={{.Id}}", stack.project.path.name) == image
    finally:
        stack.up()
    assert stack.get().status_code == 200


def test_a_missing_environment_file_and_a_wrong_password_say_what_to_do(project: BakedProject) -> None:
    with containers(project) as stack:
        stack.up()
        stack.compose("down")
        output = stack.compose(*UP, status=1, POSTGRES_PASSWORD="another")
        assert "migrate" in output
        assert 'docs/deploy.md, "Troubleshooting"' in stack.compose("logs", "migrate", POSTGRES_PASSWORD="another")
        assert "is missing" in stack.compose("config", status=1, POSTGRES_PASSWORD="")


# The worker that was started last.
KILL_A_WORKER = """
import contextlib, os, pathlib
commands = {}
for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    # A health check may have ended meanwhile.
    with contextlib.suppress(OSError):
        commands[int(path.parent.name)] = path.read_bytes()
os.kill(max(pid for pid, command in commands.items() if b"gunicorn" in command and pid != os.getpid()), 9)
"""


def test_a_killed_worker_loses_no_acknowledged_write(stack: Stack) -> None:
    with loading(stack) as responses:
        stack.compose("exec", "-T", "web", "python", "-c", KILL_A_WORKER)
        responses.wait_for_more()
        stack.compose("kill", "--signal=KILL", "web")
        stack.up()
    assert responses.acknowledged <= stored(stack)


def test_a_restart_of_the_database_needs_none_of_the_server(stack: Stack) -> None:
    def processes() -> list[str]:
        return re.findall(r"(?m)^web +\d+ +\d+ +(\d+) .*python \S*gunicorn ", stack.compose("top", "web"))

    wait_until(lambda: len(processes()) == 3, "a server with its two workers")
    before = processes()
    with loading(stack) as responses:
        stack.compose("restart", "db")
    assert responses.acknowledged <= stored(stack)
    assert processes() == before


def psql(stack: Stack, statement: str) -> str:
    return stack.compose(
        "exec", "-T", "db", "psql", "--username=app", "--tuples-only", f"--command={statement}"
    ).strip()


@contextlib.contextmanager
def books_locked(stack: Stack) -> Iterator[None]:
    """Whoever reads books waits until the end of the block."""
    command = ["docker", "compose", "exec", "-T", "db", "psql", "--username=app", "--quiet"]
    where: dict[str, Any] = {"cwd": stack.project.path, "env": environment(**stack.variables)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, **where) as process:
        assert process.stdin
        process.stdin.write("BEGIN; LOCK TABLE books_book IN ACCESS EXCLUSIVE MODE;\n")
        process.stdin.flush()
        yield


def fill_pools(stack: Stack) -> None:
    """Let both processes of the server open as many connections as their pools may have."""
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'books_book'::regclass AND NOT granted"
    requests: list[Future[httpx.Response]] = []
    with ThreadPoolExecutor(200) as clients:

        def are_full() -> bool:
            requests.extend(clients.submit(stack.get, "/api/v1/books/") for _ in range(8))
            return psql(stack, waiting) == "8"

        with books_locked(stack):
            wait_until(are_full, "eight requests wait for the lock")
    assert {request.result().status_code for request in requests} == {200}


def test_after_a_restart_of_the_database_that_nobody_noticed_no_request_fails(stack: Stack) -> None:
    settings = (TEMPLATE / "django_project" / "settings.py").read_text(encoding="utf-8")
    [(size, seconds)] = re.findall(r'(?s)"max_size": max\(1, min\((\d+),.*? "timeout": (\d+),', settings)
    # The pauses between dead connections are 1, 2, 4 … s, and up to a tenth more.
    assert 1.1 * sum(2**number for number in range(int(size) - 1)) < int(seconds)
    try:
        stack.up(**PATIENT_POOL)
        fill_pools(stack)
        stack.compose("restart", "db")
        stack.compose(*UP, "--no-deps", "db")
        assert [stack.get("/api/v1/books/").status_code for _ in range(10)] == [200] * 10
    finally:
        stack.up()


def test_a_database_that_falls_silent_is_a_clear_answer(stack: Stack) -> None:
    assert stack.get("/api/v1/books/").status_code == 200
    database, network = stack.compose("ps", "--quiet", "db").strip(), f"{stack.name}_default"
    stack.docker("network", "disconnect", "--force", network, database)
    try:
        answer = stack.get("/api/v1/books/")
    finally:
        stack.docker("network", "connect", "--alias", "db", network, database)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    wait_until_read(stack)


def test_a_stop_finishes_what_is_in_flight_and_ends_with_status_zero(project: BakedProject) -> None:
    # The server has less time to stop than Docker gives it. Here it has more of both.
    [graceful] = re.findall(r"(?m)^graceful_timeout = (\d+)$", project.read("gunicorn.conf.py"))
    grace = yaml.safe_load(project.read("docker-compose.yml"))["services"]["web"]["stop_grace_period"]
    assert int(graceful) < int(grace.removesuffix("s"))
    # Incomplete, so that no password is hashed.
    body = b'{"username": "nobody"}'
    head = b"POST /api/v1/auth/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    port = str(free_port())
    # Without the proxy, which would wait for the whole request.
    with containers(project, services={"web": {"ports": [f"127.0.0.1:{port}:8000"]}}) as stack:
        stack.up()
        stop = threading.Thread(target=stack.compose, args=("stop", "web"))
        with socket.create_connection(("127.0.0.1", int(port)), timeout=PATIENCE) as client:
            client.sendall(head)
            assert client.recv(1000).startswith(b"HTTP/1.1 100 Continue")
            stop.start()
            wait_until(
                lambda: any("Handling signal: term" in str(line.get("message")) for line in stack.log()),
                "the server stops",
            )
            client.sendall(body)
            answer = client.recv(65536)
        stop.join()
        assert answer.startswith(b"HTTP/1.1 400"), answer
        container = stack.compose("ps", "--all", "--quiet", "web").strip()
        # 137, if Docker had killed it.
        assert stack.docker("inspect", "--format={{.State.ExitCode}}", container).strip() == "0"


def test_a_full_disk_is_a_clear_answer_and_loses_nothing(project: BakedProject) -> None:
    volume = {"db": {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=150m"}}}
    with containers(project, services=web(), volumes=volume) as stack:
        stack.up()
        stack.token()
        stack.compose("exec", "-T", "db", "sh", "-c", "cat /dev/zero > /var/lib/postgresql/filler; true")
        acknowledged = set()
        for _ in range(3000):
            answer = stack.post()
            if answer.status_code != 201:
                break
            acknowledged.add(answer.json()["isbn"])
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        stack.compose("exec", "-T", "db", "rm", "/var/lib/postgresql/filler")
        wait_until_read(stack)
        assert stack.post().status_code == 201
        assert acknowledged <= stored(stack)
        stack.compose(
            "exec", "-T", "db", "pg_amcheck", "--username=app", "--install-missing", "--heapallindexed", "app"
        )


def test_the_log_of_the_server_is_one_line_of_json_for_each_request(stack: Stack) -> None:
    line = stack.line_of(stack.get("/api/v1/books/?search=secret"))
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/v1/books/", 200)


def test_watch_rebuilds_after_a_change(stack: Stack, tmp_path: Path) -> None:
    command = ["docker", "compose", "watch", "--no-up"]
    log, name, old, new = tmp_path / "log", "core/templates/base.html", "</body>", "<!-- watched --></body>"

    def is_served() -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return "<!-- watched -->" in stack.get().text
        return False

    with (
        log.open("w") as output,
        subprocess.Popen(
            command,
            cwd=stack.project.path,
            env=environment(**stack.variables),
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as watch,
    ):
        try:
            wait_until(lambda: "Watch enabled" in log.read_text(), "docker compose watch", log)
            stack.project.edit(name, old, new)
            try:
                wait_until(is_served, "the change is served", log)
            finally:
                stack.project.edit(name, new, old)
        finally:
            watch.terminate()
    stack.up("--build")


def test_a_taken_port_is_named(project: BakedProject) -> None:
    with containers(project) as stack, socket.create_server(("127.0.0.1", int(stack.port))):
        output = stack.compose(*UP, status=1)
        assert stack.port in output
        assert re.search("port is already allocated|address already in use", output)


def test_without_an_environment_file_up_says_how_to_make_it(project: BakedProject) -> None:
    file = project.path / ".env"
    hidden = file.rename(project.path.parent / "hidden.env")
    try:
        with containers(project) as stack:
            assert "is missing. Create .env with `just up`" in stack.compose(*UP, status=1)
    finally:
        hidden.rename(file)


def test_the_recipe_for_a_new_password_keeps_the_data(fresh: Stack) -> None:
    [change] = re.findall(r"`(docker compose exec [^`]*ALTER USER[^`]*)`", fresh.project.read("docs/deploy.md"))
    book = fresh.post().json()
    fresh.project.run("sh", "-ec", change, **fresh.variables)
    fresh.up("--force-recreate", POSTGRES_PASSWORD="new")
    assert fresh.get("/api/v1/books/").json()["results"] == [book]


def test_a_volume_of_another_version_of_postgresql_is_named_and_left_alone(project: BakedProject) -> None:
    with containers(project) as stack:
        old = "mkdir -p 17/docker && echo 17 > 17/docker/PG_VERSION"
        stack.compose("run", "--rm", "--no-deps", "--entrypoint", "sh", "db", "-c", f"cd /var/lib/postgresql && {old}")
        stack.compose(*UP, status=1)
        assert "The volume holds a database of PostgreSQL 17, the image is 18" in stack.compose("logs", "db")
        find = ["--entrypoint", "find", "db", "/var/lib/postgresql", "-path", "*/docker/PG_VERSION"]
        found = stack.compose("run", "--rm", "--no-deps", *find)
        assert found.split() == ["/var/lib/postgresql/17/docker/PG_VERSION"]


def test_every_command_of_the_tour_prints_what_the_page_says(project: BakedProject) -> None:
    sessions = re.findall(r"(?s)```console\n(.*?)```", project.read("docs/docker.md"))
    assert len(sessions) > 12
    with containers(project) as stack:
        variables = {name: value for name, value in stack.variables.items() if name != "COMPOSE_PROGRESS"}
        for command, typed, expected in itertools.chain.from_iterable(map(commands, sessions)):
            call = functools.partial(
                subprocess.run,
                ["sh", "-c", command.removeprefix("uv run ")],
                cwd=project.path,
                env=environment(**variables),
                input=typed,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            there = expected.replace(":8000", f":{stack.port}")
            output = call().stdout
            if "CACHED" in there and not prints(output, there):
                # Where the disk is full, BuildKit may have thrown the layer away; this build has made it again.
                output = call().stdout
            assert prints(output, there), f"{command}\n{output}"
