"""Rendering in difficult places: unusual paths and permissions, untracked files, existing projects, full disks."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from baking import AUTHOR, ROOT, TEMPLATE, Bake, BakedProject, environment, files, interpreters, need, path_without, uv

import template_extensions

DEVICE = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?", re.I)

COOKIECUTTER = "cookiecutter~=2.7.1"


def render(
    template: Path, output: Path, *options: str, before: tuple[str, ...] = (), status: int = 0, **variables: Any
) -> str:
    """Render a project, without uv unless PATH is given, and return the output."""
    program = shutil.which("cookiecutter")
    assert program
    return run(
        *before, program, str(template), "--no-input", "--output-dir", str(output), *options,
        status=status, HOME=str(output.parent), **variables,
    )  # fmt: skip


def run(*command: str, status: int = 0, cwd: Path = Path("/"), **variables: Any) -> str:
    """Run a command, check its exit status, and return its output."""
    given = {**environment(), "PATH": path_without("uv"), "COLUMNS": "500", **variables}
    process = subprocess.run(
        command, env=given, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert process.returncode == status, process.stdout
    return process.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The path of a copy of the template."""
    path = tmp_path / "copy"
    path.mkdir()
    for name in ("cookiecutter.json", "requires_cookiecutter_2_7_1.py", "template_extensions.py"):
        shutil.copy2(ROOT / name, path / name)
    for directory in (ROOT / "hooks", TEMPLATE):
        shutil.copytree(
            directory, path / directory.name, ignore=shutil.ignore_patterns("__pycache__", ".*_cache", ".venv")
        )
    return path


UNTRACKED = [".env", ".venv/bin/python", "books/__pycache__/x.pyc", "db.sqlite3", "db.sqlite3-wal", "uv.lock"]
UNTRACKED += [".mypy_cache/x", ".ruff_cache/x", "staticfiles/x", ".coverage", ".pytest_cache/x"]
UNTRACKED += [".idea/x", ".vscode/x", ".DS_Store", "books/.DS_Store", ".hypothesis/x"]


def test_untracked_files_in_the_template_are_neither_rendered_nor_changed(
    copy: Path, tmp_path: Path, bake: Bake
) -> None:
    for name in UNTRACKED:
        path = copy / TEMPLATE.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Jinja would fail on the second line.
        path.write_text("SECRET_KEY=contributor\n{# {% {{\n")
    before = files(copy / TEMPLATE.name)
    render(copy, tmp_path / "output")
    assert set(files(tmp_path / "output" / "library")) == bake().files
    assert not any(b"contributor" in content for content in files(tmp_path / "output").values())
    assert files(copy / TEMPLATE.name) == before


def test_an_untracked_file_never_overwrites_one_of_the_owners(copy: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    render(copy, output)
    before = files(output)
    (copy / TEMPLATE.name / ".env").write_text("SECRET_KEY=contributor\n")
    message = render(copy, output, "--overwrite-if-exists", status=1)
    assert message == (
        "output directory: .env in the template would overwrite yours. Use a clean copy of the template.\n"
    )
    assert files(output) == before


def test_rendering_over_a_project_keeps_its_owners_files(copy: Path, tmp_path: Path) -> None:
    render(copy, tmp_path / "output")
    project = tmp_path / "output" / "library"
    mine = ["books/mine.py", "apis/mine/x.txt", "db.sqlite3", "uv.lock", ".venv/x", "staticfiles/x"]
    mine += [".github/mine.yml", ".github/workflows/mine.yml", "docs/mine/x.md"]
    for name in mine:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("mine")
        (project / name).chmod(0o400)
    (project / "core" / "link").symlink_to("nowhere")
    before = {name: (project / name).stat() for name in [*mine, ".env"]}
    render(copy, tmp_path / "output", "-f", "include_books=no", "include_apis=no", "ci=none")
    after = {name: (project / name).stat() for name in before}
    seen = ("st_ino", "st_mode", "st_size", "st_mtime_ns")
    assert [name for name in before if any(getattr(before[name], s) != getattr(after[name], s) for s in seen)] == []
    assert (project / "core" / "link").is_symlink()
    assert not (project / "books/models.py").exists()


def test_no_directory_is_copied_as_a_whole(copy: Path) -> None:
    """Cookiecutter would first delete the directory of an existing project."""
    template = copy / TEMPLATE.name
    directories = [path.relative_to(template).as_posix() for path in template.rglob("*") if path.is_dir()]
    patterns = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["_copy_without_render"]
    assert [name for name in directories for pattern in patterns if fnmatch.fnmatch(name, pattern)] == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param("import a\nimport Book\n\nb = 1\n", "import a\n\nb = 1\n", id="end of a block"),
        pytest.param("import a\n\nimport Book\n\nb = 1\n", "import a\n\nb = 1\n", id="block of its own"),
        pytest.param("a = 1\n\nBook\nBook\n\nb = 1\n", "a = 1\n\nb = 1\n", id="block of two lines"),
        pytest.param("a = 1\n\nBook\n\nBook\n\nb = 1\n", "a = 1\n\nb = 1\n", id="two blocks"),
        pytest.param(
            "import a\n\nimport Book\n\n\nclass B: ...\n", "import a\n\n\nclass B: ...\n", id="before a class"
        ),
        pytest.param("import Book\n\na = 1\n", "a = 1\n", id="start of the file"),
        pytest.param("a = 1\n\nBook\n", "a = 1\n", id="end of the file"),
        pytest.param("a = 1\nb = 2\n", "a = 1\nb = 2\n", id="no such line"),
    ],
)
def test_declined_lines_are_deleted_with_their_blank_lines(
    copy: Path, tmp_path: Path, lines: str, expected: str
) -> None:
    file = copy / TEMPLATE.name / "apis" / "v1" / "urls.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(lines, encoding="utf-8")
    render(copy, tmp_path / "output", "include_books=no")
    project = BakedProject(tmp_path / "output" / "library", {})
    assert project.read("apis/v1/urls.py") == expected


