"""Whether the processes that answer keep their memory: the list of books, by eight clients, a hundred thousand times.

This part of `just bench` renders the project, serves it from PostgreSQL as production does, and prints the
proportional set size of each of gunicorn's processes after every tenth of the requests. Linux only.
"""

import argparse
import functools
import http.client
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from baking import BakedProject, children, free_port, memory, new_database, postgres_server, running
from cookiecutter.main import cookiecutter

ROOT = Path(__file__).parents[1]

CLIENTS = 8
STEPS = 10


def ask(port: int, count: int) -> None:
    """Ask for the list so many times, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(count):
        connection.request("GET", "/api/v1/books/", headers={"Accept": "application/json"})
        response = connection.getresponse()
        response.read()
        if response.status != http.client.OK:
            raise SystemExit(f"status {response.status}")
    connection.close()


def main() -> None:
    """Serve, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgres_server() as postgres:
        project = BakedProject(Path(cookiecutter(str(ROOT), no_input=True, output_dir=folder)), {})
        variables = {"DEBUG": "false", "HTTPS": "false", "THROTTLE_ANON": "100000000/min", "WEB_CONCURRENCY": "2"}
        variables["DATABASE_URL"] = new_database(postgres)
        project.manage("migrate", **variables)
        project.manage("seed_books", "--count", "1000", **variables)
        project.manage("collectstatic", "--noinput", **variables)
        port = free_port()
        command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}"]
        with running(command, project.path, f"http://127.0.0.1:{port}/health/live", **variables) as server:
            share = options.requests // STEPS
            for step in range(1, STEPS + 1):
                start = time.perf_counter()
                with ThreadPoolExecutor(CLIENTS) as clients:
                    list(clients.map(functools.partial(ask, port), [share // CLIENTS] * CLIENTS))
                rate = share / (time.perf_counter() - start)
                sizes = [round(memory(child)) for child in children(server.pid)]
                print(f"{step * share:,} requests: {sizes} MB, {rate:.0f} a second", flush=True)


if __name__ == "__main__":
    main()
