"""What a request costs with many books, on PostgreSQL."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from baking import Bake, BakedProject, free_port, http_get, new_database, running, wait_until
from psycopg import sql

FEW, MANY = 1_000, 100_000

# A fifth of the titles have a common word, and a twentieth, at the end of the ordering, another one. An author has ten
# books, except one who has a third of all.
FILL = """
INSERT INTO books_book (title, subtitle, author, isbn, created_at, updated_at, search)
SELECT title, '', author, isbn, now() - number * interval '1 second', now(), ' ' || lower(title || ' ' || author)
FROM (
    SELECT number, lpad((979000000000 + number)::text || '0', 13, '0') AS isbn,
        CASE WHEN number %% 20 = 0 THEN 'Zz Late ' ELSE '' END
        || initcap(translate(md5(number::text), '0123456789', 'ghijklmnop'))
        || CASE WHEN number %% 5 = 0 THEN ' Common' ELSE '' END AS title,
        CASE WHEN number %% 3 = 0 THEN 'Anonymous' ELSE 'Author ' || number / 10 END AS author
    FROM generate_series(%s::int, %s::int - 1) AS number
) AS books;
"""

# The blocks of the database that each request reads, from memory or not: unlike times, they repeat. And its queries,
# the indexes that these use, and the maximum number of rows that a step of their plans returns.
COUNT = """
import json
from core.keyset import SIGNER
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

admin = get_user_model().objects.create_superuser("blocks")
blocks, queries, indexes, rows = {}, {}, {}, {}


def steps(plan):
    yield plan
    for inner in plan.get("Plans", []):
        yield from steps(inner)


for path in %s:
    client = Client(headers={"host": "localhost"})
    if path.startswith("/admin"):
        client.force_login(admin)
    last = SIGNER.sign_object(["title,id", True])
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path.replace("LAST", last)).status_code == 200, path
    blocks[path], queries[path], indexes[path], rows[path] = 0, len(captured), [], 0
    with connection.cursor() as cursor:
        # Parallel processes would read as many blocks as they happen to reach before the first one has found enough.
        cursor.execute("SET max_parallel_workers_per_gather = 0")
        for query in captured:
            if query["sql"].startswith("SELECT"):
                cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + query["sql"].replace("%%", "%%%%"), [])
                plan = cursor.fetchone()[0][0]["Plan"]
                blocks[path] += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
                indexes[path] += [step["Index Name"] for step in steps(plan) if "Index Name" in step]
                rows[path] = max(rows[path], *(step["Actual Rows"] for step in steps(plan)))
