"""`manage.py startapp`: an app in the style of this project, from the fields of its model.

Django's own command renders the templates in `core/app_template/`; without fields it works as always.
https://docs.djangoproject.com/en/5.2/howto/custom-management-commands/#overriding-commands
"""

import re
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError
from django.core.management.commands.startapp import Command as StartAppCommand
from django.db import models

from core.environment import BASE_DIR

# For each type: the start of its column definition, and its value in test row `n`.
TYPES = {
    "char": ("CharField(max_length=200, ", '"{label} {n}0"'),
    "text": ("TextField(", '"{label} {n}0"'),
    "int": ("IntegerField(", "{n}"),
    "decimal": ("DecimalField(max_digits=10, decimal_places=2, ", '"{n}.50"'),
    "bool": ("BooleanField(", "{is_second}"),
    "date": ("DateField(", '"2030-01-0{n}"'),
    "datetime": ("DateTimeField(", '"2030-01-0{n}T12:00:00Z"'),
    "email": ("EmailField(", '"{name}{n}@example.com"'),
    "url": ("URLField(", '"https://example.com/{n}"'),
    "uuid": ("UUIDField(", '"00000000-0000-4000-8000-00000000000{n}"'),
    "json": ("JSONField(", '["{label}", {n}]'),
    "choice": ("CharField(max_length=20, ", '"{choice}"'),
}
STRINGS = {"char", "text", "email", "url", "choice"}
RANGES = {"int", "decimal", "date", "datetime"}
# Django's models, the written code and the query parameters of lists use these names.
RESERVED = {*dir(models.Model), "id", "url", "objects", "models", "str", "meta"}
RESERVED |= {"search", "ordering", "cursor", "page_size", "format"}
NAME = "[a-z][a-z0-9]*(?:_[a-z0-9]+)*"
HOW = f"name:type, in lower case: {', '.join(TYPES)}=open,paid or app.Model, then ? if optional and ! if unique"
# Lines to add to other files: the path, the pattern after whose last match the line goes, and the line.
LINES = [
    ("django_project/settings.py", r"^INSTALLED_APPS = \[\n(?: .*\n)*(?=\])", '    "{app}",'),
    ("apis/v1/urls.py", r"^from [\w.]+ import [^(\n]+\n", "from apis.v1.{app} import {model}ViewSet"),
    ("apis/v1/urls.py", r"^router( = |\.register\().*\)\n", 'router.register("{app}", {model}ViewSet)'),
]


class Command(StartAppCommand):
    help = "Create an app. With fields: its model, migration, admin, resource in the API and tests, all registered."

    def create_parser(self, *args: Any, **options: Any) -> Any:
        parser = super().create_parser(*args, **options)
        # An option may stand between the fields.
        vars(parser)["parse_args"] = parser.parse_intermixed_args
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("fields", nargs="*", help=HOW)
        parser.add_argument("--model", default="", help="the model's name, if it is not the singular of the app's")
        parser.add_argument("--filter", default="", help="more fields to filter by: a,b")
        parser.add_argument("--search", help="what a search looks in: a,b__c; by default the char and email fields")
        parser.add_argument("--private", action="store_true", help="reading needs the permission to view, too")

    def handle(self, *args: Any, **options: Any) -> None:
        words = [*filter(None, [options["directory"]]), *options["fields"]]
        if not options["fields"] and ":" not in "".join(words):
            super().handle(**options)
            return
        if options["template"]:
            raise CommandError("--template is for apps without fields.")
        app, model = options["name"], model_name(options["name"], options["model"])
        values = context(app, model, [FieldSpec(word) for word in words], options)
        with TemporaryDirectory() as folder:
            own = {"directory": folder, "template": str(BASE_DIR / "core" / "app_template")}
            super().handle(**{**options, **values, **own})
            changed = install(Path(folder), app, model)
        self.stdout.write("\n  ".join([f"Created the model {model}, and added or changed:", *changed]))


