"""The checks of the answers and the escaping of what lands in a file, as a Jinja extension of the template.

Cookiecutter runs each check as a filter right after its question, by a private variable of `cookiecutter.json`;
`hooks/pre_gen_project.py` runs all of them once more, for the ways in that ask no questions.
"""

import contextlib
import json
import os
import re
import runpy
import shutil
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension
from slugify import slugify

FILE = Path(__file__).resolve()
SOURCE = FILE.read_bytes()

NAME_LENGTH = 60
DESCRIPTION_LENGTH = 200
SLUG_LENGTH = 40
SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
FALLBACK_SLUG = "my-project"

# What a project depends on, directly or not, cannot be its own name: uv and pip would resolve the one for the other.
# A test compares this with the lock of the default project.
DEPENDENCIES = frozenset(
    # As a list of strings it would be sixty lines long.
    """
    asgiref ast-serialize async-timeout attrs cfgv colorama distlib dj-database-url django django-cors-headers
    django-filter django-stubs django-stubs-ext djangorestframework djangorestframework-stubs drf-spectacular
    drf-spectacular-sidecar environs filelock gunicorn identify inflection iniconfig jsonschema
    jsonschema-specifications librt marshmallow mypy mypy-extensions nodeenv packaging pathspec platformdirs pluggy
    pre-commit psycopg psycopg-binary psycopg-pool pygments pytest pytest-django python-discovery python-dotenv
    pyyaml redis referencing rpds-py ruff rust-just sqlparse types-django-filter types-pyyaml typing-extensions
    tzdata uritemplate virtualenv whitenoise
    """.split()  # noqa: SIM905  # shorter than a list
)
# What installs a project cannot be its name, either.
INSTALLERS = frozenset(["pip", "setuptools", "uv", "wheel"])

# What a contributor's work leaves in the template's folder, and cookiecutter copies. First, what the owner of a
# project may have, too, and must not lose.
PRECIOUS = (
    ".env",
    ".idea",
    ".venv",
    ".vscode",
    "db.sqlite3",
    "db.sqlite3-journal",
    "db.sqlite3-shm",
    "db.sqlite3-wal",
    "uv.lock",
)
CACHES = (".coverage", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".schemathesis", "staticfiles")
LITTER = (*PRECIOUS, *CACHES)
# Three times what a project takes.
ROOM = 2 * 2**20

# Names that Windows keeps for devices; a folder cannot have them.
RESERVED = frozenset(
    ["aux", "con", "nul", "prn", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))]
)


class InvalidAnswerError(FailedHookException, SystemExit):  # type: ignore[misc]  # cookiecutter has no types
    """One line for the user, after which the run ends with status 1.

    Cookiecutter ends so for a FailedHookException; cruft, which does not know it, for a SystemExit with a message.
    """

    def __init__(self, question: str, problem: str, allowed: str) -> None:
        message = f"{question}: {problem}. {allowed}"
        super().__init__(message)
        self.code = message


def check_project_name(answer: str) -> str:
    """The answer, or InvalidAnswerError: 1 to 60 characters of any script, none of them a control character."""
    allowed = f"Use 1 to {NAME_LENGTH} characters in one line."
    if isinstance(answer, str) and not answer.strip():
        raise InvalidAnswerError("project_name", "it is empty", allowed)
    return check_line("project_name", answer, NAME_LENGTH, allowed)


def check_description(answer: str) -> str:
    """The answer, or InvalidAnswerError: up to 200 characters in one line."""
    return check_line(
        "description", answer, DESCRIPTION_LENGTH, f"Use up to {DESCRIPTION_LENGTH} characters in one line."
    )


def check_line(question: str, answer: str, length: int, allowed: str) -> str:
    """The answer, or InvalidAnswerError if it is longer or holds what is no visible character of one line."""
    if not isinstance(answer, str):
        raise InvalidAnswerError(question, f"{answer!a} is not a text", allowed)
    if len(answer) > length:
        raise InvalidAnswerError(question, f"it has {len(answer)} characters", allowed)
    if answer != answer.strip():
        raise InvalidAnswerError(question, "it begins or ends with white space", allowed)
    for character in answer:
        # Control characters, surrogates, line and paragraph separators, and the invisible marks that turn the
        # direction of what follows.
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in BIDI:
            raise InvalidAnswerError(question, f"it holds the control character U+{ord(character):04X}", allowed)
    return answer


BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def suggest_slug(name: str) -> str:
    """A slug that `check_project_slug` accepts, made from any name."""
    slug = re.sub(r"^[^a-z]+", "", slugify(name))[:SLUG_LENGTH].strip("-")
    if slug in DEPENDENCIES | INSTALLERS | RESERVED:
        slug += "-project"
    return slug if len(slug) > 1 else FALLBACK_SLUG


def check_project_slug(answer: str) -> str:
    """The answer, or InvalidAnswerError: the name of a folder, a distribution, an image and a compose project."""
    allowed = (
        f"Use 2 to {SLUG_LENGTH} lower-case letters, digits and single hyphens, a letter first, as in my-library."
    )
    if not isinstance(answer, str):
        raise InvalidAnswerError("project_slug", f"{answer!a} is not a text", allowed)
    if not 1 < len(answer) <= SLUG_LENGTH:
        raise InvalidAnswerError("project_slug", f"it has {len(answer)} characters", allowed)
    if not SLUG.fullmatch(answer):
        raise InvalidAnswerError("project_slug", f"{answer!a} is not a slug", allowed)
    if answer in DEPENDENCIES:
        raise InvalidAnswerError("project_slug", f"{answer} is a package that the project depends on", allowed)
    if answer in INSTALLERS:
        raise InvalidAnswerError("project_slug", f"{answer} is a program that installs the project", allowed)
    if answer in RESERVED:
        raise InvalidAnswerError("project_slug", f"{answer} is a name that Windows keeps for a device", allowed)
    return answer


def check_answers(answers: Mapping[str, Any]) -> str:
    """For the hook before a render: an empty text, if the answers are allowed and the project can be written.

    Raises SystemExit with one line for the first thing that is wrong. An InvalidAnswerError would be printed with a
    traceback here: so the folder that cookiecutter has just made is removed here, too.
    """
    try:
        check_each_answer(answers)
        # cruft has no such answer: it renders into a temporary folder.
        if output := answers.get("_output_dir"):
            check_output(Path(output), Path(output, answers["project_slug"]))
    except InvalidAnswerError as error:
        if output := answers.get("_output_dir"):
            remove_empty(Path(output, str(answers["project_slug"])), Path(output))
        raise SystemExit(error.code) from None
    return ""


def check_each_answer(answers: Mapping[str, Any]) -> None:
    """Raise InvalidAnswerError for the first answer that is not allowed."""
    check_project_name(answers["project_name"])
    check_project_slug(answers["project_slug"])
    check_description(answers["description"])
    for name in ("include_books", "include_apis"):
        if not isinstance(answers[name], bool):
            raise InvalidAnswerError(name, f"{answers[name]!a} is neither yes nor no", "Use true or false.")
    if answers["ci"] not in ("github", "gitlab", "none"):
        raise InvalidAnswerError("ci", f"{answers['ci']!a} is not known", "Use github, gitlab or none.")


def check_command_line(_: object) -> str:
    """An empty text, or InvalidAnswerError if a project cannot be written where the command says, before any question.

    Cookiecutter itself finds that out after the last one, with a traceback.
    """
    command = click.get_current_context(silent=True)
    if command and (output := command.params.get("output_dir")):
        path = Path(output).absolute()
        effective = os.access in os.supports_effective_ids
        there = (folder for folder in (path, *path.parents) if os.access(folder, os.F_OK, effective_ids=effective))
        folder = next(there)
        writable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)
        # Over an existing project: only that one's folder has to be.
        if not writable and not command.params.get("overwrite_if_exists"):
            raise InvalidAnswerError("output folder", f"{str(folder)!r} cannot be written to", "Use another one.")
        check_room(folder)
    return ""


def check_room(folder: Path) -> None:
    """Raise InvalidAnswerError if the folder's disk is full."""
    if shutil.disk_usage(folder).free < ROOM:
        raise InvalidAnswerError("output folder", "its disk is full", f"Free {ROOM // 2**20} MB of it.")


