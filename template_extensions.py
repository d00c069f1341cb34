"""The template's Jinja filters: validation of the answers, escaping, and the list of the template's files.

Cookiecutter has no validation of its own. A private variable in `cookiecutter.json` after each question passes the
answer through a filter. A filter that raises `RefusalError` ends the run before the next question.
"""

# Without it, Python 3.8 would fail here, before it can refuse the old Cookiecutter that it comes with.
from __future__ import annotations

import contextlib
import os
import re
import runpy
import shutil
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import cookiecutter
from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension
from slugify import slugify

MODULE = Path(__file__).resolve()
SOURCE = MODULE.read_bytes()

# Older versions pass booleans on the command line as strings, so that "no" is true.
MINIMUM_COOKIECUTTER = (2, 7, 1)

MAX_NAME_LENGTH = 60
MAX_DESCRIPTION_LENGTH = 200
MAX_SLUG_LENGTH = 40
SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
FALLBACK_SLUG = "my-project"

# uv and pip would resolve the dependency to a project of the same name. A test compares this with the lock file.
DEPENDENCIES = frozenset(
    """
    asgiref ast-serialize async-timeout attrs cfgv colorama distlib dj-database-url django django-cors-headers
    django-filter django-stubs django-stubs-ext djangorestframework djangorestframework-stubs drf-spectacular
    drf-spectacular-sidecar environs filelock gunicorn identify inflection iniconfig jsonschema
    jsonschema-specifications librt marshmallow mypy mypy-extensions nodeenv packaging pathspec platformdirs pluggy
    pre-commit psycopg psycopg-binary psycopg-pool pygments pytest pytest-django python-discovery python-dotenv
    pyyaml redis referencing rpds-py ruff rust-just sqlparse types-django-filter types-pyyaml typing-extensions
    tzdata uritemplate virtualenv whitenoise
    """.split()  # noqa: SIM905  # a list literal would be sixty lines long
)
INSTALLERS = frozenset(["pip", "setuptools", "uv", "wheel"])
WINDOWS_DEVICES = frozenset(
    ["aux", "con", "nul", "prn", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))]
)

# Invisible characters that change the direction of the text after them, and the byte order mark.
DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
# Control characters, surrogates, line and paragraph separators.
CONTROL_CATEGORIES = frozenset(["Cc", "Cs", "Zl", "Zp"])

# Untracked files of the template's working copy, which Cookiecutter copies all the same. The owner of a project may
# have their own version of the first group, which must not be overwritten.
OWNERS_FILES = frozenset(
    [
        ".env",
        ".idea",
        ".venv",
        ".vscode",
        "db.sqlite3",
        "db.sqlite3-journal",
        "db.sqlite3-shm",
        "db.sqlite3-wal",
        "uv.lock",
    ]
)
BUILD_ARTEFACTS = frozenset(
    [".coverage", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".schemathesis", "staticfiles"]
)

# Three times the size of a project.
REQUIRED_MEGABYTES = 2

# https://spec.commonmark.org/
MARKDOWN_SYNTAX = re.compile(
    r"""
    [*`\[~$]                                       # emphasis, code, links, GitHub's strikethrough and formulas
    | (?<![^\W_]) _ | _ (?![^\W_])                 # emphasis, but not the underscore inside a word
    | \\ (?=[!-/:-@\[-`{-~]|$)                     # a backslash that would escape the next character
    | < (?=[A-Za-z/!?]) | & (?=\#?[A-Za-z0-9]+;)   # HTML
    | (?<!\S) \#                                   # a heading, or the end of one
    | ^ [-+=>]                                     # lists and quotations
    """,
    re.VERBOSE,
)
MARKDOWN_NUMBERED_LIST = re.compile(r"^([0-9]{1,9})([.)])(?=\s|$)")


class RefusalError(FailedHookException, SystemExit):  # type: ignore[misc]  # Cookiecutter has no types
    """End the run with status 1 and one line for the user: the problem with `subject`, and what to do about it.

    Cookiecutter catches FailedHookException. cruft does not, but ends like any program for SystemExit.
    """

    def __init__(self, subject: str, problem: str, remedy: str) -> None:
        message = f"{subject}: {problem}. {remedy}"
        super().__init__(message)
        self.code = message


def check_cookiecutter_version() -> None:
    """Raise RefusalError if Cookiecutter is too old for the template."""
    version = tuple(int(number) for number in re.findall(r"\d+", cookiecutter.__version__)[:3])
    if version < MINIMUM_COOKIECUTTER:
        minimum = ".".join(map(str, MINIMUM_COOKIECUTTER))
        raise RefusalError(
            "cookiecutter",
            f"version {cookiecutter.__version__} is too old",
            f"Use {minimum} or newer, for example with `uvx cookiecutter@latest`.",
        )


