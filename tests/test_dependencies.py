"""The dependencies of rendered projects."""

import tomllib
from typing import Any

import pytest
from baking import ROOT, Bake, BakedProject, need, uv


def groups(project: BakedProject) -> tuple[set[str], set[str]]:
    """The dependencies of a project, and those of its development."""
    data = tomllib.loads(project.read("pyproject.toml"))
    return set(data["project"]["dependencies"]), set(data["dependency-groups"]["dev"])


def test_the_tests_use_the_versions_that_projects_ask_for(bake: Bake) -> None:
    outer: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    dependencies, development = groups(bake())
    assert set(outer["project"]) == dependencies
    assert set(outer["project-dev"]) == development


@pytest.mark.parametrize("include_books", [True, False])
def test_a_project_without_an_api_has_no_dependency_of_one(bake: Bake, include_books: bool) -> None:
    dependencies, development = groups(bake(include_books=include_books, include_apis=False))
    for name in dependencies | development:
        assert not any(word in name for word in ("rest", "filter", "spectacular", "cors")), name


def test_few_packages_are_installed(bake: Bake) -> None:
    need(uv(), "uv")
    project = bake()
    project.run("uv", "lock")

    def count(*options: str) -> int:
        lines = project.run("uv", "export", "--locked", "--no-hashes", "--no-header", "--no-annotate", *options)
        # Packages for Windows alone do not count.
        return len([line for line in lines.splitlines() if line and "sys_platform == 'win32'" not in line])

    assert count("--no-dev") <= 30
    assert count() <= 80
