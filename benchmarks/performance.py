"""What requests cost with a thousand, a hundred thousand and a million books, here and in what others ship.

`python benchmarks/performance.py` renders the project, mounts `baselines.py` beside its API, and sends the same
requests to all of them in turn, on PostgreSQL and on SQLite. It writes the table of docs/performance.md and the plots
beside it. Work is the processor time of server and database together, which other work on the machine
disturbs less than the time that a client waits. Linux only; needs PostgreSQL's server programs.
"""

import argparse
import contextlib
import http.client
import json
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import psycopg
from cookiecutter.main import cookiecutter

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from baking import BakedProject, free_port, new_database, postgres_server, running  # noqa: E402  # the tests' own tools

# A fifth of the titles hold a common word, every thousandth a rare one.
FILL = """
import sys
from books.isbn import check_digit
from books.models import Book
def book(n):
    title = "".join(chr(103 + int(c)) if c.isdigit() else c for c in f"{n * 2654435761 % 2**40:x}").title()
    title += " Common" * (n % 5 == 0) + " Zanzibar" * (n % 1000 == 1)
    digits = f"{979000000000 + n}"
    return Book(title=title, author=f"Author {n // 10}", isbn=digits + check_digit(digits))
for start in range(FIRST, LAST, 2000):
    Book.objects.bulk_create([book(n) for n in range(start, min(start + 2000, LAST))])
"""
LAST_CURSOR = "from core.paging import SIGNER; print(SIGNER.sign_object(['title', True]))"

SECONDS = 1.5  # that one round of a case takes at least, in one request or many


@dataclass
class Case:
    """The same question to the project and to one that it is compared with."""

    name: str
    paths: dict[str, str]
    results: dict[str, "Result"] = field(default_factory=dict)


@dataclass
class Result:
    """What each request took, in milliseconds, and what each round of requests cost in processor time a request."""

    waits: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    database: list[float] = field(default_factory=list)

    @property
    def work(self) -> list[float]:
        return [server + database for server, database in zip(self.server, self.database, strict=True)]


def cases(rows: int, cursor: str) -> list[Case]:
    """What is asked of a table of so many rows."""
    ours, usual = "/api/v1/books/", "/baseline/usual/"
    first = {"project": ours, "usual": f"{usual}?ordering=title", "raw SQL": "/baseline/raw/"}
    if rows <= 1000:  # noqa: PLR2004  # every row in one answer: minutes, for more
        first["tutorial"] = "/baseline/tutorial/"
    return [
        Case("first page", first),
        Case("last page", {"project": f"{ours}?cursor={cursor}", "usual": f"{usual}?ordering=title&page=last"}),
        *(
            Case(f"search: {name} word", {"project": f"{ours}?search={word}", "usual": f"{usual}?search={word}"})
            for name, word in (("rare", "zanzibar"), ("common", "common"), ("no such", "nowhere"))
        ),
        Case("one book", {"project": f"{ours}7/", "usual": f"{usual}7/"}),
        Case("website, first page", {"project": "/"}),
    ]


def processor_seconds(pids: list[int]) -> float:
    """What these processes, and those of their children that have ended, have used."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError):
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            ticks += sum(int(text) for text in fields[11:15])
    return ticks / 100


def tree(pid: int) -> list[int]:
    """The process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return [pid, *(inner for child in children for inner in tree(int(child)))]


def postmaster(port: str) -> int:
    """The process that listens on PostgreSQL's port."""
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        words = status.read_bytes().decode(errors="replace").split("\0")
        if "-p" in words and port in words and "postgres" in words[0]:
            return int(status.parent.name)
    raise LookupError(port)


def memory(pids: list[int]) -> float:
    """The proportional set size of the processes, in MB."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8") for pid in pids]
    return sum(int(re.findall(r"(?m)^Pss: +(\d+)", text)[0]) for text in rollups) / 1024


@dataclass
class Target:
    """A running server of the rendered project."""

    port: int
    server: int
    database: int | None

    def get(self, connection: http.client.HTTPConnection, path: str) -> None:
        connection.request("GET", path, headers={"Accept": "application/json"} if path != "/" else {})
        response = connection.getresponse()
        body = response.read()
        if response.status != http.client.OK:
            raise SystemExit(f"{path}: {response.status} {body[:200]!r}")

    def measure(self, path: str, result: Result) -> None:
        """One round: requests one after the other for `SECONDS`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        before = processor_seconds(tree(self.server)), self.database_seconds()
        end = time.perf_counter() + SECONDS
        waits: list[float] = []
        while not waits or time.perf_counter() < end:
            start = time.perf_counter()
            self.get(connection, path)
            waits.append(1000 * (time.perf_counter() - start))
        connection.close()
        result.server.append(1000 * (processor_seconds(tree(self.server)) - before[0]) / len(waits))
        result.database.append(1000 * (self.database_seconds() - before[1]) / len(waits))
        result.waits += waits

    def database_seconds(self) -> float:
        return processor_seconds(tree(self.database)) if self.database else 0.0


@contextlib.contextmanager
def serving(project: BakedProject, variables: dict[str, str], database: int | None) -> Iterator[Target]:
    """The project under one process of gunicorn."""
    port = free_port()
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    with running(command, project.path, f"http://127.0.0.1:{port}/health/live", **variables) as process:
        yield Target(port, process.pid, database)


