"""What happens to every request and answer: an id that leads from an answer to the log, and headers for browsers.

Django 6.0 has the setting `SECURE_CSP` for the first of the headers.
"""

import math
import re
from collections.abc import Callable
from http import HTTPStatus
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from core.logs import request_id
from core.pages import error_page

REQUEST_ID_HEADER = "X-Request-ID"
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class RequestIDMiddleware:
    """Take over the id that a proxy sends in `X-Request-ID` if it is well-formed, else make one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent = request.headers.get(REQUEST_ID_HEADER, "")
        given = sent if REQUEST_ID.fullmatch(sent) else uuid4().hex
        # It stays until the next request: Django logs an error's answer after the last middleware.
        request_id.set(given)
        response = self.get_response(request)
        response[REQUEST_ID_HEADER] = given
        return response


class HeadMiddleware:
    """Say how long an answer is, and send the headers alone to `HEAD`: gunicorn logs a warning where there is more."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.streaming:
            response.headers.setdefault("Content-Length", str(len(response.content)))
            if request.method == "HEAD":
                response.content = b""
        return response


class BodyMiddleware:
    """Refuse text in another encoding than UTF-8, by 415, chunks, by 411: Django takes them for an empty body, one
    above `DATA_UPLOAD_MAX_MEMORY_SIZE`, by 413, and a cookie with a NUL, by 400: PostgreSQL takes none.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (request.content_params or {}).get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
            return error_page(415)
        if "Transfer-Encoding" in request.headers:
            return error_page(411)
        # Django has a limit for texts alone, and would write files of any size to the disk.
        if int(request.META.get("CONTENT_LENGTH") or 0) > (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or math.inf):
            return error_page(413)
        if "\0" in "".join(request.COOKIES.values()):
            return error_page(400)
        return self.get_response(request)


class SecurityHeadersMiddleware:
    """Send `HEADERS` with every answer; a view that sets one of them itself keeps its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if settings.DEBUG and response.status_code >= HTTPStatus.BAD_REQUEST:
            # Django's pages that explain an error bring their style along.
            return response
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response
