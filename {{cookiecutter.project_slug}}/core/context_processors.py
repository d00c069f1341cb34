"""What every template can use. https://docs.djangoproject.com/en/5.2/ref/templates/api/#writing-your-own-context-processors"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def project(request: HttpRequest | None = None) -> dict[str, Any]:
    """The project's name and description, and what the header links to."""
    return {"project": settings.PROJECT, "navigation": settings.NAVIGATION}
