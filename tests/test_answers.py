"""Every answer either comes back exactly from the finished project, or is refused in one line that leaves nothing."""

import json
import os
import re
import subprocess
import tomllib
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml
from baking import ROOT, Bake, BakedProject, environment, need
from cookiecutter.exceptions import FailedHookException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import template_extensions as checks

DESCRIPTION = "A library of books: a website and a REST API."
# For the name and for the description alike: each becomes one project.
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
BAD_TEXTS = [
    "nul\0",
    "line\nbreak",
    "line\n",
    "tab\tbed",
    "carriage\rreturn",
    "\u2028",
    "para\u2029graph",
    "bidi\u202e!",
]
BAD_TEXTS += [
    "iso\u2066late",
    "escape\x1b[31m",
    "delete\x7f",
    "next\x85line",
    " before",
    "after ",
    "\ufeffmark",
    "\udc80",
]
BAD_SLUGS = [
    "",
    "a",
    "x" * 41,
    "Library",
    "my_lib",
    "-x",
    "x-",
    "a--b",
    "con",
    "nul",
    "com1",
    "django",
    "pytest",
    "pip",
]
BAD_SLUGS += [
    "../x",
    "x/y",
    "x\\y",
    "/tmp/x",
    "library\n",
    "ünïcode",
    "1a",
    "a b",
    ".",
    "..",
    "~",
    "a.b",
    "$HOME",
    "a;b",
]
REFUSED = [
    *(("project_name", text) for text in ["", " ", "n" * 61, *BAD_TEXTS]),
    *(("description", text) for text in ["d" * 201, *BAD_TEXTS]),
    *(("project_slug", slug) for slug in BAD_SLUGS),
]

# Starts each project whose folder is an argument in a process of its own, and prints what it calls itself.
START = """
import json, os, sys
import django, django.db.models, django.template, django.core.management, django.test, django.forms
import environs, inflection, jsonschema, marshmallow, psycopg, uritemplate, yaml
for folder in sys.argv[1:]:
    if os.fork():
        if os.wait()[1]:
            sys.exit(f"{folder} does not start")
        continue
    os.chdir(folder)
    sys.path.insert(0, folder)
    os.environ["DJANGO_SETTINGS_MODULE"] = "django_project.settings"
    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.template.loader import render_to_string
    call_command("check", fail_level="WARNING", stderr=sys.stderr, stdout=sys.stderr)
    page = render_to_string("base.html", {"project": settings.PROJECT})
    from drf_spectacular.generators import SchemaGenerator
    info = SchemaGenerator().get_schema(request=None, public=True)["info"]
    print(json.dumps([page, info["title"], info.get("description", "")]), flush=True)
    os._exit(0)
"""


def names(project: BakedProject) -> dict[str, list[str]]:
    """The name and the description as each file has them for its reader."""
    settings_ = project.read("django_project/settings.py")
    literal = re.search(r"^PROJECT = (\{.*?^\})", settings_, re.M | re.S)
    assert literal
    in_settings = eval(literal[1], {})
    blocks = MarkdownIt("gfm-like", {"linkify": False}).parse(project.read("README.md"))
    heading, text = blocks[1], blocks[4]
    readme = [
        "".join(child.content if child.type == "text" else f"<{child.type}>" for child in block.children or [])
        for block in (heading, text)
    ]
    if blocks[3].type != "paragraph_open":
        readme[1] = ""
    return {
        "settings": [in_settings["name"], in_settings["description"]],
        "README": readme,
        "pyproject": [tomllib.loads(project.read("pyproject.toml"))["project"]["description"]],
    }


def assert_exact(project: BakedProject, name: str, description: str) -> None:
    assert names(project) == {
        "settings": [name, description],
        "README": [name, description],
        "pyproject": [description],
    }
    for file in project.files:
        if file.endswith(".py"):
            compile(project.read(file), file, "exec")
        elif file.endswith((".yml", ".yaml")):
            yaml.safe_load(project.read(file))


def literal(text: str) -> str:
    """Jinja that renders to the text: cookiecutter renders what it is given on the command line or in a test."""
    return text if not re.search(r"\{[{%#]|# %", text) else f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}"


def as_answers(answers: dict[str, Any]) -> dict[str, Any]:
    return {key: literal(value) for key, value in answers.items()}


@pytest.mark.parametrize("answers", ACCEPTED, ids=lambda answers: ascii(next(iter(answers.values())))[:40])
def test_an_accepted_answer_comes_back_exactly(bake: Bake, answers: dict[str, Any]) -> None:
    project = bake(**as_answers(answers))
    name = answers.get("project_name", "Library")
    description = answers.get("description", DESCRIPTION)
    assert_exact(project, name, description)
    assert project.path.name == tomllib.loads(project.read("pyproject.toml"))["project"]["name"]
    assert "executed" not in project.files


# A start takes seconds, so that only every third project is started: of the others the code is compiled, above.
@pytest.mark.parametrize("start", range(0, len(ACCEPTED), 36))
def test_projects_with_accepted_answers_start(bake: Bake, start: int) -> None:
    batch = ACCEPTED[start : start + 36 : 3]
    projects = [bake(**as_answers(answers)) for answers in batch]
    folders = [str(project.path) for project in projects]
    projects[0].run("ruff", "format", "--check", "--no-cache", "--quiet", *folders)
    projects[0].run("ruff", "check", "--no-cache", "--quiet", *folders)
    output = projects[0].run("python", "-W", "ignore", "-c", START, *folders)
    shown = [json.loads(line) for line in output.splitlines() if line.startswith("[")]
    for answers, project, (page, title, text) in zip(batch, projects, shown, strict=True):
        page_title = re.search(r"<title>(.*?)</title>", page, re.S)
        assert page_title
        assert unescape(page_title[1]).strip().endswith(answers.get("project_name", "Library"))
        assert [title, text] == [answers.get("project_name", "Library"), answers.get("description", DESCRIPTION)]
        assert "executed" not in project.files


