"""Middleware: request ids, security headers, slash redirects, and refusal of requests that Django would misread."""

import math
import re
from collections.abc import Callable
from http import HTTPStatus
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.middleware import common

from core.logs import request_id
from core.rate_limits import forwarded_address
from core.views import error_page

REQUEST_ID_HEADER = "X-Request-ID"
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")

# Django 6.0 has the setting SECURE_CSP for the first one.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class RequestIDMiddleware:
    """Use the id that a proxy sends in `X-Request-ID` if it is well-formed, else create one.

    Also pass the client's address on to the server's access log, through the WSGI environment.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent = request.headers.get(REQUEST_ID_HEADER, "")
        current = sent if REQUEST_ID.fullmatch(sent) else uuid4().hex
        # Keep the id afterwards: Django logs an error response after all middleware has run.
        request_id.set(current)
        request.META["client_address"] = forwarded_address(request)
        response = self.get_response(request)
        response[REQUEST_ID_HEADER] = current
        return response


class RequestBodyMiddleware:
    """Refuse requests that Django or the database would misread or fail on.

    413 for a body above `MAX_UPLOAD_SIZE`: Django itself does not limit uploaded files.
    411 for a chunked body, which Django reads as empty.
    415 for text in an encoding other than UTF-8.
    400 for a cookie with a NUL character, which PostgreSQL does not store.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (request.content_params or {}).get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
            return error_page(415)
        if "Transfer-Encoding" in request.headers:
            return error_page(411)
        if int(request.META.get("CONTENT_LENGTH") or 0) > (settings.MAX_UPLOAD_SIZE or math.inf):
            return error_page(413)
        if "\0" in "".join(request.COOKIES.values()):
            return error_page(400)
        return self.get_response(request)


class SecurityHeadersMiddleware:
    """Add `HEADERS` to responses; a view that sets one of them keeps its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if settings.DEBUG and response.status_code >= HTTPStatus.BAD_REQUEST:
            # Django's error pages for developers have inline styles.
            return response
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


class SlashRedirect(HttpResponsePermanentRedirect):
    """308 instead of 301, so that the client keeps the method and the body."""

    status_code = HTTPStatus.PERMANENT_REDIRECT


class SlashMiddleware(common.CommonMiddleware):
    """CommonMiddleware, but its redirect to the URL with a trailing slash keeps the method."""

    response_redirect_class = SlashRedirect
