"""The template directory is a project that works without rendering."""

from pathlib import Path
from typing import Any

import pytest
from baking import TEMPLATE, BakedProject


@pytest.fixture
def in_place(tmp_path: Path) -> dict[str, Any]:
    """Settings for commands that leave no files in the template directory."""
    return {
        "SECRET_KEY": "in-place-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "RUFF_NO_CACHE": "true",
    }


@pytest.mark.parametrize(
    "command",
    [
        "ruff format --check .",
        "ruff check .",
        "mypy .",
        "python manage.py check --deploy --fail-level WARNING",
        "python manage.py makemigrations --check --dry-run",
        "python manage.py spectacular --api-version v1 --validate --fail-on-warn --file /dev/null",
        "python manage.py migrate",
        "python -m pytest -p no:cacheprovider",
        "just --list",
    ],
)
def test_in_place(command: str, in_place: dict[str, Any]) -> None:
    BakedProject(TEMPLATE, {}).run(*command.split(), **in_place)
