"""Every answer is either rendered exactly, or refused in one line without leaving a file."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from html import unescape
from html.parser import HTMLParser
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from baking import ROOT, Bake, BakedProject, environment, free_port, need, running, uv
from click.testing import CliRunner
from cookiecutter.cli import main
from cookiecutter.exceptions import FailedHookException
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import template_extensions as checks

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
BAD_CHARACTERS = "\0\n\t\r\x1b\x7f\x85\u2028\u2029\u202e\u2066\ufeff\udc80"
BAD_TEXTS = [*(f"a{character}b" for character in BAD_CHARACTERS), " before", "after ", "line\n", "\u3000wide"]
# In two lists, because ruff puts each item of a longer one on its own line.
BAD_SLUGS = ["", "a", "x" * 41, "Library", "my_lib", "-x", "x-", "a--b", "1a", "a b", "a.b", ".", "..", "~", "$HOME"]
BAD_SLUGS += [
    "con",
    "nul",
    "com1",
    "django",
    "pytest",
    "pip",
    "../x",
    "x/y",
    "x\\y",
    "/tmp/x",
    "library\n",
    "ü",
    "a;b",
]
REFUSED = [
    *(("project_name", text) for text in ["", " ", "n" * 61, *BAD_TEXTS]),
    *(("description", text) for text in ["d" * 201, *BAD_TEXTS]),
    *(("project_slug", slug) for slug in BAD_SLUGS),
]

# Start the project in each directory of the arguments in its own process, and print its title page and API metadata.
START = """
import json, os, sys
import django, django.db.models, django.template, django.core.management, django.test, django.forms
import environs, inflection, jsonschema, marshmallow, psycopg, uritemplate, yaml
for directory in sys.argv[1:]:
    if os.fork():
        if os.wait()[1]:
            sys.exit(f"{directory} does not start")
        continue
    os.chdir(directory)
    sys.path.insert(0, directory)
    os.environ["DJANGO_SETTINGS_MODULE"] = "django_project.settings"
    django.setup()
    from django.core.management import call_command
    from django.template.loader import render_to_string
    call_command("check", fail_level="WARNING", stderr=sys.stderr, stdout=sys.stderr)
    page = render_to_string("base.html", request=django.test.RequestFactory().get("/"))
    response = django.test.Client().get("/api/schema/", headers={"accept": "application/json", "host": "localhost"})
    info = response.status_code == 200 and response.json()["info"]
    print(json.dumps([page, info]), flush=True)
    os._exit(0)
