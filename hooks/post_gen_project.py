"""Finish a rendered project: delete what was declined, make the environment file and the lock, say what to do next.

Nothing here may fail because uv, git or the network is missing. An update of a project by cruft runs this for the
old and the new version of the template and compares the two: what git tracks must come out the same each time.
"""

import json
import os
import runpy
import shutil
import stat
import subprocess
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
BOOKS = ANSWERS["include_books"]
APIS = ANSWERS["include_apis"]
CI = ANSWERS["ci"]
# cruft renders to compare, and sets this; nobody works in that folder.
RENDERED_BY_CRUFT = "_commit" in ANSWERS

# What goes, and when. A folder goes with everything in it.
DECLINED = {
    "books": not BOOKS,
    "apis": not APIS,
    "apis/serializers.py": not BOOKS,
    "apis/v1.py": not BOOKS,
    "apis/views.py": not BOOKS,
    "apis/tests/fuzzing.py": not BOOKS,
    "apis/tests/test_books.py": not BOOKS,
    "core/filters.py": not APIS,
    "core/generics.py": not APIS,
    "core/pagination.py": not APIS,
    "core/paging.py": not BOOKS and not APIS,
    "core/problems.py": not APIS,
    "core/search.py": not BOOKS,
    "core/templates/home.html": BOOKS,
    "core/tests/test_home.py": BOOKS,
    "core/schema.py": not APIS,
    "core/throttling.py": not APIS,
    "core/urls.py": BOOKS,
    ".github": CI != "github",
    ".gitlab-ci.yml": CI != "gitlab",
}

# What a contributor's work leaves in the template's folder, and cookiecutter copies.
LITTER = (
    ".coverage",
    ".env",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".venv",
    "**/*.pyc",
    "**/__pycache__",
    "db.sqlite3*",
    "staticfiles",
    "uv.lock",
)


def main() -> None:
    """Run in the rendered project's folder."""
    make_writable()
    for pattern in LITTER:
        for path in list(Path().glob(pattern)):
            delete(path)
    for name, declined in DECLINED.items():
        if declined:
            delete(Path(name))
    runpy.run_path("core/environment.py")["make_env_file"](Path())
    if not RENDERED_BY_CRUFT:
        locked = lock()
        print(what_next(locked))


def make_writable() -> None:
    """Let the owner change the project: its files have the rights of the template's, which may be read-only."""
    for path in Path().rglob("*"):
        mode = path.stat().st_mode
        if not mode & stat.S_IWUSR:
            path.chmod(mode | stat.S_IWUSR)


def delete(path: Path) -> None:
    """Delete a file or a folder; one that is not there is fine."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def lock() -> bool:
    """Make `uv.lock` and return whether it was made. What is in uv's cache is enough where there is no network."""
    uv = shutil.which("uv")
    if uv is None:
        return False
    environment = {**os.environ, "UV_HTTP_RETRIES": "0"}
    environment.pop("VIRTUAL_ENV", None)
    for options in ([], ["--offline"]):
        try:
            command = [uv, "lock", "--quiet", *options]
            process = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        if process.returncode == 0:
            return True
    return False


def what_next(locked: bool) -> str:
    """The few lines that the run ends with."""
    folder = ANSWERS["project_slug"]
    addresses = "http://127.0.0.1:8000/" + (" and http://127.0.0.1:8000/api/" if APIS else "")
    start = ["uv run just start"] if locked else START_WITHOUT_LOCK
    return "\n".join(
        [
            "",
            f"Your project is in the folder {folder}. What next:",
            "",
            f"  cd {folder}",
            *(f"  {line}" for line in start),
            "",
            f"It answers at {addresses}",
            "Commit before you edit, so that updates of the template can be told from your changes:",
            "",
            "  git init && git add --all && git commit --message 'Start'",
            "",
        ]
    )


START_WITHOUT_LOCK = [
    "python3 -m venv .venv && . .venv/bin/activate && python -m pip install --upgrade pip",
    "pip install . --group dev && just start",
    "",
    "uv was not found or could not resolve the dependencies: with it, `uv lock` pins their versions.",
]

if __name__ == "__main__":
    main()