def test_a_project_without_books_registers_none(bake: Bake) -> None:
    project = bake(include_books=False)
    assert "book" in bake().read("apis/v1/urls.py").lower()
    assert "book" not in project.read("apis/v1/urls.py").lower()
    project.run("ruff", "format", "--check", "--no-cache", "apis/v1/urls.py")
    project.run("ruff", "check", "--no-cache", "apis/v1/urls.py")


def test_the_output_path_may_contain_spaces_and_any_script(copy: Path, tmp_path: Path, bake: Bake) -> None:
    output = tmp_path / "mes projets é ☕ 'x'"
    render(copy, output)
    assert set(files(output / "library")) == bake().files


def test_a_project_of_a_read_only_template_is_writable(copy: Path, tmp_path: Path) -> None:
    for path in copy.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    render(copy, tmp_path / "output")
    for path in copy.rglob("*"):
        path.chmod(0o755)
    assert [path for path in (tmp_path / "output").rglob("*") if not path.stat().st_mode & 0o200] == []


def test_a_strict_umask_is_respected(copy: Path, tmp_path: Path) -> None:
    render(copy, tmp_path / "output", before=("sh", "-c", 'umask 077; exec "$@"', "sh"))
    project = tmp_path / "output" / "library"
    assert project.stat().st_mode & 0o077 == 0
    assert (project / ".env").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A small file system, mounted with the options in the parameter."""
    need(os.geteuid() == 0, "root, to mount a small file system")
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", str(path)]
    need(
        subprocess.run(command, check=False, capture_output=True).returncode == 0, "permission to mount a file system"
    )
    yield path
    # A process that still has a file open there does not keep it mounted for the others.
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.parametrize("disk", ["size=1m"], indirect=True)
def test_a_full_disk_is_refused_in_one_line(copy: Path, disk: Path) -> None:
    assert render(copy, disk, status=1) == "output directory: the disk is full. Free at least 2 MB.\n"
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("disk", ["ro"], indirect=True)
def test_a_read_only_output_directory_is_refused_before_the_first_question(copy: Path, disk: Path) -> None:
    message = render(copy, disk / "new" / "directory", status=1)
    assert message == f"output directory: '{disk}' is not writable. Use another directory.\n"


@pytest.mark.parametrize("disk", ["nr_inodes=60"], indirect=True)
def test_a_render_that_filled_the_disk_can_be_repeated(copy: Path, disk: Path, bake: Bake) -> None:
    """Cookiecutter writes the files, so the message and the partial project are its own. README.md has the remedy."""
    assert "No space left on device" in render(copy, disk, status=1).splitlines()[-1]
    subprocess.run(["mount", "-o", "remount,nr_inodes=1000", str(disk)], check=True)
    render(copy, disk, "--overwrite-if-exists")
    assert set(files(disk / "library")) == bake().files


def test_a_project_that_cannot_be_finished_is_removed(copy: Path, tmp_path: Path) -> None:
    (copy / TEMPLATE.name / ".env.example").unlink()
    message = render(copy, tmp_path / "output", status=1)
    assert message.startswith("Could not finish the project: [Errno 2] No such file or directory: '.env.example'.")
    assert list((tmp_path / "output").iterdir()) == []


def test_file_names_are_valid_on_windows() -> None:
    names = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
    paths = [name for name in names.split("\0") if name]
    assert len({path.lower() for path in paths}) == len(paths)
    for path in paths:
        assert len(path) < 120
        for part in path.split("/"):
            assert not re.search(r'[<>:"\\|?*\x00-\x1f]|[ .]$', part), path
            assert not DEVICE.fullmatch(part), path


# Windows has none of these.
POSIX = re.compile(
    r"\b(fcntl|grp|pwd|resource|termios|os\.(chown|fork|get[eu]*id|mkfifo|statvfs|uname)|signal\.SIG[HK]\w+"
    r"|shell=True|symlink_to|/tmp|/dev)\b"
)


def test_the_hooks_work_on_windows(tmp_path: Path) -> None:
    for path in [ROOT / "template_extensions.py", *(ROOT / "hooks").iterdir(), TEMPLATE / "core" / "environment.py"]:
        if path.suffix == ".py":
            assert POSIX.findall(path.read_text(encoding="utf-8")) == [], path
    name = "Bücherei ☕"
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"default_context": {"project_name": name}}), encoding="utf-8")
    # The default encoding is not UTF-8, and Python warns where a file is opened without an encoding.
    variables: dict[str, Any] = {
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "LC_ALL": "C",
        "PYTHONWARNDEFAULTENCODING": "1",
    }
    output = render(ROOT, tmp_path / "output", "--config-file", str(config), **variables)
    assert [line for line in output.splitlines() if "Warning:" in line and "site-packages" not in line] == []
    assert f"# {name}\n" in (tmp_path / "output" / "bucherei" / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A default project with locked dependencies."""
    need(uv(), "uv")
    directory = tmp_path_factory.mktemp("locked")
    render(ROOT, directory / "output")
    project = BakedProject(directory / "output" / "library", {})
    # Not by the hook, which gives up after two minutes: a slow index may take longer.
    project.run("uv", "lock", "--quiet", UV_CACHE_DIR=str(directory / "cache"))
    return project


