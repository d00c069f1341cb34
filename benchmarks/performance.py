"""The cost of requests with a thousand, a hundred thousand and a million books, here and in usual DRF views.

This part of `just bench` renders the project, mounts `baselines.py` beside its API, and sends the same
requests to all of them in turn, on PostgreSQL and on SQLite. It writes the table of docs/performance.md and the plots
beside it; with other sizes, databases or rounds than the default ones it only prints the table. Work is the CPU time
of server and database together, which other work on the machine disturbs less than the latency.
Linux only; needs PostgreSQL's server programs.
"""

import argparse
import contextlib
import functools
import http.client
import itertools
import json
import operator
import platform
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import psycopg
from baking import BakedProject, children, free_port, full_isbn, memory, new_database, postgres_server, running
from cookiecutter.main import cookiecutter

ROOT = Path(__file__).parents[1]

# The cursors of the last page and of one halfway, and the token and the session cookie of an administrator.
PREPARE = """
import json
from apis.models import Token
from core.keyset import SIGNER
from django.contrib.auth import get_user_model
from django.test import Client
admin = get_user_model().objects.create_superuser("benchmark")
browser = Client()
browser.force_login(admin)
print(json.dumps([
    SIGNER.sign_object(["title,id", True]),
    SIGNER.sign_object(["title,id", False, "M", 0]),
    f"Token {Token.issue(admin)[0]}",
    f"sessionid={browser.cookies['sessionid'].value}",
]))
"""
# The ISBNs of books that the measured requests create begin with this; those of generated books do not.
CREATED = "9799"
CLEAN = f"from books.models import Book; Book.objects.filter(isbn__startswith='{CREATED}').delete()"

# Seconds that a round of a case takes at least. Many short rounds in turn: other work on the machine then disturbs all
# contestants alike.
SECONDS = 0.5


@dataclass
class Case:
    """The same question to the project and to one that it is compared with."""

    name: str
    paths: dict[str, str]
    results: dict[str, "Result"] = field(default_factory=dict)


@dataclass
class Result:
    """The latency of each request, and the CPU time of a request in each round, in milliseconds."""

    waits: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)

    @property
    def work(self) -> list[float]:
        return [server + database for server, database in zip(self.server, self.database, strict=True)]


def cases(rows: int, last: str, halfway: str) -> list[Case]:
    """The requests for a table of so many rows. A path that creates a book has the prefix `POST`."""
    ours, usual = "/api/v1/books/", "/baseline/usual/"
    first = {"project": ours, "usual": f"{usual}?ordering=title", "raw SQL": "/baseline/raw/"}
    if rows <= 1000:  # noqa: PLR2004  # every row in one response: minutes, for more
        first["tutorial"] = "/baseline/tutorial/"
    return [
        Case("first page", first),
        Case(
            "page halfway",
            {"project": f"{ours}?cursor={halfway}", "usual": f"{usual}?ordering=title&page={max(2, rows // 40)}"},
        ),
        Case("last page", {"project": f"{ours}?cursor={last}", "usual": f"{usual}?ordering=title&page=last"}),
        Case("newest first", {"project": f"{ours}?ordering=-created_at", "usual": f"{usual}?ordering=-created_at"}),
        Case("filter: author", {"project": f"{ours}?author=Alice Reed".replace(" ", "%20")}),
        *(
            Case(f"search: {name}", {"project": f"{ours}?search={word}", "usual": f"{usual}?search={word}"})
            for name, word in WORDS.items()
        ),
        Case("one book", {"project": f"{ours}7/", "usual": f"{usual}7/"}),
        Case("website, first page", {"project": "/"}),
        Case("admin, first page", {"project": "/admin/books/book/"}),
        Case("create a book", {"project": f"POST{ours}", "usual": f"POST{usual}"}),
    ]


# Of a million generated books about 300, 43,000 and 59,000 match; those of the third are at the end of the ordering.
WORDS = {"rare word": "1401", "common word": "bergen", "word at the end": "walking", "no such word": "zanzibar"}


def cpu_seconds(pids: list[int]) -> float:
    """The CPU time of these processes and of their children that have ended."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            ticks += sum(int(text) for text in fields[11:15])
    return ticks / 100


def tree(pid: int) -> list[int]:
    """The process and all below it, of which one may end meanwhile."""
    pids = [pid]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        pids += [inner for child in children(pid) for inner in tree(child)]
    return pids


def postmaster(port: str) -> int:
    """The process that listens on PostgreSQL's port."""
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        words = status.read_bytes().decode(errors="replace").split("\0")
        if "-p" in words and port in words and "postgres" in words[0]:
            return int(status.parent.name)
    raise LookupError(port)


