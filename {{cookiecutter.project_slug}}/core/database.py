"""The statement timeout of PostgreSQL, and which errors are outages.

The timeout is set by a statement, because poolers such as PgBouncer refuse it among the options of a new connection.
"""

from typing import Any
from weakref import WeakSet

from django.conf import settings
from django.db import InterfaceError, OperationalError

# The connections that have the timeout. Django sends the signal whenever a request takes a connection from the pool.
limited: WeakSet[Any] = WeakSet()


def is_outage(error: BaseException | None) -> bool:
    """Whether the database is unavailable, or has cancelled a statement that took too long."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    # SQLite has this error for wrong SQL, too, such as for a missing table.
    return getattr(error.__cause__, "sqlite_errorname", "") != "SQLITE_ERROR"


def set_statement_timeout(connection: Any, **kwargs: Any) -> None:
    """Handle the signal `connection_created`."""
    if not settings.STATEMENT_TIMEOUT or connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        if cursor.connection not in limited:
            cursor.execute("SELECT set_config('statement_timeout', %s, false)", [str(settings.STATEMENT_TIMEOUT)])
            limited.add(cursor.connection)
