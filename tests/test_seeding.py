"""Generated books in a rendered project, when the command is interrupted."""

import signal
import sqlite3
import subprocess
import time
from typing import Any

import pytest
from baking import Bake, BakedProject, environment

MANY = 10_000_000
MORE = 2_000


@pytest.fixture(scope="module")
def project(bake: Bake) -> BakedProject:
    project = bake(include_apis=False)
    project.manage("migrate", "--verbosity=0")
    return project


def books(project: BakedProject) -> list[tuple[str, ...]]:
    with sqlite3.connect(project.path / "db.sqlite3") as connection:
        return connection.execute(
            "SELECT isbn, title, subtitle, author, search FROM books_book ORDER BY isbn"
        ).fetchall()


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=str)
def test_seeding_that_was_stopped_halfway_is_completed_by_running_it_again(
    project: BakedProject, sent: signal.Signals
) -> None:
    with sqlite3.connect(project.path / "db.sqlite3") as connection:
        connection.execute("DELETE FROM books_book")
    command = ["python", "manage.py", "seed_books", "--count", str(MANY)]
    output: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=project.path, env=environment(), **output) as process:
        try:
            end = time.monotonic() + 60
            while not (partly := books(project)) and time.monotonic() < end:
                time.sleep(0.02)
            process.send_signal(sent)
            printed, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert printed == ("" if sent == signal.SIGKILL else "CommandError: Stopped. The same command adds the rest.\n")
    assert partly
    # All rows of the first command would take a quarter of an hour.
    count = len(books(project)) + MORE
    project.manage("seed_books", "--count", str(count))
    complete = books(project)
    assert len(complete) == count
    assert set(partly) < set(complete)
