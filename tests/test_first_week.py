"""What owners do in their first week works: idioms of DRF and Django, and settings that they change.

`first_week/` is an app `shop` of an owner's, with its resources in version 1 of the API, and the tests of both.
"""

import re
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from baking import (
    FOREIGN_PLUGINS,
    PATIENCE,
    Bake,
    BakedProject,
    HTTPClient,
    free_port,
    http_get,
    http_post,
    new_database,
    running,
)

FOLDER = Path(__file__).parent / "first_week"
SECRET: dict[str, str] = {"SECRET_KEY": "k" * 50}

RESOURCES = """
router.register("customers", shop.CustomerViewSet)
router.register("orders", shop.OrderViewSet)
router.register("detailed-orders", shop.DetailedOrderViewSet, "detailed-order")
router.register("own-orders", shop.OwnOrderViewSet, "own-order")
router.register("mine-orders", shop.MineOrderViewSet, "mine-order")
router.register("numbered", shop.NumberedViewSet, "numbered")
router.register("offset", shop.OffsetViewSet, "offset")
router.register("cursor", shop.CursorViewSet, "cursor")
router.register("unpaged", shop.UnpagedViewSet, "unpaged")
router.register("buggy", shop.BuggyViewSet, "buggy")
router.register("vouchers", shop.VoucherViewSet)
router.register("shop-books", shop.ShopBookViewSet, "shop-book")
router.register("computed-books", shop.ComputedBookViewSet, "computed-book")
router.register("shop/plain-set", shop.PlainViewSet, "plain-set")
"""
PATHS = """
    path("shop/plain/", shop.PlainView.as_view()),
    path("shop/function/", shop.function),
    path("shop/public/", shop.public),
    path("shop/no-queryset/", shop.NoQueryset.as_view()),
    path("shop/export/", shop.Export.as_view()),
"""
VERSION_2 = '''"""Version 2 of the API."""

from rest_framework.routers import SimpleRouter

from apis.v1.books import BookViewSet

router = SimpleRouter(use_regex_path=False)
router.register("books", BookViewSet)

urlpatterns = router.urls
'''

# The server kills a worker that has written no time to its file for as long as `--timeout` says. The response ends
# when the worker has done so meanwhile.
HEARTBEAT = """
def post_fork(server, worker):
    os.environ["HEARTBEAT"] = str(worker.tmp.fileno())
"""
SLOW_EXPORT = """
import os
import time
from django.http import StreamingHttpResponse
def slow(request):
    def rows():
        yield "first\\n"
        start = time.monotonic()
        while os.fstat(int(os.environ["HEARTBEAT"])).st_mtime <= start:
            time.sleep(0.05)
        yield "last\\n"
    return StreamingHttpResponse(rows())
"""


def add_shop(project: BakedProject) -> None:
    """Add the app to the project as an owner does: a folder, a module of resources, and lines in three files."""
    app = project.path / "shop"
    (app / "tests").mkdir(parents=True)
    (app / "__init__.py").touch()
    for name in ("models", "admin"):
        shutil.copy(FOLDER / f"{name}.py", app)
    for name in ("drf_idioms", "django_idioms"):
        shutil.copy(FOLDER / f"{name}.py", app / "tests" / f"test_{name}.py")
    shutil.copy(FOLDER / "resources.py", project.path / "apis" / "v1" / "shop.py")
    project.edit("django_project/settings.py", '    "accounts",\n', '    "accounts",\n    "shop",\n')
    urls = "apis/v1/urls.py"
    project.edit(urls, "from apis.v1.books", "from apis.v1 import shop\nfrom apis.v1.books")
    line = 'router.register("books", BookViewSet)\n'
    project.edit(urls, line, line + RESOURCES.lstrip())
    project.edit(urls, "    *router.urls,\n", PATHS.lstrip("\n") + "    *router.urls,\n")


def add_second_version(project: BakedProject) -> None:
    """Add version 2 of the API as a folder beside the first one."""
    (project.path / "apis" / "v2").mkdir()
    (project.path / "apis" / "v2" / "__init__.py").touch()
    (project.path / "apis" / "v2" / "urls.py").write_text(VERSION_2, encoding="utf-8")
    line = '    path("v1/", include(("apis.v1.urls", "v1"))),\n'
    project.edit("apis/urls.py", line, line + line.replace("v1", "v2"))


