"""Rendering where it is inconvenient: odd folders and rights, rubbish, an existing project, a full disk."""

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
from baking import AUTHOR, ROOT, TEMPLATE, Bake, BakedProject, environment, need, path_without, uv

import template_extensions

DEVICE = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?", re.I)


COOKIECUTTER = "cookiecutter~=2.7.1"


def render(
    template: Path, output: Path, *options: str, before: tuple[str, ...] = (), status: int = 0, **variables: Any
) -> str:
    """Render, without uv unless the PATH is given, and return all output."""
    program = shutil.which("cookiecutter")
    assert program
    return run(
        *before, program, str(template), "--no-input", "--output-dir", str(output), *options,
        status=status, HOME=str(output.parent), **variables,
    )  # fmt: skip


def run(*command: str, status: int = 0, folder: Path = Path("/"), **variables: Any) -> str:
    given = {**environment(), "PATH": path_without("uv"), "COLUMNS": "500", **variables}
    process = subprocess.run(
        command, env=given, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert process.returncode == status, process.stdout
    return process.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the template."""
    path = tmp_path / "copy"
    path.mkdir()
    for name in ("cookiecutter.json", "template_extensions.py"):
        shutil.copy2(ROOT / name, path / name)
    for folder in (ROOT / "hooks", TEMPLATE):
        shutil.copytree(folder, path / folder.name, ignore=shutil.ignore_patterns("__pycache__", ".*_cache", ".venv"))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


RUBBISH = [".env", ".venv/bin/python", "books/__pycache__/x.pyc", "db.sqlite3", "db.sqlite3-wal", "uv.lock"]
RUBBISH += [".mypy_cache/x", ".ruff_cache/x", "staticfiles/x", ".coverage", ".pytest_cache/x"]
RUBBISH += [".idea/x", ".vscode/x", ".DS_Store", "books/.DS_Store", ".hypothesis/x"]


def test_rubbish_in_the_template_is_neither_copied_nor_touched(copy: Path, tmp_path: Path, bake: Bake) -> None:
    for name in RUBBISH:
        path = copy / TEMPLATE.name / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("SECRET_KEY=contributor\n")
    before = files(copy / TEMPLATE.name)
    render(copy, tmp_path / "output")
    assert set(files(tmp_path / "output" / "library")) == bake().files
    assert not any(b"contributor" in content for content in files(tmp_path / "output").values())
    assert files(copy / TEMPLATE.name) == before


def test_rubbish_never_replaces_what_is_the_owners(copy: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    render(copy, output)
    before = files(output)
    (copy / TEMPLATE.name / ".env").write_text("SECRET_KEY=contributor\n")
    message = render(copy, output, "--overwrite-if-exists", status=1)
    assert message == ("output folder: the template's own .env would replace yours. Use a template without it.\n")
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


def test_no_folder_is_copied_as_a_whole(copy: Path) -> None:
    """Cookiecutter would remove the folder of an existing project first."""
    template = copy / TEMPLATE.name
    folders = [path.relative_to(template).as_posix() for path in template.rglob("*") if path.is_dir()]
    patterns = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["_copy_without_render"]
    assert [folder for folder in folders for pattern in patterns if fnmatch.fnmatch(folder, pattern)] == []


def test_the_folder_may_have_spaces_and_letters_of_any_script(copy: Path, tmp_path: Path, bake: Bake) -> None:
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


def test_a_strict_umask_is_kept_to(copy: Path, tmp_path: Path) -> None:
    render(copy, tmp_path / "output", before=("sh", "-c", 'umask 077; exec "$@"', "sh"))
    project = tmp_path / "output" / "library"
    assert project.stat().st_mode & 0o077 == 0
    assert (project / ".env").stat().st_mode & 0o777 == 0o600


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A small disk of its own, with the options of mount that are the parameter."""
    need(os.geteuid() == 0, "root, to mount a small disk")
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", str(path)]
    need(subprocess.run(command, check=False, capture_output=True).returncode == 0, "the right to mount a small disk")
    yield path
    subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("disk", ["size=1m"], indirect=True)
def test_a_full_disk_ends_in_one_line(copy: Path, disk: Path) -> None:
    assert render(copy, disk, status=1) == "output folder: its disk is full. Free 2 MB of it.\n"
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("disk", ["ro"], indirect=True)
def test_an_unwritable_folder_is_refused_before_the_first_question(copy: Path, disk: Path) -> None:
    message = render(copy, disk / "new" / "folder", status=1)
    assert message == f"output folder: '{disk}' cannot be written to. Use another one.\n"


@pytest.mark.parametrize("disk", ["nr_inodes=60"], indirect=True)
def test_a_render_that_filled_the_disk_can_be_repeated(copy: Path, disk: Path, bake: Bake) -> None:
    """What is said and left by cookiecutter, which writes the files, is its own; README.md has the way out."""
    assert "No space left on device" in render(copy, disk, status=1).splitlines()[-1]
    subprocess.run(["mount", "-o", "remount,nr_inodes=1000", str(disk)], check=True)
    render(copy, disk, "--overwrite-if-exists")
    assert set(files(disk / "library")) == bake().files


def test_a_project_that_cannot_be_finished_is_removed(copy: Path, tmp_path: Path) -> None:
    (copy / TEMPLATE.name / ".env.example").unlink()
    message = render(copy, tmp_path / "output", status=1)
    assert message.startswith(
        "The project could not be finished: [Errno 2] No such file or directory: '.env.example'."
    )
    assert list((tmp_path / "output").iterdir()) == []


def test_names_suit_windows() -> None:
    names = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
    paths = [name for name in names.split("\0") if name]
    assert len({path.lower() for path in paths}) == len(paths)
    for path in paths:
        assert len(path) < 120
        for part in path.split("/"):
            assert not re.search(r'[<>:"\\|?*\x00-\x1f]|[ .]$', part), path
            assert not DEVICE.fullmatch(part), path


# None of these is there on Windows, where the encoding of files is that of the system, too.
POSIX = re.compile(
    r"\b(fcntl|grp|pwd|resource|termios|os\.(chown|fork|get[eu]*id|mkfifo|statvfs|uname)|signal\.SIG[HK]\w+"
    r"|shell=True|symlink_to|/tmp|/dev)\b"
)


def test_the_hooks_suit_windows(tmp_path: Path) -> None:
    for path in [ROOT / "template_extensions.py", *(ROOT / "hooks").iterdir(), TEMPLATE / "core" / "environment.py"]:
        if path.suffix == ".py":
            assert POSIX.findall(path.read_text(encoding="utf-8")) == [], path
    name = "Bücherei ☕"
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"default_context": {"project_name": name}}), encoding="utf-8")
    # With the encoding of a system that is not UTF-8; what opens a file without naming one says so.
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
    """A default project, with its dependencies locked."""
    folder = tmp_path_factory.mktemp("locked")
    render(ROOT, folder / "output", PATH=environment()["PATH"], UV_CACHE_DIR=str(folder / "cache"))
    need((folder / "output" / "library" / "uv.lock").exists(), "uv and a package index")
    return BakedProject(folder / "output" / "library", {})


