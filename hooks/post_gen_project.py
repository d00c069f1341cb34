"""Finish a rendered project: delete what was declined, create `.env`, `.cruft.json` and `uv.lock`, print next steps.

A missing uv, git or network is not an error. `cruft update` renders the old and the new version of the template and
applies the difference, so files that git tracks must be the same in every run.
"""

import contextlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
BOOKS = ANSWERS["include_books"]
APIS = ANSWERS["include_apis"]
CI = ANSWERS["ci"]

# Files and directories of the template, each with the condition for deleting it.
DECLINED_FILES = {
    "books": not BOOKS,
    "apis": not APIS,
    "apis/v1/books.py": not BOOKS,
    "apis/tests/test_books.py": not BOOKS,
    "apis/tests/fuzzing.py": not BOOKS,
    "core/keyset.py": not BOOKS and not APIS,
    "core/ordering_keys.py": not BOOKS and not APIS,
    "core/queryset_ordering.py": not BOOKS and not APIS,
    "core/tests/test_keyset.py": not BOOKS and not APIS,
    "core/tests/test_ordering_keys.py": not BOOKS and not APIS,
    "core/search.py": not BOOKS,
    "core/management/commands/rebuild_search.py": not BOOKS,
    "core/tests/test_search.py": not BOOKS,
    "core/templates/home.html": BOOKS,
    "core/tests/test_home.py": BOOKS,
    "core/urls.py": BOOKS,
    "core/app_template/apis": not APIS,
    "docs/api.md": not APIS,
    "docs/books.md": not BOOKS,
    "docs/search.md": not BOOKS,
    "docs/tour.md": not BOOKS or not APIS,
    ".github": CI != "github",
    ".gitlab-ci.yml": CI != "gitlab",
}

# Files without Jinja, each with a text and the condition for deleting the lines that contain it.
DECLINED_LINES = {
    "apis/v1/urls.py": ("Book", not BOOKS),
    "core/management/commands/startapp.py": ("apis", not APIS),
    "docs/books.md": ("apis", not APIS),
    "docs/search.md": ("apis", not APIS),
    "docs/users.md": ("In the API", not APIS),
}

TEMPLATE = json.loads(r"""{{ "." | template_files | tojson }}""")
TRACKED = [Path(name) for name in TEMPLATE["tracked"]]
UNTRACKED = [Path(name) for name in TEMPLATE["untracked"]]

NEXT_STEPS = """
The project is in the directory {slug}. Next steps:

  cd {slug}
{start}

Then open {urls}

Commit before you edit, so that updates of the template merge with your changes:

  git init && git add --all && git commit --message 'Start'
"""
START = "  uv run just start"
START_WITHOUT_UV = """\
  python3 -m venv .venv && . .venv/bin/activate && python -m pip install --upgrade pip
  pip install . --group dev && just start"""
NOT_LOCKED = """
uv is not installed or could not resolve the dependencies. Run `uv lock` later to lock their versions.
"""
NOT_LINKED = """
To follow the template with updates, link it: uvx cruft link URL-OF-ITS-GIT-REPOSITORY
"""


def main() -> None:
    """Finish the project in the current directory. Raise OSError if a file cannot be read or written."""
    make_writable()
    delete_untracked()
    delete_declined()
    # cruft sets this answer. It renders into a temporary directory, only to compare.
    if "_commit" in ANSWERS:
        return
    create_env_file()
    linked = link_to_template()
    locked = lock_dependencies()
    print(next_steps(linked, locked))


def make_writable() -> None:
    """Give the owner write permission, which files from a read-only template lack."""
    for file in filter(Path.is_file, TRACKED + UNTRACKED):
        mode = file.stat().st_mode
        if not mode & stat.S_IWUSR:
            file.chmod(mode | stat.S_IWUSR)


def delete_untracked() -> None:
    """Delete what Cookiecutter has copied from a contributor's working copy, such as caches and `.env`."""
    for file in UNTRACKED:
        delete(file)


def delete_declined() -> None:
    """Delete the files and the lines of the template that the answers decline.

    Never whole directories: with `--overwrite-if-exists` they may contain files of the project's owner.
    """
    declined = {Path(name) for name, condition in DECLINED_FILES.items() if condition}
    for file in TRACKED:
        text, lines_declined = DECLINED_LINES.get(file.as_posix(), ("", False))
        if declined.intersection([file, *file.parents]):
            delete(file)
        elif lines_declined:
            delete_lines(file, text)


