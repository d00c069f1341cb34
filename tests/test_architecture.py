"""Rules about the code of a rendered project: which app imports which, and what it uses of its dependencies."""

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from baking import ROOT, TEMPLATE, Bake, BakedProject

# Imports run one way: an app imports none of these.
FORBIDDEN_IMPORTS = {
    "core": {"accounts", "apis", "books", "django_project"},
    "accounts": {"apis", "books", "django_project"},
    "books": {"apis", "django_project"},
    "apis": {"django_project"},
}

# Members of the public model API: https://docs.djangoproject.com/en/5.2/ref/models/meta/ and
# https://docs.djangoproject.com/en/5.2/topics/db/managers/ and https://docs.djangoproject.com/en/5.2/ref/models/instances/
DOCUMENTED = {"_meta", "_base_manager", "_default_manager", "_state"}

# Members that no page of their library describes, and that this or an earlier version used. Each is searched for as a
# whole word.
UNDOCUMENTED = (
    *("query.alias_map", "query.where", "WhereNode", "BaseTable", "reverse_dict", "PooledConnection"),
    *("connection_class", "resolve_serializer", "_map_serializer_field", "_set_content_type_params"),
    *("httpx._config", "ThreadWorker", "quote_name_unless_alias"),
    *("_meta.pk", "apps.get_models", "connection.connection", "ErrorDetail", "error_dict", "error_list"),
    *("auth_header", "accepted_media_type", "ISO_8601", "OrderBy", "get_commands", "record.args", "stdout.isatty"),
    *("stdout.flush", "get_paginated_response_schema", "field.write_only", "field.source", "field.pk_field"),
    *("target_field", "ReturnDict"),
)

# What is left, and why. All are public names; what has a documented way does not belong here.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("core/ordering_keys.py", "OrderBy"): "what F().desc() returns, which `order_by()` and `Meta.ordering` accept",
    ("core/management/commands/demo.py", "get_commands"): "finds the commands seed_… of whatever apps there are",
    ("core/management/commands/demo.py", "stdout.isatty"): "a progress bar is for terminals alone",
    ("core/management/commands/demo.py", "stdout.flush"): "a progress bar has no end of line",
    ("core/management/commands/start.py", "stdout.flush"): "Python would keep the password in a buffer",
    ("core/logs.py", "record.args"): "gunicorn describes these names for `access_log_format`, a text without types",
    ("apis/pagination.py", "get_paginated_response_schema"): "drf-spectacular calls it to describe the response",
    ("apis/serializers.py", "field.write_only"): "DRF describes it as an argument of fields only",
    ("apis/serializers.py", "field.source"): "DRF describes it as an argument of fields only",
    ("apis/serializers.py", "field.pk_field"): "DRF describes it as an argument of fields only",
    ("core/ordering_keys.py", "target_field"): "Django describes `to_field`, but not how to read it",
    ("apis/exceptions.py", "ReturnDict"): "the browsable API reads from it which form to show again",
}

# Modules whose classes must not have a namesake in the project: an import of the wrong one would go unnoticed.
LIBRARY_MODULES = [
    *(
        f"rest_framework.{name}"
        for name in (
            *("authentication", "exceptions", "fields", "filters", "generics", "mixins", "negotiation", "pagination"),
            *("parsers", "permissions", "relations", "renderers", "request", "response", "routers", "serializers"),
            *("throttling", "validators", "versioning", "views", "viewsets"),
        )
    ),
    *("django_filters.rest_framework", "django_filters.fields", "django_filters"),
    *(
        "django.contrib.admin",
        "django.contrib.auth.admin",
        "django.contrib.auth.backends",
        "django.contrib.auth.views",
    ),
    *("django.core.exceptions", "django.core.paginator", "django.db.models", "django.forms", "django.http"),
    *("django.middleware.common", "django.middleware.csrf", "django.views.generic"),
]
LIBRARY_CLASSES = f"""
import inspect, json
from importlib import import_module
names = {{}}
for module in {LIBRARY_MODULES}:
    for name, found in inspect.getmembers(import_module(module), inspect.isclass):
        if found.__module__.startswith(("rest_framework.", "django_filters.", "django.")):
            names.setdefault(name, module)
print(json.dumps(names))
"""


@pytest.fixture(scope="module")
def project(bake: Bake) -> BakedProject:
    return bake()


