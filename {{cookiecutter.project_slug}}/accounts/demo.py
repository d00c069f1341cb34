"""Demo data: an administrator."""

import secrets
from collections.abc import Callable

from accounts.models import User


def load(say: Callable[[str], None]) -> None:
    """Create the user `admin` with a random password and say it, unless there is an administrator."""
    if User.objects.filter(is_superuser=True).exists():
        say("There is an administrator already: `python manage.py changepassword NAME` sets a new password.")
        return
    password = secrets.token_urlsafe(12)
    User.objects.create_superuser("admin", password=password)
    say(f"Administrator: admin, password: {password} (shown only now)")
