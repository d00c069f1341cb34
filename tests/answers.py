"""Answers to the questions of the template: how to give any string, and how to check what becomes of it."""

import json
import re
import tomllib
from html import unescape
from pathlib import Path
from typing import Any

import yaml
from baking import ROOT, BakedProject
from click.testing import CliRunner
from cookiecutter.cli import main
from markdown_it import MarkdownIt

# None of them may be in an answer.
BAD_CHARACTERS = "\0\n\t\r\x1b\x7f\x85\u2028\u2029\u202e\u2066\ufeff\udc80"

# Start the project in each directory of the arguments in its own process, and print its title page and API metadata.
START = """
import json, os, sys
import django, django.db.models, django.template, django.core.management, django.test, django.forms
import environs, inflection, jsonschema, marshmallow, psycopg, uritemplate, yaml
for directory in sys.argv[1:]:
    if os.fork():
        if os.wait()[1]:
            sys.exit(f"{directory} does not start")
        continue
    os.chdir(directory)
    sys.path.insert(0, directory)
    os.environ["DJANGO_SETTINGS_MODULE"] = "django_project.settings"
    django.setup()
    from django.core.management import call_command
    from django.template.loader import render_to_string
    call_command("check", fail_level="WARNING", stderr=sys.stderr, stdout=sys.stderr)
    page = render_to_string("base.html", request=django.test.RequestFactory().get("/"))
    response = django.test.Client().get("/api/schema/", headers={"accept": "application/json", "host": "localhost"})
    info = response.status_code == 200 and response.json()["info"]
    print(json.dumps([page, info]), flush=True)
    os._exit(0)
"""


def assert_started(projects: list[tuple[BakedProject, str, str]]) -> None:
    """Start the projects, and compare their page titles and API metadata with their names and descriptions."""
    directories = [str(project.path) for project, _, _ in projects]
    output = projects[0][0].run("python", "-W", "ignore", "-c", START, *directories)
    shown = [json.loads(line) for line in output.splitlines() if line.startswith("[")]
    for (project, name, description), (page, info) in zip(projects, shown, strict=True):
        title = re.search(r"<title>(.*?)</title>", page, re.S)
        assert title
        assert unescape(title[1]).strip().endswith(name)
        if project.answers.get("include_apis", True):
            assert [info["title"], info.get("description", "")] == [name, description]
        assert "executed" not in project.files


def names(project: BakedProject) -> dict[str, list[str]]:
    """Return the name and the description in each file, unescaped."""
    settings_ = project.read("django_project/settings.py")
    literal = re.search(r"^PROJECT = (\{.*?^\})", settings_, re.M | re.S)
    assert literal
    in_settings = eval(literal[1], {})
    blocks = MarkdownIt("gfm-like", {"linkify": False}).parse(project.read("README.md"))
    heading, text = blocks[1], blocks[4]
    readme = [
        "".join(child.content if child.type == "text" else f"<{child.type}>" for child in block.children or [])
        for block in (heading, text)
    ]
    if blocks[3].type != "paragraph_open":
        readme[1] = ""
    return {
        "settings": [in_settings["name"], in_settings["description"]],
        "README": readme,
        "pyproject": [tomllib.loads(project.read("pyproject.toml"))["project"]["description"]],
    }


def assert_exact(project: BakedProject, name: str, description: str) -> None:
    assert names(project) == {
        "settings": [name, description],
        "README": [name, description],
        "pyproject": [description],
    }
    for file in project.files:
        if file.endswith(".py"):
            compile(project.read(file), file, "exec")
        elif file.endswith((".yml", ".yaml")):
            yaml.safe_load(project.read(file))


def literal(text: str) -> str:
    """Return Jinja source for `text`, because Cookiecutter renders answers on the command line and in tests."""
    return text if not re.search(r"\{[{%#]|# %", text) else f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}"


def as_answers(answers: dict[str, Any]) -> dict[str, Any]:
    return {key: literal(value) for key, value in answers.items()}


def assert_refused(directory: Path, question: str, answer: str) -> str:
    """Return the line that a run in an empty directory prints. In this process, where an answer may contain a NUL."""
    options = ["--no-input", "--default-config", "--output-dir", str(directory)]
    result = CliRunner().invoke(main, [str(ROOT), *options, f"{question}={literal(answer)}"])
    assert result.exit_code == 1
    assert result.output.startswith(f"{question}: ")
    assert result.output.removesuffix("\n").isprintable()
    assert list(directory.iterdir()) == []
    return result.output
