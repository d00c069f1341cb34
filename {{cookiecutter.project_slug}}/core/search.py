"""Search that ignores case and accents, on every database: one folded column, made when a row is saved."""

import unicodedata
from typing import Any

from django.db import models

MAX_WORDS = 10
PIECE = 3


def fold(text: str) -> str:
    """The text without accents, in lower case, with single spaces, and without NUL, which PostgreSQL refuses."""
    decomposed = unicodedata.normalize("NFKD", text.replace("\0", " "))
    kept = (character for character in decomposed if not unicodedata.combining(character))
    return " ".join("".join(kept).casefold().split())


class SearchField(models.TextField):
    """What the columns `sources` say, folded. `save` and `bulk_create` keep it up to date, `update` does not."""

    def __init__(self, *args: Any, sources: tuple[str, ...] = (), **kwargs: Any) -> None:
        self.sources = sources
        super().__init__(*args, **{"editable": False, "default": "", **kwargs})

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "sources": self.sources}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        # The space in front makes the start of the first word look like that of every other word.
        value = " " + fold(" ".join(getattr(model_instance, source) for source in self.sources))
        setattr(model_instance, self.attname, value)
        return value


def matching(text: str, column: str = "search") -> models.Q:
    """The condition that each of the first ten words of the text is in this `SearchField`.

    A word of one or two letters must start a word there: an index of three-letter pieces finds no shorter ones.
    """
    condition = models.Q()
    for word in fold(text).split()[:MAX_WORDS]:
        condition &= models.Q(**{f"{column}__contains": word if len(word) >= PIECE else f" {word}"})
    return condition
