"""What all pages can show, and the pages of errors, which Django uses where DEBUG is off.

The pages of errors need neither database nor session, so that they also work when one of these is the error.
"""

import sys
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

TEXTS = {
    400: ("Bad request", "The server could not make sense of this request."),
    403: ("Not allowed", "You may not do this, or the form is too old: sign in, or load the page anew."),
    404: ("Page not found", "There is nothing at this address. It may have moved, or never existed."),
    411: ("Length required", "This request does not say how long it is."),
    413: ("Too large", "This request is larger than the server allows."),
    415: ("Unknown encoding", "This request holds text in another encoding than UTF-8."),
    500: ("Server error", "Something went wrong on our side. It was logged; please try again later."),
    503: ("Not available", "The server cannot answer at the moment. Please try again later."),
}

# Two pages, open.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<path fill="#2b5d8a" d="M2 3h5l1 1 1-1h5v10H9l-1 1-1-1H2z"/></svg>'
)


def project(request: HttpRequest | None = None) -> dict[str, Any]:
    """The project's name and description, and what the header links to: a context processor, for every template."""
    return {"project": settings.PROJECT, "navigation": settings.NAVIGATION}


def icon(request: HttpRequest) -> HttpResponse:
    """The icon of all pages: browsers ask for it at this address where a page, as those of the admin, names none."""
    return HttpResponse(ICON, content_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


def error_page(status: int) -> HttpResponse:
    """The page for this status, one of `TEXTS`."""
    title, text = TEXTS[status]
    return HttpResponse(render_to_string("error.html", {**project(), "title": title, "text": text}), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_page(403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(404)


def server_error(request: HttpRequest) -> HttpResponse:
    # The database is away, or ended a statement that took too long.
    return error_page(503 if isinstance(sys.exc_info()[1], OperationalError | InterfaceError) else 500)