def render(folder: Path) -> BakedProject:
    """The default project with the baselines beside its API."""
    project = BakedProject(Path(cookiecutter(str(ROOT), no_input=True, output_dir=str(folder))), {})
    shutil.copy(ROOT / "benchmarks" / "baselines.py", project.path / "baselines.py")
    line = '    path("api/", include("apis.urls")),\n'
    project.edit("django_project/urls.py", line, f'    path("baseline/", include("baselines")),\n{line}')
    project.manage("collectstatic", "--noinput", DEBUG="false")
    return project


def run(project: BakedProject, sizes: list[int], rounds: int, postgres: str) -> list[dict[str, Any]]:
    """All cases on both databases; a record for each database, size, case and contestant."""
    records = []
    unlimited = {"DEBUG": "false", "HTTPS": "false", "THROTTLE_ANON": "100000000/min", "STATEMENT_TIMEOUT": "600000"}
    databases: dict[str, tuple[str, int | None]] = {
        "PostgreSQL": (new_database(postgres), postmaster(postgres.rpartition(":")[2])),
        "SQLite": (f"sqlite:///{project.path}/benchmark.sqlite3", None),
    }
    for name, (url, database) in databases.items():
        variables = {**unlimited, "DATABASE_URL": url}
        project.manage("migrate", **variables)
        cursor = project.manage("shell", "--verbosity=0", "--command", LAST_CURSOR, **variables).strip()
        filled = 0
        for rows in sizes:
            started = time.perf_counter()
            fill = FILL.replace("FIRST", str(filled)).replace("LAST", str(rows))
            project.manage("shell", "--verbosity=0", "--command", fill, **variables)
            if database:
                with psycopg.connect(url, autocommit=True) as connection:
                    connection.execute("VACUUM ANALYZE")
            print(f"{name}: {rows} books after {time.perf_counter() - started:.0f} s", flush=True)
            filled = rows
            with serving(project, variables, database) as target:
                asked = cases(rows, cursor)
                for number in range(rounds + 1):
                    for case in asked:
                        for contestant, path in case.paths.items():
                            result = case.results.setdefault(contestant, Result())
                            target.measure(path, result if number else Result())  # the first round warms up
                used = memory(tree(target.server))
            for case in asked:
                for contestant, result in case.results.items():
                    records.append(record((name, rows, case.name, contestant), result, used))
                    print("  ", *records[-1].values(), flush=True)
    return records


def record(labels: tuple[str, int, str, str], result: Result, used: float) -> dict[str, Any]:
    """The medians of a case, and the spread of its rounds."""
    database, rows, case, contestant = labels
    waits = sorted(result.waits)
    return {
        "database": database,
        "rows": rows,
        "case": case,
        "contestant": contestant,
        "work": round(statistics.median(result.work), 2),
        "least": round(min(result.work), 2),
        "most": round(max(result.work), 2),
        "of the database": round(statistics.median(result.database), 2),
        "p50": round(statistics.median(waits), 2),
        "p99": round(waits[int(0.99 * (len(waits) - 1))], 2),
        "per second": round(1000 / statistics.mean(waits), 1),
        "memory": round(used),
    }


def table(records: list[dict[str, Any]]) -> str:
    """The records in Markdown, with what the usual way costs as a multiple of what the project costs."""
    lines = [
        "| database | books | request | | work in ms (spread) | of it the database | p50, p99 in ms | a second "
        "| work against the project |",
        "| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for entry in records:
        (ours,) = (
            other["work"]
            for other in records
            if other["contestant"] == "project"
            and all(other[key] == entry[key] for key in ("database", "rows", "case"))
        )
        cells = [
            entry["database"],
            f"{entry['rows']:,}",
            entry["case"],
            entry["contestant"],
            f"{entry['work']} ({entry['least']} to {entry['most']})",
            entry["of the database"],
            f"{entry['p50']}, {entry['p99']}",
            entry["per second"],
            "" if entry["contestant"] == "project" else f"{entry['work'] / ours:.2f}",
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
        f"{len(cpu)} processors ({cpu[0] if cpu else 'unknown'}), Linux {platform.release()}, Python "
        f"{platform.python_version()}, PostgreSQL {version}, {', '.join(names)}; {time.strftime('%Y-%m-%d')}."
    )


def plot(records: list[dict[str, Any]], file: Path) -> None:
    """Work of a request by the number of books, on PostgreSQL, for the project and for the usual way."""
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
    axes[0].set_ylabel("ms of processor time")
    axes[0].legend(frameon=False)
    figure.tight_layout()
    for suffix in ("png", "svg"):
        figure.savefig(file.with_suffix(f".{suffix}"), dpi=110, metadata={"Date": None} if suffix == "svg" else {})


def main() -> None:
    """Measure, and write docs/performance.md between its markers and the plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000, 1_000_000], help="sizes, ascending")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds, 5 by default")
    parser.add_argument("--dry", action="store_true", help="print, and leave docs/ alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgres_server() as postgres:
        records = run(render(Path(folder)), options.rows, options.rounds, postgres)
        where = machine(postgres)
    if options.dry:
        print(table(records))
        return
    page = ROOT / "docs" / "performance.md"
    text = page.read_text(encoding="utf-8")
    generated = f"<!-- results -->\n{where}\n\n{table(records)}\n<!-- end -->"
    page.write_text(re.sub(r"(?s)<!-- results -->.*<!-- end -->", lambda _: generated, text), encoding="utf-8")
    (ROOT / "docs" / "performance.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    plot(records, ROOT / "docs" / "performance")


if __name__ == "__main__":
    main()