def modules(project: BakedProject, *, tests: bool = False) -> Iterator[tuple[str, ast.Module]]:
    """The names and syntax trees of the Python files; those of tests only if they are asked for."""
    for name in sorted(project.files):
        is_test = "/tests/" in name or name == "conftest.py"
        if name.endswith(".py") and (tests or not is_test):
            yield name, ast.parse(project.read(name))


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules and names that a module imports, wherever the statement is."""
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def own_names(tree: ast.AST) -> set[str]:
    """The names that a module defines for itself: functions, classes without bases, variables."""
    names: set[str] = set()
    inherited = {
        id(child) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.bases for child in node.body
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and id(node) not in inherited:
            names.add(node.name)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def private_names(tree: ast.AST) -> Iterator[str]:
    """The underscore names of other modules and classes that a module imports, reads, sets or overrides."""
    yield from (name for name in imports(tree) if any(map(is_private, name.strip(".").split("."))))
    own = own_names(tree) | DOCUMENTED
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) if is_private(name) and name not in own:
                yield ast.unparse(node)
            case ast.FunctionDef(name=name) if is_private(name) and name not in own:
                yield f"def {name}"
            case ast.Call(func=ast.Name(id="getattr" | "setattr"), args=[_, ast.Constant(value=str(name)), *_]) if (
                is_private(name) and name not in own
            ):
                yield ast.unparse(node)


@pytest.mark.parametrize("app", FORBIDDEN_IMPORTS)
def test_imports_run_one_way(project: BakedProject, app: str) -> None:
    wrong = [
        f"{name}: {imported}"
        for name, tree in modules(project)
        if name.startswith(f"{app}/")
        for imported in imports(tree)
        if imported.partition(".")[0] in FORBIDDEN_IMPORTS[app]
    ]
    assert wrong == []


def test_only_entry_points_import_the_project_package(project: BakedProject) -> None:
    importing = {
        name
        for name, tree in modules(project)
        for imported in imports(tree)
        if imported.partition(".")[0] == "django_project"
    }
    assert importing <= {"manage.py", "django_project/asgi.py", "django_project/wsgi.py"}


def test_no_import_is_relative(project: BakedProject) -> None:
    assert [name for name, tree in modules(project, tests=True) if any(i.startswith(".") for i in imports(tree))] == []


def test_the_project_uses_no_private_name_of_a_dependency(project: BakedProject) -> None:
    assert {name: found for name, tree in modules(project) if (found := list(private_names(tree)))} == {}


def test_the_tests_and_hooks_use_no_private_name_of_a_dependency() -> None:
    # A process that must end at once, without clean-up: the documentation of `os` itself says when to use it.
    allowed = {"os._exit"}
    files = [*ROOT.glob("*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("benchmarks/*.py"), *ROOT.glob("docs/*.py")]
    found = {}
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if names := set(private_names(tree)) - allowed:
            found[path.name] = names
    assert found == {}


def test_no_test_file_is_long() -> None:
    files = [*ROOT.glob("tests/**/*.py"), *TEMPLATE.glob("*/tests/*.py")]
    lines = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: count for name, count in lines.items() if count > 400} == {}


def code_without_comments(tree: ast.Module) -> str:
    """The code of a module: `ast` drops comments, and the docstrings are dropped here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            node.body[0] = ast.Pass()
    return ast.unparse(tree)


def test_undocumented_members_do_not_come_back(project: BakedProject) -> None:
    found = {
        (name, member)
        for name, tree in modules(project)
        for member in UNDOCUMENTED
        if re.search(rf"(?<!\w){re.escape(member)}(?!\w)", code_without_comments(tree))
    }
    assert found == set(EXCEPTIONS)


def test_one_module_alone_reads_the_query_of_a_queryset(project: BakedProject) -> None:
    reading = {
        name
        for name, tree in modules(project)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "query"
    }
    assert reading == {"core/queryset_ordering.py"}


def test_no_class_has_the_name_of_a_class_of_a_library(project: BakedProject) -> None:
    known: dict[str, Any] = json.loads(
        project.manage("shell", "--verbosity=0", "--command", LIBRARY_CLASSES, SECRET_KEY="k" * 50)
    )
    # Django documents a user model of this name, and commands have no other.
    known = {name: module for name, module in known.items() if name not in {"User", "Command"}}
    namesakes = {
        f"{name}: {node.name} is also a class of {known[node.name]}"
        for name, tree in modules(project)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name in known and "/migrations/" not in name
    }
    assert namesakes == set()
