"""`manage.py startapp`: an app in the style of this project, from the fields of its model.

Django's own command renders the templates in `core/app_template/`; without fields it works as always.
https://docs.djangoproject.com/en/5.2/howto/custom-management-commands/#overriding-commands
"""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldError
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.startapp import Command as StartAppCommand
from django.db import models

from core.environment import BASE_DIR

# Of each type: the class and the arguments of its column, and the source of its value in row `n` of a test.
TYPES = {
    "char": ("CharField", ["max_length=200"], '"{label} {n}0"'),
    "text": ("TextField", [], '"{label} {n}0"'),
    "int": ("IntegerField", [], "{n}"),
    "decimal": ("DecimalField", ["max_digits=10", "decimal_places=2"], '"{n}.50"'),
    "bool": ("BooleanField", ["default=False"], "{is_second}"),
    "date": ("DateField", [], '"2030-01-0{n}"'),
    "datetime": ("DateTimeField", [], '"2030-01-0{n}T12:00:00Z"'),
    "email": ("EmailField", [], '"{name}{n}@example.com"'),
    "url": ("URLField", [], '"https://example.com/{n}"'),
    "uuid": ("UUIDField", [], '"00000000-0000-4000-8000-00000000000{n}"'),
    "json": ("JSONField", [], '{{"key": {n}}}'),
    "choice": ("CharField", ["max_length=20", "choices={class_name}"], '"{choice}"'),
}
STRINGS = {"char", "text", "email", "url", "choice"}
ORDERED = {"char", "int", "decimal", "date", "datetime", "email"}
# Django's models, the parameters of lists and the written code use these names.
RESERVED = {*dir(models.Model), *"id url objects models str meta search ordering cursor page_size format".split()}
NAME = "[a-z][a-z0-9]*(_[a-z0-9]+)*"
HOW = f"Write name:type. Types: {', '.join(TYPES)}=open,paid and app.Model; then ? if optional, ! if unique."
# The lines that an app needs in other files: what each goes after, at its last place there.
LINES = [
    ("django_project/settings.py", r"^INSTALLED_APPS = \[\n(?: .*\n)*(?=\])", '    "{app}",'),
    ("apis/v1/urls.py", r"^from [\w.]+ import [^(\n]+\n", "from apis.v1.{app} import {model}ViewSet"),
    ("apis/v1/urls.py", r"^router( = |\.register\().*\)\n", 'router.register("{app}", {model}ViewSet)'),
]


class Command(StartAppCommand):
    help = "Create an app. With fields: its model, migration, admin, resource in the API and tests, all registered."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("fields", nargs="*", help=HOW)
        parser.add_argument("--model", help="the model's name, if it is not the singular of the app's")
        parser.add_argument("--filter", default="", help="more fields to filter by: a,b")
        parser.add_argument("--search", help="what a search looks in: a,b__c; by default the char and email fields")
        parser.add_argument("--private", action="store_true", help="reading needs the permission to view, too")

    def handle(self, **options: Any) -> None:
        words = [*filter(None, [options["directory"]]), *options["fields"]]
        if ":" not in "".join(words) and not options["fields"]:
            super().handle(**options)
            return
        if options["template"]:
            raise CommandError("--template is for apps without fields.")
        app, model = options["name"], model_name(options["name"], options["model"])
        values = context(app, model, [Field(word) for word in words], options)
        with TemporaryDirectory() as folder:
            template = {"directory": folder, "template": str(BASE_DIR / "core" / "app_template")}
            super().handle(**{**options, **values, **template})
            written = install(Path(folder), app, model)
        self.stdout.write("\n".join([f"The app {app} with the model {model}:", *written]))


