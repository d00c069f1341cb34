"""A refused answer ends the run with one line, and leaves no file."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from answers import BAD_CHARACTERS, assert_refused
from baking import ROOT, environment

import template_extensions as checks

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


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    directory = tmp_path / "empty"
    directory.mkdir()
    return directory


@pytest.mark.parametrize(("question", "answer"), REFUSED, ids=ascii)
def test_a_refused_answer_ends_the_run_with_one_line_and_no_files(empty: Path, question: str, answer: str) -> None:
    assert re.search(r"\. Use .*\.$", assert_refused(empty, question, answer))


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
