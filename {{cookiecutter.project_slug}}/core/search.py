"""A search field that ignores case and accents.

    search = SearchField(sources=("title", "author"))

`save()` fills this column with the normalized words of its sources: the title "Nana" and the author "Émile Zola"
become " nana emile zola". A search for "zola em" with `icontains` becomes

    search LIKE '%zola%' AND search LIKE '% em%'

in which `%` stands for any text.

For PostgreSQL, write a migration with `AddSearchIndex`, which adds a trigram index. The index adds two
spaces before each word and one after it, and splits the result into trigrams (three consecutive characters, such as
` zo`, `zol` and `ola`). For each trigram it stores the rows that contain it. `LIKE` then reads only rows with the
term's trigrams.

A term of one or two characters, such as "em", forms a trigram only with the padding before a word. So it matches only
at the start of a word, also on other databases, to give the same results everywhere. The column starts with a space,
so that such a term can match the first word, too.

`manage.py rebuild_search` fills the column of existing rows. docs/search.md has the steps for a model.

https://docs.djangoproject.com/en/5.2/howto/custom-model-fields/
https://docs.djangoproject.com/en/5.2/howto/custom-lookups/
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.management.base import CommandError
from django.db import DatabaseError, models, router, transaction
from django.db.migrations.operations.base import Operation

WORD = re.compile(r"[^\W_]+")
# Shorter terms match only at the start of a word: see above.
TRIGRAM_LENGTH = 3

# Unicode's form NFKD splits é into e and an accent, but leaves these lower-case letters whole.
LETTERS = str.maketrans(
    {
        "æ": "ae",
        "ð": "d",
        "đ": "d",
        "ħ": "h",
        "\u0131": "i",  # dotless
        "ł": "l",
        "ŋ": "n",
        "ø": "o",
        "œ": "oe",
        "ŧ": "t",
        "þ": "th",
    }
)


def normalize(text: str) -> str:
    """Return the words of the text: letters and digits in lower case, without accents, with single spaces."""
    decomposed = unicodedata.normalize("NFKD", text)
    # Drop marks (accents, and the vowel signs of some scripts): WORD would split a word at them.
    kept = "".join([character for character in decomposed if unicodedata.category(character)[0] != "M"])
    # Split the text at punctuation, as a trigram index does.
    return " ".join(WORD.findall(kept)).casefold().translate(LETTERS)


class SearchField(models.TextField):
    """The normalized words of the text columns in `sources`; `icontains` matches rows that contain every search term.

    `save()` and `bulk_create()` keep it up to date. Run `manage.py rebuild_search` after `update()`, `bulk_update()`
    or `loaddata` has changed a source, and after a `save()` or `bulk_create(update_conflicts=True)` that skips this
    field because of `update_fields`, `only()` or `defer()`.
    """

    def __init__(self, *args: Any, sources: tuple[str, ...] = (), **kwargs: Any) -> None:
        if isinstance(sources, str):
            raise TypeError(f'`sources` must be a tuple: write sources=("{sources}",).')
        self.sources = sources
        super().__init__(*args, **{"editable": False, "default": "", **kwargs})

    def deconstruct(self) -> Any:
        """Return the arguments of this field, for migrations."""
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "sources": self.sources}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        """Set the column to a space and the normalized words: Django calls this before it writes a row."""
        value = " " + normalize(" ".join(getattr(model_instance, source) or "" for source in self.sources))
        setattr(model_instance, self.attname, value)
        return value


@SearchField.register_lookup
class ContainsTerms(models.Lookup):
    """Match rows that contain every search term.

    Terms of three characters or more are found anywhere in a word, shorter ones only at the start of a word. Terms
    without a letter or digit, such as `&`, are ignored. On this field it replaces `icontains`, the default lookup of
    Django's admin and DRF's `SearchFilter`.
    """

    lookup_name = "icontains"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Return the condition in SQL, and its parameters."""
        # The left-hand side is the column, the right-hand side (`rhs`) what the user has typed.
        lhs, params = self.process_lhs(compiler, connection)
        terms = normalize(str(self.rhs)).split()
        if not terms:
            # Every row matches.
            return "1 = 1", ()
        conditions = " AND ".join([f"{lhs} LIKE %s"] * len(terms))
        # Terms have letters and digits only, so LIKE needs no escaping.
        patterns = [f"%{term}%" if len(term) >= TRIGRAM_LENGTH else f"% {term}%" for term in terms]
        # `lhs` is in every condition, so its parameters are repeated, too; a plain column has none.
        return f"({conditions})", tuple(value for pattern in patterns for value in (*params, pattern))