def add_field_to_user(project: BakedProject) -> None:
    """Add a field to the user and its admin, as Django's documentation shows it."""
    with (project.path / "accounts" / "models.py").open("a", encoding="utf-8") as file:
        file.write("\n    nickname = models.CharField(max_length=50, blank=True)\n")
    imports = "from django.contrib.auth.models import AbstractUser\n"
    project.edit("accounts/models.py", imports, f"{imports}from django.db import models\n")
    with (project.path / "accounts" / "admin.py").open("a", encoding="utf-8") as file:
        file.write('\n    fieldsets = UserAdmin.fieldsets + ((None, {"fields": ("nickname",)}),)\n')


def add_everything(project: BakedProject) -> BakedProject:
    add_shop(project)
    add_second_version(project)
    add_field_to_user(project)
    project.manage("makemigrations", "shop", "accounts", **SECRET)
    return project


def test_the_checks_accept_an_app_of_ones_own(bake: Bake) -> None:
    # Its tests alone: the others run below.
    output = add_everything(bake()).run("just", "check", PYTEST_ADDOPTS=f"{FOREIGN_PLUGINS} shop")
    assert " passed" in output
    assert not re.search(r"\d warning", output)


# Another time zone and language.
ELSEWHERE = {
    # Hours that are no whole ones from UTC, and not the same ones in summer.
    'TIME_ZONE = "UTC"': 'TIME_ZONE = "America/St_Johns"',
    # A decimal comma, and an "i" whose capital is not "I".
    'LANGUAGE_CODE = "en-us"': 'LANGUAGE_CODE = "tr"',
}


def test_an_app_of_ones_own_works_on_postgresql(bake: Bake, postgres: str) -> None:
    project, database = add_everything(bake()), new_database(postgres)
    for old, new in ELSEWHERE.items():
        project.edit("django_project/settings.py", old, new)
    project.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "shop", DATABASE_URL=database)


# What owners change first, and the tests must not depend on.
CHANGED = ELSEWHERE | {
    '"PAGE_SIZE": 20': '"PAGE_SIZE": 50',
    "MAX_TOKENS_PER_USER = 20": "MAX_TOKENS_PER_USER = 1",
    "MAX_UPLOAD_SIZE = 25": "MAX_UPLOAD_SIZE = 100",
    'BASE_DIR / "staticfiles"': 'BASE_DIR / "static_root"',
    'SessionAuthentication",': 'SessionAuthentication", "rest_framework.authentication.BasicAuthentication",',
}

# A migration that adds rows, which every test then finds.
ROWS = """
from django.db import migrations

def add(apps, schema_editor):
    group = apps.get_model("auth", "Group").objects.create(name="Librarians")
    user = apps.get_model("accounts", "User").objects.create(username="robot", email="robot@example.com")
    user.groups.add(group)

class Migration(migrations.Migration):
    dependencies = [("accounts", "{last}")]
    operations = [migrations.RunPython(add)]
"""


# The tests of a new project.
INHERITED = ("accounts", "apis", "books", "core")


def test_the_tests_pass_with_other_settings_rows_and_urls_and_unique_e_mail_addresses(bake: Bake) -> None:
    project = bake()
    for old, new in CHANGED.items():
        project.edit("django_project/settings.py", old, new)
    add_field_to_user(project)
    with (project.path / "accounts" / "models.py").open("a", encoding="utf-8") as file:
        file.write("    email = models.EmailField(unique=True)\n")
    project.manage("makemigrations", "accounts", **SECRET)
    project.edit("django_project/urls.py", 'path("admin/", ', 'path("back/office/", ')
    migrations = project.path / "accounts" / "migrations"
    last = max(path.stem for path in migrations.glob("0*.py"))
    (migrations / "0099_rows.py").write_text(ROWS.replace("{last}", last), encoding="utf-8")
    project.manage("startapp", "meetings", "at:datetime", "person:accounts.User", **SECRET)
    project.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", *INHERITED, "meetings")