class FieldSpec:
    """A field as the command line describes it, such as `born:date?`. Raises CommandError."""

    def __init__(self, word: str) -> None:
        found = re.fullmatch(rf"({NAME}):(\w+(?:\.\w+)?)(?:=([\w,-]+))?([?!]*)", word)
        if not found or (found[2] == "choice") != bool(found[3]):
            raise CommandError(f"{word} is not a valid field. Write {HOW}.")
        self.name, self.kind, choices, marks = found.groups()
        if iskeyword(self.name) or self.name in RESERVED:
            raise CommandError(f"{word}: Python, Django or the API uses the name {self.name}. Choose another one.")
        known = {model._meta.label: model for config in apps.get_app_configs() for model in config.get_models()}
        if self.kind not in {*TYPES, *known}:
            raise CommandError(f"{word}: the type is unknown. Write {HOW}. The models are {', '.join(known)}.")
        self.optional, self.unique = "?" in marks, "!" in marks
        self.omittable = self.optional or self.kind == "bool"
        self.required = not self.omittable
        self.ranged = self.kind in RANGES
        self.ordered = self.required and self.kind in {"char", "email", *RANGES}
        self.indexed = self.ordered and not self.unique
        # A unique column can be empty in several rows only where it is null.
        self.nullable = self.optional and (self.unique or self.kind not in STRINGS)
        self.related = known.get(self.kind)
        self.module, self.model = self.related.__module__ if self.related else "", self.kind.rpartition(".")[2]
        relation = f'{"OneToOneField" if self.unique else "ForeignKey"}("{self.kind}", models.PROTECT, '
        self.column, source = TYPES.get(self.kind, (relation, "create_row({model}, {n}).pk"))
        self.class_name = self.name.title().replace("_", "")
        self.choices = [(re.sub(r"\W", "_", value).upper(), value) for value in choices.split(",")] if choices else []
        if choices and len({name for name, _ in self.choices if name.isidentifier()}) < max(2, len(self.choices)):
            raise CommandError(f"{word}: write two different choices or more, each with a letter first.")
        self.label = self.name.replace("_", " ").capitalize()
        pair = [value for _, value in self.choices[:2]] or ["", ""]
        self.first, self.second = (
            source.format(n=n, choice=choice, is_second=n > 1, **vars(self)) for n, choice in enumerate(pair, 1)
        )


def model_name(app: str, name: str) -> str:
    """Return the name of the app's model: the one that was given, or the singular. Raises CommandError."""
    if not re.fullmatch(NAME, app) or iskeyword(app) or not (name or app.endswith("s")):
        how = "name an app with a lower-case plural, such as order_lines. If it is irregular, add --model Person"
        raise CommandError(f"{app}: {how}, the name of its model.")
    if (BASE_DIR / app).exists() or app in {config.label for config in apps.get_app_configs()}:
        raise CommandError(f"There is an app or a file {app} already. Choose another name, or undo what made it.")
    words = (name or re.sub("(?:(ss|tus|x|ch|sh)es|s)$", r"\1", re.sub("ies$", "ys", app))).split("_")
    model = "".join(word[:1].upper() + word[1:] for word in words)
    taken = {known.__name__ for config in apps.get_app_configs() for known in config.get_models()}
    # The API's documentation uses these.
    taken |= {"Credentials", "CurrentUser", "Problem"}
    if not re.fullmatch("[A-Z][A-Za-z0-9]*", model) or iskeyword(model) or model in taken:
        raise CommandError(f"The model name {model} is taken or invalid. Choose another one, as in --model Person.")
    return model


