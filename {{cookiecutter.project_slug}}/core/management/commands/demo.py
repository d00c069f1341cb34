"""`manage.py demo`: data to look at. Each app's part is its command `seed_…`, run without options."""

import secrets

from django.contrib.auth import get_user_model
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Load demo data and create an administrator; what is there already stays as it is."

    def handle(self, *args: object, **options: object) -> None:
        for name in sorted(get_commands()):
            if name.startswith("seed_"):
                call_command(name, stdout=self.stdout)
        # Last, because `start` takes a database with users for one that has its demo data.
        users = get_user_model().objects
        if users.filter(is_superuser=True).exists():
            self.stdout.write("There is an administrator; `python manage.py changepassword NAME` sets a new password.")
            return
        password = secrets.token_urlsafe(12)
        users.create_superuser("admin", password=password)
        self.stdout.write(f"Administrator: admin, password: {password} (shown only now)")
