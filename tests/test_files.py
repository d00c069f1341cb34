"""The files of a project, and their content, for every combination of answers."""

import ast
import fnmatch
import json
import re
import subprocess
import tomllib
from typing import Any

import pytest
import yaml
from baking import COMBINATIONS, ROOT, TEMPLATE, Bake, BakedProject

# The files of every project, by directory; below, those that depend on the answers.
ALWAYS = """
.dockerignore .editorconfig .env .env.example .gitattributes .gitignore .pre-commit-config.yaml
Dockerfile README.md conftest.py deploy.sh docker-compose.yml docs/deploy.md docs/docker.md docs/operate.md
docs/users.md
gunicorn.conf.py justfile
manage.py pyproject.toml

accounts/__init__.py accounts/admin.py accounts/login_limits.py accounts/models.py accounts/urls.py
accounts/migrations/0001_initial.py accounts/migrations/__init__.py accounts/templates/accounts/login.html
accounts/templates/accounts/page.html accounts/templates/accounts/password_reset_email.txt
accounts/templates/accounts/password_reset_subject.txt
accounts/tests/test_accounts.py accounts/tests/test_login.py accounts/tests/test_passwords.py

core/__init__.py core/apps.py core/checks.py core/context_processors.py core/database.py core/environment.py
core/health.py core/logs.py core/middleware.py core/rate_limits.py core/views.py
core/management/commands/demo.py core/management/commands/start.py core/management/commands/startapp.py
core/app_template/app_name/__init__.py-tpl core/app_template/app_name/admin.py-tpl
core/app_template/app_name/models.py-tpl core/app_template/app_name/migrations/__init__.py-tpl
core/app_template/app_name/tests/test_app_name.py-tpl
core/static/core/style.css core/templates/base.html core/templates/error.html
core/tests/rows.py core/tests/test_commands.py core/tests/test_logs.py core/tests/test_middleware.py
core/tests/test_pages.py core/tests/test_rate_limits.py core/tests/test_servers.py core/tests/test_settings.py

django_project/__init__.py django_project/asgi.py django_project/settings.py django_project/urls.py
django_project/wsgi.py
"""
BOOKS = """
books/__init__.py books/admin.py books/demo_books.csv books/isbn.py books/models.py books/urls.py books/views.py
books/management/commands/seed_books.py
books/migrations/0001_initial.py books/migrations/0002_search_index.py books/migrations/__init__.py
books/templates/admin/books/book/actions.html books/templates/admin/books/book/pagination.html
books/templates/books/book_detail.html books/templates/books/book_list.html
books/tests/test_models.py books/tests/test_pages.py
core/search.py core/management/commands/rebuild_search.py core/tests/test_search.py docs/books.md docs/search.md
"""
NO_BOOKS = "core/templates/home.html core/tests/test_home.py core/urls.py"
APIS = """
docs/api.md
apis/__init__.py apis/admin.py apis/apps.py apis/authentication.py apis/checks.py apis/exceptions.py apis/filters.py
apis/models.py apis/overrides.py apis/pagination.py apis/parsers.py apis/permissions.py apis/schema.py
apis/serializers.py apis/throttling.py apis/urls.py apis/views.py apis/viewsets.py
apis/migrations/0001_initial.py apis/migrations/0002_token_auth_hash.py apis/migrations/__init__.py
apis/static/apis/browsable.css apis/static/apis/swagger.css apis/static/apis/swagger.js
apis/templates/apis/swagger.html apis/templates/rest_framework/api.html
apis/tests/conftest.py apis/tests/test_api.py apis/tests/test_authentication.py apis/tests/test_checks.py
apis/tests/test_etags.py apis/tests/test_filters.py apis/tests/test_lists.py apis/tests/test_pagination.py
apis/tests/test_parsers.py
apis/tests/test_permissions.py apis/tests/test_throttling.py apis/tests/test_viewsets.py
apis/v1/__init__.py apis/v1/urls.py
core/app_template/apis/tests/test_app_name.py-tpl core/app_template/apis/v1/app_name.py-tpl
"""
BOTH = "apis/v1/books.py apis/tests/fuzzing.py apis/tests/test_books.py docs/tour.md"
EITHER = """
core/keyset.py core/ordering_keys.py core/queryset_ordering.py core/tests/test_keyset.py
core/tests/test_ordering_keys.py
"""
CI = {"github": ".github/dependabot.yml .github/workflows/ci.yml", "gitlab": ".gitlab-ci.yml", "none": ""}