admin.delete()
print(json.dumps([blocks, queries, indexes, rows]))
"""

PATHS = [
    "/api/v1/books/",
    "/api/v1/books/?ordering=author",
    "/api/v1/books/?ordering=-created_at",
    "/api/v1/books/?cursor=LAST",
    "/api/v1/books/?author=Author 7",
    "/api/v1/books/?author=Anonymous",
    "/api/v1/books/?created_after=2000-01-01T00:00:00Z",
    "/api/v1/books/?created_before=2000-01-01T00:00:00Z",
    "/api/v1/books/?search=common",
    "/api/v1/books/?search=late&ordering=-title",
    "/api/v1/books/?search=nowhere",
    "/api/v1/books/?search=qx",
    "/api/v1/books/?search=_%25",
    "/api/v1/books/1/",
    "/",
    "/?cursor=LAST",
    "/?search=common",
    "/?search=nowhere",
    "/books/1/",
]
# For these, each of the 3,000 rows that are read along the ordering at first may be looked up: they do not fill a
# page, or the planner combines two indexes.
CANDIDATES = ("created_before=2000-01-01T00:00:00Z", "=nowhere", "=qx", "=late&ordering=-title")
LOOKED_UP = {path for path in PATHS if path.endswith(CANDIDATES)}
LATE = "/api/v1/books/?search=late"
# The maximum numbers of blocks that each reads, and of rows that a step of its plan returns: one more row than the
# pages show is counted; a thousand are found, and looked up by their ids.
ADMIN = {
    "/admin/books/book/": (1_500, 10_001),
    "/admin/books/book/?p=10": (1_500, 10_001),
    "/admin/books/book/?q=common": (20_000, 1_000),
    "/admin/books/book/?q=nowhere": (1_500, 1_000),
}


@dataclass
class Costs:
    """Blocks of each path with few books and with many; its queries, their indexes and the most rows with many."""

    few: dict[str, int]
    many: dict[str, int]
    queries: dict[str, int]
    indexes: dict[str, list[str]]
    rows: dict[str, int]


@pytest.fixture(scope="module")
def project(bake: Bake) -> BakedProject:
    return bake()


@pytest.fixture(scope="module")
def database(project: BakedProject, postgres: str) -> str:
    url = new_database(postgres)
    project.manage("migrate", DATABASE_URL=url)
    return url


@pytest.fixture(scope="module")
def costs(project: BakedProject, database: str) -> Costs:
    def count() -> list[dict[str, Any]]:
        result = project.manage(
            "shell", "--verbosity=0", "--command", COUNT % [*PATHS, *ADMIN, LATE], DATABASE_URL=database
        )
        counted: list[dict[str, Any]] = json.loads(result.splitlines()[-1])
        return counted

    counted = []
    with psycopg.connect(database, autocommit=True) as connection:
        # By default, ANALYZE reads a random sample of 300 times 100 rows. This is the lowest target that reads all.
        connection.execute(f"SET default_statistics_target = {MANY // 300 + 1}")
        for first, last in ((0, FEW), (FEW, MANY)):
            connection.execute(FILL, [first, last])
            connection.execute("VACUUM ANALYZE books_book")
            counted.append(count())
    return Costs(counted[0][0], *counted[1])


@pytest.mark.parametrize("path", PATHS)
def test_a_request_costs_the_same_with_a_hundred_times_the_books(costs: Costs, path: str) -> None:
    # The trees of the indexes are a level higher, and trigrams occur in more rows.
    read = 3_300 if path in LOOKED_UP else 150
    assert costs.many[path] <= 1.5 * costs.few[path] + read, costs


def test_a_search_does_not_walk_to_a_word_at_the_end_of_the_ordering(costs: Costs) -> None:
    # A walk along the index reads a block for each row, which would be 95,000; the whole table has some 2,000.
    assert costs.many[LATE] < 20_000, costs


@pytest.mark.parametrize("path", ADMIN)
def test_a_list_of_the_admin_reads_a_bounded_number_of_rows(costs: Costs, path: str) -> None:
    blocks, rows = ADMIN[path]
    assert costs.many[path] <= blocks, costs
    assert costs.rows[path] <= rows, costs


def test_a_page_of_the_website_takes_at_most_three_queries(costs: Costs) -> None:
    assert max(count for path, count in costs.queries.items() if not path.startswith(("/api", "/admin"))) <= 3


def test_a_search_for_a_rare_word_uses_the_trigram_index(costs: Costs) -> None:
    assert "books_book_search" in costs.indexes["/api/v1/books/?search=nowhere"], costs


@pytest.fixture
def impatient(project: BakedProject, database: str) -> Iterator[str]:
    """The URL of a server whose statements may take one second."""
    port = free_port()
    variables = {"DEBUG": "false", "HTTPS": "false", "DATABASE_URL": database, "STATEMENT_TIMEOUT": "1000"}
    project.manage("collectstatic", "--noinput", **variables)
    address = f"http://127.0.0.1:{port}"
    command = ["gunicorn", "--bind", f"127.0.0.1:{port}", "django_project.wsgi"]
    with running(command, project.path, f"{address}/health/live", **variables):
        yield address


def test_a_statement_that_takes_too_long_is_503_and_does_not_block_the_server(impatient: str, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("LOCK TABLE books_book IN ACCESS EXCLUSIVE MODE")
        problem, page = (http_get(f"{impatient}{path}") for path in ("/api/v1/books/", "/"))
        assert (problem.status_code, problem.json()["code"]) == (503, "unavailable")
        assert page.status_code == 503
        assert "<h1>Not available</h1>" in page.text
    # On a busy machine, a statement may take its second without any lock.
    wait_until(lambda: http_get(f"{impatient}/api/v1/books/").status_code == 200, "books after the lock")


def test_a_migration_that_must_not_create_the_extension_says_what_to_do(project: BakedProject, postgres: str) -> None:
    url = new_database(postgres)
    name = url.rpartition("/")[2]
    weak = f"postgres://weak:weak@{url.rpartition('@')[2]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE weak LOGIN PASSWORD 'weak'")
        connection.execute(sql.SQL("REVOKE CREATE ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        connection.execute("GRANT ALL ON SCHEMA public TO weak")
        output = project.manage("migrate", "--verbosity=0", status=1, DATABASE_URL=weak)
        assert output.count("\n") == 1
        assert "CREATE EXTENSION pg_trgm" in output
        connection.execute("CREATE EXTENSION pg_trgm")
        project.manage("migrate", "--verbosity=0", DATABASE_URL=weak)
        indexes = connection.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'books_book'").fetchall()
        assert ("books_book_search",) in indexes
