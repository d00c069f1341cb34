"""`manage.py demo`: data to look at. Each app's part is the function `load` in its module `demo.py`, if it has one."""

from importlib import import_module

from django.apps import apps
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils.module_loading import module_has_submodule


class Command(BaseCommand):
    help = "Load demo data and create an administrator; what is there already stays as it is."

    @transaction.atomic
    def handle(self, *args: object, **options: object) -> None:
        for app in apps.get_app_configs():
            if app.module and module_has_submodule(app.module, "demo"):
                import_module(f"{app.name}.demo").load(self.stdout.write)