def check_output(folder: Path, project: Path) -> None:
    """Raise InvalidAnswerError if the folder's disk is full, or rubbish would be copied over an owner's data."""
    check_room(folder)
    for name in sorted({name.split("/")[0] for name in template_files(None)["litter"]}):
        if name in PRECIOUS and (project / name).exists():
            raise InvalidAnswerError(
                "output folder", f"the template's own {name} would replace yours", "Use a template without it."
            )


def remove_empty(folder: Path, end: Path) -> None:
    """Remove a folder and those above it, below the end, as long as they are empty."""
    with contextlib.suppress(OSError):
        folder.rmdir()
        while folder.parent != end and end in folder.parent.parents:
            folder = folder.parent
            folder.rmdir()


def template_folder() -> Path:
    """The folder of the template's files. Cookiecutter and cruft render hooks in the folder above it."""
    return next(path for path in Path.cwd().glob("*cookiecutter.project_slug*") if path.is_dir())


def template_files(_: object) -> dict[str, Any]:
    """For the hook: the template's repository, its own files, and those that lie in its folder as rubbish."""
    folder = template_folder()
    own: list[str] = []
    litter: list[str] = []
    for parent, _folders, names in os.walk(folder):
        for name in names:
            path = Path(parent, name).relative_to(folder).as_posix()
            (litter if is_litter(path) else own).append(path)
    return {"repository": str(folder.parent), "own": own, "litter": litter}


def as_python(value: object) -> str:
    """Texts, numbers, lists and dictionaries, as Python's source has them, in ASCII."""
    return ascii(json.loads(json.dumps(value)))


def is_litter(path: str) -> bool:
    """Whether a path in the template's folder, with slashes, is what a contributor's work leaves there."""
    first, *_ = folders = path.split("/")
    return first in LITTER or "__pycache__" in folders or path.endswith((".pyc", ".DS_Store"))


def in_quotes(text: str) -> str:
    """The text as it stands between double quotes in Python, TOML, YAML and JSON alike."""
    return "".join(escape(character) for character in text)


def escape(character: str) -> str:
    """The character, or its code: for \" the formatter would change the quotes around the text."""
    if character == "\\":
        return "\\\\"
    # What cannot be seen, such as a zero-width space, is visible as a code, and linters ask for it.
    if character == '"' or (unicodedata.category(character) == "Cf" and ord(character) < 2**16):
        return f"\\u{ord(character):04x}"
    return character


def in_markdown(text: str) -> str:
    """The text as it stands in a line of Markdown of its own, where none of its characters means anything else.

    What means nothing anyway stays as it is, for those who read the file and not the page.
    https://spec.commonmark.org/
    """
    return re.sub(r"^([0-9]{1,9})([.)])(?=\s|$)", r"\1\\\2", MARKDOWN.sub(r"\\\g<0>", text))


MARKDOWN = re.compile(
    r"""
    [*`\[~$]                                       # emphasis, code, links, GitHub's strikethrough and formulas
    | (?<![^\W_]) _ | _ (?![^\W_])                 # emphasis, but not the underscore inside a word
    | \\ (?=[!-/:-@\[-`{-~]|$)                     # a backslash that would escape what follows
    | < (?=[A-Za-z/!?]) | & (?=\#?[A-Za-z0-9]+;)   # HTML
    | (?<!\S) \#                                   # a heading, or the end of one
    | ^ [-+=>]                                     # lists and quotations
    """,
    re.VERBOSE,
)


FILTERS = (
    as_python,
    check_answers,
    check_command_line,
    check_description,
    check_project_name,
    check_project_slug,
    in_markdown,
    in_quotes,
    suggest_slug,
    template_files,
)


class TemplateExtension(Extension):
    """Registers the filters."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        filters = FILTERS
        # cruft renders the old and the new version of the template in one process, which imports this module once.
        with contextlib.suppress(OSError):
            if FILE.read_bytes() != SOURCE:
                filters = runpy.run_path(str(FILE))["FILTERS"]
        for function in filters:
            environment.filters[function.__name__] = function
