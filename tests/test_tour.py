"""The steps of the rendered project's docs/tour.md, followed literally; docs/docker.md without Docker."""

import re
import shutil
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from baking import AUTHOR, PATIENCE, Bake, BakedProject, free_port, need, running, uv
from console import commands, prints

STEP = re.compile(
    r"```console\n(?P<session>.*?)```"
    r"|(?:In|in)\s+`(?P<edited>[^`]+)`\s+change\s+`(?P<old>[^`]+)`\s+to\s+`(?P<new>[^`]+)`"
    r"|In `(?P<extended>[^`]+)`, below `(?P<above>[^`]+)`,\s+add[^`]*?:\n\n```python\n(?P<added>.*?)```"
    r"|\bin\s`(?P<file>[^`]+)`[^`]*?:\n\n```(?:python|html)\n(?P<text>.*?)```",
    re.S,
)

# Each of these is a step that changes a file.
CHANGE = re.compile(r"(?m)\bchange\s+`|^```(?:python|html)$")

LAST_LINE = " | tail -1"


@pytest.fixture(scope="module")
def project(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A default project outside of any other one, with an environment of its own."""
    need(uv(), "uv")
    need(shutil.which("curl"), "curl")
    baked = bake()
    project = BakedProject(shutil.copytree(baked.path, tmp_path_factory.mktemp("tour") / "library"), baked.answers)
    project.run("uv", "sync", "--quiet")
    return project


@pytest.fixture
def port(project: BakedProject) -> Iterator[str]:
    """The port at which the project serves itself, as it is when the tour begins."""
    port = str(free_port())
    [_, start] = re.findall(r"```sh\n(.*?)```", project.read("docs/tour.md"), re.S)
    with running(["sh", "-c", f"exec {start}"], project.path, f"http://127.0.0.1:{port}/", WEB_PORT=port):
        yield port


@pytest.mark.parametrize("name", ["__init__", "settings", "urls", "wsgi", "asgi"])
def test_what_the_tour_says_of_a_missing_file_is_so(project: BakedProject, name: str) -> None:
    row = re.search(
        rf"(?m)^\| `{name}\.py` \|.*\| `(.+?)` (?:prints|ends with) `(.+?)` \|$", project.read("docs/tour.md")
    )
    assert row
    path = project.path / "django_project" / f"{name}.py"
    text = path.read_text(encoding="utf-8")
    path.unlink()
    try:
        output = project.run("sh", "-c", f"{row[1]} 2>&1 || true")
    finally:
        path.write_text(text, encoding="utf-8")
    assert row[2] in output.strip().splitlines()[-1], output
    assert row[2] not in project.run("sh", "-c", f"{row[1]} 2>&1")


def test_two_environments_have_a_django_each(project: BakedProject, tmp_path: Path) -> None:
    python = ("python", "-c", "import django, sys; print(django.VERSION[:2], sys.prefix != sys.base_prefix)")
    other = str(tmp_path / "other")
    project.run("uv", "venv", "--quiet", other)
    project.run("uv", "pip", "install", "--quiet", "--python", other, "django~=4.2.0")
    found = [project.run(f"{folder}/bin/{python[0]}", *python[1:]).strip() for folder in (".venv", other, ".venv")]
    assert found == ["(5, 2) True", "(4, 2) True", "(5, 2) True"]


def test_what_the_tour_names_is_there(project: BakedProject) -> None:
    way = project.read("docs/tour.md").split("## The path of a request")[1].split("## ")[0]
    code = "".join(project.read(name) for name in project.files if name.endswith(".py"))
    for name in re.findall(r"`(\w[\w/.]*)`", way):
        assert (project.path / name).exists() or re.search(rf"\b{name}\b", code), name


def test_the_steps_of_the_tour_lead_to_an_app_of_ones_own(project: BakedProject, port: str) -> None:
    steps = list(STEP.finditer(project.read("docs/tour.md")))
    assert sum(1 for step in steps if step["session"] is None) == len(CHANGE.findall(project.read("docs/tour.md")))
    for step in steps:
        if step["file"]:
            path = project.path / step["file"]
            if path.exists():
                # `startapp` has written it.
                assert path.read_text(encoding="utf-8") == step["text"]
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step["text"], encoding="utf-8")
        elif step["edited"]:
            project.edit(step["edited"], step["old"], step["new"])
        elif step["extended"]:
            [line] = re.findall(rf"(?m)^ *{re.escape(step['above'])}\n", project.read(step["extended"]))
            indented = textwrap.indent(step["added"], line[: -len(line.lstrip())])
            project.edit(step["extended"], line, line + indented)
        else:
            for command, _, expected in commands(step["session"]):
                follow(project, command.replace(":8000", f":{port}"), expected)


def test_git_undoes_the_steps_of_the_tour(bake: Bake, tmp_path: Path) -> None:
    baked = bake()
    project = BakedProject(shutil.copytree(baked.path, tmp_path / "library"), baked.answers)
    page = project.read("docs/tour.md")
    commit = re.findall(r"(?s)```sh\n(.*?)```", page)[0]
    [undo] = re.findall("`(git reset [^`]+)`", page)
    files = project.files
    project.run("sh", "-ec", commit, status=0, **AUTHOR)
    project.edit("books/views.py", "PAGE_SIZE = 20", "PAGE_SIZE = 5")
    for name in ("authors/urls.py", "authors/__pycache__/urls.pyc", "db.sqlite3", "db.sqlite3-wal"):
        (project.path / name).parent.mkdir(parents=True, exist_ok=True)
        (project.path / name).touch()
    # Also what is committed since.
    project.run("git", "add", "authors")
    project.run("sh", "-ec", undo)
    assert project.run("git", "status", "--porcelain") == ""
    assert {name for name in project.files if not name.startswith(".git/")} == files
    assert "PAGE_SIZE = 20" in project.read("books/views.py")
    # Git keeps directories with files that it ignores, and `startapp` would refuse the name.
    assert not (project.path / "authors").exists()


def test_the_python_of_the_tour_is_formatted(bake: Bake, tmp_path: Path) -> None:
    project = bake()
    blocks = re.findall(r"(?s)```python\n(.*?)```", project.read("docs/tour.md"))
    for number, block in enumerate(blocks):
        (tmp_path / f"block_{number}.py").write_text(block, encoding="utf-8")
    output = project.run("ruff", "format", "--diff", "--config=pyproject.toml", str(tmp_path))
    assert f"{len(blocks)} files already formatted" in output


def test_the_page_about_docker_explains_lines_of_the_dockerfile_in_their_order(bake: Bake) -> None:
    project = bake()
    page, dockerfile = project.read("docs/docker.md"), project.read("Dockerfile").replace("\\\n", "")
    lines = re.findall(r"(?m)^\| `([A-Z]+ [^`]+)` \|", page)
    assert len(lines) == 12
    place = 0
    for line in lines:
        found = re.compile(f"(?m)^{re.escape(line).replace('…', '.*')}$").search(dockerfile, place)
        assert found, line
        place = found.end()


def follow(project: BakedProject, command: str, expected: str) -> None:
    """Run a command, which must print this; the server may need a moment to take over a change.

    The server misses a change that is made while it starts again: the file is saved again until it does.
    """
    saved = time.monotonic()
    end = saved + (PATIENCE if command.startswith("curl") else 0)
    # What a failure shows is all that the command prints.
    whole, last_line = command.removesuffix(LAST_LINE), command.endswith(LAST_LINE)
    while True:
        # Some commands are there to fail, and a server that reloads refuses curl; what counts is what is printed.
        output = project.run("sh", "-c", f"{whole} || true").strip()
        if prints(output.splitlines()[-1] if last_line and output else output, expected):
            return
        assert time.monotonic() < end, f"{command}\n{output}"
        time.sleep(0.2)
        if time.monotonic() > saved + 15:
            (project.path / "django_project" / "urls.py").touch()
            saved = time.monotonic()
