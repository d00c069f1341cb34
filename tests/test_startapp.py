"""`manage.py startapp` writes an app that passes the checks and whose tests notice mistakes, or changes nothing."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from baking import AUTHOR, COMBINATIONS, Bake, BakedProject, new_database

SECRET: dict[str, Any] = {"SECRET_KEY": "k" * 50}
# A field of each type.
TYPES = [
    *("char:char", "text:text", "int:int", "decimal:decimal", "bool:bool", "date:date", "datetime:datetime"),
    *("email:email", "link:url", "uuid:uuid", "json:json", "choice:choice=open,in-progress", "user:accounts.User"),
]
CUSTOMERS = ("customers", "name:char", "email:email!")
ORDERS = (
    *("orders", "customer:customers.Customer", "status:choice=open,paid", "total:decimal", "placed_at:datetime"),
    *("--search", "customer__name"),
)


def startapp(project: BakedProject, *arguments: str, **variables: Any) -> str:
    return project.manage("startapp", *arguments, **SECRET, **variables)


def own_copy(project: BakedProject, folder: Path) -> BakedProject:
    """A copy of the project, for a test that changes it."""
    return replace(project, path=shutil.copytree(project.path, folder / "copy"))


def run_tests(project: BakedProject, *apps: str, status: int = 0, **variables: Any) -> str:
    """Run the tests of these apps, in the app and in the API."""
    paths = [path for app in apps for path in (app, f"apis/tests/test_{app}.py") if (project.path / path).exists()]
    command = ("python", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *paths)
    return project.run(*command, status=status, **{**SECRET, **variables})


def check(project: BakedProject) -> None:
    """Run the checks of the project, but for its tests and those of deployment."""
    commands = [
        *(
            "python manage.py check --fail-level WARNING",
            "ruff format --no-cache --check .",
            "ruff check --no-cache .",
        ),
        *("mypy .", "python manage.py makemigrations --check --dry-run"),
    ]
    if project.answers.get("include_apis", True):
        commands.append("python manage.py spectacular --api-version v1 --validate --fail-on-warn --file /dev/null")
    for command in commands:
        project.run(*command.split(), **SECRET)


@pytest.mark.parametrize("answers", COMBINATIONS)
def test_an_app_with_every_type_passes_the_checks(bake: Bake, answers: dict[str, Any]) -> None:
    project = bake(**answers)
    optional = [f"maybe_{field}?" for field in TYPES]
    unique = [f"only_{field}!" for field in TYPES if not field.startswith(("bool", "choice", "json"))]
    rare = [f"rare_{field}?!" for field in TYPES if field.startswith(("char", "email", "user"))]
    filtered = ",".join(field.partition(":")[0] for field in TYPES if not field.startswith("json"))
    fields = [*TYPES, *optional, *unique, *rare]
    if answers["include_books"]:
        fields.append("book:books.Book")
    startapp(project, "people", "--model", "person", *fields, "--filter", filtered, "--private")
    check(project)
    assert " passed" in run_tests(project, "people")


def test_an_app_with_one_field_passes_the_checks_whatever_its_type(bake: Bake) -> None:
    project = bake()
    for field in TYPES:
        name = field.partition(":")[0]
        startapp(project, f"{name}_rows", field)
    # The same name as another resource has, with other choices.
    startapp(project, "bills", "choice:choice=draft,sent", "number:int")
    startapp(project, "contacts", "mail:email!?", "age:int")
    check(project)
    shown = project.manage("shell", "-c", "from contacts.models import Contact; print(Contact(pk=7))", **SECRET)
    assert "Contact 7" in shown
    run_tests(project, *(f"{field.partition(':')[0]}_rows" for field in TYPES))


@pytest.fixture(scope="module")
def shop(bake: Bake) -> BakedProject:
    """A project with customers and their orders, written by two commands."""
    project = bake()
    mode = project.path.stat().st_mode
    startapp(project, *CUSTOMERS)
    startapp(project, *ORDERS)
    assert project.path.stat().st_mode == mode
    return project


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_two_commands_write_customers_and_their_orders(
    shop: BakedProject, request: pytest.FixtureRequest, database: str
) -> None:
    variables: dict[str, Any] = {}
    if database == "postgres":
        variables["DATABASE_URL"] = new_database(request.getfixturevalue("postgres"))
    output = run_tests(shop, "customers", "orders", **variables)
    assert " passed" in output
    assert 'filterset_fields = ("customer", "status")' in shop.read("apis/v1/orders.py")
    assert 'search_fields = ("customer__name",)' in shop.read("apis/v1/orders.py")
    assert 'ordering_fields = ("total", "placed_at")' in shop.read("apis/v1/orders.py")


def test_customers_and_orders_pass_the_checks(shop: BakedProject) -> None:
    check(shop)


API, MODEL, ADMIN = "apis/v1/orders.py", "orders/models.py", "orders/admin.py"
URL = 'url = serializers.HyperlinkedIdentityField(view_name="order-detail")\n'
CLASS = "    serializer_class = OrderSerializer\n"
# For each mistake the test that must fail, and what is replaced in which file.
MISTAKES = {
    "a field dropped from the API": (
        "test_orders_have_exactly_these_fields",
        [(API, '"status", "total", "placed_at"]', '"status", "placed_at"]')],
    ),
    "a field added to the API": (
        "test_orders_have_exactly_these_fields",
        [(API, '"placed_at"]', '"placed_at", "pk"]')],
    ),
    "a field renamed in the API": (
        "test_orders_have_exactly_these_fields",
        [
            (API, '"status", "total", "placed_at"]', '"status", "sum", "placed_at"]'),
            (API, URL, f'{URL}    sum = serializers.DecimalField(10, 2, source="total")\n'),
        ],
    ),
    "a field that is no longer required": (
        "test_these_fields_are_required",
        [(API, URL, f"{URL}    total = serializers.DecimalField(10, 2, required=False)\n")],
    ),
    "reading that is open to all": (
        "test_who_may_do_what[GET-view-200-200]",
        [(API, CLASS, f"{CLASS}    permission_classes = ()\n")],
    ),
    "writing that is open to all users": (
        "test_who_may_do_what[POST-add-403-201]",
        [
            (API, CLASS, f"{CLASS}    permission_classes = (permissions.IsAuthenticated,)\n"),
            (API, "import serializers", "import permissions, serializers"),
        ],
    ),
    "a lost filter": ("test_a_list_is_filtered[status-0-0]", [(API, '("customer", "status")', '("customer",)')]),
    "a lost ordering": ("test_a_list_is_ordered[placed_at]", [(API, '("total", "placed_at")', '("total",)')]),
    "a lost search": (
        "test_a_list_is_searched[customer__name]",
        [(API, '    search_fields = ("customer__name",)\n', "")],
    ),
    "a field dropped from the admin": (
        "test_the_admin_adds_finds_and_shows_orders",
        [(ADMIN, "    show_full", '    exclude = ("total",)\n    show_full')],
    ),
}


@pytest.mark.parametrize(("test", "edits"), MISTAKES.values(), ids=MISTAKES)
def test_the_tests_that_it_writes_notice(
    shop: BakedProject, tmp_path: Path, test: str, edits: list[tuple[str, str, str]]
) -> None:
    project = own_copy(shop, tmp_path)
    for edit in edits:
        project.edit(*edit)
    output = run_tests(project, "orders", status=1)
    # A fixture that makes a row fails as an error of the test.
    assert re.search(rf"(?m)^(FAILED|ERROR) \S+::{re.escape(test)}", output), output


@pytest.fixture(scope="module")
def committed(bake: Bake) -> BakedProject:
    """A project whose files are committed."""
    project = bake()
    for command in ("git init --quiet", "git add --all", "git commit --quiet --message Start"):
        project.run(*command.split(), **dict[str, Any](AUTHOR))
    return project


@pytest.fixture
def clean(committed: BakedProject) -> Iterator[BakedProject]:
    """The committed project, which the test must not change."""
    yield committed
    assert committed.run("git", "status", "--porcelain") == ""


BAD = {
    "author name:char": "a lower-case plural",
    "Authors name:char": "a lower-case plural",
    "people name:char": "add --model Person",
    "class name:char": "a lower-case plural",
    "books name:char": "There is an app or a file books already",
    "docs name:char": "There is an app or a file docs already",
    "messages text:char": "There is an app or a file messages already",
    "users name:char": "The model name User is taken",
    "problems title:char": "The model name Problem is taken",
    "authors name:char --model none": "The model name None is taken or invalid",
    "authors name:string": "the type is unknown. Write name:type",
    "authors name:CharField": "the type is unknown. Write name:type",
    "authors price:decimal(10,2)": "is not a valid field. Write name:type",
    "authors book:Book": "The models are",
    "authors book:books.book": "books.Book",
    "authors Name:char": "in lower case",
    "authors status:choice": "choice=open,paid",
    "authors status:choice=open": "write two different choices or more",
    "authors status:choice=1,2": "each with a letter first",
    "authors class:char": "uses the name class",
    "authors save:char": "uses the name save",
    "authors search:char": "uses the name search",
    "authors name:char name:text": "Unknown or duplicate field: name",
    "authors name:char born": "born is not a valid field",
    "authors name:char --filter nme": "Unknown or duplicate field: nme",
    "authors name:char --search born__x": "Unknown or duplicate field: born__x",
    "authors name:char --template .": "--template is for apps without fields",
    # What the project's checks find after the files were written.
    "authors name:char --search name__x": "Nothing was changed, because a check failed",
    "authors user:accounts.User user_id:int": "clashes with the field 'user'",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_one_line_and_changes_nothing(clean: BakedProject, arguments: str) -> None:
    output = clean.run("python", "manage.py", "startapp", *arguments.split(), status=1)
    assert BAD[arguments] in output
    assert output.count("\n") == 1, output
    assert output.startswith("CommandError: ")


@pytest.mark.parametrize("name", ["apis/v1/authors.py", "apis/tests/test_authors.py"])
def test_a_file_is_never_overwritten(clean: BakedProject, name: str) -> None:
    (clean.path / name).write_text("mine\n", encoding="utf-8")
    try:
        output = clean.run("python", "manage.py", "startapp", "authors", "name:char", status=1)
        assert output == f"CommandError: {name} exists, and is not overwritten. Choose another name for the app.\n"
        assert clean.read(name) == "mine\n"
        assert clean.run("git", "status", "--porcelain") == f"?? {name}\n"
    finally:
        (clean.path / name).unlink()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("django_project/settings.py", "INSTALLED_APPS = [", "INSTALLED_APPS = [] + ["),
        ("apis/v1/urls.py", "router", "routes"),
        # Valid for the command, not for Python.
        ("apis/v1/urls.py", "urlpatterns = [", "urlpatterns = [["),
    ],
)
def test_a_file_that_cannot_be_edited_is_left_alone(bake: Bake, tmp_path: Path, name: str, old: str, new: str) -> None:
    project = own_copy(bake(), tmp_path)
    (project.path / name).write_text(project.read(name).replace(old, new), encoding="utf-8")
    before = {file: project.read(file) for file in project.files if "__pycache__" not in file}
    output = project.run("python", "manage.py", "startapp", "authors", "name:char", status=1)
    assert output.startswith("CommandError: Nothing was changed")
    assert output.count("\n") == 1
    if "[[" not in new:
        for line in (
            '"authors",',
            "from apis.v1.authors import AuthorViewSet",
            'router.register("authors", AuthorViewSet)',
        ):
            assert line in output
    assert {file: project.read(file) for file in project.files if "__pycache__" not in file} == before


def test_without_fields_it_is_the_command_of_django(bake: Bake, tmp_path: Path) -> None:
    project = own_copy(bake(), tmp_path)
    startapp(project, "plain")
    assert "class PlainConfig" in project.read("plain/apps.py")
    (tmp_path / "elsewhere").mkdir()
    startapp(project, "other", str(tmp_path / "elsewhere"))
    assert (tmp_path / "elsewhere" / "apps.py").exists()
    (tmp_path / "template").mkdir()
    (tmp_path / "template" / "names.py-tpl").write_text("NAME = '{{ app_name }}'\n", encoding="utf-8")
    startapp(project, "own", "--template", str(tmp_path / "template"))
    assert project.read("own/names.py") == "NAME = 'own'\n"
    assert '"plain"' not in project.read("django_project/settings.py")
