"""Finish a rendered project: delete what was declined, make the environment file and the lock, say what to do next.

Nothing here may fail because uv, git or the network is missing. An update of a project by cruft runs this for the
old and the new version of the template and compares the two: what git tracks must come out the same each time.
"""

import contextlib
import json
import os
import re
import stat
import sys
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
    "docs/tour.md": not BOOKS or not APIS,
    ".github": CI != "github",
    ".gitlab-ci.yml": CI != "gitlab",
}

# What lies in the template's folder: its own files, and what a contributor's work leaves there.
FILES = json.loads(r"""{{ cookiecutter | template_files | tojson }}""")
REPOSITORY = FILES["repository"]


def main() -> None:
    """Run in the rendered project's folder."""
    make_writable()
    for name in FILES["litter"]:
        delete(name)
    # Never a folder with all that is in it: with `-f` its owner's files are there, too.
    for name in FILES["own"]:
        if any(declined and f"{name}/".startswith(f"{path}/") for path, declined in DECLINED.items()):
            delete(name)
    if not RENDERED_BY_CRUFT:
        make_env_file()
        linked = link()
        locked = lock()
        print(what_next(locked, linked))


def make_writable() -> None:
    """Let the owner change the project: its files have the rights of the template's, which may be read-only."""
    for path in map(Path, FILES["own"] + FILES["litter"]):
        if path.is_file() and not (mode := path.stat().st_mode) & stat.S_IWUSR:
            path.chmod(mode | stat.S_IWUSR)


def delete(name: str) -> None:
    """Delete a file, if it is there, and the folders that are empty without it."""
    path = Path(name)
    path.unlink(missing_ok=True)
    for folder in path.parents[:-1]:
        try:
            folder.rmdir()
        except OSError:
            return


def make_env_file() -> None:
    """Make `.env` as the project itself does. An import would leave bytecode, and runpy takes its time to load."""
    path = Path("core/environment.py")
    module: dict = {"__name__": "environment", "__file__": str(path)}
    exec(path.read_text(encoding="utf-8"), module)
    module["make_env_file"](Path())


def link() -> bool:
    """Make `.cruft.json`, as cruft does, and return whether the template came from the address of a git repository."""
    # The words of cookiecutter's user: a URL, an abbreviation such as gh:, or a login as in git@example.com:me/it. One
    # letter and a colon are a drive of Windows.
    address = str(ANSWERS.get("_template", ""))
    if not re.match(r"[\w+.-]{2,}:|[\w.-]+@[\w.-]+:", address) or address.endswith(".zip"):
        return False
    try:
        commit, *directory = run("git", "rev-parse", "HEAD", "--show-prefix").splitlines()
        template = run("git", "config", "remote.origin.url").strip()
    except (OSError, ValueError):
        return False
    # Git tracks the file that this goes to: no password or token may be in it. A login name may.
    template = re.sub(r"(?i)^(https?://)[^/]*@|^(\w+://[^/:@]*):[^/]*(?=@)", r"\1\2", template)
    # In the order of cookiecutter.json, as cruft has them: Jinja has sorted the answers, and what is inside of them.
    questions = json.loads(Path(REPOSITORY, "cookiecutter.json").read_text(encoding="utf-8"))
    context = {
        name: asked if asked == ANSWERS[name] else ANSWERS[name]
        for name, asked in questions.items()
        if name in ANSWERS
    }
    state = {
        "template": template,
        "commit": commit,
        "checkout": ANSWERS.get("_checkout"),
        "context": {"cookiecutter": {**context, "_template": template, "_commit": commit}},
        "directory": "".join(directory).rstrip("/") or None,
    }
    text = json.dumps(state, ensure_ascii=False, indent=2, separators=(",", ": "))
    Path(".cruft.json").write_text(f"{text}\n", encoding="utf-8", newline="\n")
    return True


def lock() -> bool:
    """Make `uv.lock` and return whether it was made. What is in uv's cache is enough where there is no network."""
    if not any(Path(folder, name).exists() for folder in os.get_exec_path() for name in ("uv", "uv.exe")):
        return False
    for options in ([], ["--offline"]):
        with contextlib.suppress(OSError):
            run("uv", "lock", "--quiet", *options, folder=".")
            return True
    return False


def run(*command: str, folder: str = REPOSITORY) -> str:
    """What a command prints. Raises OSError if it is not there, fails, or takes more than two minutes."""
    # A quarter of the time of this hook, where neither git nor uv is asked.
    import subprocess  # noqa: PLC0415

    environment = {**os.environ, "UV_HTTP_RETRIES": "0"}
    environment.pop("VIRTUAL_ENV", None)
    try:
        return subprocess.check_output(
            command, cwd=folder, env=environment, stderr=subprocess.DEVNULL, encoding="utf-8", timeout=120
        )
    except (subprocess.SubprocessError, ValueError) as error:
        raise OSError(*command) from error


def what_next(locked: bool, linked: bool) -> str:
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
            *([] if linked else ["", LINK]),
            "",
        ]
    )


LINK = "To follow the template with updates, link it: uvx cruft link URL-OF-ITS-GIT-REPOSITORY"
START_WITHOUT_LOCK = [
    "python3 -m venv .venv && . .venv/bin/activate && python -m pip install --upgrade pip",
    "pip install . --group dev && just start",
    "",
    "uv was not found or could not resolve the dependencies: with it, `uv lock` pins their versions.",
]

if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        # Cookiecutter adds words of its own, and removes the folder if it made it.
        sys.exit(f"The project could not be finished: {error}.")