def cookiecutter(folder: Path, *arguments: str, text: str | None = None, **variables: str) -> tuple[int, str]:
    """The exit status and all output of a run of cookiecutter in a folder."""
    process = subprocess.run(
        ["cookiecutter", *arguments],
        cwd=folder,
        env=environment(HOME=str(folder.parent), COLUMNS="500", **variables),
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout


@pytest.mark.parametrize(("question", "answer"), REFUSED, ids=ascii)
def test_a_refused_answer_ends_in_one_line(
    cookies_session: Any, question: str, answer: str, capfd: pytest.CaptureFixture[str]
) -> None:
    result = cookies_session.bake(extra_context={question: literal(answer)})
    message = str(result.exception)
    assert isinstance(result.exception, SystemExit)
    assert message.startswith(f"{question}: ")
    assert re.search(r"\. Use .*\.$", message)
    assert message.isprintable()
    assert result.project_path is None
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_a_refusal_on_the_command_line_is_one_line(empty: Path) -> None:
    status, output = cookiecutter(empty, str(ROOT), "--no-input", "project_slug=con")
    assert (status, output.count("\n"), output.startswith("project_slug: con ")) == (1, 1, True)
    assert not list(empty.iterdir())


def test_a_refusal_at_the_prompt_comes_before_the_next_question(empty: Path) -> None:
    status, output = cookiecutter(empty, str(ROOT), text="n" * 61 + "\nlibrary\n")
    assert status == 1
    assert output.endswith("project_name: it has 61 characters. Use 1 to 60 characters in one line.\n")
    assert "[2/6]" not in output
    assert not list(empty.iterdir())


@pytest.mark.parametrize("value", ["null", '"a\\nb"', "5000", "[1]"])
def test_a_default_of_the_user_is_checked(empty: Path, value: str) -> None:
    config = empty.parent / "config.yaml"
    config.write_text(f"default_context:\n  project_slug: {value}\n")
    status, output = cookiecutter(empty, str(ROOT), "--no-input", "--config-file", str(config))
    assert (status, output.count("\n"), output.startswith("project_slug: ")) == (1, 1, True)
    assert not list(empty.iterdir())


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("project_name", "a\nb"),
        ("project_name", None),
        ("project_slug", "../x"),
        ("project_slug", "x/y"),
        ("project_slug", "con"),
        ("description", 5),
        ("include_books", "no"),
        ("ci", "x"),
    ],
)
def test_a_replayed_answer_is_checked(empty: Path, question: str, answer: object) -> None:
    answers = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    answers |= {"project_slug": "library", "ci": "github", question: answer}
    answers = {key: value for key, value in answers.items() if not key.startswith("__")}
    replay = empty.parent / "replay.json"
    replay.write_text(json.dumps({"cookiecutter": answers}), encoding="utf-8")
    before = set(empty.parent.iterdir())
    status, output = cookiecutter(empty, str(ROOT), "--replay-file", str(replay))
    assert (status, output.count("\n"), output.startswith(f"{question}: ")) == (1, 1, True), output
    assert not list(empty.iterdir())
    assert {path.name for path in set(empty.parent.iterdir()) - before} <= {".cookiecutter_replay"}


def test_the_names_of_dependencies_are_those_of_the_lock(tmp_path: Path) -> None:
    status, output = cookiecutter(tmp_path, str(ROOT), "--no-input")
    assert status == 0, output
    lock = tmp_path / "library" / "uv.lock"
    need(lock.exists(), "uv and a package index")
    locked = {package["name"] for package in tomllib.loads(lock.read_text())["package"]} - {"library"}
    assert locked == checks.DEPENDENCIES


# Any text, with more than its share of what means something to one of the formats.
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


@properties
@given(
    name=TEXTS.filter(lambda text: is_accepted(checks.check_project_name, text)),
    description=TEXTS.filter(lambda text: is_accepted(checks.check_description, text)),
    books=st.booleans(),
    apis=st.booleans(),
)
def test_any_accepted_answers_come_back_exactly(
    bake: Bake, name: str, description: str, books: bool, apis: bool
) -> None:
    texts = as_answers({"project_name": name, "description": description})
    project = bake(**texts, include_books=books, include_apis=apis)
    assert_exact(project, name, description)
    assert project.path.name == checks.suggest_slug(name)
    project.run("ruff", "format", "--check", "--no-cache", "--quiet", ".")


@properties
@given(name=TEXTS)
def test_any_name_suggests_a_slug_that_is_accepted(name: str) -> None:
    assert is_accepted(checks.check_project_slug, checks.suggest_slug(name))


@properties
@given(answer=TEXTS, question=st.sampled_from(["project_name", "project_slug", "description"]))
def test_any_refused_answer_ends_in_one_line_and_leaves_nothing(
    cookies_session: Any, question: str, answer: str
) -> None:
    if is_accepted(getattr(checks, f"check_{question}"), answer):
        return
    result = cookies_session.bake(extra_context={question: literal(answer)})
    assert isinstance(result.exception, SystemExit)
    assert str(result.exception).isprintable()
    assert result.project_path is None