"""


def assert_started(projects: list[tuple[BakedProject, str, str]]) -> None:
    """Start the projects, and compare their page titles and API metadata with their names and descriptions."""
    directories = [str(project.path) for project, _, _ in projects]
    output = projects[0][0].run("python", "-W", "ignore", "-c", START, *directories)
    shown = [json.loads(line) for line in output.splitlines() if line.startswith("[")]
    for (project, name, description), (page, info) in zip(projects, shown, strict=True):
        title = re.search(r"<title>(.*?)</title>", page, re.S)
        assert title
        assert unescape(title[1]).strip().endswith(name)
        if project.answers.get("include_apis", True):
            assert [info["title"], info.get("description", "")] == [name, description]
        assert "executed" not in project.files


def names(project: BakedProject) -> dict[str, list[str]]:
    """Return the name and the description in each file, unescaped."""
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
    """Return Jinja source for `text`, because Cookiecutter renders answers on the command line and in tests."""
    return text if not re.search(r"\{[{%#]|# %", text) else f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}"


def as_answers(answers: dict[str, Any]) -> dict[str, Any]:
    return {key: literal(value) for key, value in answers.items()}


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


def cookiecutter(directory: Path, *arguments: str, text: str | None = None, **variables: str) -> tuple[int, str]:
    """Run Cookiecutter in a directory, and return its exit status and output."""
    process = subprocess.run(
        ["cookiecutter", *arguments],
        cwd=directory,
        env=environment(HOME=str(directory.parent), COLUMNS="500", **variables),
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout


@pytest.mark.parametrize(("question", "answer"), REFUSED, ids=ascii)
def test_a_refused_answer_ends_the_run_with_one_line_and_no_files(empty: Path, question: str, answer: str) -> None:
    assert re.search(r"\. Use .*\.$", assert_refused(empty, question, answer))


def assert_refused(directory: Path, question: str, answer: str) -> str:
    """Return the line that a run in an empty directory prints. In this process, where an answer may contain a NUL."""
    options = ["--no-input", "--default-config", "--output-dir", str(directory)]
    result = CliRunner().invoke(main, [str(ROOT), *options, f"{question}={literal(answer)}"])
    assert result.exit_code == 1
    assert result.output.startswith(f"{question}: ")
    assert result.output.removesuffix("\n").isprintable()
    assert list(directory.iterdir()) == []
    return result.output


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    directory = tmp_path / "empty"
    directory.mkdir()
    return directory


def test_a_refusal_on_the_command_line_is_one_line(empty: Path) -> None:
    status, output = cookiecutter(empty, str(ROOT), "--no-input", "project_slug=con")
    assert (status, output.count("\n"), output.startswith("project_slug: con ")) == (1, 1, True)
    assert not list(empty.iterdir())


def test_a_refusal_at_the_prompt_comes_before_the_next_question(empty: Path) -> None:
    status, output = cookiecutter(empty, str(ROOT), text="n" * 61 + "\nlibrary\n")
    assert status == 1
    assert output.endswith("project_name: the length is 61. Use 1 to 60 characters on one line.\n")
    assert "[2/6]" not in output
    assert not list(empty.iterdir())


@pytest.mark.parametrize("version", ["2.0.2", "2.6.0", "2.7.0"])
def test_an_old_cookiecutter_is_refused_in_one_line(
    empty: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr("cookiecutter.__version__", version)
    line = assert_refused(empty, "cookiecutter", "any")
    assert line.startswith(f"cookiecutter: version {version} is too old. Use 2.7.1 or newer, ")


@pytest.mark.parametrize("version", ["2.7.1", "2.7.2.dev0", "2.10.0", "3.0"])
def test_a_recent_cookiecutter_is_accepted(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr("cookiecutter.__version__", version)
    checks.check_cookiecutter_version()


@pytest.mark.parametrize("value", ["null", '"a\\nb"', "5000", "[1]"])
def test_a_default_in_the_user_configuration_is_checked(empty: Path, value: str) -> None:
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


# The syntax that shells, Compose, just, Jinja, HTML and string literals would execute or expand.
HOSTILE = "$HOME ${X} $(touch x) `touch x` %{x} {{7*7}} <xss>'\"\\"


@pytest.fixture(scope="module")
def hostile(bake: Bake) -> BakedProject:
    return bake(**as_answers({"project_name": HOSTILE, "description": f"{HOSTILE} & *x !y # z"}))


def test_only_three_files_contain_the_name_and_the_description(bake: Bake) -> None:
    """just, Compose, Docker and CI never parse them."""
    project = bake(project_name="Marked", project_slug="library", description="Remarked")
    holding = {name for name in project.files if re.search("(?i)marked", project.read(name))}
    assert holding == {"README.md", "django_project/settings.py", "pyproject.toml"}


def test_hostile_answers_are_text_on_every_page(hostile: BakedProject) -> None:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    with running(["just", "start"], hostile.path, f"{url}/health/live", WEB_PORT=port):
        for path in ("/", "/books/1/", "/nowhere", "/admin/login/", "/api/", "/api/docs/", "/api/v1/books/"):
            page = httpx.get(url + path, headers={"accept": "text/html"})
            parser = Tags()
            parser.feed(page.text)
            assert "xss" not in parser.tags, path
            if path in ("/", "/books/1/"):
                assert HOSTILE in parser.texts
        schema = httpx.get(f"{url}/api/schema/", headers={"accept": "application/json"})
        assert schema.json()["info"]["title"] == HOSTILE
    assert "x" not in hostile.files


class Tags(HTMLParser):
    """Collect the tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, *_: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_compose_expands_nothing_of_hostile_answers(hostile: BakedProject) -> None:
    need(shutil.which("docker") and not subprocess.call(["docker", "compose", "version"], stdout=-3), "Docker Compose")
    config = hostile.run("docker", "compose", "config", "--format", "json", X="expanded")
    assert json.loads(config)["name"] == hostile.path.name
    assert "expanded" not in config


def test_hostile_answers_survive_an_installation(hostile: BakedProject, tmp_path: Path) -> None:
    need(uv(), "uv")
    hostile.run("uv", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path), ".")
    [installed] = distributions(path=[str(tmp_path)])
    assert f"{HOSTILE} & *x !y # z" == installed.metadata["Summary"]
    assert "x" not in hostile.files


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
