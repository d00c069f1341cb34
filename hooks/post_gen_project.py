"""Finish a rendered project: delete what was declined, make the environment file and the lock, say what to do next.

Nothing here may fail because uv, git or the network is missing. An update of a project by cruft runs this for the
old and the new version of the template and compares the two: what git tracks must come out the same each time.

Imports of contextlib, json, pathlib and re take longer than all else here: a usual run does without them.
"""

import os
import stat
import sys

ANSWERS = {{cookiecutter | as_python}}  # noqa: F821  # names of Jinja, which writes a dictionary here
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
FILES = {{cookiecutter | template_files | as_python}}  # noqa: F821  # names of Jinja, which writes lists of names here
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
    for name in FILES["own"] + FILES["litter"]:
        if os.path.isfile(name) and not (mode := os.stat(name).st_mode) & stat.S_IWUSR:
            os.chmod(name, mode | stat.S_IWUSR)


def delete(name: str) -> None:
    """Delete a file, if it is there, and the folders that are empty without it."""
    if os.path.lexists(name):
        os.remove(name)
    try:
        os.removedirs(os.path.dirname(name))
    except OSError:
        return


def make_env_file() -> None:
    """Make `.env` as core/environment.py does, whose imports would take longer than the rest of a usual run."""
    with open(".env.example", encoding="utf-8") as example:
        text = example.read()
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD"):
        text = text.replace(f"\n{name}=\n", f"\n{name}={os.urandom(32).hex()}\n")
    try:
        with open(".env", "x", encoding="utf-8", newline="\n") as file:
            os.chmod(".env", 0o600)
            file.write(text)
    except FileExistsError:
        return


def link() -> bool:
    """Make `.cruft.json`, as cruft does, and return whether the template came from the address of a git repository."""
    # The words of cookiecutter's user: a URL, an abbreviation such as gh:, or a login as in git@example.com:me/it. One
    # letter and a colon are a drive of Windows.
    address = str(ANSWERS.get("_template", ""))
    if ":" not in address:
        return False
    import json  # noqa: PLC0415  # takes longer than all else, and only a linked project needs it
    import re  # noqa: PLC0415  # takes longer than all else, and only a linked project needs it

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
    with open(os.path.join(REPOSITORY, "cookiecutter.json"), encoding="utf-8") as file:
        questions = json.load(file)
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
    with open(".cruft.json", "w", encoding="utf-8", newline="\n") as file:
        file.write(f"{text}\n")
    return True


def lock() -> bool:
    """Make `uv.lock` and return whether it was made. What is in uv's cache is enough where there is no network."""
    programs = (os.path.join(folder, name) for folder in os.get_exec_path() for name in ("uv", "uv.exe"))
    if not any(map(os.path.exists, programs)):
        return False
    print("\nPinning the versions of the dependencies ...", flush=True)
    for options in ([], ["--offline"]):
        try:
            run("uv", "lock", "--quiet", *options, folder=".")
        except OSError:
            continue
        except KeyboardInterrupt:
            return False
        return True
    return False


def run(*command: str, folder: str = REPOSITORY) -> str:
    """What a command prints. Raises OSError if it is not there, fails, or takes more than two minutes."""
    import subprocess  # noqa: PLC0415  # takes longer than all else, and only git and uv need it

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
