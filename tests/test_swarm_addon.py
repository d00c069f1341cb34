"""The add-on for Docker Swarm as a template: its questions, its files, and its updates."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from baking import AUTHOR, ROOT, Bake, BakedProject, environment

ADDON = ROOT / "addons/swarm"
FILES = {"Caddyfile", "README.md", "app.env", "deploy.sh", "migrate.yml", "stack.yml"}


def run(cwd: Path, *command: str, status: int = 0) -> str:
    """Run a command, check its exit status, and return its output."""
    variables = environment(**AUTHOR, GIT_CONFIG_GLOBAL="/dev/null", HOME=str(cwd.parent / "home"))
    process = subprocess.run(
        command, cwd=cwd, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert process.returncode == status, f"{command}: status {process.returncode}\n{process.stdout}"
    return process.stdout


def render(cwd: Path, *answers: str, status: int = 0) -> str:
    """What the README says, with a clone of the template."""
    return run(cwd, "cookiecutter", str(ROOT), "--directory=addons/swarm", "--no-input", *answers, status=status)


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def bake_addon(cookies_session: Any) -> Iterator[Callable[..., Any]]:
    """A function that renders the add-on with these answers, and returns what pytest-cookies does."""
    with pytest.MonkeyPatch.context() as patch:
        # pytest-cookies renders without the template's own directory on the path.
        patch.syspath_prepend(str(ADDON))
        yield lambda **answers: cookies_session.bake(template=str(ADDON), extra_context=answers)


@pytest.fixture(scope="module")
def addon(bake_addon: Callable[..., Any]) -> BakedProject:
    answers = {"project_slug": "shop", "image": "ghcr.io/me/shop", "domain": "shop.example.org", "folder": "stack"}
    result = bake_addon(**answers)
    assert result.exception is None, repr(result.exception)
    return BakedProject(result.project_path, answers)


def test_the_folder_has_these_files(addon: BakedProject) -> None:
    assert addon.path.name == "stack"
    assert addon.files == FILES


def test_the_answers_are_in_the_files(addon: BakedProject) -> None:
    stack, job = (yaml.safe_load(addon.read(name)) for name in ("stack.yml", "migrate.yml"))
    assert stack["services"]["web"]["image"].startswith("ghcr.io/me/shop:${RELEASE")
    assert stack["services"]["web"]["image"] == job["services"]["migrate"]["image"]
    assert [secret["name"] for secret in stack["secrets"].values()] == ["shop_secret_key", "shop_database_url"]
    assert stack["secrets"] == job["secrets"]
    assert "ALLOWED_HOSTS=shop.example.org\n" in addon.read("app.env")
    assert "\nstack=shop\n" in addon.read("deploy.sh")
    assert "sh stack/deploy.sh 1" in addon.read("README.md")


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_is_formatted(addon: BakedProject, name: str) -> None:
    text = addon.read(name)
    assert text.endswith("\n")
    assert not re.search(r"[ \t]\n|\n\n\n|\n\n\Z|\r|cookiecutter\.|\{%", text)
    assert max(map(len, text.splitlines())) <= 150


def test_the_deployment_command_is_valid_and_asks_for_a_release(addon: BakedProject) -> None:
    addon.run("sh", "-n", "deploy.sh")
    for arguments in ([], [""], ["a b"], ["-x"], ["1", "2"]):
        output = addon.run("sh", "deploy.sh", *arguments, status=1)
        assert output == "The deployment failed: it needs the tag of an image: sh deploy.sh RELEASE\n"


def test_the_proxy_has_the_limits_of_the_project(addon: BakedProject, bake: Bake) -> None:
    # The same lines as in docker-compose.yml, but for the time after which a node counts as lost.
    compose = bake().read("docker-compose.yml")
    for line in ("read_header 10s", "read_body 5m", "max_size 26MiB", "request_buffers 64KiB", "lb_try_duration 30s"):
        assert line in addon.read("Caddyfile")
        assert line in compose


def milliseconds(pattern: str, text: str) -> int:
    """The time that the pattern finds once in the text, such as 5s."""
    [(digits, unit)] = re.findall(rf"{pattern}(\d+)(ms|s)?\b", text)
    return int(digits) * {"ms": 1, "s": 1000, "": 1}[unit]


def test_what_contains_something_else_lasts_longer(addon: BakedProject, bake: Bake) -> None:
    project = bake()
    server, image = project.read("gunicorn.conf.py"), project.read("Dockerfile")
    proxy, stack = addon.read("Caddyfile"), addon.read("stack.yml")
    header = milliseconds("response_header_timeout ", proxy)
    # A statement ends before the proxy gives up a replica, and that early enough to try two others.
    assert milliseconds("STATEMENT_TIMEOUT=", addon.read("app.env")) < header
    assert header * 2 < milliseconds("lb_try_duration ", proxy)
    assert milliseconds("graceful_timeout = ", server) * 1000 < milliseconds("stop_grace_period: ", stack)
    assert milliseconds("keepalive ", proxy) < milliseconds(r"\nkeepalive = ", server) * 1000
    assert milliseconds(r"/health/live', timeout=", image) * 1000 < milliseconds(r"\n      timeout: ", stack)


def test_the_name_comes_from_the_project_of_which_no_file_changes(bake: Bake) -> None:
    project = bake(project_name="Corner Shop")
    before = contents(project.path)
    assert render(project.path) == ""
    assert "\nstack=corner-shop\n" in project.read("swarm/deploy.sh")
    after = contents(project.path)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {f"swarm/{name}" for name in FILES}


def test_outside_of_a_project_the_name_is_asked_for(tmp_path: Path) -> None:
    output = render(tmp_path, status=1)
    assert output.startswith("project_slug: no pyproject.toml with a name is here. ")
    assert output.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
    render(tmp_path, "project_slug=library")
    assert (tmp_path / "swarm/stack.yml").exists()


@pytest.mark.parametrize("options", [[], ["--overwrite-if-exists"]])
def test_an_existing_folder_is_not_overwritten(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "swarm").mkdir()
    (tmp_path / "swarm/stack.yml").write_text("mine\n")
    output = render(tmp_path, *options, "project_slug=library", status=1)
    assert output.startswith("folder: swarm exists. ")
    assert output.count("\n") == 1
    assert contents(tmp_path) == {"swarm/stack.yml": b"mine\n"}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("project_slug", "My Library"),
        ("project_slug", "-x"),
        ("project_slug", "a" * 41),
        ("image", "library:1"),
        ("image", "registry.example.com/Library"),
        ("image", "a b"),
        ("domain", "https://example.com"),
        ("domain", "example.com,other.com"),
        ("folder", "../swarm"),
        ("folder", "."),
        ("folder", ""),
    ],
)
def test_an_answer_that_is_not_allowed_is_refused_in_one_line(
    bake_addon: Callable[..., Any], question: str, answer: str
) -> None:
    result = bake_addon(**{"project_slug": "library", question: answer})
    message = str(result.exception)
    assert message.startswith(f"{question}: ")
    assert "\n" not in message
    assert result.project_path is None


def test_cruft_creates_and_updates_the_folder(bake: Bake, tmp_path: Path) -> None:
    template = tmp_path / "template"
    shutil.copytree(ADDON, template / "addons/swarm", ignore=shutil.ignore_patterns("__pycache__"))
    git = [["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=One"]]
    project = bake()
    for arguments in git:
        run(template, "git", *arguments)
        run(project.path, "git", *arguments)
    run(project.path, "cruft", "create", str(template), "--directory", "addons/swarm", "--no-input")
    assert json.loads(project.read("swarm/.cruft.json"))["context"]["cookiecutter"]["project_slug"] == "library"
    commit = git[1:]
    for arguments in commit:
        run(project.path, "git", *arguments)
    project.edit("swarm/stack.yml", "replicas: 3", "replicas: 5")
    for arguments in commit:
        run(project.path, "git", *arguments)
    name = template / "addons/swarm/{{cookiecutter.folder}}/stack.yml"
    name.write_text(name.read_text(encoding="utf-8").replace("stop_grace_period: 10s", "stop_grace_period: 20s"))
    run(template, "git", "commit", "--quiet", "--all", "--message=Two")
    run(project.path, "cruft", "update", "--skip-apply-ask", "--project-dir", "swarm")
    stack = project.read("swarm/stack.yml")
    assert "replicas: 5" in stack
    assert "stop_grace_period: 20s" in stack
    changed = run(project.path, "git", "status", "--porcelain").split()[1::2]
    assert sorted(changed) == ["swarm/.cruft.json", "swarm/stack.yml"]
    # cruft has Cookiecutter's own refusal, below a traceback.
    before = contents(project.path / "swarm")
    output = run(project.path, "cruft", "create", str(template), "--directory=addons/swarm", "--no-input", status=1)
    assert '"swarm" directory already exists' in output
    assert contents(project.path / "swarm") == before
