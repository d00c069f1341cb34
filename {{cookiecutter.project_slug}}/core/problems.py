"""Errors of the API: every one is a "problem" of RFC 9457, `application/problem+json`.

    {"type": "about:blank", "title": "Bad Request", "status": 400, "code": "invalid", "detail": "…",
     "errors": [{"field": "name", "code": "max_length", "detail": "…"}], "request_id": "…"}

`code` is stable, for programs; `detail` is for people; `errors` is there where fields of the request are wrong.
https://www.rfc-editor.org/rfc/rfc9457
"""

import json
import logging
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import is_valid_path
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from core.logs import request_id

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
PREFIX = "/api/"
RETRY_AFTER = 5  # seconds
EXAMPLE = "What is wrong, in words."


class Conflict(APIException):
    """What the request would store contradicts what is stored."""

    status_code = HTTPStatus.CONFLICT
    default_code = "conflict"
    default_detail = "This contradicts what is stored: a unique value is taken, or something else needs it."


class PreconditionFailed(APIException):
    """The row that a write is for has been changed since the client read it."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    default_code = "precondition_failed"
    default_detail = "What is stored is not, or no longer, what the request says. Read it again."


class Unavailable(APIException):
    """Something that the request needs does not answer at the moment."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = "The service cannot answer at the moment. Try again later."


class ContentTooLarge(APIException):
    """The body has more bytes than `DATA_UPLOAD_MAX_MEMORY_SIZE`."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = "The body of the request is too large."


# What Django raises and DRF does not know.
TRANSLATED: dict[type[Exception], type[APIException]] = {
    IntegrityError: Conflict,
    OperationalError: Unavailable,
    InterfaceError: Unavailable,
    RequestDataTooBig: ContentTooLarge,
}


def problem(status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """The body of an error's answer."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id.get(),
    }
    if errors:
        body["errors"] = errors
    return body


def field_errors(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Flatten the nested lists and dictionaries of a ValidationError; a field in a list is `authors.0.name`."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from field_errors(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from field_errors(inner, f"{path}.{index}".lstrip(".") if nested else path)
    else:
        yield {"field": path or "non_field_errors", "code": detail.code, "detail": str(detail)}


def exception_handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler with our body; None for what nobody expected, which Django then logs and answers with 500."""
    for known, translation in TRANSLATED.items():
        if isinstance(exception, known):
            if translation is Unavailable:
                logger.error("the database does not answer, or not in time", exc_info=exception)
            exception = translation()
    response = drf_exception_handler(exception, context)
    if response is None:
        return None
    if isinstance(exception, APIException) and isinstance(exception.detail, dict | list):
        errors = list(field_errors(exception.detail))
        code, detail = exception.default_code, str(exception.default_detail)
        if isinstance(exception, ValidationError):
            detail = "The request has errors."
            if errors and all(error["code"] == "unique" for error in errors):
                response.status_code = HTTPStatus.CONFLICT
                code, detail = Conflict.default_code, Conflict.default_detail
        response.data = problem(response.status_code, code, detail, errors)
    else:
        detail = response.data["detail"]
        response.data = problem(response.status_code, detail.code, str(detail))
    if isinstance(exception, Unavailable):
        response["Retry-After"] = str(RETRY_AFTER)
    # The browsable API shows the same body in a page of HTML; whatever else a view answers with, its errors are JSON.
    request = context["request"]
    if not isinstance(getattr(request, "accepted_renderer", None), BrowsableAPIRenderer):
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), MEDIA_TYPE
        response.content_type = MEDIA_TYPE
    return response


class ProblemMiddleware:
    """Turn the error pages that Django answers with below `/api/`, outside of any view of DRF, into problems."""

    TEXTS = {
        400: ("bad_request", "The server could not make sense of this request."),
        403: ("permission_denied", "The request is refused: the token of its form, or its origin, is wrong."),
        404: ("not_found", "There is nothing at this address."),
        405: ("method_not_allowed", "This address does not know the method."),
        411: ("length_required", "Say how long the body is, by Content-Length: it came in chunks."),
        412: (PreconditionFailed.default_code, PreconditionFailed.default_detail),
        413: ("too_large", "The request is too large."),
        415: ("unsupported_media_type", "Send text in UTF-8: the charset of the content type is another one."),
    }
    UNKNOWN = ("error", "An unexpected error occurred. It was logged.")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        if not request.path_info.endswith("/") and is_valid_path(f"{request.path_info}/"):
            # Unlike Django's own redirect, this one keeps method and body.
            return HttpResponse(status=308, headers={"Location": request.get_full_path(force_append_slash=True)})
        response = self.get_response(request)
        status = response.status_code
        explained = settings.DEBUG and status >= HTTPStatus.INTERNAL_SERVER_ERROR
        if status < HTTPStatus.BAD_REQUEST or hasattr(response, "accepted_renderer") or explained:
            return response
        response.content = json.dumps(problem(status, *self.TEXTS.get(status, self.UNKNOWN)))
        response.headers["Content-Type"], response.headers["Content-Length"] = MEDIA_TYPE, str(len(response.content))
        response.headers.pop("ETag", None)
        return response