SETTINGS = "django_project/settings.py"
# For each name in the last column of the table "Differences from DRF's guide": the file, the old text and the new.
WAYS_BACK = {
    "DEFAULT_AUTHENTICATION_CLASSES": (
        SETTINGS,
        "apis.authentication.ExpiringTokenAuthentication",
        "rest_framework.authentication.BasicAuthentication",
    ),
    "DEFAULT_PERMISSION_CLASSES": (
        SETTINGS,
        "apis.permissions.IsAuthenticatedWithModelPermissions",
        "rest_framework.permissions.AllowAny",
    ),
    "DEFAULT_PAGINATION_CLASS": (
        SETTINGS,
        "apis.pagination.KeysetPagination",
        "rest_framework.pagination.PageNumberPagination",
    ),
    "StrictQueryParameters": (SETTINGS, '        "apis.filters.StrictQueryParameters",\n', ""),
    "EXCEPTION_HANDLER": (SETTINGS, '    "EXCEPTION_HANDLER": "apis.exceptions.exception_handler",\n', ""),
    "ProblemMiddleware": (SETTINGS, '    "apis.exceptions.ProblemMiddleware",\n', ""),
    "apis.schema.add_problem_responses": (SETTINGS, '"apis.schema.add_problem_responses", ', ""),
    "DEFAULT_THROTTLE_CLASSES": (
        SETTINGS,
        '"apis.throttling.AnonThrottle", "apis.throttling.UserThrottle"',
        '"rest_framework.throttling.AnonRateThrottle", "rest_framework.throttling.UserRateThrottle"',
    ),
    "use_regex_path=False": ("apis/v1/urls.py", "use_regex_path=False", ""),
    "lookup_value_converter": (
        "apis/v1/books.py",
        "    # The URL has `<int:pk>`, so an id that is not an integer is a 404.\n"
        '    lookup_value_converter = "int"\n',
        "",
    ),
    "handler500": ("django_project/urls.py", 'handler500 = "core.views.server_error"\n', ""),
    "DEFAULT_VERSIONING_CLASS": (
        SETTINGS,
        '    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",\n',
        "",
    ),
    "apis/urls.py": ("apis/urls.py", 'include(("apis.v1.urls", "v1"))', 'include("apis.v1.urls")'),
    "SlashMiddleware": (SETTINGS, "core.middleware.SlashMiddleware", "django.middleware.common.CommonMiddleware"),
    "RequestBodyMiddleware": (SETTINGS, '    "core.middleware.RequestBodyMiddleware",\n', ""),
}
# Prints what DRF's guide says of an unknown parameter, an invalid field, a unique value that is in use, a request
# without the final slash, an unavailable database, and the API's root.
PLAIN_DRF = """
from base64 import b64encode
from unittest.mock import patch
from django.contrib.auth import get_user_model
from django.db import OperationalError
from django.test import Client
get_user_model().objects.create_superuser("owner", password="a-long-passphrase-7")
basic = b64encode(b"owner:a-long-passphrase-7").decode()
client = Client(raise_request_exception=False, headers={"host": "localhost", "authorization": f"Basic {basic}"})
print(*client.get("/api/v1/books/?unknown=1").json())
book = {"title": "Emma", "author": "Jane Austen", "isbn": "9780141439587"}
for sent in ({**book, "title": ""}, book, book):
    response = client.post("/api/v1/books/", sent, content_type="application/json")
    print(response.status_code, *[name for name, value in response.json().items() if isinstance(value, list)])
print(client.get("/api/v1/books").status_code)
with patch("apis.v1.books.BookViewSet.list", side_effect=OperationalError):
    print(client.get("/api/v1/books/").status_code)
print(client.get("/api/").json()["books"])
"""


def test_the_table_of_differences_leads_back_to_drf(bake: Bake) -> None:
    project = bake(ci="none")
    table = project.read("docs/api.md").split("### Differences from DRF's guide\n")[1].split("\n### ")[0]
    rows = [line.rstrip(" |") for line in table.splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall("`([^`]+)`", row.split(" | ")[-1])}
    others = {"permission_classes", "pagination_class", "CommonMiddleware", "MAX_UPLOAD_SIZE"}
    others |= {"apis/v1/urls.py", "apis/views.py", "django_project/urls.py", "DEFAULT_FILTER_BACKENDS", SETTINGS}
    # Not tried here: the attributes and the base class of a viewset.
    others |= {"ModelViewSet", "list = ModelViewSet.list", "filter_backends", "v1:"}
    assert named - others == set(WAYS_BACK)
    for file, old, new in WAYS_BACK.values():
        project.edit(file, old, new)
    views = project.path / "apis/views.py"
    views.write_text(project.read("apis/views.py").replace('"v1:', '"'), encoding="utf-8")
    variables = SECRET | {"DEBUG": "true"}
    project.manage("migrate", **variables)
    project.manage("check", "--fail-level", "WARNING", **variables)
    project.manage("spectacular", "--api-version", "v1", "--validate", **variables)
    output = project.manage("shell", "--verbosity=0", "--command", PLAIN_DRF, **variables)
    expected = [
        "count next previous results",
        "400 title",
        "201",
        "400 isbn",
        "301",
        "500",
        "http://localhost/api/v1/books/",
    ]
    assert [line for line in output.splitlines() if line in expected] == expected, output


