"""Generated books in a rendered project, when the command is interrupted."""

import contextlib
import signal
import sqlite3
import subprocess
from typing import Any

import pytest
from baking import PATIENCE, Bake, BakedProject, environment, wait_until

MANY = 10_000_000
MORE = 2_000


@pytest.fixture(scope="module")
def project(bake: Bake) -> BakedProject:
    project = bake(include_apis=False)
    project.manage("migrate", "--verbosity=0")
    return project


def database(project: BakedProject) -> sqlite3.Connection:
    return sqlite3.connect(project.path / "db.sqlite3", timeout=PATIENCE)


def books(project: BakedProject) -> list[tuple[str, ...]]:
    query = "SELECT isbn, title, subtitle, author, search FROM books_book ORDER BY isbn"
    with contextlib.closing(database(project)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT], ids=str)
def test_seeding_that_was_stopped_halfway_is_completed_by_running_it_again(
    project: BakedProject, sent: signal.Signals
) -> None:
    with contextlib.closing(database(project)) as connection, connection:
        connection.execute("DELETE FROM books_book")
    command = ["python", "manage.py", "seed_books", "--count", str(MANY)]
    output: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=project.path, env=environment(), **output) as process:
        try:
            wait_until(lambda: books(project), "the first books")
            partly = books(project)
            process.send_signal(sent)
            printed, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert printed == ("" if sent == signal.SIGKILL else "CommandError: Stopped. The same command adds the rest.\n")
    # All rows of the first command would take a quarter of an hour.
    count = len(books(project)) + MORE
    project.manage("seed_books", "--count", str(count))
    complete = books(project)
    assert len(complete) == count
    assert set(partly) < set(complete)
