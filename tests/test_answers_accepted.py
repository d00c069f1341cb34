"""An accepted answer is rendered exactly, into a project that starts."""

import tomllib
from typing import Any

import pytest
from answers import as_answers, assert_exact, assert_started
from baking import Bake

DESCRIPTION = "A library of books: a website and a REST API."
# Each is the name and the description of one project.
ACCEPTED_TEXTS = [
    "Library",
    "a",
    "0",
    "O'Brien",
    'The "best" library',
    "'''",
    '"""',
    '"',
    "back\\slash",
    "trailing\\",
    "\\\\",
    '\\"',
    "\\n \\u0041 \\x41 \\N{DASH}",
    "$HOME ${HOME} $$",
    "$(touch executed) `touch executed`",
    "; touch executed #",
    "| touch executed && touch executed",
    "# heading",
    "x # comment #",
    "# % if cookiecutter",
    "# % endif",
    "%s %(x)s %d %",
    "{0} {x!r} {",
    "key: value",
    "- item",
    "&anchor",
    "*alias",
    "!!python/object:os.system",
    "null",
    "yes",
    "0x10",
    "[table]",
    "</title><script>alert(1)</script>",
    "<!-- comment",
    "&amp; &#65; &lt;",
    "[link](https://example.com)",
    "![image](x.png)",
    "*em* **strong** _em_ __strong__ ~~no~~",
    "1. first",
    "123456789) last",
    "+ plus",
    "> quotation",
    "---",
    "===",
    "```",
    "snake_case and _private_",
    "<https://example.com>",
    "a | b | c",
    "☕ 👩\u200d👩\u200d👧 🏴",
    "مكتبة الكتب",
    "ספרייה (א)",
    "e\u0301 combining",
    "图书馆",
    "Библиотека, \u2019quoted\u2019",
    "zero\u200bwidth \u200f mark",
    "no\u00a0break \u3000 space",
]
JINJA = ["{{ 7*7 }}", "{% raw %}", "{# gone #}", "{{ cookiecutter }}", "{{", "%}"]
ACCEPTED = [
    *({"project_name": text, "description": text} for text in [*ACCEPTED_TEXTS, *JINJA]),
    {"project_name": "n" * 60, "description": "d" * 200},
    {"project_name": '"' * 60, "description": "\\" * 200},
    {"description": ""},
    *({"project_slug": slug} for slug in ("library", "ab", "a1", "a-b-c", "x" * 40, "django-project", "test", "core")),
]


@pytest.mark.parametrize("answers", ACCEPTED, ids=lambda answers: ascii(next(iter(answers.values())))[:40])
def test_an_accepted_answer_is_rendered_exactly(bake: Bake, answers: dict[str, Any]) -> None:
    project = bake(**as_answers(answers))
    name = answers.get("project_name", "Library")
    description = answers.get("description", DESCRIPTION)
    assert_exact(project, name, description)
    assert project.path.name == tomllib.loads(project.read("pyproject.toml"))["project"]["name"]
    assert "executed" not in project.files


# Starting takes seconds, so only every third project is started. The code of all is compiled above.
@pytest.mark.parametrize("start", range(0, len(ACCEPTED), 36))
def test_projects_with_accepted_answers_start(bake: Bake, start: int) -> None:
    batch = ACCEPTED[start : start + 36 : 3]
    projects = [
        (bake(**as_answers(given)), given.get("project_name", "Library"), given.get("description", DESCRIPTION))
        for given in batch
    ]
    directories = [str(project.path) for project, _, _ in projects]
    projects[0][0].run("ruff", "format", "--check", "--no-cache", "--quiet", *directories)
    projects[0][0].run("ruff", "check", "--no-cache", "--quiet", *directories)
    assert_started(projects)
