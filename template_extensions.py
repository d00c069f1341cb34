"""The checks of the answers and the escaping of what lands in a file, as a Jinja extension of the template.

Cookiecutter runs each check as a filter right after its question, by a private variable of `cookiecutter.json`;
`hooks/pre_gen_project.py` runs all of them once more, for the ways in that ask no questions.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension
from slugify import slugify

NAME_LENGTH = 60
DESCRIPTION_LENGTH = 200
SLUG_LENGTH = 40
SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
FALLBACK_SLUG = "my-project"

# What a project depends on, directly or not, cannot be its own name: uv and pip would resolve the one for the other.
# A test compares this with what is installed for the default project.
DEPENDENCIES = frozenset(
    # As a list of strings it would be sixty lines long.
    """
    asgiref attrs cfgv dj-database-url django django-cors-headers django-filter django-stubs django-stubs-ext
    djangorestframework djangorestframework-stubs distlib drf-spectacular drf-spectacular-sidecar environs filelock
    gunicorn identify inflection iniconfig jsonschema jsonschema-specifications librt marshmallow mypy mypy-extensions
    nodeenv packaging pathspec pip platformdirs pluggy pre-commit psycopg psycopg-binary psycopg-pool pygments pytest
    pytest-django python-discovery python-dotenv pyyaml redis referencing rpds-py ruff rust-just setuptools sqlparse
    types-django-filter types-pyyaml types-requests typing-extensions tzdata uritemplate urllib3 uv virtualenv wheel
    whitenoise
    """.split()  # noqa: SIM905
)
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
    if not answer.strip():
        raise InvalidAnswerError("project_name", "it is empty", allowed)
    return check_line("project_name", answer, NAME_LENGTH, allowed)


def check_description(answer: str) -> str:
    """The answer, or InvalidAnswerError: up to 200 characters in one line."""
    return check_line(
        "description", answer, DESCRIPTION_LENGTH, f"Use up to {DESCRIPTION_LENGTH} characters in one line."
    )


def check_line(question: str, answer: str, length: int, allowed: str) -> str:
    """The answer, or InvalidAnswerError if it is longer or holds what is no visible character of one line."""
    if len(answer) > length:
        raise InvalidAnswerError(question, f"it has {len(answer)} characters", allowed)
    if answer != answer.strip():
        raise InvalidAnswerError(question, "it begins or ends with white space", allowed)
    for character in answer:
        # Control characters, surrogates, line and paragraph separators; white space other than the plain one, and the
        # invisible marks that turn the direction of what follows.
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in BIDI:
            raise InvalidAnswerError(question, f"it holds the control character U+{ord(character):04X}", allowed)
    return answer


BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def suggest_slug(name: str) -> str:
    """A slug that `check_project_slug` accepts, made from any name."""
    slug = re.sub(r"^[^a-z]+", "", slugify(name))[:SLUG_LENGTH].strip("-")
    if slug in DEPENDENCIES | RESERVED:
        slug += "-project"
    return slug if len(slug) > 1 else FALLBACK_SLUG


def check_project_slug(answer: str) -> str:
    """The answer, or InvalidAnswerError: the name of a folder, a distribution, an image and a compose project."""
    allowed = (
        f"Use 2 to {SLUG_LENGTH} lower-case letters, digits and single hyphens, a letter first, as in my-library."
    )
    if not 1 < len(answer) <= SLUG_LENGTH:
        raise InvalidAnswerError("project_slug", f"it has {len(answer)} characters", allowed)
    if not SLUG.fullmatch(answer):
        raise InvalidAnswerError("project_slug", f"{answer!a} is not a slug", allowed)
    if answer in DEPENDENCIES:
        raise InvalidAnswerError("project_slug", f"{answer} is a package that the project depends on", allowed)
    if answer in RESERVED:
        raise InvalidAnswerError("project_slug", f"{answer} is a name that Windows keeps for a device", allowed)
    return answer


def check_answers(answers: Mapping[str, Any]) -> str:
    """An empty text, or InvalidAnswerError for the first answer that is not allowed."""
    check_project_name(answers["project_name"])
    check_project_slug(answers["project_slug"])
    check_description(answers["description"])
    for name in ("include_books", "include_apis"):
        if not isinstance(answers[name], bool):
            raise InvalidAnswerError(name, f"{answers[name]!a} is neither yes nor no", "Use true or false.")
    if answers["ci"] not in {"github", "gitlab", "none"}:
        raise InvalidAnswerError("ci", f"{answers['ci']!a} is not known", "Use github, gitlab or none.")
    return ""


def in_quotes(text: str) -> str:
    """The text as it stands between double quotes in Python, TOML, YAML and JSON alike."""
    return "".join(ESCAPES.get(character, character) for character in text)


# A quote as a code: for \" the formatter would change the quotes around the text.
ESCAPES = {"\\": "\\\\", '"': "\\u0022"}


def in_markdown(text: str) -> str:
    """The text as it stands in a line of Markdown of its own, where none of its characters means anything else.

    What means nothing anyway stays as it is, for those who read the file and not the page.
    https://spec.commonmark.org/
    """
    return MARKDOWN.sub(r"\\\g<0>", text)


MARKDOWN = re.compile(
    r"""
    [*`\[~$]                                       # emphasis, code, links, GitHub's strikethrough and formulas
    | (?<![^\W_]) _ | _ (?![^\W_])                 # emphasis, but not the underscore inside a word
    | \\ (?=[!-/:-@\[-`{-~]|$)                     # a backslash that would escape what follows
    | < (?=[A-Za-z/!?]) | & (?=\#?[A-Za-z0-9]+;)   # HTML
    | (?<!\S) \#                                   # a heading, or the end of one
    | ^ [-+=>] | (?<=^[0-9]) [.)] | (?<=^[0-9]{2}) [.)] | (?<=^[0-9]{3}) [.)] | (?<=^[0-9]{4}) [.)]  # lists
    """,
    re.VERBOSE,
)


class TemplateExtension(Extension):
    """Registers the functions above as filters."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        for function in (
            check_answers,
            check_description,
            check_project_name,
            check_project_slug,
            in_markdown,
            in_quotes,
            suggest_slug,
        ):
            environment.filters[function.__name__] = function
