"""System checks: https://docs.djangoproject.com/en/5.2/topics/checks/"""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info
from django.templatetags.static import static


def check_static_files(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check that the static files have been collected, for `check --deploy`."""
    try:
        static("core/style.css")
    except ValueError:
        hint = "Run `python manage.py collectstatic` before the server starts; until then, pages are errors."
        return [Info("The static files have not been collected.", hint=hint, id="core.I001")]
    return []


def check_mail(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check that mails have a sender, for `check --deploy`: most servers refuse Django's default."""
    if settings.DEFAULT_FROM_EMAIL == "webmaster@localhost":
        hint = "Set EMAIL_URL and DEFAULT_FROM_EMAIL; until then, nobody can reset a forgotten password."
        return [Info("No mail server is configured.", hint=hint, id="core.I002")]
    return []