def test_the_names_of_dependencies_are_those_of_the_lock(locked: BakedProject) -> None:
    names = {package["name"] for package in tomllib.loads(locked.read("uv.lock"))["package"]}
    assert names - {"library"} == template_extensions.DEPENDENCIES


@pytest.mark.parametrize("cached", [True, False])
def test_a_network_is_not_needed(tmp_path: Path, locked: BakedProject, cached: bool) -> None:
    alone = ("unshare", "--net")
    need(subprocess.run([*alone, "true"], check=False, capture_output=True).returncode == 0, "the right to unshare")
    cache = str((locked.path.parents[1] if cached else tmp_path) / "cache")
    output = render(ROOT, tmp_path / "output", before=alone, PATH=environment()["PATH"], UV_CACHE_DIR=cache)
    expected = locked.files if cached else locked.files - {"uv.lock"}
    assert set(files(tmp_path / "output" / "library")) == expected
    assert ("uv was not found or could not resolve the dependencies" in output) is not cached


def test_neither_git_nor_uv_is_needed(copy: Path, tmp_path: Path, bake: Bake) -> None:
    output = render(copy, tmp_path / "output", PATH="")
    assert set(files(tmp_path / "output" / "library")) == bake().files
    assert "git init && git add --all && git commit" in output


@pytest.fixture
def as_other(tmp_path: Path) -> tuple[str, ...]:
    """What stands in front of a command that another user than root runs, who may read everything as root may."""
    if os.geteuid():
        return ()
    need(shutil.which("setpriv"), "setpriv, to be another user than root")
    caps = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
    return ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *caps)


def give(folder: Path) -> None:
    """Make a folder of the other user's."""
    folder.mkdir(parents=True)
    if not os.geteuid():
        os.chown(folder, 65534, 65534)


def test_another_user_renders_a_template_that_is_not_theirs(
    copy: Path, tmp_path: Path, bake: Bake, as_other: tuple[str, ...]
) -> None:
    give(tmp_path / "home")
    render(copy, tmp_path / "home" / "output", before=as_other)
    project = tmp_path / "home" / "output" / "library"
    assert set(files(project)) == bake().files
    assert {path.stat().st_uid for path in project.rglob("*")} == {(tmp_path / "home").stat().st_uid}


