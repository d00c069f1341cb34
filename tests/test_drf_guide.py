"""What the guides of DRF and django-filter teach works in a rendered project as in a plain one.

`drf_guide/` is an app `guide` of models and idioms: views as the guides show them, and tests of what the guides say
about them. One run of pytest for each project has them all. The plain project is the control: an idiom that fails
there is wrong itself.
"""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

import pytest
from baking import Bake, BakedProject

FOLDER = Path(__file__).parent / "drf_guide"
# The files of the app that have no idioms.
APP = {"models.py", "support.py", "fixtures.py"}

# Decisions of docs/design_decisions.md that differ from the guide, each with its idioms. They must fail in a project.
DIFFERENCES: dict[str, tuple[str, ...]] = {
    "A unique value that is taken is a conflict, 409, however it is found; the guide says 400.": (
        "validators.test_field_that_is_unique_for_a_date",
        "validators.test_fields_that_are_unique_together_in_a_model",
        "validators.test_unique_field_of_a_model",
        "validators.test_unique_for_year_validator_with_a_hidden_date",
        "validators.test_unique_together_validator_of_a_serializer",
        "validators.test_unique_validator_of_a_field",
    ),
}


def idioms() -> Iterator[str]:
    """The tests in the folder, such as `views.test_…`."""
    for file in sorted(FOLDER.glob("*.py")):
        if file.name not in APP:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    yield f"{file.stem}.{node.name}"


IDIOMS = sorted(idioms())

# The settings of Django's `startproject` as far as the idioms need them, and what DRF's guide says to set.
SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).parents[1]
SECRET_KEY = "k" * 50
ROOT_URLCONF = "django_project.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_filters",
    "drf_spectacular",
    "rest_framework",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
TIME_ZONE = "UTC"
USE_TZ = True

REST_FRAMEWORK = {
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "rest_framework.filters.SearchFilter",
        "rest_framework.filters.OrderingFilter",
    ],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 20,
    "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.NamespaceVersioning",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
"""

URLS = """
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""

MANAGE = """
import os
import sys

from django.core.management import execute_from_command_line

os.environ["DJANGO_SETTINGS_MODULE"] = "django_project.settings"
execute_from_command_line(sys.argv)
"""

PYPROJECT = """
[tool.pytest]
DJANGO_SETTINGS_MODULE = "django_project.settings"
addopts = ["--import-mode=importlib", "--strict-markers"]
filterwarnings = ["error"]
"""

# What an owner who follows the guide adds to the settings: apps, and rates for scopes of throttles.
ADDED = """
INSTALLED_APPS += ["rest_framework.authtoken", "guide"]
REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] = {
    **REST_FRAMEWORK.get("DEFAULT_THROTTLE_RATES", {}), "contacts": "2/day", "uploads": "1/day", "burst": "2/hour"
}
"""


def plain_project(folder: Path) -> BakedProject:
    """A new project of Django's and DRF's own."""
    files = {"settings": SETTINGS, "urls": URLS, "__init__": ""}
    (folder / "django_project").mkdir()
    for name, text in files.items():
        (folder / "django_project" / f"{name}.py").write_text(text, encoding="utf-8")
    (folder / "manage.py").write_text(MANAGE, encoding="utf-8")
    (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    return BakedProject(folder, {})


def run_idioms(project: BakedProject) -> dict[str, str]:
    """Run all idioms in the project. Return what each reported, an empty text if it passed."""
    app = project.path / "guide"
    (app / "tests").mkdir(parents=True)
    (app / "__init__.py").touch()
    shutil.copytree(FOLDER / "templates", app / "templates")
    for file in FOLDER.glob("*.py"):
        name = file.name if file.name in APP else f"tests/test_{file.name}"
        shutil.copy(file, app / ("tests/conftest.py" if name == "fixtures.py" else name))
    settings = project.path / "django_project" / "settings.py"
    settings.write_text(settings.read_text(encoding="utf-8") + ADDED, encoding="utf-8")
    report = project.path / "report.xml"
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "--tb=short",
        "--continue-on-collection-errors",
        f"--junit-xml={report}",
    ]
    try:
        project.manage("makemigrations", "guide", SECRET_KEY="k" * 50)
        output = project.run("python", "-m", "pytest", *options, "guide", SECRET_KEY="k" * 50)
    except AssertionError as error:
        output = str(error)
    ended = "\n".join(["did not run; pytest ended with", *output.splitlines()[-10:]])
    found = reported(report)
    return {idiom: found.get(idiom, found.get(idiom.partition(".")[0], ended)) for idiom in IDIOMS}


def reported(report: Path) -> dict[str, str]:
    """What a report of pytest says about the idioms, and about files that cannot be imported: names and texts."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase") if report.exists() else ():
        test, module = case.get("name", "").partition("[")[0], case.get("classname", "")
        file = (module or test).partition(".test_")[2].partition(".")[0]
        name = f"{file}.{test}" if module else file
        texts = [part.text or "" for kind in ("failure", "error", "skipped") for part in case.findall(kind)]
        found[name] = "\n".join(filter(None, [found.get(name), *texts]))
    return found


class Idioms:
    """The tests of one project. tests/conftest.py lets one process run them."""

    differences: ClassVar[dict[str, str]] = {name: why for why, names in DIFFERENCES.items() for name in names}

    @pytest.mark.parametrize("idiom", IDIOMS)
    def test_idiom(self, results: dict[str, str], idiom: str) -> None:
        if idiom in self.differences:
            assert results[idiom], f"Works as in the guide: remove it from DIFFERENCES. {self.differences[idiom]}"
            return
        if results[idiom]:
            pytest.fail(results[idiom], pytrace=False)


class TestControl(Idioms):
    """A plain project, which proves that the idioms are the guide's."""

    differences: ClassVar[dict[str, str]] = {}

    @pytest.fixture(scope="class")
    @staticmethod
    def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
        return run_idioms(plain_project(tmp_path_factory.mktemp("control")))


class TestBooksAndAPIs(Idioms):
    @pytest.fixture(scope="class")
    @staticmethod
    def results(bake: Bake) -> dict[str, str]:
        return run_idioms(bake(include_books=True, include_apis=True))


class TestAPIs(Idioms):
    @pytest.fixture(scope="class")
    @staticmethod
    def results(bake: Bake) -> dict[str, str]:
        return run_idioms(bake(include_books=False, include_apis=True))


def test_idioms_cover_the_guides() -> None:
    assert len(IDIOMS) == len(set(IDIOMS)) >= 80


def test_few_decisions_differ_from_the_guide() -> None:
    assert len(DIFFERENCES) <= 5
    assert {name for names in DIFFERENCES.values() for name in names} <= set(IDIOMS)
