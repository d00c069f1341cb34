"""A rendered project connects to PostgreSQL through PgBouncer."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from baking import PATIENCE, Bake, ending_with_us, free_port, http_get, need, new_database, running, wait_until


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user can read; those of pytest belong to one user, with all folders above them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def pooled(postgres: str, open_folder: Path) -> Iterator[tuple[str, str]]:
    """The URL of an empty database, straight and through PgBouncer in session mode with its own defaults."""
    program = shutil.which("pgbouncer", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
    need(program, "PgBouncer")
    assert program
    straight, port = new_database(postgres), free_port()
    server, name = postgres.rpartition("@")[2], straight.rpartition("/")[2]
    host, _, server_port = server.rpartition(":")
    config = open_folder / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n{name} = host={host} port={server_port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = session\n",
        encoding="utf-8",
    )
    config.write_text(config.read_text().replace(f"{name} =", f"{name} = user=test"), encoding="utf-8")
    as_user = []
    if os.geteuid() == 0:
        # PgBouncer refuses to run as root.
        need(shutil.which("setpriv"), "setpriv")
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    through = f"postgres://test:test@127.0.0.1:{port}/{name}"
    with (
        (open_folder / "log").open("w") as log,
        subprocess.Popen([*as_user, *ending_with_us(signal.SIGKILL), program, str(config)], stderr=log) as process,
    ):
        try:
            end = time.monotonic() + PATIENCE
            while True:
                try:
                    psycopg.connect(through).close()
                    break
                except psycopg.OperationalError:
                    if process.poll() is not None or time.monotonic() > end:
                        raise
                    time.sleep(0.1)
            yield straight, through
        finally:
            # Newer versions wait for their clients when they are asked to end.
            process.kill()


def test_the_statement_timeout_holds_through_pgbouncer(bake: Bake, pooled: tuple[str, str]) -> None:
    straight, through = pooled
    project, port = bake(), free_port()
    variables = {"DEBUG": "false", "HTTPS": "false", "DATABASE_URL": through}
    project.manage("migrate", **variables)
    url = f"http://127.0.0.1:{port}"
    command = ["gunicorn", "--bind", f"127.0.0.1:{port}", "django_project.wsgi"]
    with (
        running(command, project.path, f"{url}/health/live", **variables, STATEMENT_TIMEOUT="1000"),
        psycopg.connect(straight) as connection,
    ):
        # A cold statement on a busy machine may need more than the second.
        wait_until(lambda: http_get(f"{url}/api/v1/books/").status_code == 200, "a list within the timeout")
        connection.execute("LOCK TABLE books_book IN ACCESS EXCLUSIVE MODE")
        assert http_get(f"{url}/api/v1/books/").status_code == 503
        connection.rollback()
        wait_until(lambda: http_get(f"{url}/api/v1/books/").status_code == 200, "a list after the lock")


COUNT = """
from django.db import connection

statements, used = [], set()


def record(execute, sql, params, many, context):
    statements.append(sql)
    return execute(sql, params, many, context)


connection.close_pool()
with connection.execute_wrapper(record):
    for _ in range(10):
        connection.ensure_connection()
        used.add(connection.connection)
        connection.close()
assert sum("statement_timeout" in sql for sql in statements) == len(used) * %d, (statements, used)
"""


@pytest.mark.parametrize(("timeout", "statements"), [("0", 0), ("1000", 1)])
def test_the_timeout_is_set_once_for_each_connection_of_the_pool(
    bake: Bake, postgres_url: str, timeout: str, statements: int
) -> None:
    variables = {"DATABASE_URL": postgres_url, "STATEMENT_TIMEOUT": timeout}
    bake().manage("shell", "--no-imports", "--command", COUNT % statements, **variables)
