"""`manage.py start`: the development server, with everything it needs prepared first, in one process."""

import os
import socket
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.staticfiles.management.commands.runserver import Command as RunserverCommand
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError
from environs import Env, EnvError, validate


def port() -> int:
    """Return WEB_PORT, which the settings do not read: Kubernetes sets it for a service that is named web."""
    try:
        return Env().int("WEB_PORT", 8000, validate=validate.Range(min=1, max=65535))
    except EnvError as error:
        raise CommandError(f"{str(error).rstrip('.')}. Set it in the environment or in .env.") from None


# The server restarts in a second process after a change of the code, and finds everything prepared.
PREPARED = "START_PREPARED"


class Command(RunserverCommand):
    help = "Migrate the database, load demo data if it has no users yet, and serve on 127.0.0.1, port WEB_PORT."

    def handle(self, *args: Any, **options: Any) -> None:
        own_port = not options["addrport"]
        if own_port:
            options["addrport"] = str(port())
        if PREPARED not in os.environ:
            if own_port:
                self.check_port(port())
            try:
                call_command("migrate", verbosity=0)
            except OperationalError as error:
                reason = str(error).strip().splitlines()[0]
                raise CommandError(f"The database cannot be used: {reason}. DATABASE_URL says where it is.") from None
            if not get_user_model().objects.exists():
                call_command("demo", stdout=self.stdout)
                # Python buffers what goes to a file or a pipe: the password would appear when the server stops.
                self.stdout.flush()
            os.environ[PREPARED] = "true"
        super().handle(*args, **options)

    def check_port(self, port: int) -> None:
        """Raise CommandError if the port is taken, before anything is changed."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise CommandError(
                    f"Port {port} cannot be used ({error.strerror}). Stop the server that uses it, or set WEB_PORT "
                    f"to a free one, in .env or in front of the command: WEB_PORT={port + 1}."
                ) from None
