"""Fixtures of the template's tests: baking a project, and real services that it is used with."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from baking import Bake, BakedProject, free_port, need, new_database, path_without, postgres_program


@pytest.fixture(scope="session")
def bake(cookies_session: Any) -> Bake:
    """A function that renders a project with these answers; without uv on the PATH, so that nothing is locked."""

    def bake(**answers: Any) -> BakedProject:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", path_without("uv"))
            result = cookies_session.bake(extra_context=answers)
        assert result.exception is None, repr(result.exception)
        return BakedProject(result.project_path, answers)

    return bake


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server of the tests' own, without a database's name at its end."""
    initdb, server = postgres_program("initdb"), postgres_program("postgres")
    need(initdb and server, "PostgreSQL's server programs")
    assert initdb
    assert server
    as_owner: list[str] = []
    # Short, because the path of a socket may have 107 bytes.
    folder = Path(subprocess.check_output(["mktemp", "-d", "/tmp/pg.XXXXXX"], text=True).strip())
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        need(shutil.which("setpriv"), "setpriv, to run PostgreSQL as another user than root")
        as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(folder, "postgres", "postgres")
    port = str(free_port())
    subprocess.run(
        [*as_owner, initdb, "--pgdata", str(folder / "data"), "--username=test", "--auth=trust", "--encoding=UTF8"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    options = ["-c", "fsync=off", "-c", f"unix_socket_directories={folder}", "-c", "max_connections=200"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*as_owner, server, "-D", str(folder / "data"), "-p", port, *options], stdout=log, stderr=log, cwd="/"
        )
    try:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), timeout=1):
                break
            time.sleep(0.1)
        time.sleep(0.5)
        yield f"postgres://test:test@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """The address of an empty database."""
    return new_database(postgres)
