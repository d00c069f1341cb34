"""A baked project, and servers that run in it."""

import contextlib
import functools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

# Seconds until a test gives up a state that it waits for. A test that passes never comes near, on whatever machine.
PATIENCE = 300
# httpx with another limit than its five seconds, which a busy machine may exceed.
TIMEOUT = float(PATIENCE)
HTTPClient = functools.partial(httpx.Client, timeout=TIMEOUT)
http_request = functools.partial(httpx.request, timeout=TIMEOUT)
http_get = functools.partial(httpx.get, timeout=TIMEOUT)
http_post = functools.partial(httpx.post, timeout=TIMEOUT)
http_patch = functools.partial(httpx.patch, timeout=TIMEOUT)
http_delete = functools.partial(httpx.delete, timeout=TIMEOUT)

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"

COMBINATIONS = [
    pytest.param({"include_books": True, "include_apis": True}, id="books and apis"),
    pytest.param({"include_books": True, "include_apis": False}, id="books"),
    pytest.param({"include_books": False, "include_apis": True}, id="apis"),
    pytest.param({"include_books": False, "include_apis": False}, id="neither"),
]

# The author of commits.
AUTHOR = {f"GIT_{who}_{what}": "me@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def need(there: object, what: str) -> None:
    """Skip the test unless `there`, which it needs, is true; fail it where REQUIRE_EVERYTHING is set."""
    if there:
        return
    reason = f"needs {what}"
    if os.environ.get("REQUIRE_EVERYTHING"):
        pytest.fail(reason)
    pytest.skip(reason)


def environment(**variables: str) -> dict[str, str]:
    """The environment of a process in a rendered project: our programs, and no settings but `variables`."""
    inherited = {name: os.environ[name] for name in KEPT if name in os.environ}
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited["PATH"]])
    fixed = {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": FOREIGN_PLUGINS}
    return {**inherited, **fixed, **LONGER_LIMITS, **variables}


KEPT = (
    *("HOME", "LANG", "MYPY_CACHE_DIR", "PATH", "SSL_CERT_FILE", "TMPDIR"),
    *("UV_CACHE_DIR", "UV_DEFAULT_INDEX", "UV_INDEX_URL"),
)
# uv and pip wait half a minute for a package index, or less, and gunicorn as long for a worker.
LONGER_LIMITS = {
    "UV_HTTP_TIMEOUT": str(PATIENCE),
    "PIP_DEFAULT_TIMEOUT": str(PATIENCE),
    "GUNICORN_CMD_ARGS": f"--timeout {PATIENCE}",
}
# Plugins of pytest that a project does not depend on. Importing them takes longer than most tests of a project.
FOREIGN_PLUGINS = "-p no:cookies -p no:hypothesispytest -p no:schemathesis -p no:xdist"


@dataclass(frozen=True)
class BakedProject:
    """A project that was rendered with these answers."""

    path: Path
    answers: dict[str, Any]

    @property
    def files(self) -> set[str]:
        """The paths of all files, relative to the project directory, with slashes."""
        return {path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file()}

    def read(self, name: str) -> str:
        return (self.path / name).read_text(encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace `old`, which the file must contain once."""
        __tracebackhide__ = True
        text = self.read(name)
        assert text.count(old) == 1, f"{name} contains {old!r} {text.count(old)} times"
        (self.path / name).write_text(text.replace(old, new), encoding="utf-8")

    def run(self, *command: str, status: int = 0, **variables: Any) -> str:
        """Run a command in the project directory and return its output; it must exit with this status."""
        __tracebackhide__ = True
        process = subprocess.run(
            command,
            cwd=self.path,
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert process.returncode == status, f"{' '.join(command)}: status {process.returncode}\n{process.stdout}"
        return process.stdout

    def manage(self, *arguments: str, **variables: Any) -> str:
        __tracebackhide__ = True
        return self.run("python", "manage.py", *arguments, **variables)


Bake = Callable[..., BakedProject]


def uv() -> str | None:
    """The path of uv in the environment of the tests."""
    return shutil.which("uv", path=environment()["PATH"])


def interpreters() -> dict[str, str]:
    """The paths of the installed Pythons by their version, such as 3.13."""
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep)]
    # pyenv has a shim for each version, which fails for those that are not selected.
    roots = {folder.parent for folder in folders if folder.name == "shims"} | {Path.home() / ".pyenv"}
    folders = [folder for folder in folders if folder.name != "shims"]
    folders += [folder for root in roots for folder in root.glob("versions/*/bin")]
    found = [path for folder in reversed(folders) for path in folder.glob("python3.1[0-9]")]
    return {path.name.removeprefix("python"): str(path) for path in found}


def path_without(program: str) -> str:
    """The PATH without the directories that contain the program."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not (Path(folder) / program).exists())


@contextlib.contextmanager
def running(
    command: list[str], folder: Path, address: str, log: Path | None = None, /, **variables: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a server until the end of the block, which begins when it responds at this URL.

    Its output goes to `log`, by default a file beside the folder.
    """
    log = log or folder.parent / f"{folder.name}-server.log"
    with log.open("w+") as output:
        process = subprocess.Popen(
            [*ending_with_us(signal.SIGTERM), *command],
            cwd=folder,
            env=environment(**variables),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            wait_for(address, process, log)
            yield process
        finally:
            # A shell, uv and just start the server as a child process, just in a process group of its own.
            others = [pid for pid in members(process.pid) if pid != process.pid]
            process.terminate()
            send_to_all(others, signal.SIGTERM)
            try:
                process.wait(timeout=PATIENCE)
            finally:
                process.kill()
                # A process that was started meanwhile would keep the port.
                kill_session(process.pid)
                process.wait()


def wait_until(reached: Callable[[], object], state: str, log: Path | None = None) -> None:
    """Return when `reached()` is true; fail with the name of the state, and with the log, if it never is."""
    __tracebackhide__ = True
    end = time.monotonic() + PATIENCE
    while not reached():
        if time.monotonic() > end:
            pytest.fail(f"after {PATIENCE} s, not yet: {state}\n{log.read_text() if log else ''}", pytrace=False)
        time.sleep(0.05)


def wait_for(address: str, process: subprocess.Popen[str], log: Path) -> None:
    """Return when a server responds at the URL; fail with its log if it ends or never does.

    Some commands install the project first.
    """
    __tracebackhide__ = True

    def responds() -> bool:
        if process.poll() is not None:
            pytest.fail(f"the server ended with status {process.returncode}:\n{log.read_text()}", pytrace=False)
        with contextlib.suppress(httpx.TransportError):
            http_get(address)
            return True
        return False

    wait_until(responds, f"a response from {address}", log)


def wait_for_postgres(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the server accepts connections; fail with its log if it ends or never does."""

    def accepts() -> bool:
        if process.poll() is not None:
            pytest.fail(f"PostgreSQL ended with status {process.returncode}:\n{log.read_text()}", pytrace=False)
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(f"{address}/postgres"):
            return True
        return False

    wait_until(accepts, "connections to PostgreSQL", log)


def postgres_program(name: str) -> str | None:
    """The path of a program of PostgreSQL; Debian keeps them out of the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([*map(str, folders), os.environ["PATH"]]))


def own_ports() -> Iterator[int]:
    """Ports of ranges that no other process of these tests has, of whatever run on this machine.

    A process has a range while it holds the first port. All are below the ports of outgoing connections, none of which
    can take a port that a server is about to bind.
    """
    with contextlib.ExitStack() as claims:
        for first in range(11_000, 30_000, 100):
            claim = claims.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                claim.bind(("127.0.0.1", first))
                yield from range(first + 1, first + 100)


PORTS = own_ports()


def free_port() -> int:
    """A port that is free, and that no other test gets."""
    for port in PORTS:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError


def full_isbn(digits: str) -> str:
    """The twelve digits of an ISBN with the thirteenth."""
    return digits + str(-(sum(map(int, digits[::2])) + 3 * sum(map(int, digits[1::2]))) % 10)


def files(directory: Path) -> dict[str, bytes]:
    """Return the content of each file below the directory, by its path."""
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def children(pid: int) -> list[int]:
    """The child processes, of every thread: uv starts them from another one than its first; Linux only."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text(encoding="utf-8").split()]


def send_to_all(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to the processes that are still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def members(session: int) -> list[int]:
    """The processes of a session that have not ended; Linux only."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            # The name of the program, in brackets, may contain anything.
            state, _, _, number = file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:4]
            if int(number) == session and state not in "XZ":
                found.append(int(file.parent.name))
    return found


def kill_session(session: int) -> None:
    """Kill the processes of a session, and those that they start meanwhile; Linux only."""

    def ended() -> bool:
        send_to_all(remaining := members(session), signal.SIGKILL)
        return not remaining

    wait_until(ended, f"the end of all processes of session {session}")


def ending_with_us(number: signal.Signals) -> list[str]:
    """What stands before a command so that its process gets this signal when ours ends, even if it is killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, f"--pdeathsig={number.name.removeprefix('SIG')}"] if setpriv else []


def memory(pid: int) -> float:
    """The proportional set size of a process, in MB; Linux only."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    return int(re.findall(r"(?m)^Pss: +(\d+)", rollup)[0]) / 1024


def new_database(server: str) -> str:
    """The URL of a new database on this PostgreSQL server."""
    name = f"test_{time.monotonic_ns()}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return f"{server}/{name}"


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """Run a PostgreSQL server, and yield its URL without the name of a database."""
    initdb, server = postgres_program("initdb"), postgres_program("postgres")
    need(initdb and server, "PostgreSQL's server programs")
    assert initdb
    assert server
    as_owner: list[str] = []
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        need(shutil.which("setpriv"), "setpriv, to run PostgreSQL as another user than root")
        as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    # Short: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="pg.", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if as_owner:
            shutil.chown(folder, "postgres", "postgres")
        subprocess.run(
            [*as_owner, initdb, "--pgdata", f"{name}/data", "--username=test", "--auth=trust", "--encoding=UTF8"],
            check=True,
            capture_output=True,
            cwd="/",
        )
        port = str(free_port())
        options = ["-c", "fsync=off", "-c", f"unix_socket_directories={name}", "-c", "max_connections=200"]
        # It would take samples for the planner's statistics while a test counts what its plans read.
        options += ["-c", "autovacuum=off"]
        # The immediate shutdown, after which the server's own processes are gone as well.
        command = [*as_owner, *ending_with_us(signal.SIGQUIT), server, "-D", f"{name}/data", "-p", port, *options]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
        try:
            address = f"postgres://test:test@127.0.0.1:{port}"
            wait_for_postgres(address, process, folder / "log")
            yield address
        finally:
            # The fast shutdown, which does not wait for clients.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=PATIENCE)
            finally:
                process.kill()
                process.wait()
