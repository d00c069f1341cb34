"""The commands of both READMEs do what they say, in a fresh folder."""

import re
import shutil
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import unquote

import console
import httpx
import pytest
from baking import (
    COMBINATIONS,
    FOREIGN_PLUGINS,
    PATIENCE,
    ROOT,
    Bake,
    BakedProject,
    free_port,
    http_get,
    need,
    running,
    uv,
)
from console import prints

PAGES = sorted((ROOT / "docs").glob("*.md"))


def commands(text: str, heading: str) -> list[str]:
    """The blocks of shell commands below a heading."""
    section = re.split(r"(?m)^## ", text)[[line.split("\n")[0] for line in re.split(r"(?m)^## ", text)].index(heading)]
    return re.findall(r"```sh\n(.*?)```", section, re.S)


@pytest.fixture
def fresh(bake: Bake, tmp_path: Path) -> BakedProject:
    """A default project outside of any other one."""
    project = bake()
    return BakedProject(shutil.copytree(project.path, tmp_path / "library"), project.answers)


@pytest.fixture(scope="module")
def installed(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A default project outside of any other one, with its packages, which uv keeps for other projects as well."""
    need(uv(), "uv")
    project = bake()
    copy = shutil.copytree(project.path, tmp_path_factory.mktemp("installed") / "library")
    installed = BakedProject(copy, project.answers)
    installed.run("uv", "sync", "--quiet")
    return installed


def test_the_first_start_with_uv_serves_demo_data_and_the_second_one_too(installed: BakedProject) -> None:
    [start, _] = commands(installed.read("README.md"), "Start")
    (installed.path / ".env").unlink()
    port = str(free_port())
    address = f"http://127.0.0.1:{port}/api/v1/books/"
    with running(["sh", "-c", f"exec {start}"], installed.path, address, WEB_PORT=port):
        assert http_get(address).json()["results"][0]["title"] == "Anna Karenina"
    assert "SECRET_KEY=" in installed.read(".env")
    with running(["sh", "-c", f"exec {start}"], installed.path, address, WEB_PORT=port):
        assert http_get(address).json()["results"][0]["title"] == "Anna Karenina"


def test_the_start_without_uv(fresh: BakedProject) -> None:
    [_, start] = commands(fresh.read("README.md"), "Start")
    *install, serve = start.splitlines()
    # Downloads have no limit, unlike the start of the server.
    fresh.run("sh", "-ec", "\n".join(install))
    activate = install[0].rpartition(" && ")[2]
    port = str(free_port())
    address = f"http://127.0.0.1:{port}/"
    with running(["sh", "-ec", f"{activate}\n{serve}"], fresh.path, address, WEB_PORT=port):
        assert "Anna Karenina" in http_get(address).text


def test_the_commands_of_deployment(fresh: BakedProject) -> None:
    [deploy] = commands(fresh.read("docs/deploy.md"), "Without containers")
    port = str(free_port())
    variables: dict[str, Any] = {"DEBUG": "false", "HTTPS": "false", "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{port}"}
    *prepare, serve = deploy.splitlines()
    fresh.run("sh", "-ec", "\n".join(prepare), **variables)
    with running(["sh", "-ec", serve], fresh.path, f"http://127.0.0.1:{port}/", **variables):
        assert http_get(f"http://127.0.0.1:{port}/").status_code == 200


def subsection(project: BakedProject, heading: str, page: str = "README.md") -> str:
    """The text of a page below a heading, up to the next one of its level or a higher one."""
    level, text = re.findall(rf"(?ms)^(#+) {re.escape(heading)}\n(.*)", project.read(page))[0]
    return re.split(rf"\n#{{2,{len(level)}}} ", text)[0]


def code(text: str, language: str) -> list[tuple[str, str]]:
    """The blocks of code in this language, each with the first path of a Python file in the paragraph above it."""
    blocks = re.findall(rf"((?:[^\n]+\n)+)\n```{language}\n(.*?)```", text, re.S)
    return [(re.findall(r"`([\w/]+/\w+\.py)`|$", above)[0], block) for above, block in blocks]


@pytest.mark.parametrize("include_books", [True, False])
def test_a_resource_a_version_and_a_field_of_the_user_as_the_readme_adds_them(bake: Bake, include_books: bool) -> None:
    project = bake(include_books=include_books, ci="none")
    resource = subsection(project, "Add a resource")
    [(command, output)] = re.findall(r"```console\n\$ uv run ([^\n]*)\n(.*?)```", resource, re.S)
    assert project.run("sh", "-ec", command) == output
    assert f"uv run {command}\n" in (ROOT / "README.md").read_text(encoding="utf-8")
    [(name, shown)] = code(subsection(project, "The code of a resource", "docs/api.md"), "python")
    assert project.read(name) == shown
    [finish] = re.findall(r"```sh\n(.*?)```", resource, re.S)
    [(_, view)] = code(subsection(project, "A view of your own", "docs/api.md"), "python")
    (project.path / "apis/v1/numbers.py").write_text(view, encoding="utf-8")
    line = 'path("numbers/", numbers, name="numbers"),'
    project.edit("apis/v1/urls.py", "urlpatterns = [\n", f"urlpatterns = [\n    {line}\n")
    resource_import = "from apis.v1.publishers"
    project.edit("apis/v1/urls.py", resource_import, f"from apis.v1.numbers import numbers\n{resource_import}")
    [(name, lines)] = code(subsection(project, "Add a version", "docs/api.md"), "python")
    assert name == "apis/urls.py"
    (project.path / name).write_text(project.read(name) + lines, encoding="utf-8")
    (project.path / "apis/v2").mkdir()
    for copied in ("__init__.py", "urls.py"):
        shutil.copy(project.path / "apis/v1" / copied, project.path / "apis/v2")
    section = subsection(project, "Add a field to the user", "docs/users.md")
    model, admin = re.findall(r"```python\n(?:@.*\n)?class .*\n((?:.*\n)+?)```", section)
    for name, added in (("accounts/models.py", model), ("accounts/admin.py", admin)):
        (project.path / name).write_text(f"{project.read(name)}\n{added}", encoding="utf-8")
    project.edit("accounts/models.py", "AbstractUser\n\n", "AbstractUser\nfrom django.db import models\n\n")
    project.manage("makemigrations", "accounts")
    # With the tests of what was added; test_checks.py runs the others.
    added = "publishers accounts apis/tests/test_publishers.py"
    project.run("sh", "-ec", finish.replace("uv run ", ""), PYTEST_ADDOPTS=f"{FOREIGN_PLUGINS} {added}")
    document = project.manage("spectacular", "--api-version", "v2", "--validate", "--fail-on-warn")
    paths = re.findall(r"(?m)^  (/.*):$", document)
    assert "/api/v2/publishers/{id}/" in paths
    assert not any(path.startswith("/api/v1/") for path in paths)
    requests = resource + subsection(project, "Conditional requests", "docs/api.md")
    sends_and_gets(project, re.findall(r"```console\n(\$ curl .*?)```", requests, re.S))


def sends_and_gets(project: BakedProject, sessions: list[str]) -> None:
    """Start the project, and send the requests of these sessions with the token of an administrator."""
    port = str(free_port())
    user = "get_user_model().objects.create_superuser('root', password='secret 42')"
    project.manage("shell", "-c", f"from django.contrib.auth import get_user_model; {user}")
    with running(["python", "manage.py", "start"], project.path, f"http://127.0.0.1:{port}/", WEB_PORT=port):
        login = {"username": "root", "password": "secret 42"}
        token = httpx.post(f"http://127.0.0.1:{port}/api/v1/auth/token/", json=login, timeout=PATIENCE).json()["token"]
        for session in sessions:
            for command, _, output in console.commands(session.replace("\\\n", "")):
                sent = command.replace("Token …", f"Token {token}").replace(":8000", f":{port}")
                # In a terminal, curl shows no progress.
                printed = project.run("sh", "-ec", f"({sent}) 2>/dev/null")
                assert prints(printed, output.replace(":8000", f":{port}")), sent


def test_users_have_rows_of_their_own_after_the_steps_of_the_page(bake: Bake) -> None:
    project = bake(include_books=False, ci="none")
    section = subsection(project, "Rows of the logged-in user", "docs/api.md")
    [command] = re.findall(r"`(startapp [^`]+)`", section)
    project.manage(*command.split())
    [(_, viewset), (tests, test)] = code(section, "python")
    [name] = re.findall(r"`(apis/v1/\w+\.py)`", section)
    imports, _, replaced = viewset.partition("\n\n\n")
    [meta] = re.findall(r"`(read_only_fields = [^`]+)`", section)
    [sent] = re.findall(r'`("owner": \d)` from `SENT` to `STORED`', section)
    before, _, _ = project.read(name).partition("class NoteViewSet(")
    before = before.replace("        model = Note\n", f"        model = Note\n        {meta}\n")
    (project.path / name).write_text(before + replaced, encoding="utf-8")
    project.edit(name, "from drf_spectacular", f"{imports}\nfrom drf_spectacular")
    project.edit(name, f", {sent}", "")
    project.edit(name, "**SENT}", f"**SENT, {sent}}}")
    (project.path / tests).write_text(test, encoding="utf-8")
    project.run("ruff", "check", "--fix", "--quiet", name)
    project.run("mypy", name, tests)
    assert "1 passed" in project.run("python", "-m", "pytest", tests)


def test_a_model_is_searched_after_the_steps_of_its_page(bake: Bake) -> None:
    project = bake(include_apis=False, ci="none")
    section = subsection(project, "Search a model of your own", "docs/search.md")
    [make, fill] = [dedent(block) for block in re.findall(r"(?ms)^ +```sh\n(.*?)^ +```", section)]
    [model, migration] = [dedent(block) for block in re.findall(r"(?ms)^ +```python\n(.*?)^ +```", section)]
    project.manage("startapp", "shop", "name:char", "--model", "Product")
    project.manage("migrate")
    product = "from shop.models import Product as P; "
    project.manage("shell", "-c", f"{product}P.objects.create(name='Café')")
    [field] = re.findall(r"(?m)^    search = .*\n", model)
    name = "    name = models.CharField(max_length=200)\n"
    assert name in model
    project.edit("shop/models.py", name, name + field)
    project.edit(
        "shop/models.py", "from django.db import models\n", "from django.db import models\n\n" + model.splitlines()[0]
    )
    project.run("sh", "-ec", make.replace("uv run ", ""))
    [empty] = project.path.glob("shop/migrations/0003_*.py")
    written = empty.read_text(encoding="utf-8")
    [kept] = re.findall(r"\(\"shop\", \"\w+\"\)", migration)
    assert kept in written.replace("'", '"')
    empty.write_text(f"from django.db import migrations\n\n{migration}", encoding="utf-8")
    project.run("sh", "-ec", fill.replace("uv run ", ""))
    found = "print(P.objects.filter(search__icontains='cafe').count(), 'found')"
    assert "1 found" in project.manage("shell", "-c", product + found)


def test_taking_books_out_by_hand(fresh: BakedProject) -> None:
    section = fresh.read("docs/books.md")
    kept = {"django_project/urls.py", "apis/v1/urls.py", "docs/operate.md"}
    for name in set(re.findall(r"`([\w/]+(?:\.py|\.md|/))`", section)) - kept:
        path = fresh.path / name
        assert path.exists(), name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    urls = fresh.read("apis/v1/urls.py").splitlines(keepends=True)
    left = [line for line in urls if "BookViewSet" not in line]
    assert len(left) == len(urls) - 2
    (fresh.path / "apis/v1/urls.py").write_text("".join(left), encoding="utf-8")
    fresh.edit("django_project/settings.py", '    "books",\n', "")
    recipe = re.search(r"(?m)(?:^# .*\n)+fuzz .*\n(?:    .*\n)+\n", fresh.read("justfile"))
    assert recipe
    fresh.edit("justfile", recipe[0], "")
    view = re.search(r'`(path\("", TemplateView[^`]+)`', section)
    line = re.search("`(from .* import TemplateView)`", section)
    assert view
    assert line
    fresh.edit("django_project/urls.py", 'path("", include("books.urls"))', view[1])
    imports = "from django.urls import include, path\n"
    fresh.edit("django_project/urls.py", imports, f"{imports}{line[1]}\n")
    assert " passed" in fresh.run("just", "check")


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", *(f"docs/{page.name}" for page in PAGES)])
def test_what_a_page_links_to_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r'\]\(([^)#\s]+)[^)]*\)|(?:src|srcset)="([^"]+)"', text)
    for link in map("".join, links):
        if not link.startswith("http"):
            assert (ROOT / name).parent.joinpath(unquote(link)).exists(), link


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and GitLab make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("answers", COMBINATIONS)
def test_the_headings_that_pages_of_a_project_link_to_are_there(bake: Bake, answers: dict[str, Any]) -> None:
    project = bake(**answers)
    links = [
        (page, other or page.rpartition("/")[2], heading)
        for page in project.files
        if page.endswith(".md")
        for other, heading in re.findall(r"\]\(([\w./]*)#([\w-]+)\)", re.sub(r"\]\(\s+", "](", project.read(page)))
    ]
    assert len(links) > 10
    for page, other, heading in links:
        target = (project.path / page).parent / other
        headings = re.findall(r"(?m)^#+ (.+)$", target.read_text(encoding="utf-8"))
        assert heading in map(slug, headings), f"{page}: {other}#{heading}"


def test_what_the_lessons_say_is_tested_is_tested() -> None:
    tests = [*ROOT.glob("tests/test_*.py"), *ROOT.glob("{*}/*/tests/test_*.py")]
    defined = set(re.findall(r"(?m)^def (test_\w+)", "".join(path.read_text(encoding="utf-8") for path in tests)))
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "lessons.md").read_text(encoding="utf-8"))
    assert len(named) > 40
    assert set(named) <= defined


def test_ci_runs_the_readmes_test_command() -> None:
    [test] = commands((ROOT / "README.md").read_text(encoding="utf-8"), "How it is tested")
    assert test.strip() in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_demo_command_serves_the_default_project(installed: BakedProject, tmp_path: Path) -> None:
    port = str(free_port())
    address = f"http://127.0.0.1:{port}/api/v1/books/"
    with running(["just", "demo"], ROOT, address, tmp_path / "log", WEB_PORT=port, TMPDIR=str(tmp_path)):
        assert http_get(address).json()["results"]
