"""Rendering where it is inconvenient: odd folders and rights, rubbish, an existing project, a full disk."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from baking import ROOT, TEMPLATE, Bake, environment, need, path_without

DEVICE = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?", re.I)


def render(template: Path, output: Path, *options: str, before: tuple[str, ...] = (), status: int = 0) -> str:
    """Render without uv and return all output."""
    program = shutil.which("cookiecutter")
    assert program
    command = [*before, program, str(template), "--no-input", "--output-dir", str(output), *options]
    variables = {**environment(), "HOME": str(output.parent), "PATH": path_without("uv"), "COLUMNS": "500"}
    process = subprocess.run(
        command, env=variables, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
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
    mine = [
        "books/mine.py",
        "apis/mine/x.txt",
        "db.sqlite3",
        "uv.lock",
        ".venv/x",
        "staticfiles/x",
        ".github/mine.yml",
    ]
    for name in mine:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("mine")
    secret = (project / ".env").read_bytes()
    render(copy, tmp_path / "output", "-f", "include_books=no", "include_apis=no", "ci=none")
    assert [name for name in mine if (project / name).read_text() != "mine"] == []
    assert (project / ".env").read_bytes() == secret
    assert not (project / "books/models.py").exists()


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


def test_a_full_disk_ends_in_one_line(copy: Path, tmp_path: Path) -> None:
    need(os.geteuid() == 0, "root, to mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=False, capture_output=True
    )
    need(mounted.returncode == 0, "the right to mount a small disk")
    try:
        message = render(copy, disk, status=1)
        assert message == "output folder: its disk is full. Free 2 MB of it.\n"
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_names_suit_windows(bake: Bake) -> None:
    for name in bake().files:
        assert len(name) < 100
        for part in name.split("/"):
            assert not re.search(r'[<>:"\\|?*\x00-\x1f]|[ .]$', part), name
            assert not DEVICE.fullmatch(part), name


def test_a_first_commit_has_no_secret_and_no_rubbish(copy: Path, tmp_path: Path) -> None:
    render(copy, tmp_path / "output")
    project = tmp_path / "output" / "library"
    (project / "db.sqlite3").write_text("data")
    for command in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *command], cwd=project, check=True, capture_output=True)
    staged = subprocess.check_output(["git", "ls-files", "--stage"], cwd=project, text=True)
    modes = {line.split("\t")[1]: line.split()[0] for line in staged.splitlines()}
    assert set(modes) == set(files(copy / TEMPLATE.name)) - DECLINED
    assert {name for name, mode in modes.items() if mode != "100644"} <= {"manage.py"}
    ends = subprocess.check_output(["git", "ls-files", "--eol"], cwd=project, text=True)
    assert "crlf" not in ends.replace("eol=lf", "")


DECLINED = {"core/templates/home.html", "core/tests/test_home.py", "core/urls.py", ".gitlab-ci.yml"}
