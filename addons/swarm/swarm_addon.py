"""The Jinja filters of the add-on: the default for the project's slug, and validation of the answers."""

from __future__ import annotations

import re
from pathlib import Path

import click
from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension

# Python 3.10, with which Cookiecutter works, has no module for TOML.
PROJECT_NAME = re.compile(r"""^\[project\][^[]*?^name *= *["']([^"']+)["']""", re.MULTILINE)
SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
DOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
# https://pkg.go.dev/github.com/distribution/reference, without a tag and a digest.
IMAGE = re.compile(r"([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
MAX_SLUG_LENGTH = 40


class RefusalError(FailedHookException, SystemExit):  # type: ignore[misc]  # Cookiecutter has no types
    """End the run with status 1 and one line for the user: the problem with `question`, and what to do about it.

    Cookiecutter catches FailedHookException. cruft does not, but ends like any program for SystemExit.
    """

    def __init__(self, question: str, problem: str, remedy: str) -> None:
        message = f"{question}: {problem}. {remedy}"
        super().__init__(message)
        self.code = message


def output_directory(option: str) -> Path | None:
    """Return the directory of a command-line option of Cookiecutter, or None under cruft and pytest-cookies."""
    command = click.get_current_context(silent=True)
    output = command.params.get(option) if command else None
    return Path(output) if output else None


def suggest_project_slug(option: str) -> str:
    """Return the name in the `pyproject.toml` of the output directory, or an empty string if it has none.

    `option` is the name of the output directory's option in Cookiecutter's command line.
    """
    try:
        text = ((output_directory(option) or Path.cwd()) / "pyproject.toml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    name = PROJECT_NAME.search(text)
    slug = re.sub(r"[-_.]+", "-", name[1]).lower() if name else ""
    return slug if SLUG.fullmatch(slug) and len(slug) <= MAX_SLUG_LENGTH else ""


def check_project_slug(slug: str) -> str:
    """Return `slug`, or raise RefusalError unless it can name a stack."""
    if not slug:
        remedy = "Run this in the directory of the project, or add the slug, as in project_slug=library."
        raise RefusalError("project_slug", "no pyproject.toml with a name is here", remedy)
    if not SLUG.fullmatch(slug) or len(slug) > MAX_SLUG_LENGTH:
        remedy = f"Use up to {MAX_SLUG_LENGTH} lower-case letters, digits and single hyphens. Begin with a letter."
        raise RefusalError("project_slug", f"{slug!a} is not a valid slug", remedy)
    return slug


def check_image(image: str) -> str:
    """Return `image`, or raise RefusalError unless it is the name of a container image without a tag."""
    if not IMAGE.fullmatch(image):
        remedy = "Write it without a tag, as in registry.example.com/library."
        raise RefusalError("image", f"{image!a} is not the name of an image", remedy)
    return image


def check_domain(domain: str) -> str:
    """Return `domain`, or raise RefusalError unless it is a host name."""
    if not DOMAIN.fullmatch(domain):
        raise RefusalError("domain", f"{domain!a} is not a domain", "Write it as library.example.com.")
    return domain


def check_folder(folder: str) -> str:
    """Return `folder`, or raise RefusalError unless it is a valid name for a directory that does not exist."""
    if not SLUG.fullmatch(folder):
        remedy = "Use lower-case letters, digits and single hyphens, as in swarm."
        raise RefusalError("folder", f"{folder!a} is not a valid name", remedy)
    # Not for `cruft update`, which renders into a temporary directory.
    output = output_directory("output_dir")
    if output and (output / folder).exists():
        remedy = f"`cruft update --project-dir {folder}` updates it, or use another name, as in folder={folder}-2."
        raise RefusalError("folder", f"{folder} exists", remedy)
    return folder


FILTERS = (check_domain, check_folder, check_image, check_project_slug, suggest_project_slug)


class AddonExtension(Extension):
    """Register the filters."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        environment.filters.update((function.__name__, function) for function in FILTERS)
