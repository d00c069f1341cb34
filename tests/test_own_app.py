"""An app of an owner's, added the way that the README describes: a module in `apis/v1/`, and a line for each resource.

`own_app/` has its models, its resources and the tests that run in the project.
"""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from baking import Bake, BakedProject, new_database

FOLDER = Path(__file__).parent / "own_app"

RESOURCES = """
router.register("tags", writers.TagViewSet)
router.register("publishers", writers.PublisherViewSet)
router.register("writers", writers.WriterViewSet)
router.register("novelists", writers.NovelistViewSet)
router.register("counted", writers.CountedViewSet, "counted")
router.register("expressions", writers.ExpressionViewSet, "expression")
router.register("open", writers.OpenViewSet, "open")
"""


@pytest.fixture(scope="module", params=[True, False], ids=["with books", "without books"])
def project(bake: Bake, request: pytest.FixtureRequest) -> BakedProject:
    """A project with an app of its owner's, and its resources in the API."""
    project = bake(include_books=request.param)
    app = project.path / "writers"
    (app / "tests").mkdir(parents=True)
    (app / "__init__.py").touch()
    shutil.copy(FOLDER / "models.py", app)
    shutil.copy(FOLDER / "idioms.py", app / "tests" / "test_writers.py")
    shutil.copy(FOLDER / "resources.py", project.path / "apis" / "v1" / "writers.py")
    project.edit("django_project/settings.py", '    "accounts",\n', '    "accounts",\n    "writers",\n')
    urls = "apis/v1/urls.py"
    imports = re.search(r"from apis\.", project.read(urls))
    assert imports
    text = project.read(urls)
    text = f"{text[: imports.start()]}from apis.v1 import writers\n{text[imports.start() :]}"
    text = text.replace("\nurlpatterns", f"{RESOURCES.lstrip()}\nurlpatterns")
    (project.path / urls).write_text(text, encoding="utf-8")
    project.manage("makemigrations", "writers", SECRET_KEY="k" * 50)
    return project


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_an_app_of_ones_own_has_pages_filters_and_problems(
    project: BakedProject, request: pytest.FixtureRequest, database: str
) -> None:
    variables: dict[str, Any] = {"SECRET_KEY": "k" * 50}
    if database == "postgres":
        variables["DATABASE_URL"] = new_database(request.getfixturevalue("postgres"))
    project.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "writers", **variables)


def test_an_app_of_ones_own_passes_the_checks(project: BakedProject) -> None:
    for command in ("ruff format --check .", "ruff check .", "mypy .", "python manage.py check --fail-level WARNING"):
        project.run(*command.split())
