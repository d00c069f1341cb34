"""Addresses for load balancers and orchestrators: is the process alive, is it ready for requests?

They are answered before any other middleware, because probes use addresses as host names, which
`ALLOWED_HOSTS` would refuse, and plain HTTP, which would be redirected.
"""

import logging
from collections.abc import Callable

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

logger = logging.getLogger(__name__)


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
