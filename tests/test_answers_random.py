"""Random answers are rendered exactly or refused: the same ones each time, or as many others as EXAMPLES says."""

import os
from typing import Any

import pytest
from answers import BAD_CHARACTERS, as_answers, assert_exact, assert_refused, assert_started
from baking import Bake, BakedProject
from cookiecutter.exceptions import FailedHookException
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import template_extensions as checks

# Any string, with many characters that have a meaning in one of the file formats.
SPECIAL = st.sampled_from(
    [*"\\\"'$`{}[]()<>&#%*_~!|:;-+=.@/ 0123456789", "# %", "{{", "{%", "&amp;", "\u200d", "\n", "é"]
)
TEXTS = st.lists(SPECIAL | st.characters(), max_size=30).map("".join)
EXAMPLES = int(os.environ.get("EXAMPLES", "40"))
properties = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    derandomize=EXAMPLES == 40,
)


def is_accepted(check: Any, answer: str) -> bool:
    try:
        check(answer)
    except FailedHookException:
        return False
    return True


def test_any_accepted_answers_are_rendered_exactly_into_a_project_that_starts(bake: Bake) -> None:
    projects: list[tuple[BakedProject, str, str]] = []

    @properties
    @given(
        name=TEXTS.filter(lambda text: is_accepted(checks.check_project_name, text)),
        description=TEXTS.filter(lambda text: is_accepted(checks.check_description, text)),
        books=st.booleans(),
        apis=st.booleans(),
    )
    def render(name: str, description: str, books: bool, apis: bool) -> None:
        texts = as_answers({"project_name": name, "description": description})
        project = bake(**texts, include_books=books, include_apis=apis)
        assert_exact(project, name, description)
        assert project.path.name == checks.suggest_slug(name)
        project.run("ruff", "format", "--check", "--no-cache", "--quiet", ".")
        projects.append((project, name, description))

    render()
    # Starting one takes as long as rendering three.
    assert_started(projects[::5])


@properties
@given(name=TEXTS)
def test_any_name_suggests_a_slug_that_is_accepted(name: str) -> None:
    assert is_accepted(checks.check_project_slug, checks.suggest_slug(name))


# A string that is likely to break one of the rules.
BAD = st.one_of(
    st.builds("{}{}{}".format, TEXTS, st.sampled_from(BAD_CHARACTERS), TEXTS),
    st.builds("{}{}".format, st.sampled_from([" ", "\t", "\u3000"]), TEXTS),
    st.text(min_size=61, max_size=300),
    st.sampled_from(sorted(checks.DEPENDENCIES | checks.INSTALLERS | checks.WINDOWS_DEVICES)),
    TEXTS,
)


@properties
@given(answer=BAD, question=st.sampled_from(["project_name", "project_slug", "description"]))
def test_any_refused_answer_ends_the_run_with_one_line_and_no_files(
    tmp_path_factory: pytest.TempPathFactory, question: str, answer: str
) -> None:
    assume(not is_accepted(getattr(checks, f"check_{question}"), answer))
    assert_refused(tmp_path_factory.mktemp("empty"), question, answer)
