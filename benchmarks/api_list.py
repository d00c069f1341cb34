"""Work per request of the API's list, against what a plain ModelViewSet with PageNumberPagination costs.

Both are served by the same gunicorn, with the same middleware, authentication and connection pool, from the same
1,000 books in PostgreSQL, in turn. Work is the processor time of server and database together, which a busy
machine disturbs less than the time a client waits. Linux only; needs PostgreSQL's server programs.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import httpx
from cookiecutter.main import cookiecutter

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from baking import BakedProject, free_port, new_database, postgres_server, running  # noqa: E402  # the tests' own tools

ROWS = 1000
PAGE_SIZE = 20
ROUNDS = 15
REQUESTS = 100

BASELINE = """
from django.urls import path
from rest_framework import serializers, viewsets
from rest_framework.pagination import PageNumberPagination
from books.models import Book


class Serializer(serializers.HyperlinkedModelSerializer):
    class Meta:
        model = Book
        fields = ("id", "url", "title", "subtitle", "author", "isbn", "created_at", "updated_at")


class Pages(PageNumberPagination):
    page_size = 20


class ViewSet(viewsets.ModelViewSet):
    queryset = Book.objects.all()
    serializer_class = Serializer
    pagination_class = Pages
    filter_backends = ()


urlpatterns = [path("", ViewSet.as_view({"get": "list"}))]
"""

FILL = f"""
from books.models import Book
from books.isbn import check_digit
def isbn(number): return (digits := f"979{{number:09}}") + check_digit(digits)
Book.objects.bulk_create([Book(title=f"Book {{n}}", author=f"Author {{n}}", isbn=isbn(n)) for n in range({ROWS})])
"""


def processor_seconds(pids: list[int]) -> float:
    """What these processes, and those of their children that have ended, have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[11:15])
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


def main() -> None:
    """Run `python benchmarks/api_list.py`; prints milliseconds of processor time per request and their ratio."""
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        project = BakedProject(Path(cookiecutter(str(ROOT), no_input=True, output_dir=folder)), {})
        (project.path / "baseline.py").write_text(BASELINE, encoding="utf-8")
        line = '    path("api/", include("apis.urls")),\n'
        project.edit("django_project/urls.py", line, f'    path("api/baseline/", include("baseline")),\n{line}')
        variables = {"DEBUG": "false", "HTTPS": "false", "DATABASE_URL": new_database(server)}
        variables |= {"THROTTLE_ANON": "100000000/min"}
        project.manage("collectstatic", "--noinput", **variables)
        project.manage("migrate", **variables)
        project.manage("shell", "--command", FILL, **variables)
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "2"]
        with running(command, project.path, f"{address}/health/live", **variables) as process:
            database = postmaster(server.rpartition(":")[2])
            work: dict[str, list[float]] = {"/api/v1/books/": [], "/api/baseline/": []}
            with httpx.Client(base_url=address) as client:
                for number in range(ROUNDS + 1):
                    for path, measured in work.items():
                        before = processor_seconds([*tree(process.pid), *tree(database)])
                        for _ in range(REQUESTS):
                            assert len(client.get(path).raise_for_status().json()["results"]) == PAGE_SIZE
                        seconds = processor_seconds([*tree(process.pid), *tree(database)]) - before
                        if number:  # the first round warms up
                            measured.append(1000 * seconds / REQUESTS)
    ours, theirs = work.values()
    for path, measured in work.items():
        print(f"{path}: {statistics.median(measured):.2f} ms (from {min(measured):.2f} to {max(measured):.2f})")
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    print(f"ratio, median of {ROUNDS} interleaved rounds of {REQUESTS} requests: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
