"""Liveness and readiness probes.

A middleware responds before all others, because probes use IP addresses as host names, which `ALLOWED_HOSTS` would
refuse, and plain HTTP, which would be redirected.
"""

import logging
from collections.abc import Callable

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

logger = logging.getLogger(__name__)


def check_database() -> None:
    """Query the database; raises what the driver raises."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def check_cache() -> None:
    """Write to the cache and read it back; raises what the cache's client raises."""
    cache.set("health", "ok", timeout=10)
    if cache.get("health") != "ok":
        raise ConnectionError("The cache did not return what was stored.")


CHECKS = {"database": check_database, "cache": check_cache}
# Without the cache, requests are served, but no rate limit applies.
OPTIONAL = {"cache"}


def live() -> JsonResponse:
    """200 while the process responds. Checks no dependency: restarting the process would not fix the database."""
    return JsonResponse({"status": "ok"})


def ready() -> JsonResponse:
    """200 if all dependencies that a request needs respond, else 503. Reports the optional ones as well."""
    checks = {}
    ok = True
    for name, check in CHECKS.items():
        try:
            check()
            checks[name] = "ok"
        except Exception:
            logger.warning("The %s is unavailable.", name, exc_info=True)
            checks[name] = "unavailable"
            ok = ok and name in OPTIONAL
    return JsonResponse({"status": "ok" if ok else "unavailable", "checks": checks}, status=200 if ok else 503)


PROBES = {"/health/live": live, "/health/ready": ready}


class HealthMiddleware:
    """Respond to probes; pass every other request on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = PROBES.get(request.path_info)
        if probe is None or request.method not in {"GET", "HEAD"}:
            return self.get_response(request)
        response = probe()
        response["Cache-Control"] = "no-store"
        return response
