"""Error pages, which Django shows where DEBUG is off, and the icon of all pages.

Error pages need neither the database nor a session, so that they also work when one of these is the error.
"""

import sys

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from core.context_processors import project
from core.database import is_outage

TEXTS = {
    400: ("Bad request", "The server could not understand this request."),
    403: ("Not allowed", "You may not do this, or the form has expired: log in, or load the page again."),
    404: ("Page not found", "There is no page at this URL. It may have moved, or never existed."),
    411: ("Length required", "This request does not say how long it is."),
    413: ("Too large", "This request is larger than the server allows."),
    415: ("Unknown encoding", "This request has text in another encoding than UTF-8."),
    429: ("Too many attempts", "There were too many attempts. Please wait a while and try again."),
    500: ("Server error", "Something went wrong on our side. It was logged; please try again later."),
    503: ("Not available", "The server cannot respond at the moment. Please try again later."),
}

# The icon of all pages: an SVG image in 16 by 16 units.
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<path fill="#2b5d8a" d="M2 3h5l1 1 1-1h5v10H9l-1 1-1-1H2z"/></svg>'
)


def icon(request: HttpRequest) -> HttpResponse:
    """The icon at the URL where browsers look for it if a page, such as one of the admin, names none."""
    return HttpResponse(ICON, content_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


def error_page(status: int) -> HttpResponse:
    """Return the page for this status, one of `TEXTS`."""
    title, text = TEXTS[status]
    try:
        page: str = render_to_string("error.html", {**project(), "title": title, "text": text})
    except ValueError:
        # The static files have not been collected, so that the page has no style.
        page = f"<!doctype html><title>{title}</title><h1>{title}</h1><p>{text}</p>"
    return HttpResponse(page, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return error_page(403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_page(404)


def server_error(request: HttpRequest) -> HttpResponse:
    return error_page(503 if is_outage(sys.exc_info()[1]) else 500)