# What writes an app saves its owner more lines than it has: only its own limits hold for it.
STARTAPP = {"core/management/commands/startapp.py": 220, "core/app_template/": 250}
# How much an owner has to own: files outside tests and documents, and lines of Python outside tests and migrations.
MAX_FILES = 99
MAX_LINES = {"": 4_120, "core/": 1_490}


def expected_files(include_books: bool, include_apis: bool, ci: str) -> set[str]:
    parts = [
        *(ALWAYS, CI[ci], BOOKS if include_books else NO_BOOKS),
        APIS if include_apis else "",
        BOTH if include_books and include_apis else "",
        EITHER if include_books or include_apis else "",
    ]
    return set(" ".join(parts).split())


@pytest.mark.parametrize("ci", CI)
@pytest.mark.parametrize("answers", COMBINATIONS)
def test_a_project_has_exactly_these_files(bake: Bake, answers: dict[str, Any], ci: str) -> None:
    assert bake(**answers, ci=ci).files == expected_files(**answers, ci=ci)


@pytest.fixture(params=COMBINATIONS)
def project(bake: Bake, request: pytest.FixtureRequest) -> BakedProject:
    return bake(**request.param, ci="none")


def test_every_file_parses(project: BakedProject) -> None:
    parsers: dict[str, Any] = {
        ".py": ast.parse,
        ".toml": tomllib.loads,
        ".json": json.loads,
        ".yml": yaml.safe_load,
        ".yaml": yaml.safe_load,
    }
    for name in project.files:
        text = project.read(name)
        if parse := parsers.get("." + name.rpartition(".")[2]):
            parse(text)
        assert text.endswith("\n") or not text, name
        assert not re.search(r"[ \t]+$", text, re.M), f"white space at the end of a line of {name}"
        assert not text.endswith("\n\n"), name
        assert "\r" not in text, name


def test_blank_lines_separate_the_blocks_of_markdown(project: BakedProject) -> None:
    for name in project.files:
        if name.endswith(".md"):
            # Without a blank line, text below a table is a row of it, and text above it takes it into its paragraph.
            text = re.sub(r"(?s)```.*?```|\n +", "", project.read(name))
            for block in re.split(r"\n{2,}", text):
                lines = block.splitlines()
                assert len({line[:1] if line[:1] in "#|-" else "text" for line in lines}) <= 1, f"{name}: {block}"
                assert len(lines) <= 1 or not block.startswith("#"), f"{name}: {block}"


def test_nothing_of_the_template_is_left(project: BakedProject) -> None:
    for name in project.files:
        text = project.read(name)
        assert "# %" not in text, name
        # The README names the template and explains updates.
        lines = [line for line in text.splitlines() if "cookiecutter" in line.lower()]
        assert name == "README.md" or not lines, (name, lines)
        # The tour shows a Django template, startapp renders some, and the script asks Docker by templates of its own.
        if not name.endswith((".html", ".txt", ".py-tpl", "tour.md", "deploy.sh")):
            assert not re.search(r"\{\{|\{%|\{#", text), name
        assert "template's folder" not in text


def test_nothing_of_a_declined_app_is_left(project: BakedProject) -> None:
    declined = []
    if not project.answers["include_books"]:
        declined += ["book", "isbn", "BookViewSet"]
    if not project.answers["include_apis"]:
        declined += [
            "apis",
            "rest_framework",
            "restframework",
            "serializer",
            "throttle_(?!login)",
            "spectacular",
            "cors",
        ]
        for page in project.files & {"docs/books.md", "docs/search.md", "docs/users.md"}:
            assert not re.search(r"\b(API|DRF)\b", project.read(page)), page
    for name in project.files - {".env"}:
        # The default description mentions books.
        text = f"{name}\n{project.read(name)}".replace("A library of books: a website and a REST API.", "")
        for word in declined:
            assert not re.search(rf"\b{word}", text, re.I), (word, name)