def test_the_reserved_slugs_are_the_packages_in_the_lock_file(locked: BakedProject) -> None:
    names = {package["name"] for package in tomllib.loads(locked.read("uv.lock"))["package"]}
    assert names - {"library"} == template_extensions.DEPENDENCIES


@pytest.mark.parametrize("cached", [True, False])
def test_rendering_needs_no_network(tmp_path: Path, locked: BakedProject, cached: bool) -> None:
    alone = ("unshare", "--net")
    need(subprocess.run([*alone, "true"], check=False, capture_output=True).returncode == 0, "permission to unshare")
    cache = str((locked.path.parents[1] if cached else tmp_path) / "cache")
    output = render(ROOT, tmp_path / "output", before=alone, PATH=environment()["PATH"], UV_CACHE_DIR=cache)
    expected = locked.files if cached else locked.files - {"uv.lock"}
    assert set(files(tmp_path / "output" / "library")) == expected
    assert ("uv is not installed or could not resolve the dependencies" in output) is not cached


def test_rendering_needs_neither_git_nor_uv(copy: Path, tmp_path: Path, bake: Bake) -> None:
    output = render(copy, tmp_path / "output", PATH="")
    assert set(files(tmp_path / "output" / "library")) == bake().files
    assert "git init && git add --all && git commit" in output


@pytest.fixture
def as_other(tmp_path: Path) -> tuple[str, ...]:
    """The prefix of a command that a user other than root runs, who may read every file."""
    if os.geteuid():
        return ()
    need(shutil.which("setpriv"), "setpriv, to run as a user other than root")
    caps = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *caps)


def make_directory_of_other_user(path: Path) -> None:
    """Create a directory that belongs to the other user."""
    path.mkdir(parents=True)
    if not os.geteuid():
        os.chown(path, 65534, 65534)


def test_the_template_may_belong_to_another_user(
    copy: Path, tmp_path: Path, bake: Bake, as_other: tuple[str, ...]
) -> None:
    make_directory_of_other_user(tmp_path / "home")
    render(copy, tmp_path / "home" / "output", before=as_other)
    project = tmp_path / "home" / "output" / "library"
    assert set(files(project)) == bake().files
    assert {path.stat().st_uid for path in project.rglob("*")} == {(tmp_path / "home").stat().st_uid}


