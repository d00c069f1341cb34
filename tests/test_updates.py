"""Updates of a project: linking it to its template, merging new versions, and changing answers later."""

import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from baking import AUTHOR, ROOT, Bake, BakedProject, environment, free_port, http_get, running


def run(cwd: Path, *command: str, status: int = 0) -> str:
    """Run a command, check its exit status, and return its output."""
    variables = environment(**AUTHOR, GIT_CONFIG_GLOBAL="/dev/null", HOME=str(cwd.parent / "home"))
    process = subprocess.run(
        command, cwd=cwd, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert process.returncode == status, f"{command}: status {process.returncode}\n{process.stdout}"
    return process.stdout


@dataclass
class Template:
    """A git repository with the template."""

    path: Path

    @property
    def url(self) -> str:
        return self.path.as_uri()

    def change(self, name: str, old: str, new: str) -> None:
        """Replace a string in a file of the repository and commit the change."""
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
    """A function that renders a project from the URL of the repository, and commits it as its owner does."""

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


def link_tools(directory: Path) -> Path:
    """Return a directory with git alone, for a PATH without uv."""
    tools = directory / "tools"
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
    """Return the files with a conflict."""
    names = {name for name in project.files if not name.startswith(".git/")}
    return [name for name in names if name.endswith(".rej") or b"<<<<<<< " in (project.path / name).read_bytes()]


Render = Callable[..., BakedProject]


def test_a_project_from_a_git_url_is_linked_by_the_render(template: Template, render: Render, tmp_path: Path) -> None:
    project = render(include_books="no")
    assert "up to date" in run(project.path, "cruft", "check")
    other = tmp_path / "other"
    other.mkdir()
    extra = json.dumps({"include_books": False})
    run(other, "cruft", "create", template.url, "--no-input", "--extra-context", extra)
    mine = project.read(".cruft.json").replace(template.url, str(template.path))
    assert mine == (other / "library" / ".cruft.json").read_text(encoding="utf-8")


@pytest.fixture
def web(template: Template, tmp_path: Path) -> Iterator[str]:
    """The URL, with a password, of a web server with the repository and an archive of it."""
    root = tmp_path / "web"
    run(tmp_path, "git", "clone", "--quiet", "--bare", str(template.path), str(root / "template.git"))
    run(root / "template.git", "git", "update-server-info")
    run(template.path, "git", "archive", "--prefix=template/", f"--output={root / 'template.zip'}", "HEAD")
    handler = functools.partial(QuietHandler, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://me:hunter2@127.0.0.1:{server.server_port}"
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.mark.parametrize("source", ["{path}", "{directory}/template.zip", "{web}/template.zip"])
def test_a_render_without_a_git_url_prints_how_to_link_the_project(
    template: Template, web: str, tmp_path: Path, source: str
) -> None:
    location = source.format(path=template.path, directory=tmp_path / "web", web=web)
    output = run(tmp_path, "cookiecutter", location, "--no-input")
    assert len([line for line in output.splitlines() if "uvx cruft link" in line]) == 1
    assert "Commit before you edit" in output
    assert not (tmp_path / "library" / ".cruft.json").exists()


@pytest.mark.parametrize("login", ["me:hunter2", "hunter2"])
def test_a_password_in_the_url_is_not_written_to_the_project(web: str, tmp_path: Path, login: str) -> None:
    url = f"{web}/template.git"
    output = run(tmp_path, "cookiecutter", url.replace("me:hunter2", login), "--no-input")
    project = BakedProject(tmp_path / "library", {})
    assert json.loads(project.read(".cruft.json"))["template"] == url.replace("me:hunter2@", "")
    assert "hunter2" not in output + "".join(project.read(name) for name in project.files)


def test_cruft_refuses_an_answer_in_one_line_and_leaves_no_files(template: Template, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    extra = json.dumps({"project_slug": "con"})
    output = run(empty, "cruft", "create", template.url, "--no-input", "--extra-context", extra, status=1)
    assert (output.count("\n"), output.startswith("project_slug: con is a reserved device name")) == (1, True), output
    assert list(empty.iterdir()) == []


def test_an_update_merges_and_keeps_the_owners_changes_and_data(template: Template, render: Render) -> None:
    """Add the books app to a project with neither app. Its checks pass, and it serves the books."""
    project = render(include_books="no", include_apis="no")
    project.edit("django_project/settings.py", "SECURE_SSL_REDIRECT = HTTPS", "SECURE_SSL_REDIRECT = HTTPS  # mine")
    project.edit("accounts/models.py", "AbstractUser\n\n", "AbstractUser\nfrom django.db import models\n\n")
    with (project.path / "accounts/models.py").open("a") as model:
        model.write('\n    nickname = models.CharField(max_length=30, default="", blank=True)\n')
    project.manage("makemigrations", "accounts", "--name", "mine")
    project.manage("migrate")
    commit(project)
    kept = ["uv.lock", ".env", "db.sqlite3", "accounts/migrations/0002_mine.py"]
    before = {name: (project.path / name).read_bytes() for name in kept}
    # Four lines below the owner's change.
    template.change(f"{INNER}/django_project/settings.py", "SECONDS = 30 * 24", "SECONDS = 60 * 24")
    run(project.path, "cruft", "check", status=1)
    # The command in the project's README.
    options = re.search(r"`uvx cruft update (--variables-to-update) '(.*)'`", project.read("README.md"))
    assert options
    update(project, *options.groups())
    settings = project.read("django_project/settings.py")
    assert "SECURE_SSL_REDIRECT = HTTPS  # mine" in settings
    assert "SECURE_HSTS_SECONDS = 60 * 24" in settings
    assert leftovers(project) == []
    assert {name: (project.path / name).read_bytes() for name in kept} == before
    assert " passed" in project.run("just", "check")
    port = str(free_port())
    with running(["just", "start"], project.path, f"http://127.0.0.1:{port}/", WEB_PORT=port):
        assert "Anna Karenina" in http_get(f"http://127.0.0.1:{port}/").text


def test_an_update_changes_no_other_file(template: Template, render: Render) -> None:
    project = render()
    template.change(f"{INNER}/django_project/settings.py", 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Asia/Tokyo"')
    update(project)
    changed = run(project.path, "git", "status", "--porcelain").split()[1::2]
    assert sorted(changed) == [".cruft.json", "django_project/settings.py"]


def test_a_conflict_is_shown(template: Template, render: Render) -> None:
    project = render()
    project.edit("django_project/settings.py", 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Europe/Berlin"')
    commit(project)
    template.change(f"{INNER}/django_project/settings.py", 'TIME_ZONE = "UTC"', 'TIME_ZONE = "Asia/Tokyo"')
    update(project)
    assert [name.removesuffix(".rej") for name in leftovers(project)] == ["django_project/settings.py"]


def test_an_update_uses_the_filters_of_the_new_version(template: Template, render: Render) -> None:
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
        ("ci", "gitlab", "none"),
        ("ci", "none", "github"),
    ],
)
def test_changing_an_answer_equals_rendering_with_the_new_answer(
    render: Render, bake: Bake, question: str, before: str, after: Any
) -> None:
    project = render(**{question: before})
    update(project, "--variables-to-update", json.dumps({question: after}))
    assert leftovers(project) == []
    # Other tests run the checks of that project.
    assert contents(project) == contents(bake(**{question: after}))


def contents(project: BakedProject) -> dict[str, str]:
    """Return the project's files, without those that an update never changes."""
    own = {".cruft.json", ".env", "uv.lock"}
    return {name: project.read(name) for name in project.files - own if not name.startswith(".git/")}


def test_a_project_can_be_rendered_from_and_updated_to_a_tag(template: Template, render: Render) -> None:
    template.change(f"{INNER}/README.md", "## Start\n", "## Begin\n")
    run(template.path, "git", "tag", "v2")
    template.change(f"{INNER}/README.md", "## Begin\n", "## Commence\n")
    project = render("--checkout", "v1")
    assert "## Start\n" in project.read("README.md")
    assert json.loads(project.read(".cruft.json"))["checkout"] == "v1"
    update(project, "--checkout", "v2")
    assert "## Begin\n" in project.read("README.md")
    commit(project)
    update(project)
    assert "## Commence\n" in project.read("README.md")