def context(app: str, model: str, fields: list[FieldSpec], options: dict[str, Any]) -> dict[str, Any]:
    """Return what the templates use. Raises CommandError."""
    names = [field.name for field in fields]
    words = [field for field in fields if field.kind in {"char", "email"}]
    more, searched = (list(filter(None, (options[option] or "").split(","))) for option in ("filter", "search"))
    for name in (*names, *more, *searched):
        if names.count(name.partition("__")[0]) != 1:
            raise CommandError(f"Unknown or duplicate field: {name}.")
    one = re.sub("(?<!^)(?=[A-Z])", " ", model).lower()
    groups = {
        group: [field for field in fields if getattr(field, group)]
        for group in ("choices", "indexed", "omittable", "ordered", "related", "required", "unique")
    }
    kinds = [field.kind for field in fields]
    filtered = [field for field in fields if field.related or field.choices or field.name in more]
    return {
        **groups,
        "model": model,
        "one": one,
        "an": f"{'an' if re.match('[aeio]|u(?!ni|s)', one) else 'a'} {one}",
        "many": app.replace("_", " "),
        "title": next((field.name for field in words if field.required), ""),  # optional ones may be null
        "searched": [field.name for field in words] if options["search"] is None else searched,
        "fields": fields,
        "filtered": filtered,
        # Several relations to one model need names for the way back.
        "named": [field for field in fields if field.related and kinds.count(field.kind) > 1],
        "ranges": [field for field in filtered if field.ranged],
        "moments": [field for field in filtered if field.kind == "datetime"],
    }


def install(source: Path, app: str, model: str) -> list[str]:
    """Copy the files into the project, register and migrate the app, and return the paths of what has changed.

    Raises CommandError if a file exists, or after undoing everything if a step fails.
    """
    created = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    if existing := [str(path) for path in created if (BASE_DIR / path).exists()]:
        raise CommandError(f"{existing[0]} exists, and is not overwritten. Choose another name for the app.")
    lines = [(BASE_DIR / file, place, line.format(app=app, model=model)) for file, place, line in LINES]
    before: dict[Path, bytes] = {}
    try:
        # First, because a server that reloads imports the app as soon as it is registered.
        for path in created:
            (BASE_DIR / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, BASE_DIR / path)
        for file, place, line in lines:
            before.setdefault(file, file.read_bytes())
            text = file.read_text(encoding="utf-8")
            *_, end = [0, *(match.end() for match in re.finditer(place, text, re.MULTILINE))]
            if not end:
                needed = " and ".join(f"`{line.strip()}` in {file.name}" for file, _, line in lines)
                raise CommandError(f"Nothing was changed: found no place in {file.name}. Add by hand: {needed}.")
            file.write_text(f"{text[:end]}{line}\n{text[end:]}", encoding="utf-8", newline="\n")
        run("django", "makemigrations", app, "--no-input")
        if find_spec("ruff"):
            run("ruff", "check", "--no-cache", "--quiet", "--select=I", "--fix", *map(str, [*created, *before]))
            run("ruff", "format", "--no-cache", "--config=format.skip-magic-trailing-comma=true", *map(str, created))
    except BaseException as error:
        for file, content in before.items():
            file.write_bytes(content)
        for path in created:
            (BASE_DIR / path).unlink(missing_ok=True)
        shutil.rmtree(BASE_DIR / app, ignore_errors=True)
        if isinstance(error, OSError):
            raise CommandError(f"Nothing was changed: {error}") from error
        raise
    changed = [*(path for path in created if app not in path.parts), *(file.relative_to(BASE_DIR) for file in before)]
    return [f"{app}/", *map(str, sorted(changed)), *([] if find_spec("ruff") else ["not formatted: ruff is missing"])]


def run(module: str, *arguments: str) -> None:
    """Run a Python program in the project. Raises CommandError with its most useful line."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    if process.returncode:
        lines = (process.stdout + process.stderr).strip().splitlines()
        reason = next((line for line in lines if re.search(r"\(\w+\.E\d+\)", line)), lines[-1])
        raise CommandError(f"Nothing was changed, because a check failed: {reason}")
