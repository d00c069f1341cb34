"""The Jinja filters of this add-on: the name of the project that takes it in, and checks of the answers.

A filter that raises `RefusalError` ends the run before the next question. Cookiecutter renders the add-on alone, so it
shares no code with the project's template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension

MAX_LENGTH = 40
SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
FALLBACK_NAME = "my-project"


class RefusalError(FailedHookException, SystemExit):  # type: ignore[misc]  # Cookiecutter has no types
    """End the run with status 1 and one line for the user.

    Cookiecutter catches FailedHookException. cruft does not, but ends like any program for SystemExit.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message


def project_name_from(file: str) -> str:
    """Return the name in the `pyproject.toml` of the output directory, or `my-project` if there is no usable one.

    By a regular expression, because Python 3.10 has no `tomllib`.
    """
    try:
        text = (output_directory() / file).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return FALLBACK_NAME
    project = re.search(r"^\[project\]\s*$(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    name = re.search(r"""^name\s*=\s*["']([^"']+)["']""", project[1], re.MULTILINE) if project else None
    slug = re.sub(r"[-_.]+", "-", name[1].lower()) if name else ""
    return slug if is_slug(slug) else FALLBACK_NAME


def output_directory() -> Path:
    """Return the directory of the option `--output-dir`, or the current one."""
    command = click.get_current_context(silent=True)
    return Path((command.params if command else {}).get("output_dir") or ".")


def is_slug(text: object) -> bool:
    """Return whether `text` can name a namespace and an image."""
    return isinstance(text, str) and len(text) <= MAX_LENGTH and bool(SLUG.fullmatch(text))


def check_slug(slug: str, question: str) -> str:
    """Return `slug`, or raise RefusalError unless it can name a namespace and an image."""
    if not is_slug(slug):
        raise RefusalError(
            f"{question}: {slug!a} is not a valid slug. Use up to {MAX_LENGTH} lower-case letters, digits and single "
            "hyphens, as in my-library. Begin with a letter."
        )
    return slug


def check_folder(folder: str) -> str:
    """Return `folder`, or raise RefusalError if it is no plain name, or exists and is not to be overwritten."""
    check_slug(folder, "folder")
    command = click.get_current_context(silent=True)
    options = command.params if command else {}
    # cruft renders an update into a directory of its own.
    if (output_directory() / folder).exists() and "output_dir" in options and not options.get("overwrite_if_exists"):
        raise RefusalError(f"folder: {folder} exists. Nothing was changed. Use another name, or move it away.")
    return folder


def check_answers(answers: Mapping[str, Any]) -> str:
    """Return an empty string, or raise SystemExit with one line. For the hook, because `--replay` skips the checks."""
    try:
        check_slug(answers["project_slug"], "project_slug")
        check_slug(answers["folder"], "folder")
    except RefusalError as error:
        raise SystemExit(error.code) from None
    return ""


class AddonExtension(Extension):
    """Register the filters."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        for function in (check_answers, check_folder, check_slug, project_name_from):
            environment.filters[function.__name__] = function