@dataclass
class Target:
    """A running server of the rendered project."""

    port: int
    server: int
    database: int | None
    token: str
    cookie: str
    numbers: Iterator[int]

    def send(self, connection: http.client.HTTPConnection, path: str) -> None:
        """One request, which must succeed."""
        headers = {"Accept": "application/json"} if "/api/" in path or "/baseline/" in path else {}
        if path.startswith("POST"):
            isbn = f"{CREATED}{next(self.numbers):08}"
            book = {
                "title": f"A Book of {isbn}",
                "subtitle": "A Novel",
                "author": "Jane Austen",
                "isbn": full_isbn(isbn),
            }
            headers |= {"Authorization": self.token, "Content-Type": "application/json"}
            connection.request("POST", path.removeprefix("POST"), json.dumps(book), headers)
        else:
            connection.request("GET", path, headers=headers | ({"Cookie": self.cookie} if "/admin/" in path else {}))
        response = connection.getresponse()
        body = response.read()
        if response.status not in (http.client.OK, http.client.CREATED):
            raise SystemExit(f"{path}: {response.status} {body[:200]!r}")

    def measure(self, path: str, result: Result) -> None:
        """One round: requests one after the other for `SECONDS`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        before = cpu_seconds(tree(self.server)), self.database_seconds()
        end = time.perf_counter() + SECONDS
        waits: list[float] = []
        while not waits or time.perf_counter() < end:
            start = time.perf_counter()
            self.send(connection, path)
            waits.append(1000 * (time.perf_counter() - start))
        connection.close()
        result.server.append(1000 * (cpu_seconds(tree(self.server)) - before[0]) / len(waits))
        result.database.append(1000 * (self.database_seconds() - before[1]) / len(waits))
        result.waits += waits

    def database_seconds(self) -> float:
        return cpu_seconds(tree(self.database)) if self.database else 0.0


@contextlib.contextmanager
def serving(
    project: BakedProject, variables: dict[str, str], database: int | None, token: str, cookie: str
) -> Iterator[Target]:
    """The project under one process of gunicorn."""
    port = free_port()
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--timeout", "600"]
    with running(command, project.path, f"http://127.0.0.1:{port}/health/live", **variables) as process:
        yield Target(port, process.pid, database, token, cookie, itertools.count())


def render(folder: Path) -> BakedProject:
    """The default project with the baselines beside its API."""
    project = BakedProject(Path(cookiecutter(str(ROOT), no_input=True, output_dir=str(folder))), {})
    shutil.copy(ROOT / "benchmarks" / "baselines.py", project.path / "baselines.py")
    line = '    path("api/", include("apis.urls")),\n'
    project.edit("django_project/urls.py", line, f'    path("baseline/", include("baselines")),\n{line}')
    project.manage("collectstatic", "--noinput", DEBUG="false")
    return project


def run(project: BakedProject, options: argparse.Namespace, postgres: str) -> list[dict[str, Any]]:
    """All cases on both databases; a record for each database, size, case and contestant."""
    records = []
    unlimited = {"DEBUG": "false", "HTTPS": "false", "STATEMENT_TIMEOUT": "600000"}
    unlimited |= dict.fromkeys(["THROTTLE_ANON", "THROTTLE_USER"], "100000000/min")
    databases: dict[str, tuple[str, int | None]] = {
        "PostgreSQL": (new_database(postgres), postmaster(postgres.rpartition(":")[2])),
        "SQLite": (f"sqlite:///{project.path}/benchmark.sqlite3", None),
    }
    for name, (url, database) in databases.items():
        if name not in options.databases:
            continue
        variables = {**unlimited, "DATABASE_URL": url}
        project.manage("migrate", **variables)
        shell = functools.partial(project.manage, "shell", "--verbosity=0", "--command", **variables)
        last, halfway, token, cookie = json.loads(shell(PREPARE))
        for rows in options.rows:
            started = time.perf_counter()
            project.manage("seed_books", "--count", str(rows), **variables)
            seconds = time.perf_counter() - started
            if database:
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("VACUUM ANALYZE")
            print(f"{name}: {rows} books after {seconds:.0f} s", flush=True)
            with serving(project, variables, database, token, cookie) as target:
                asked = cases(rows, last, halfway)
                # Creating comes last: the other cases need a table of that size.
                for some in (asked[:-1], asked[-1:]):
                    for number in range(options.rounds + 1):
                        for case in some:
                            for contestant, path in case.paths.items():
                                result = case.results.setdefault(contestant, Result())
                                target.measure(path, result if number else Result())  # the first round warms up
                used = sum(map(memory, tree(target.server)))
            shell(CLEAN)
            for case in asked:
                for contestant, result in case.results.items():
                    labels = name, rows, case.name, contestant
                    records.append(record(labels, result, case.results["project"], used))
                    print("  ", *records[-1].values(), flush=True)
    return records


def record(labels: tuple[str, int, str, str], result: Result, ours: Result, used: float) -> dict[str, Any]:
    """The medians of a case, the spread of its rounds, and its work relative to the project's in the same round."""
    database, rows, case, contestant = labels
    waits = sorted(result.waits)
    return {
        "database": database,
        "rows": rows,
        "case": case,
        "contestant": contestant,
        "work": round(statistics.median(result.work), 2),
        "times": round(statistics.median(map(operator.truediv, result.work, ours.work)), 2),
        "least": round(min(result.work), 2),
        "most": round(max(result.work), 2),
        "of the database": round(statistics.median(result.database), 2),
        "p50": round(statistics.median(waits), 2),
        "p99": round(waits[int(0.99 * (len(waits) - 1))], 2),
        "per second": round(1000 / statistics.mean(waits), 1),
        "memory": round(used),
    }