def check_project_name(name: str) -> str:
    """Return `name`, or raise RefusalError unless it is 1 to 60 characters of any script on one line."""
    remedy = f"Use 1 to {MAX_NAME_LENGTH} characters on one line."
    if isinstance(name, str) and not name.strip():
        raise RefusalError("project_name", "must not be empty", remedy)
    return check_single_line("project_name", name, MAX_NAME_LENGTH, remedy)


def check_description(description: str) -> str:
    """Return `description`, or raise RefusalError unless it is up to 200 characters on one line."""
    remedy = f"Use up to {MAX_DESCRIPTION_LENGTH} characters on one line."
    return check_single_line("description", description, MAX_DESCRIPTION_LENGTH, remedy)


def check_single_line(question: str, answer: str, max_length: int, remedy: str) -> str:
    """Return `answer`, or raise RefusalError if it is too long, padded, or contains a control character."""
    if not isinstance(answer, str):
        raise RefusalError(question, f"{answer!a} is not a string", remedy)
    if len(answer) > max_length:
        raise RefusalError(question, f"the length is {len(answer)}", remedy)
    if answer != answer.strip():
        raise RefusalError(question, "must not begin or end with whitespace", remedy)
    for character in answer:
        if unicodedata.category(character) in CONTROL_CATEGORIES or character in DIRECTION_MARKS:
            raise RefusalError(question, f"must not contain the control character U+{ord(character):04X}", remedy)
    return answer


def suggest_slug(name: str) -> str:
    """Return a slug made from `name` that `check_project_slug` accepts."""
    slug = re.sub(r"^[^a-z]+", "", slugify(name))[:MAX_SLUG_LENGTH].strip("-")
    if slug in DEPENDENCIES | INSTALLERS | WINDOWS_DEVICES:
        slug += "-project"
    return slug if len(slug) > 1 else FALLBACK_SLUG


def check_project_slug(slug: str) -> str:
    """Return `slug`, or raise RefusalError unless it can name a directory, a distribution and a container image."""
    remedy = f"Use 2 to {MAX_SLUG_LENGTH} lower-case letters, digits and single hyphens, as in my-library."
    if not isinstance(slug, str):
        raise RefusalError("project_slug", f"{slug!a} is not a string", remedy)
    if not 1 < len(slug) <= MAX_SLUG_LENGTH:
        raise RefusalError("project_slug", f"the length is {len(slug)}", remedy)
    if not SLUG.fullmatch(slug):
        raise RefusalError("project_slug", f"{slug!a} is not a valid slug", f"{remedy} Begin with a letter.")
    remedy = f"Use another name, such as my-{slug}."
    if slug in DEPENDENCIES:
        raise RefusalError("project_slug", f"{slug} is a dependency of the project", remedy)
    if slug in INSTALLERS:
        raise RefusalError("project_slug", f"{slug} is a tool that installs the project", remedy)
    if slug in WINDOWS_DEVICES:
        raise RefusalError("project_slug", f"{slug} is a reserved device name on Windows", remedy)
    return slug


def check_answers(answers: Mapping[str, Any]) -> str:
    """Return an empty string, or raise SystemExit with one line if an answer or the output directory is refused.

    For the pre-generation hook, where Cookiecutter would print a traceback for RefusalError and would keep the
    project directory that it has just created.
    """
    # cruft renders into a temporary directory and has no such answer.
    output = answers.get("_output_dir")
    try:
        check_each_answer(answers)
        if output:
            check_free_space(Path(output))
            check_no_overwrite(Path(output, answers["project_slug"]))
    except RefusalError as error:
        if output:
            remove_empty_directories(Path(output, str(answers["project_slug"])), Path(output))
        raise SystemExit(error.code) from None
    return ""


def check_each_answer(answers: Mapping[str, Any]) -> None:
    """Raise RefusalError for the first invalid answer."""
    check_project_name(answers["project_name"])
    check_project_slug(answers["project_slug"])
    check_description(answers["description"])
    for question in ("include_books", "include_apis"):
        if not isinstance(answers[question], bool):
            raise RefusalError(question, f"{answers[question]!a} is not a boolean", "Use true or false.")
    if answers["ci"] not in ("github", "gitlab", "none"):
        raise RefusalError("ci", f"{answers['ci']!a} is not a choice", "Use github, gitlab or none.")