def test_a_project_in_a_directory_of_another_user_can_be_overwritten(
    copy: Path, tmp_path: Path, bake: Bake, as_other: tuple[str, ...]
) -> None:
    make_directory_of_other_user(tmp_path / "home")
    make_directory_of_other_user(tmp_path / "output" / "library")
    (tmp_path / "output").chmod(0o555)
    command = [*as_other, str(shutil.which("cookiecutter")), str(copy), "--no-input", "--overwrite-if-exists"]
    run(*command, cwd=tmp_path / "output", HOME=str(tmp_path / "home"))
    assert set(files(tmp_path / "output" / "library")) == bake().files


def install_with_pip(directory: Path) -> list[str]:
    """Install Cookiecutter into a virtual environment in the directory, and return the command that runs it."""
    run(str(uv()), "venv", "--quiet", "--seed", "--python", sys.executable, str(directory / "venv"))
    run(str(directory / "venv/bin/pip"), "install", "--quiet", "--no-compile", COOKIECUTTER)
    return [str(directory / "venv/bin/cookiecutter")]


UVX = [str(uv()), "tool", "run"]
COMMANDS = {
    **{
        f"uvx, Python {version}": [*UVX, "--python", path, "--from", COOKIECUTTER, "cookiecutter"]
        for version, path in sorted(interpreters().items())
    },
    "pipx": [*UVX, "pipx", "run", "--spec", COOKIECUTTER, "cookiecutter"],
    "pip": [],
}


@pytest.mark.parametrize("installer", COMMANDS)
def test_cookiecutter_may_be_installed_by_any_tool(tmp_path: Path, bake: Bake, installer: str) -> None:
    need(uv(), "uv")
    command = COMMANDS[installer] or install_with_pip(tmp_path)
    # pipx is several times faster with uv.
    path = environment()["PATH"] if installer == "pipx" else path_without("uv")
    run(*command, str(ROOT), "--no-input", cwd=tmp_path, PATH=path, PIPX_HOME=str(tmp_path / "pipx"))
    assert set(files(tmp_path / "library")) - {"uv.lock"} == bake().files


@pytest.fixture
def owned(copy: Path, tmp_path: Path) -> BakedProject:
    """A project that its owner has run once, with all files staged."""
    render(copy, tmp_path / "output")
    project = BakedProject(tmp_path / "output" / "library", {})
    for name in ("db.sqlite3", "db.sqlite3-wal", "core/__pycache__/x.pyc", ".venv/x", "staticfiles/x"):
        (project.path / name).parent.mkdir(exist_ok=True)
        (project.path / name).touch()
    project.run("git", "init", "--quiet")
    project.run("git", "add", "--all")
    return project


def test_the_first_commit_contains_no_secret_and_no_build_artefact(owned: BakedProject, copy: Path) -> None:
    staged = owned.run("git", "ls-files", "--stage")
    modes = {line.split("\t")[1]: line.split()[0] for line in staged.splitlines()}
    assert set(modes) == set(files(copy / TEMPLATE.name)) - DECLINED
    assert {name for name, mode in modes.items() if mode != "100644"} == {"manage.py"}
    # Line endings in the index and in the working tree.
    ends = {tuple(line.split()[:2]) for line in owned.run("git", "ls-files", "--eol").splitlines()}
    assert ends <= {("i/lf", "w/lf"), ("i/none", "w/none")}


DECLINED = {"core/templates/home.html", "core/tests/test_home.py", "core/urls.py", ".gitlab-ci.yml"}


def test_the_first_commit_passes_the_projects_pre_commit_hooks(owned: BakedProject, tmp_path: Path) -> None:
    need(uv(), "uv")
    # The environment of the tests has all dependencies of the project.
    variables: dict[str, Any] = {
        "UV_PROJECT_ENVIRONMENT": sys.prefix,
        "UV_NO_SYNC": "1",
        "PRE_COMMIT_HOME": str(tmp_path / "cache"),
    }
    variables |= AUTHOR | {"GIT_CONFIG_GLOBAL": os.devnull}
    owned.run("pre-commit", "install", **variables)
    assert owned.run("git", "commit", "--message=Start", **variables).count("Passed") == 3
    owned.edit("manage.py", "import os\n", "import  os\n")
    owned.run("git", "commit", "--all", "--message=Careless", status=1, **variables)