def test_the_environment_file_has_a_secret_and_the_example_has_none(project: BakedProject) -> None:
    assert re.search(r"^SECRET_KEY=[\w-]{60,}$", project.read(".env"), re.M)
    assert re.search(r"^SECRET_KEY=$", project.read(".env.example"), re.M)
    assert (project.path / ".env").stat().st_mode & 0o077 == 0


def test_every_project_has_a_secret_of_its_own(bake: Bake) -> None:
    assert bake().read(".env") != bake().read(".env")


def test_the_render_and_the_project_make_the_same_environment_file(bake: Bake) -> None:
    project = bake()
    rendered = project.read(".env")
    (project.path / ".env").unlink()
    project.run("python", "-m", "core.environment")
    made = project.read(".env")
    secret = re.compile(r"[0-9a-f]{64}")
    assert len(secret.findall(made)) == 2
    assert secret.sub("secret", rendered) == secret.sub("secret", made)


def rendered_files() -> set[str]:
    """The tracked files of the template that Jinja renders."""
    tracked = subprocess.check_output(["git", "ls-files", "-z", TEMPLATE.name], cwd=ROOT, text=True).split("\0")
    copied = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["_copy_without_render"]
    names = {name.removeprefix(f"{TEMPLATE.name}/") for name in tracked if name}
    return {name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in copied)}


def test_few_files_hold_jinja() -> None:
    jinja = re.compile(r"(?m)\{\{|\{%|^\s*# %")
    holding = {name for name in rendered_files() if jinja.search((TEMPLATE / name).read_text(encoding="utf-8"))}
    assert len(holding) < 10
    assert {name for name in holding if name.endswith(".py")} == {
        f"django_project/{n}.py" for n in ("settings", "urls")
    }


def test_conditions_keep_the_file_valid_in_place() -> None:
    for name in rendered_files():
        lines = (TEMPLATE / name).read_text(encoding="utf-8").splitlines()
        statements = [number for number, line in enumerate(lines) if line.lstrip().startswith("# %")]
        assert {0, len(lines) - 1}.isdisjoint(statements), name
        kinds = {re.sub("[^a-z].*", "", lines[number].lstrip(" #%")) for number in statements}
        assert kinds <= {"if", "endif", "filter", "endfilter"}, name


def is_startapp(name: str) -> bool:
    return name.startswith(tuple(STARTAPP))


@pytest.mark.parametrize("path", STARTAPP)
def test_the_command_that_writes_an_app_is_short(bake: Bake, path: str) -> None:
    project = bake()
    lines = [line for name in project.files if name.startswith(path) for line in project.read(name).splitlines()]
    assert len(lines) <= STARTAPP[path], f"{len(lines)} lines"


def test_a_project_has_few_files(bake: Bake) -> None:
    # What its owner commits: without .env, but with uv.lock, which is made where uv is installed.
    files = bake().files - {".env"} | {"uv.lock"}
    owned = [name for name in files if not re.search(r"(^|/)(tests|docs)/", name) and not is_startapp(name)]
    assert len(owned) <= MAX_FILES, f"{len(owned)} files"


@pytest.mark.parametrize("directory", MAX_LINES)
def test_a_project_has_few_lines_of_python(bake: Bake, directory: str) -> None:
    """Blank lines, comments and docstrings count, too: packed lines would not make a project smaller."""
    project = bake()
    lines = {
        name: len(project.read(name).splitlines())
        for name in sorted(project.files)
        if name.startswith(directory) and re.search(r"(?<!conftest)\.py$", name)
        if "/tests/" not in name and "/migrations/" not in name and not is_startapp(name)
    }
    assert sum(lines.values()) <= MAX_LINES[directory], f"{sum(lines.values())} lines: {lines}"
