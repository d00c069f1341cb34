"""A project's own tests notice when a change breaks what they protect."""

import re

import pytest
from baking import Bake, BakedProject
from mutations import MUTATIONS, Mutation


@pytest.fixture(scope="module")
def project(bake: Bake) -> BakedProject:
    return bake()


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_the_tests_of_a_project_notice(project: BakedProject, mutation: Mutation) -> None:
    defined = re.compile(rf"(?m)^def {mutation.test}\(")
    files = [name for name in project.files if name.endswith(".py") and defined.search(project.read(name))]
    assert files, f"no test is called {mutation.test}"
    before = project.read(mutation.file)
    project.edit(mutation.file, mutation.old, mutation.new)
    try:
        tests = [f"{name}::{mutation.test}" for name in files]
        output = project.run("python", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests, status=1)
    finally:
        (project.path / mutation.file).write_text(before, encoding="utf-8")
    assert "1 failed" in output
