"""A rendered project works on each Python that it allows, and on the newest Django once its owner upgrades.

The tests use the Pythons that are installed and download none: a missing one is skipped, even where REQUIRE_EVERYTHING
is set. Warnings are errors, at import too.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from baking import Bake, BakedProject, environment, interpreters, need, uv

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
# `just check` runs on this one in test_checks.py.
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"

# Django 6.1 needs Python 3.12; these are the newer ones, best first.
NEWEST_PYTHONS = ("3.14", "3.13")
# What an owner edits in pyproject.toml, and the command after it.
UPGRADE = {"django~=5.2.0": "django~=6.1.0", 'requires-python = ">=3.11"': 'requires-python = ">=3.12"'}
LOCK = ("uv", "lock", "--quiet", "--upgrade-package", "django")


def interpreter(*versions: str) -> str:
    """Return the path of the first of these Pythons that is installed, or skip the test."""
    for version in versions:
        if path := interpreters().get(version):
            return path
    pytest.skip(f"needs Python {' or '.join(versions)}, which is not installed")


Install = Callable[[BakedProject, str], dict[str, Any]]
Upgrade = Callable[..., tuple[BakedProject, dict[str, Any]]]


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory) -> Install:
    """A function that installs what a project locks, and returns the variables to run its commands with.

    Projects share one environment for each Python, in which uv replaces only what differs.
    """
    need(uv(), "uv")
    root = tmp_path_factory.mktemp("environments")

    def install(project: BakedProject, python: str) -> dict[str, Any]:
        folder = root / Path(python).name
        settings: dict[str, Any] = {
            "UV_COMPILE_BYTECODE": "1",
            "UV_PROJECT_ENVIRONMENT": str(folder),
            "UV_PYTHON": python,
            "UV_PYTHON_DOWNLOADS": "never",
        }
        project.run(*LOCK, **settings)
        project.run("uv", "sync", "--quiet", "--locked", **settings)
        path = os.pathsep.join([str(folder / "bin"), environment()["PATH"]])
        return {"PATH": path, "PYTHONWARNINGS": "error"}

    return install


@pytest.fixture(scope="module")
def upgraded(bake: Bake, install: Install) -> Upgrade:
    """A function that renders a project and upgrades it to the newest Django."""

    def upgraded(**answers: Any) -> tuple[BakedProject, dict[str, Any]]:
        python = interpreter(*NEWEST_PYTHONS)
        project = bake(**answers)
        for old, new in UPGRADE.items():
            project.edit("pyproject.toml", old, new)
        variables = install(project, python)
        assert django_version(project, variables) == "6.1"
        return project, variables

    return upgraded


def django_version(project: BakedProject, variables: dict[str, Any]) -> str:
    return project.run("python", "-m", "django", "--version", **variables).rpartition(".")[0]


def test_the_checks_pass_on_the_newest_django(upgraded: Upgrade) -> None:
    project, variables = upgraded(include_books=False)
    assert " passed" in project.run("just", "check", **variables)


def test_the_checks_pass_on_the_newest_django_with_postgres(upgraded: Upgrade, postgres_url: str) -> None:
    project, variables = upgraded()
    project.run("python", "manage.py", "migrate", "--verbosity=0", DATABASE_URL=postgres_url, **variables)
    output = project.run("just", "check", DATABASE_URL=postgres_url, **variables)
    assert " passed" in output
    # Some tests are for PostgreSQL only, none for SQLite only.
    assert "skipped" not in output


@pytest.mark.parametrize("version", [version for version in PYTHONS if version != RUNNING])
def test_the_tests_pass_on_another_python(bake: Bake, install: Install, version: str) -> None:
    python = interpreter(version)
    project = bake()
    variables = install(project, python)
    assert django_version(project, variables) == "5.2"
    assert project.run("python", "--version", **variables).startswith(f"Python {version}.")
    project.run("python", "manage.py", "check", "--fail-level", "WARNING", **variables)
    assert " passed" in project.run("python", "-m", "pytest", **variables)