def rebuild_search_fields(model: type[models.Model], batch_size: int = 1_000) -> int:
    """Recompute the search fields of all rows of the model, and return how many rows changed."""
    fields = [field for field in model._meta.get_fields() if isinstance(field, SearchField)]
    database = router.db_for_write(model)
    # `_base_manager` has all rows; other managers may hide some.
    following = model._base_manager.using(database).order_by("pk")
    count = 0
    while True:
        # Lock the rows of a batch, so that a change that is saved meanwhile is not overwritten.
        with transaction.atomic(database):
            rows = list(following.select_for_update()[:batch_size])
            changed = []
            # `pre_save` also sets the new value on the row.
            for row in rows:
                before = [getattr(row, field.attname) for field in fields]
                if before != [field.pre_save(row, add=False) for field in fields]:
                    changed.append(row)
            count += model._base_manager.using(database).bulk_update(changed, [field.name for field in fields])
        if len(rows) < batch_size:
            return count
        following = following.filter(pk__gt=rows[-1].pk)


def searchable_models() -> Iterator[type[models.Model]]:
    """Yield the models of the project that have a `SearchField`."""
    for config in apps.get_app_configs():
        for model in config.get_models():
            if any(isinstance(field, SearchField) for field in model._meta.get_fields()):
                yield model


class AddSearchIndex(Operation):
    """Add a trigram index for a `SearchField` on PostgreSQL. Nothing is done on other databases.

        class Migration(migrations.Migration):
            atomic = False
            operations = [AddSearchIndex("book")]

    `CREATE INDEX CONCURRENTLY` does not block writes, and cannot run in a transaction; hence `atomic = False`. An
    interrupted migration can be run again. Raises CommandError if the index cannot be created.
    """

    reversible = True

    def __init__(self, model_name: str, column: str = "search") -> None:
        self.model_name = model_name
        self.column = column

    def describe(self) -> str:
        return f"Create a trigram index on {self.column} of {self.model_name}"

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Leave the migration state unchanged: only PostgreSQL has the type of the index, so it is not in `Meta`."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if not self.applies_to(schema_editor.connection, app_label):
            return
        # An interrupted build leaves an invalid index behind: drop it first.
        self.database_backwards(app_label, schema_editor, from_state, to_state)
        table = to_state.apps.get_model(app_label, self.model_name)._meta.db_table
        try:
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            schema_editor.execute(
                f'CREATE INDEX CONCURRENTLY "{self.index_name(app_label)}" '
                f'ON "{table}" USING gin ("{self.column}" gin_trgm_ops)'
            )
        except DatabaseError as error:
            reason = str(error).splitlines()[0]
            raise CommandError(
                f"The search index cannot be created: {reason}. If the extension pg_trgm is missing, ask an "
                "administrator to run 'CREATE EXTENSION pg_trgm' in a schema on the user's search_path. Then migrate."
            ) from error

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if self.applies_to(schema_editor.connection, app_label):
            schema_editor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{self.index_name(app_label)}"')

    def applies_to(self, connection: Any, app_label: str) -> bool:
        is_here = router.allow_migrate(connection.alias, app_label, model_name=self.model_name)
        return connection.vendor == "postgresql" and bool(is_here)

    def index_name(self, app_label: str) -> str:
        return f"{app_label}_{self.model_name}_{self.column}"
