"""What the project registers at its start."""

from django.apps import AppConfig
from django.core import checks
from django.db.backends.signals import connection_created

from core.checks import check_mail, check_static_files
from core.database import set_statement_timeout


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        checks.register(check_static_files, checks.Tags.staticfiles, deploy=True)
        checks.register(check_mail, deploy=True)
        connection_created.connect(set_statement_timeout)