def check_output_directory(option: str) -> str:
    """Return an empty string, or raise RefusalError if the directory of a command-line option cannot be written to.

    `option` is the name of the option in Cookiecutter's command line. Cookiecutter itself would fail with a traceback
    after the last question.
    """
    command = click.get_current_context(silent=True)
    options = command.params if command else {}
    output = options.get(option)
    if output:
        path = Path(output).absolute()
        existing = next(directory for directory in (path, *path.parents) if has_access(directory, os.F_OK))
        writable = existing.is_dir() and has_access(existing, os.W_OK | os.X_OK)
        # Rendering over an existing project only writes to the project's directory.
        if not writable and not options.get("overwrite_if_exists"):
            raise RefusalError("output directory", f"{str(existing)!r} is not writable", "Use another directory.")
        check_free_space(existing)
    return ""


def has_access(path: Path, mode: int) -> bool:
    """Return whether the effective user has access to `path`. `mode` is one of the constants of `os.access`."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def check_free_space(directory: Path) -> None:
    """Raise RefusalError if the directory's disk has no room for a project."""
    if shutil.disk_usage(directory).free < REQUIRED_MEGABYTES * 2**20:
        raise RefusalError("output directory", "the disk is full", f"Free at least {REQUIRED_MEGABYTES} MB.")


def check_no_overwrite(project: Path) -> None:
    """Raise RefusalError if an untracked file of the template would overwrite one of the project's owner."""
    template = project_directory(Path.cwd())
    for name in sorted(OWNERS_FILES):
        if (template / name).exists() and (project / name).exists():
            raise RefusalError(
                "output directory",
                f"{name} in the template would overwrite yours",
                "Use a clean copy of the template.",
            )


def remove_empty_directories(directory: Path, root: Path) -> None:
    """Remove `directory` and its parents below `root`, up to the first that is not empty."""
    with contextlib.suppress(OSError):
        directory.rmdir()
        for parent in directory.parents:
            if root in parent.parents:
                parent.rmdir()


def template_files(repository: str) -> dict[str, Any]:
    """Return the absolute path of the repository, and the files in its project directory as paths with slashes.

    Cookiecutter and cruft render the hooks in the repository, so that "." is its path there. The files are split into
    `tracked`, which belong to the template, and `untracked`, which are left over from work on it.
    """
    root = Path(repository).resolve()
    directory = project_directory(root)
    names = [path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()]
    return {
        "repository": str(root),
        "tracked": [name for name in names if not is_untracked(name)],
        "untracked": [name for name in names if is_untracked(name)],
    }


def project_directory(repository: Path) -> Path:
    """Return the directory that Cookiecutter renders, `{{cookiecutter.project_slug}}`."""
    return next(path for path in repository.glob("*cookiecutter.project_slug*") if path.is_dir())


def is_untracked(name: str) -> bool:
    """Return whether git ignores the path, which is relative to the project directory and has slashes."""
    parts = name.split("/")
    return parts[0] in OWNERS_FILES | BUILD_ARTEFACTS or "__pycache__" in parts or name.endswith((".pyc", ".DS_Store"))


def in_quotes(text: str) -> str:
    """Escape `text` for double quotes in Python, TOML, YAML and JSON alike."""
    return "".join(map(escape_character, text))


def escape_character(character: str) -> str:
    """Return the character, or its escape sequence if it needs one between double quotes."""
    if character == "\\":
        return "\\\\"
    # For \" ruff would change the quotes around the string. For a raw format character, such as U+200B, it warns.
    if character == '"' or (unicodedata.category(character) == "Cf" and ord(character) < 2**16):
        return f"\\u{ord(character):04x}"
    return character


def in_markdown(text: str) -> str:
    """Escape `text` for a line of its own in Markdown, with no more backslashes than necessary."""
    return MARKDOWN_NUMBERED_LIST.sub(r"\1\\\2", MARKDOWN_SYNTAX.sub(r"\\\g<0>", text))


FILTERS = (
    check_answers,
    check_description,
    check_output_directory,
    check_project_name,
    check_project_slug,
    in_markdown,
    in_quotes,
    suggest_slug,
    template_files,
)


class TemplateExtension(Extension):
    """Register the filters, or raise RefusalError if Cookiecutter is too old."""

    def __init__(self, environment: Environment) -> None:
        check_cookiecutter_version()
        super().__init__(environment)
        # `tojson` sorts the keys by default, but .cruft.json has the answers in the order of the questions.
        environment.policies["json.dumps_kwargs"] = {}
        filters = FILTERS
        # `cruft update` renders two versions of the template in one process, which imports only the first one.
        with contextlib.suppress(OSError):
            if MODULE.read_bytes() != SOURCE:
                filters = runpy.run_path(str(MODULE))["FILTERS"]
        for function in filters:
            environment.filters[function.__name__] = function