def delete(file: Path) -> None:
    """Delete a file, and its directories as far as they are then empty."""
    file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        os.removedirs(file.parent)


def delete_lines(file: Path, text: str) -> None:
    """Delete the lines that contain `text`. Of the blank lines above and below them, keep the longer run."""
    lines = re.compile(rf"^(\n*)(?:.*{re.escape(text)}.*\n(\n*))+", re.MULTILINE)
    content = lines.sub(lambda match: max(match.groups()), file.read_text(encoding="utf-8"))
    file.write_text(content.strip("\n") + "\n", encoding="utf-8", newline="\n")


def create_env_file() -> None:
    """Create `.env` from `.env.example` with random secrets, unless the project has one."""
    example = Path(".env.example").read_text(encoding="utf-8")
    env = Path(".env")
    with contextlib.suppress(FileExistsError):
        env.touch(mode=0o600, exist_ok=False)
        content = re.sub(
            r"(?m)^(SECRET_KEY|POSTGRES_PASSWORD)=$", lambda line: line[0] + os.urandom(32).hex(), example
        )
        env.write_text(content, encoding="utf-8", newline="\n")


def link_to_template() -> bool:
    """Create `.cruft.json`, as `cruft link` does, and return whether the template came from a git URL."""
    template = str(ANSWERS.get("_template", ""))
    # A URL, an abbreviation such as gh:, or git@example.com:me/it. A single letter is a drive on Windows.
    if not re.match(r"[\w+.-]{2,}:|[\w.-]+@[\w.-]+:", template) or template.endswith(".zip"):
        return False
    try:
        commit, *directory = run("git", "rev-parse", "HEAD", "--show-prefix", cwd=TEMPLATE["repository"]).splitlines()
        origin = run("git", "config", "remote.origin.url", cwd=TEMPLATE["repository"]).strip()
    except (OSError, ValueError, subprocess.SubprocessError):
        return False
    # Git tracks the file, so passwords and tokens must not be in it. The user of an SSH URL may.
    origin = re.sub(r"(?i)^(https?://)[^/]*@|^(\w+://[^/:@]*):[^/]*(?=@)", r"\1\2", origin)
    # These depend on the machine, and cruft does not have them.
    context = {name: ANSWERS[name] for name in ANSWERS if name not in ("_output_dir", "_repo_dir", "_checkout")}
    state = {
        "template": origin,
        "commit": commit,
        "checkout": ANSWERS.get("_checkout"),
        "context": {"cookiecutter": {**context, "_template": origin, "_commit": commit}},
        "directory": "".join(directory).rstrip("/") or None,
    }
    content = json.dumps(state, ensure_ascii=False, indent=2)
    Path(".cruft.json").write_text(f"{content}\n", encoding="utf-8", newline="\n")
    return True


def lock_dependencies() -> bool:
    """Create `uv.lock` and return whether that succeeded. Without a network, uv's cache may be enough."""
    if not shutil.which("uv"):
        return False
    print("\nLocking the dependencies ...", flush=True)
    for options in ([], ["--offline"]):
        try:
            run("uv", "lock", "--quiet", *options, cwd=".")
        except (OSError, subprocess.SubprocessError):
            continue
        except KeyboardInterrupt:
            return False
        return True
    return False


def run(*command: str, cwd: str) -> str:
    """Return the output of a command.

    Raise OSError if it cannot be started, SubprocessError if it fails or takes more than two minutes, and ValueError
    if its output is not UTF-8.
    """
    # uv would retry for seconds without a network, and use the Python of an active virtual environment.
    environment = {**os.environ, "UV_HTTP_RETRIES": "0"}
    environment.pop("VIRTUAL_ENV", None)
    process = subprocess.run(
        command, cwd=cwd, env=environment, check=True, capture_output=True, encoding="utf-8", timeout=120
    )
    return process.stdout


def next_steps(linked: bool, locked: bool) -> str:
    """Return what the user can do next."""
    urls = "http://127.0.0.1:8000/" + (" and http://127.0.0.1:8000/api/" if APIS else "")
    steps = NEXT_STEPS.format(slug=ANSWERS["project_slug"], start=START if locked else START_WITHOUT_UV, urls=urls)
    return steps + ("" if locked else NOT_LOCKED) + ("" if linked else NOT_LINKED)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"Could not finish the project: {error}.")
