"""`manage.py demo`: data to look at. Each app's part is the function `load` in its module `demo.py`, if it has one."""

import secrets
from importlib import import_module

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils.module_loading import module_has_submodule


class Command(BaseCommand):
    help = "Create an administrator and load demo data; what is there already stays as it is."

    @transaction.atomic
    def handle(self, *args: object, **options: object) -> None:
        self.create_administrator()
        for app in apps.get_app_configs():
            if app.module and module_has_submodule(app.module, "demo"):
                self.stdout.write(import_module(f"{app.name}.demo").load())

    def create_administrator(self) -> None:
        """Create the user `admin` with a random password and print it, unless there is an administrator."""
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            self.stdout.write("There is an administrator; `python manage.py changepassword NAME` sets a new password.")
            return
        password = secrets.token_urlsafe(12)
        users.create_superuser("admin", password=password)
        self.stdout.write(f"Administrator: admin, password: {password} (shown only now)")
