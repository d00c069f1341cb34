"""Answers in the syntax of shells, Compose, Jinja and HTML are text everywhere: in pages, containers and packages."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.metadata import distributions
from pathlib import Path

import pytest
from answers import as_answers
from baking import Bake, BakedProject, free_port, http_get, need, running, uv

# The syntax that shells, Compose, just, Jinja, HTML and string literals would execute or expand.
HOSTILE = "$HOME ${X} $(touch x) `touch x` %{x} {{7*7}} <xss>'\"\\"


@pytest.fixture(scope="module")
def hostile(bake: Bake) -> BakedProject:
    return bake(**as_answers({"project_name": HOSTILE, "description": f"{HOSTILE} & *x !y # z"}))


def test_only_three_files_contain_the_name_and_the_description(bake: Bake) -> None:
    """just, Compose, Docker and CI never parse them."""
    project = bake(project_name="Marked", project_slug="library", description="Remarked")
    holding = {name for name in project.files if re.search("(?i)marked", project.read(name))}
    assert holding == {"README.md", "django_project/settings.py", "pyproject.toml"}


def test_hostile_answers_are_text_on_every_page(hostile: BakedProject) -> None:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    with running(["just", "start"], hostile.path, f"{url}/health/live", WEB_PORT=port):
        for path in ("/", "/books/1/", "/nowhere", "/admin/login/", "/api/", "/api/docs/", "/api/v1/books/"):
            page = http_get(url + path, headers={"accept": "text/html"})
            parser = Tags()
            parser.feed(page.text)
            assert "xss" not in parser.tags, path
            if path in ("/", "/books/1/"):
                assert HOSTILE in parser.texts
        schema = http_get(f"{url}/api/schema/", headers={"accept": "application/json"})
        assert schema.json()["info"]["title"] == HOSTILE
    assert "x" not in hostile.files


class Tags(HTMLParser):
    """Collect the tags and the text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, *_: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_compose_expands_nothing_of_hostile_answers(hostile: BakedProject) -> None:
    need(shutil.which("docker") and not subprocess.call(["docker", "compose", "version"], stdout=-3), "Docker Compose")
    config = hostile.run("docker", "compose", "config", "--format", "json", X="expanded")
    assert json.loads(config)["name"] == hostile.path.name
    assert "expanded" not in config


def test_hostile_answers_survive_an_installation(hostile: BakedProject, tmp_path: Path) -> None:
    need(uv(), "uv")
    hostile.run("uv", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path), ".")
    [installed] = distributions(path=[str(tmp_path)])
    assert f"{HOSTILE} & *x !y # z" == installed.metadata["Summary"]
    assert "x" not in hostile.files