def table(records: list[dict[str, Any]]) -> str:
    """The records in Markdown."""
    lines = [
        "| database | books | request | | work in ms (spread) | of it the database | p50, p99 in ms | a second | MB "
        "| work against the project |",
        "| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for entry in records:
        cells = [
            entry["database"],
            f"{entry['rows']:,}",
            entry["case"],
            entry["contestant"],
            f"{entry['work']} ({entry['least']} to {entry['most']})",
            entry["of the database"],
            f"{entry['p50']}, {entry['p99']}",
            entry["per second"],
            entry["memory"],
            "" if entry["contestant"] == "project" else f"{entry['times']:.2f}",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def machine(postgres: str) -> str:
    """The machine and the versions that were measured."""
    cpu = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    with psycopg.connect(new_database(postgres)) as connection:
        version = connection.info.server_version // 10000
    packages = subprocess.run(["uv", "pip", "freeze"], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"(?mi)^((?:django|djangorestframework|gunicorn|psycopg)==\S+)", packages)
    return (
        f"{len(cpu)} CPUs ({cpu[0] if cpu else 'unknown'}), Linux {platform.release()}, Python "
        f"{platform.python_version()}, PostgreSQL {version}, {', '.join(names)}; {time.strftime('%Y-%m-%d')}."
    )


def plot(records: list[dict[str, Any]], file: Path) -> None:
    """Plot the work of a request by the number of books, on PostgreSQL, for the project and for the usual view."""
    names = ["first page", "last page", "search: rare word", "search: no such word"]
    figure, axes = plt.subplots(1, len(names), figsize=(12, 3.2), sharey=True)
    styles = {"project": ("#1f5a8c", "o", "this project"), "usual": ("#b4581f", "s", "pages by number")}
    for axis, name in zip(axes, names, strict=True):
        for contestant, (colour, marker, label) in styles.items():
            points = [
                (entry["rows"], entry["work"])
                for entry in records
                if (entry["database"], entry["case"], entry["contestant"]) == ("PostgreSQL", name, contestant)
            ]
            axis.plot(*zip(*points, strict=True), color=colour, marker=marker, label=label)
        axis.set(title=name, xlabel="books", xscale="log", yscale="log")
        axis.grid(visible=True, which="major", alpha=0.3)
    axes[0].set_ylabel("ms of CPU time")
    axes[0].legend(frameon=False)
    figure.tight_layout()
    for suffix in ("png", "svg"):
        figure.savefig(file.with_suffix(f".{suffix}"), dpi=110, metadata={"Date": None} if suffix == "svg" else {})


def main() -> None:
    """Measure, and write docs/performance.md between its markers and the plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000, 1_000_000], help="sizes, ascending")
    both = ["PostgreSQL", "SQLite"]
    parser.add_argument("--databases", nargs="+", choices=both, default=both, help="both by default")
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds, 15 by default")
    parser.add_argument("--dry", action="store_true", help="print only, do not change docs/")
    options = parser.parse_args()
    whole = all(getattr(options, name) == parser.get_default(name) for name in ("rows", "databases", "rounds"))
    with tempfile.TemporaryDirectory() as folder, postgres_server() as postgres:
        records = run(render(Path(folder)), options, postgres)
        where = machine(postgres)
    if options.dry or not whole:
        # The page shows one whole run.
        print(f"{where}\n\n{table(records)}")
        return
    page = ROOT / "docs" / "performance.md"
    text = page.read_text(encoding="utf-8")
    generated = f"<!-- results -->\n{where}\n\n{table(records)}\n<!-- end -->"
    page.write_text(re.sub(r"(?s)<!-- results -->.*<!-- end -->", lambda _: generated, text), encoding="utf-8")
    plot(records, ROOT / "docs" / "performance")


if __name__ == "__main__":
    main()
