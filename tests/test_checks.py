"""A new project passes its own checks, in every combination of answers."""

from typing import Any

import pytest
from baking import COMBINATIONS, Bake

NAME = "O'Brien's \"quoted\" \\ Bücherei ☕"


@pytest.mark.parametrize("answers", COMBINATIONS)
def test_a_project_passes_its_own_checks(bake: Bake, answers: dict[str, Any]) -> None:
    output = bake(**answers, project_name=NAME).run("just", "check")
    assert " passed" in output


def test_the_checks_change_nothing(bake: Bake) -> None:
    project = bake()
    before = {name: project.read(name) for name in project.files}
    project.run("ruff", "format", "--no-cache", ".")
    project.run("ruff", "check", "--no-cache", "--fix", ".")
    assert {name: project.read(name) for name in project.files} == before
