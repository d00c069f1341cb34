"""A project follows its template: linked from the start, updated without harm, and its owner may change their mind."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from baking import ROOT, Bake, BakedProject, environment

AUTHOR = {f"GIT_{who}_{what}": "me@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def run(folder: Path, *command: str, status: int = 0) -> str:
    variables = environment(**AUTHOR, GIT_CONFIG_GLOBAL="/dev/null", HOME=str(folder.parent / "home"))
    process = subprocess.run(
        command, cwd=folder, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert process.returncode == status, f"{command}: status {process.returncode}\n{process.stdout}"
    return process.stdout


@dataclass
class Template:
    """A git repository of the template."""

    path: Path

    @property
    def url(self) -> str:
        return self.path.as_uri()

    def change(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file of the repository and commit it."""
        path = self.path / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")
        run(self.path, "git", "commit", "--quiet", "--all", "--message=Change")


INNER = "{{cookiecutter.project_slug}}"


@pytest.fixture
def template(tmp_path: Path) -> Template:
    path = tmp_path / "template.git"
    path.mkdir()
    names = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=One"], ["tag", "v1"]):
        run(path, "git", *command)
    return Template(path)


@pytest.fixture
def render(template: Template, tmp_path: Path) -> Callable[..., BakedProject]:
    """A function that renders a project from the repository by its address, and commits it as its owner does."""

    def render(*options: str, **answers: Any) -> BakedProject:
        output = tmp_path / "output"
        output.mkdir()
        given = [f"{key}={value}" for key, value in answers.items()]
        program = shutil.which("cookiecutter")
        assert program
        process = subprocess.run(
            [program, template.url, "--no-input", *options, *given],
            cwd=output,
            env={**environment(), "PATH": str(link_tools(tmp_path)), "HOME": str(tmp_path / "home")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stdout
        project = BakedProject(output / "library", answers)
        (project.path / "uv.lock").write_text("version = 1\n")
        commit(project)
        return project

    return render


def link_tools(folder: Path) -> Path:
    """A folder with git alone, for a PATH without uv."""
    tools = folder / "tools"
    tools.mkdir()
    git = shutil.which("git")
    assert git
    (tools / "git").symlink_to(git)
    return tools


def commit(project: BakedProject) -> None:
    run(project.path, "git", "init", "--quiet")
    run(project.path, "git", "add", "--all")
    run(project.path, "git", "commit", "--quiet", "--message=Mine")


def update(project: BakedProject, *options: str) -> str:
    return run(project.path, "cruft", "update", "--skip-apply-ask", *options)


def leftovers(project: BakedProject) -> list[str]:
    """The files that show a conflict."""
    names = {name for name in project.files if not name.startswith(".git/")}
    return [name for name in names if name.endswith(".rej") or "<<<<<<< " in project.read(name)]


Render = Callable[..., BakedProject]


def test_a_project_from_a_git_address_is_linked_at_once(template: Template, render: Render, tmp_path: Path) -> None:
    project = render(include_books="no")
    assert "up to date" in run(project.path, "cruft", "check")
    other = tmp_path / "other"
    other.mkdir()
    extra = json.dumps({"include_books": False})
    run(other, "cruft", "create", template.url, "--no-input", "--extra-context", extra)
    mine = project.read(".cruft.json").replace(template.url, str(template.path))
    assert mine == (other / "library" / ".cruft.json").read_text(encoding="utf-8")


def test_a_project_from_a_folder_says_how_to_link_it(template: Template, tmp_path: Path) -> None:
    output = run(tmp_path, "cookiecutter", str(template.path), "--no-input")
    assert len([line for line in output.splitlines() if "uvx cruft link" in line]) == 1
    assert not (tmp_path / "library" / ".cruft.json").exists()


def test_an_update_merges_and_leaves_what_is_the_owners(template: Template, render: Render) -> None:
    project = render()
    project.edit("django_project/settings.py", 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Europe/Berlin"')
    (project.path / "books/migrations/0002_mine.py").write_text("# mine\n")
    commit(project)
    (project.path / "db.sqlite3").write_text("data")
    kept = ["uv.lock", ".env", "db.sqlite3", "books/migrations/0002_mine.py"]
    before = {name: project.read(name) for name in kept}
    template.change(
        f"{INNER}/django_project/settings.py", 'X_FRAME_OPTIONS = "DENY"', 'X_FRAME_OPTIONS = "SAMEORIGIN"'
    )
    run(project.path, "cruft", "check", status=1)
    update(project)
    settings = project.read("django_project/settings.py")
    assert 'TIME_ZONE = "Europe/Berlin"' in settings
    assert 'X_FRAME_OPTIONS = "SAMEORIGIN"' in settings
    assert leftovers(project) == []
    assert {name: project.read(name) for name in kept} == before
    changed = run(project.path, "git", "status", "--porcelain").split()[1::2]
    assert sorted(changed) == [".cruft.json", "django_project/settings.py"]


def test_a_conflict_is_shown(template: Template, render: Render) -> None:
    project = render()
    project.edit("django_project/settings.py", 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Europe/Berlin"')
    commit(project)
    template.change(f"{INNER}/django_project/settings.py", 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Asia/Tokyo"')
    update(project)
    assert [name.removesuffix(".rej") for name in leftovers(project)] == ["django_project/settings.py"]


def test_an_update_knows_the_filters_of_the_new_version(template: Template, render: Render) -> None:
    project = render()
    path = template.path / "template_extensions.py"
    path.write_text(
        path.read_text(encoding="utf-8")
        .replace("FILTERS = (", "FILTERS = (\n    shout,")
        .replace("def in_quotes(", "def shout(text: str) -> str:\n    return text.upper()\n\n\ndef in_quotes(", 1),
        encoding="utf-8",
    )
    template.change(f"{INNER}/README.md", "# {{ cookiecutter.project_name | in_markdown }}", "# {{ 'loud' | shout }}")
    update(project)
    assert project.read("README.md").startswith("# LOUD\n")


@pytest.mark.parametrize(
    ("question", "before", "after"),
    [
        ("include_books", "no", True),
        ("include_books", "yes", False),
        ("include_apis", "no", True),
        ("include_apis", "yes", False),
        ("ci", "github", "gitlab"),
    ],
)
def test_changing_an_answer_gives_the_project_of_the_new_answer(
    render: Render, bake: Bake, question: str, before: str, after: Any
) -> None:
    project = render(**{question: before})
    update(project, "--variables-to-update", json.dumps({question: after}))
    assert leftovers(project) == []
    # That one passes its own checks, as other tests show.
    assert contents(project) == contents(bake(**{question: after}))


def contents(project: BakedProject) -> dict[str, str]:
    """The project's files, without those that an update leaves to their owner."""
    own = {".cruft.json", ".env", "uv.lock"}
    return {name: project.read(name) for name in project.files - own if not name.startswith(".git/")}


def test_a_tag_renders_that_version(template: Template, render: Render) -> None:
    template.change(f"{INNER}/README.md", "## Start\n", "## Begin\n")
    project = render("--checkout", "v1")
    assert "## Start\n" in project.read("README.md")
    assert json.loads(project.read(".cruft.json"))["checkout"] == "v1"
    update(project)
    assert "## Begin\n" in project.read("README.md")