def replace_user_by_the_page(project: BakedProject) -> None:
    """Let users log in by e-mail address, as docs/users.md explains it."""
    page = project.read("docs/users.md").split("\n## Log in by e-mail address\n")[1]
    files = dict(re.findall(r"(?s)`(accounts/\w+\.py)`[^\n]*:\n\n   ```python\n(.*?)\n   ```", page))
    assert set(files) == {"accounts/models.py", "accounts/admin.py"}
    for name, code in files.items():
        (project.path / name).write_text(textwrap.dedent(code) + "\n", encoding="utf-8")
    project.run("ruff", "format", "--check", "accounts")
    project.run("ruff", "check", "accounts")
    # Step 4 is about the types of the tests.
    project.run("mypy", "accounts/models.py", "accounts/admin.py")


def replace_user_by_one_from_scratch(project: BakedProject) -> None:
    for name in ("models", "admin"):
        shutil.copy(FOLDER / "user_from_scratch" / f"{name}.py", project.path / "accounts")


@pytest.mark.parametrize("replace_user", [replace_user_by_the_page, replace_user_by_one_from_scratch])
def test_a_user_model_without_a_user_name_starts(bake: Bake, replace_user: Callable[[BakedProject], None]) -> None:
    project = bake()
    replace_user(project)
    (project.path / "accounts/migrations/0001_initial.py").unlink()
    project.manage("makemigrations", "accounts", **SECRET)
    project.manage("check", "--fail-level", "WARNING", **SECRET)
    port = free_port()
    address, variables = f"http://127.0.0.1:{port}", {"WEB_PORT": str(port)}
    with running(["python", "manage.py", "start"], project.path, f"{address}/api/", **variables) as server:
        log = (project.path.parent / f"{project.path.name}-server.log").read_text(encoding="utf-8")
        found = re.search(r"Administrator: (\S+), password: (\S+)", log)
        assert found, log
        credentials = {"username": found[1], "password": found[2]}
        token = http_post(f"{address}/api/v1/auth/token/", json=credentials).json()["token"]
        who = http_get(f"{address}/api/v1/auth/user/", headers={"authorization": f"Token {token}"})
        assert (who.status_code, who.json()["email"]) == (200, found[1])
        assert http_get(f"{address}/api/schema/").status_code == 200
        with HTTPClient(follow_redirects=True) as browser:
            url = f"{address}/accounts/password_reset/"
            form = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.get(url).text)
            assert form
            browser.post(url, data={"csrfmiddlewaretoken": form[1], "email": found[1]})
        assert server.poll() is None
    log = (project.path.parent / f"{project.path.name}-server.log").read_text(encoding="utf-8")
    assert f"Your user name is {found[1]}." in log
    assert "There is an administrator" in project.manage("demo", **SECRET)


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("django_project/settings.py", "DEBUGGING = UNDEFINED"),
        ("django_project/settings.py", "INSTALLED_APPS += ['no_such_app']"),
        ("books/models.py", "no_such_name"),
        ("django_project/urls.py", "from books import no_such_name"),
    ],
)
def test_a_mistake_in_the_code_is_the_first_thing_that_just_check_reports(bake: Bake, file: str, line: str) -> None:
    project = bake()
    with (project.path / file).open("a", encoding="utf-8") as text:
        text.write(f"{line}\n")
    output = project.run("just", "check", status=1)
    [name] = re.findall(r"UNDEFINED|no_such\w+", line)
    assert "INTERNAL ERROR" not in output
    assert "mypy" not in output
    assert name in output.strip().splitlines()[-2], output


def test_a_streamed_response_outlasts_the_timeout_of_the_server(bake: Bake) -> None:
    project, port = bake(), free_port()
    project.edit("apis/v1/urls.py", "urlpatterns = [\n", f'{SLOW_EXPORT}\nurlpatterns = [\n    path("slow/", slow),\n')
    (project.path / "gunicorn.conf.py").write_text(project.read("gunicorn.conf.py") + HEARTBEAT, encoding="utf-8")
    variables = {"DEBUG": "false", "HTTPS": "false"}
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}", "--timeout", str(PATIENCE)]
    with running(command, project.path, f"http://127.0.0.1:{port}/health/live", **variables):
        response = http_get(f"http://127.0.0.1:{port}/api/v1/slow/")
    assert (response.status_code, response.text.split()) == (200, ["first", "last"])


def test_a_command_outside_of_the_virtual_environment_says_what_to_do(bake: Bake) -> None:
    # With -S, Python finds no installed packages.
    output = bake().run("python", "-S", "manage.py", "check", status=1)
    assert output.count("\n") == 1
    assert "uv run" in output