def test_a_project_in_a_folder_of_others_can_be_rendered_over(
    copy: Path, tmp_path: Path, bake: Bake, as_other: tuple[str, ...]
) -> None:
    give(tmp_path / "home")
    give(tmp_path / "output" / "library")
    (tmp_path / "output").chmod(0o555)
    command = [*as_other, str(shutil.which("cookiecutter")), str(copy), "--no-input", "--overwrite-if-exists"]
    run(*command, folder=tmp_path / "output", HOME=str(tmp_path / "home"))
    assert set(files(tmp_path / "output" / "library")) == bake().files


def pythons() -> list[str]:
    """The Pythons of this machine that cookiecutter supports, one of each version."""
    folders = [*map(Path, os.environ["PATH"].split(os.pathsep)), *Path.home().glob(".pyenv/versions/*/bin")]
    found = {path.name: str(path) for folder in folders for path in folder.glob("python3.1[0-9]")}
    return [found[name] for name in sorted(found)]


def pip(folder: Path) -> list[str]:
    run(str(uv()), "venv", "--quiet", "--seed", "--python", sys.executable, str(folder / "venv"))
    run(str(folder / "venv/bin/pip"), "install", "--quiet", "--no-compile", COOKIECUTTER)
    return [str(folder / "venv/bin/cookiecutter")]


UVX = [str(uv()), "tool", "run"]
WAYS = {
    **{f"uvx, {Path(p).name}": [*UVX, "--python", p, "--from", COOKIECUTTER, "cookiecutter"] for p in pythons()},
    "pipx": [*UVX, "pipx", "run", "--spec", COOKIECUTTER, "cookiecutter"],
    "pip": [],
}


@pytest.mark.parametrize("way", WAYS)
def test_cookiecutter_may_come_from_anywhere(tmp_path: Path, bake: Bake, way: str) -> None:
    need(uv(), "uv")
    command = WAYS[way] or pip(tmp_path)
    # pipx is several times as fast where it finds uv.
    path = environment()["PATH"] if way == "pipx" else path_without("uv")
    run(*command, str(ROOT), "--no-input", folder=tmp_path, PATH=path, PIPX_HOME=str(tmp_path / "pipx"))
    assert set(files(tmp_path / "library")) - {"uv.lock"} == bake().files


@pytest.fixture
def owned(copy: Path, tmp_path: Path) -> BakedProject:
    """A fresh project, as the repository of an owner who has started it and who stages everything."""
    render(copy, tmp_path / "output")
    project = BakedProject(tmp_path / "output" / "library", {})
    for name in ("db.sqlite3", "db.sqlite3-wal", "core/__pycache__/x.pyc", ".venv/x", "staticfiles/x"):
        (project.path / name).parent.mkdir(exist_ok=True)
        (project.path / name).touch()
    project.run("git", "init", "--quiet")
    project.run("git", "add", "--all")
    return project


def test_a_first_commit_has_no_secret_and_no_rubbish(owned: BakedProject, copy: Path) -> None:
    staged = owned.run("git", "ls-files", "--stage")
    modes = {line.split("\t")[1]: line.split()[0] for line in staged.splitlines()}
    assert set(modes) == set(files(copy / TEMPLATE.name)) - DECLINED
    assert {name for name, mode in modes.items() if mode != "100644"} == {"manage.py"}
    # What is in the repository, and what is on the disk.
    ends = {tuple(line.split()[:2]) for line in owned.run("git", "ls-files", "--eol").splitlines()}
    assert ends <= {("i/lf", "w/lf"), ("i/none", "w/none")}


DECLINED = {"core/templates/home.html", "core/tests/test_home.py", "core/urls.py", ".gitlab-ci.yml"}


def test_a_first_commit_passes_the_projects_own_hooks(owned: BakedProject, tmp_path: Path) -> None:
    need(uv(), "uv")
    # The tests' own environment, which has what the project's would have.
    variables: dict[str, Any] = {
        "UV_PROJECT_ENVIRONMENT": sys.prefix,
        "UV_NO_SYNC": "1",
        "PRE_COMMIT_HOME": str(tmp_path / "cache"),
    }
    variables |= AUTHOR | {"GIT_CONFIG_GLOBAL": os.devnull}
    owned.run("pre-commit", "install", **variables)
    assert owned.run("git", "commit", "--message=Start", **variables).count("Passed") == 3
    owned.edit("core/pages.py", "from django.conf", "import  os\nfrom django.conf")
    owned.run("git", "commit", "--all", "--message=Careless", status=1, **variables)