class Field:
    """A field as the command line describes it, such as `born:date?`. Raises CommandError."""

    def __init__(self, word: str) -> None:
        found = re.fullmatch(r"([^:]*):([A-Za-z]\w*(?:\.\w+)?)(?:=([\w,-]+))?([?!]*)", word)
        if not found or (found[2] == "choice") != bool(found[3]):
            raise CommandError(f"{word}: {HOW}")
        self.name, self.kind, choices, marks = found.groups()
        if not re.fullmatch(NAME, self.name) or iskeyword(self.name) or self.name in RESERVED:
            raise CommandError(f"{word}: a field cannot be called {self.name}. Use another name, in lower case.")
        self.is_optional, self.is_unique = "?" in marks, "!" in marks
        self.is_required = not self.is_optional and self.kind != "bool"
        self.is_ordered = self.is_required and self.kind in ORDERED
        # A unique column can be empty in several rows only where it is null.
        self.is_nullable = self.is_optional and (self.kind not in STRINGS or self.is_unique)
        self.to = None if self.kind in TYPES else model_of(word, self.kind)
        self.class_name = self.name.title().replace("_", "")
        self.choices = [(re.sub(r"\W", "_", value).upper(), value) for value in (choices or "").split(",") if value]
        names = {name for name, _ in self.choices}
        if choices and (len(names) < max(2, len(self.choices)) or not all(map(str.isidentifier, names))):
            raise CommandError(f"{word}: write two choices or more, each with a letter first.")
        self.first, self.second = self.example(1), self.example(2)
        self.empty = "None" if self.is_nullable or self.to else "False" if self.kind == "bool" else '""'
        self.lookups = ["exact", "gt", "lt"] if self.kind in {"int", "decimal", "date"} else ["exact"]
        first, second = self.first.strip('"'), self.second.strip('"')
        self.queries = []
        if self.kind != "datetime":
            self.queries += [(f"{self.name}={{{self.name}}}" if self.to else f"{self.name}={first}", 0)]
        if self.kind in {"int", "decimal", "date", "datetime"}:
            self.queries += [(f"{self.name}__gt={first}", 1), (f"{self.name}__lt={second}", 0)]

    @property
    def column(self) -> str:
        """The source of its column."""
        if self.to:
            name = "OneToOneField" if self.is_unique else "ForeignKey"
            arguments = [f'"{self.to._meta.label}"', "models.PROTECT"]
        else:
            name, arguments = TYPES[self.kind][0], list(TYPES[self.kind][1])
            arguments += ["unique=True"] if self.is_unique else []
        arguments += ["null=True"] if self.is_nullable else []
        arguments += ["blank=True"] if self.is_optional else []
        return f"models.{name}({', '.join(arguments)})".format(class_name=self.class_name)

    def example(self, number: int) -> str:
        """The source of its value in row 1 or 2 of a test."""
        if self.to:
            return f"create_row({self.to.__name__}, {number}).pk"
        choice = self.choices[number - 1][1] if self.choices else ""
        label = self.name.replace("_", " ").capitalize()
        return TYPES[self.kind][2].format(
            name=self.name, label=label, n=number, choice=choice, is_second=number == 2  # noqa: PLR2004
        )


def model_of(word: str, label: str) -> type[models.Model]:
    """Return the model `app.Model`. Raises CommandError, with the label if the name is that of a model."""
    known = {model._meta.label_lower: model for model in apps.get_models()}
    if label.lower() in known:
        return known[label.lower()]
    near = [model._meta.label for model in known.values() if model._meta.model_name == label.lower()]
    raise CommandError(f"{word}: there is no type {label}. {f'Write {near[0]}.' if near else HOW}")


def model_name(app: str, name: str | None) -> str:
    """Return the name of the app's model: the one that was given, or the singular. Raises CommandError."""
    if not re.fullmatch(NAME, app) or iskeyword(app):
        raise CommandError(f"{app}: an app is called by a plural in lower case, as in order_lines.")
    if app in {config.label for config in apps.get_app_configs()} or (BASE_DIR / app).exists():
        raise CommandError(f"There is {app} already. Choose another name.")
    if not name and not app.endswith("s"):
        raise CommandError(f"{app} does not end in s: write {app}s, or name its model, as in --model Person.")
    words = (name or re.sub("(?:(ss|tus|x|ch|sh)es|s)$", r"\1", re.sub("ies$", "ys", app))).split("_")
    model = "".join(word[:1].upper() + word[1:] for word in words)
    # The last two are schemas of the API.
    taken = {*(known.__name__ for known in apps.get_models()), "Credentials", "Problem"}
    if not re.fullmatch("[A-Z][A-Za-z0-9]*", model) or iskeyword(model) or model in taken:
        raise CommandError(f"The model cannot be called {model}. Name it otherwise, as in --model Person.")
    return model


