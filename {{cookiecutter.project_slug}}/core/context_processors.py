"""Template variables of every page."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def project(request: HttpRequest | None = None) -> dict[str, Any]:
    """The project's name and description, and the links of the navigation."""
    return {"project": settings.PROJECT, "navigation": settings.NAVIGATION}
