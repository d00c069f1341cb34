"""Is what a request needs there? Addresses for load balancers and orchestrators, and the connections that are checked.

The addresses are answered before other middleware, because probes use addresses as host names, which `ALLOWED_HOSTS`
would refuse, and plain HTTP, which would be redirected.
"""

import logging
from collections.abc import Callable
from typing import Any

import psycopg
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

logger = logging.getLogger(__name__)


class PooledConnection(psycopg.Connection[Any]):
    """A connection of the pool, which checks each one by an empty statement before it hands it out.

    Where one is dead the others are, too. The pool would find that out one by one, with a longer pause after each.
    """

    def execute(self, query: Any, *args: Any, **options: Any) -> Any:
        try:
            return super().execute(query, *args, **options)
        except psycopg.OperationalError:
            if query == "":
                database: Any = connection
                database.pool.drain()
            raise


def database_answers() -> None:
    """Ask the database for a number; raises what the database driver raises."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def cache_answers() -> None:
    """Write to the cache and read it back; raises what the cache's client raises."""
    cache.set("health", "ok", timeout=10)
    if cache.get("health") != "ok":
        raise ConnectionError("the cache forgot what it was told")


CHECKS = {"database": database_answers, "cache": cache_answers}


def live() -> JsonResponse:
    """200 as long as the process answers. It asks nobody else: restarting it would not mend a database."""
    return JsonResponse({"status": "ok"})


def ready() -> JsonResponse:
    """200 if everything that a request needs answers, else 503 with the names of what does not."""
    checks = {}
    for name, check in CHECKS.items():
        try:
            check()
            checks[name] = "ok"
        except Exception:
            logger.warning("%s is not available", name, exc_info=True)
            checks[name] = "unavailable"
    ok = set(checks.values()) == {"ok"}
    return JsonResponse({"status": "ok" if ok else "unavailable", "checks": checks}, status=200 if ok else 503)


PROBES = {"/health/live": live, "/health/ready": ready}


class HealthMiddleware:
    """Answer the probes; pass every other request on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = PROBES.get(request.path_info)
        if probe is None or request.method not in {"GET", "HEAD"}:
            return self.get_response(request)
        response = probe()
        response["Cache-Control"] = "no-store"
        return response
