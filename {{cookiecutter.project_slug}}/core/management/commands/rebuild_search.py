"""`manage.py rebuild_search`: normalize all search columns again, after `update()`, `bulk_update()` or a fixture."""

from typing import Any

from django.core.management.base import BaseCommand

from core.search import rebuild_search_fields, searchable_models


class Command(BaseCommand):
    help = "Rebuild the search columns of all models, so that rows changed without save() are found."

    def handle(self, *args: Any, **options: Any) -> None:
        for model in searchable_models():
            count = rebuild_search_fields(model)
            self.stdout.write(f"{model._meta.verbose_name_plural}: {count:,} rows changed")