def context(app: str, model: str, fields: list[Field], options: dict[str, Any]) -> dict[str, Any]:
    """Return what the templates use. Raises CommandError."""
    names = [field.name for field in fields]
    filtered, searched = options["filter"].split(","), (options["search"] or "").split(",")
    if options["search"] is None:
        searched = [field.name for field in fields if field.kind in {"char", "email"}]
    for name in [*names, *filter(None, [*filtered, *searched])]:
        if names.count(name.partition("__")[0]) != 1:
            raise CommandError(f"There is no field {name}, or there are two.")
    one = re.sub("(?<!^)(?=[A-Z])", " ", model).lower()
    an = f"{'an' if re.match('[aeio]|u(?!ni|s)', one) else 'a'} {one}"
    ordered = [field for field in fields if field.is_ordered]
    filters = [field for field in fields if field.to or field.choices or field.name in filtered]
    return {
        "fields": fields,
        "model": model,
        "one": one,
        "an": an,
        "test_an": an.replace(" ", "_"),
        "many": app.replace("_", " "),
        "plural": "" if f"{one}s" == app.replace("_", " ") else app.replace("_", " "),
        "constant": app.upper(),
        "title": next((field.name for field in fields if field.kind in {"char", "email"}), ""),
        "ordered": ordered,
        "indexed": [field for field in ordered if not field.is_unique],
        "listed": [field for field in fields if field.kind not in {"text", "json"}],
        "relations": [field for field in fields if field.to],
        "choices": [field for field in fields if field.choices],
        "searched": [name for name in searched if name],
        "searched_paths": [name.replace("__", ".") for name in searched if name],
        "filtered": filters,
        "periods": [field for field in filters if field.kind == "datetime"],
        "lookups": {field.name: field.lookups for field in filters if field.kind != "datetime"},
        "queries": [query for field in filters for query in field.queries],
        "required": sorted(field.name for field in fields if field.is_required),
        "emptied": [field for field in fields if not field.is_required],
        "unique": [field for field in fields if field.is_unique],
        "related": sorted({(field.to.__module__, field.to.__name__) for field in fields if field.to}),
        "snake": one.replace(" ", "_"),
    }


def install(source: Path, app: str, model: str) -> list[str]:
    """Copy the files into the project, register the app and migrate; undo all of it if a step fails.

    Return the paths. Raises CommandError.
    """
    created = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    for path in created:
        if (BASE_DIR / path).exists():
            raise CommandError(f"{path} exists, and is not overwritten. Choose another name for the app.")
    before: dict[Path, bytes] = {}
    lines = [(BASE_DIR / file, place, line.format(app=app, model=model)) for file, place, line in LINES]
    try:
        for file, place, line in lines:
            before.setdefault(file, file.read_bytes())
            text = file.read_text(encoding="utf-8")
            places = list(re.finditer(place, text, re.MULTILINE))
            if not places:
                needed = " and ".join(f"`{line.strip()}` in {file.name}" for file, _, line in lines)
                raise CommandError(f"{file.name} has another form than the project's. Nothing was changed. Add {needed}")
            end = places[-1].end()
            file.write_text(f"{text[:end]}{line}\n{text[end:]}", encoding="utf-8", newline="\n")
        for path in created:
            (BASE_DIR / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / path, BASE_DIR / path)
        if find_spec("ruff"):
            run("-m", "ruff", "check", "--no-cache", "--quiet", "--select=I", "--fix", *map(str, [*created, *before]))
            options = ("--no-cache", "--quiet", "--config=format.skip-magic-trailing-comma=true")
            run("-m", "ruff", "format", *options, *map(str, created))
        run("manage.py", "makemigrations", app, "--verbosity=0", "--no-input")
    except BaseException as error:
        for file, content in before.items():
            file.write_bytes(content)
        for path in created:
            (BASE_DIR / path).unlink(missing_ok=True)
        shutil.rmtree(BASE_DIR / app, ignore_errors=True)
        if isinstance(error, OSError):
            raise CommandError(f"Nothing was changed: {error}") from error
        raise
    return [*map(str, created), *(str(file.relative_to(BASE_DIR)) for file in before)]


def run(*command: str) -> None:
    """Run a Python program in the project. Raises CommandError with its most useful line."""
    process = subprocess.run([sys.executable, *command], cwd=BASE_DIR, capture_output=True, text=True, check=False)
    if process.returncode:
        lines = process.stderr.strip().splitlines()
        reason = next((line for line in lines if re.search(r"\(\w+\.E\d+\)", line)), lines[-1])
        raise CommandError(f"Nothing was changed, because a check failed: {reason}")
