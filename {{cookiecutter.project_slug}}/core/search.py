"""Search that ignores case and accents, on every database: one folded column, made when a row is saved."""

import re
import unicodedata
from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.core.management.base import CommandError
from django.db import ProgrammingError, models

MAX_WORDS = 10
PIECE = 3
WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """The words of the text: letters and digits without accents, in lower case, with single spaces."""
    decomposed = unicodedata.normalize("NFKD", text)
    kept = "".join([character for character in decomposed if not unicodedata.combining(character)])
    # Everything else separates words: an index of pieces of words does not know it.
    return " ".join(WORD.findall(kept)).casefold()


class SearchField(models.TextField):
    """What the columns `sources` say, folded. It is kept up to date by `bulk_create`, and by `save` of a whole row.

    `update`, `update_fields`, and `save` of a row that was read without this column leave it as it is.
    """

    def __init__(self, *args: Any, sources: tuple[str, ...] = (), **kwargs: Any) -> None:
        self.sources = sources
        super().__init__(*args, **{"editable": False, "default": "", **kwargs})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "sources": self.sources}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        # The space in front makes the start of the first word look like that of every other word.
        value = " " + fold(" ".join(getattr(model_instance, source) or "" for source in self.sources))
        setattr(model_instance, self.attname, value)
        return value


def matching(text: str, column: str = "search") -> models.Q:
    """The condition that each of the first ten words of the text is in this `SearchField`; nothing matches `-`.

    A word of one or two letters must start a word there: an index of three-letter pieces finds no shorter ones.
    """
    words = fold(text).split()[:MAX_WORDS]
    condition = models.Q() if words or not text.strip() else models.Q(pk__in=[])
    for word in words:
        condition &= models.Q(**{f"{column}__contains": word if len(word) >= PIECE else f" {word}"})
    return condition


class AddSearchIndex(AddIndexConcurrently):
    """An index of three-letter pieces for a `SearchField` on PostgreSQL; other databases read every row.

    It is made without blocking writes, so that the migration must have `atomic = False`, and can be repeated.
    Raises CommandError if the extension pg_trgm is missing and the database's user may not create it.
    """

    def __init__(self, model_name: str, column: str = "search") -> None:
        index = GinIndex(fields=[column], opclasses=["gin_trgm_ops"], name=f"{model_name}_{column}")
        super().__init__(model_name, index)

    def deconstruct(self) -> Any:
        return type(self).__name__, [self.model_name, self.index.fields[0]], {}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Nothing: no model has the index, because no other database knows its kind."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            return
        try:
            schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except ProgrammingError as error:
            raise CommandError(
                "This user may not create the extension pg_trgm, which searches need. Let an administrator run "
                "CREATE EXTENSION pg_trgm; in this database, and migrate again."
            ) from error
        # What an interrupted attempt left behind is there but not usable. This also names the index.
        self.database_backwards(app_label, schema_editor, from_state, to_state)
        model = to_state.apps.get_model(app_label, self.model_name)
        schema_editor.add_index(model, self.index, concurrently=True)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self.index.name = f"{app_label}_{self.model_name}_{self.index.fields[0]}"
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{self.index.name}"')
