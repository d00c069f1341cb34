"""Errors of the API: each is a problem details object (RFC 9457), `application/problem+json`.

    {"type": "about:blank", "title": "Bad Request", "status": 400, "code": "invalid", "detail": "…",
     "errors": [{"field": "name", "code": "max_length", "detail": "…"}], "request_id": "…"}

`code` is stable, for programs; `detail` is for people; `errors` lists the invalid fields of the request, if any.
https://www.rfc-editor.org/rfc/rfc9457
"""

import json
import logging
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import APIException, ErrorDetail, Throttled, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from accounts.login_limits import TooManyAttemptsError
from core.logs import request_id

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
PREFIX = "/api/"
RETRY_AFTER = 5  # seconds

# The error codes of PostgreSQL and SQLite for a violated unique constraint, and 23P01 for an exclusion constraint.
# https://www.postgresql.org/docs/current/errcodes-appendix.html https://www.sqlite.org/rescode.html
TAKEN = {"23505", "23P01", "SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}


class Conflict(APIException):
    """A unique value is taken, or other rows refer to the one that would be deleted."""

    status_code = HTTPStatus.CONFLICT
    default_code = "conflict"
    default_detail = "This conflicts with stored data: a unique value is taken, or other data refers to it."


class PreconditionFailed(APIException):
    """The row has changed since the client read it."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    default_code = "precondition_failed"
    default_detail = "The resource has changed since it was read. Read it again."


class Unavailable(APIException):
    """A dependency of the request is down, or timed out."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = "The service is unavailable at the moment. Try again later."


class ContentTooLarge(APIException):
    """The body has more bytes than `DATA_UPLOAD_MAX_MEMORY_SIZE`."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = "The body of the request is too large."


def problem(status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """Return the body of an error response: a problem details object."""
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
    """Flatten the nested lists and dictionaries of a ValidationError.

    A field in a list is named like `authors.0.name`.
    """
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from field_errors(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            yield from field_errors(inner, f"{path}.{index}".lstrip(".") if nested else path)
    else:
        yield {"field": path or "non_field_errors", "code": detail.code, "detail": str(detail)}


def model_errors(error: DjangoValidationError) -> ValidationError:
    """Convert Django's ValidationError, such as from `full_clean()`, to DRF's, with the same fields and codes."""
    fields = error.error_dict if hasattr(error, "error_dict") else {"non_field_errors": error.error_list}
    return ValidationError(
        {
            ("non_field_errors" if name == "__all__" else name): [
                ErrorDetail(message, single.code or "invalid") for single in errors for message in single.messages
            ]
            for name, errors in fields.items()
        }
    )


def is_conflict(error: IntegrityError) -> bool:
    """Whether a client caused the error: a unique value is taken, or other rows refer to this one."""
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return isinstance(error, ProtectedError | RestrictedError) or code in TAKEN


def translate(error: Exception) -> Exception:
    """Translate errors that need a response of their own into DRF's; return any other error unchanged."""
    translated: Exception = error
    match error:
        case IntegrityError() if is_conflict(error):
            translated = Conflict()
        case OperationalError() | InterfaceError():
            logger.error("The database is unavailable, or timed out.", exc_info=error)
            translated = Unavailable()
        case DataError():
            # PostgreSQL cannot store the value, such as a NUL character in JSON. Logged, because it may be a bug.
            logger.warning("The database refused a value.", exc_info=error)
            translated = ValidationError("A value is out of range, or has characters that cannot be stored.")
        case DjangoValidationError():
            translated = model_errors(error)
        case RequestDataTooBig():
            translated = ContentTooLarge()
        case TooManyAttemptsError():
            translated = Throttled(error.wait)
    return translated


def exception_handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler with problem details as the body; returns None for a bug, which Django logs as a 500."""
    exception = translate(exception)
    response = drf_exception_handler(exception, context)
    if response is None:
        return None
    if isinstance(exception, APIException) and isinstance(exception.detail, dict | list):
        errors = list(field_errors(exception.detail))
        code, detail = exception.default_code, str(exception.default_detail)
        if isinstance(exception, ValidationError):
            detail = "The request has errors."
            # A validator has found the conflict before the database did.
            if errors and all(error["code"] == "unique" for error in errors):
                response.status_code = HTTPStatus.CONFLICT
                code, detail = Conflict.default_code, Conflict.default_detail
        response.data = problem(response.status_code, code, detail, errors)
    else:
        detail = response.data["detail"]
        response.data = problem(response.status_code, detail.code, str(detail))
    if isinstance(exception, Unavailable):
        response["Retry-After"] = str(RETRY_AFTER)
    # HTML pages, such as the browsable API, show the error themselves; every other response becomes JSON.
    request = context["request"]
    if getattr(getattr(request, "accepted_renderer", None), "media_type", "") != "text/html":
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), MEDIA_TYPE
        response.content_type = MEDIA_TYPE
    return response


class ProblemMiddleware:
    """Turn error pages below `/api/` that do not come from a view of DRF into problem details."""

    TEXTS = {
        400: ("bad_request", "The server could not understand this request."),
        403: ("permission_denied", "The request is refused: its CSRF token or its origin is wrong."),
        404: ("not_found", "There is no resource at this URL."),
        405: ("method_not_allowed", "This URL does not allow this method."),
        411: ("length_required", "Send Content-Length: chunked bodies are not supported."),
        412: (PreconditionFailed.default_code, PreconditionFailed.default_detail),
        413: ("too_large", "The request is too large."),
        415: ("unsupported_media_type", "Send text as UTF-8: the Content-Type header names another charset."),
        429: ("throttled", "There were too many requests."),
    }
    UNKNOWN = ("error", "An unexpected error occurred. It was logged.")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        status = response.status_code
        if not request.path_info.startswith(PREFIX) or status < HTTPStatus.BAD_REQUEST:
            return response
        # A view of DRF has responded already. With DEBUG, keep the page with the traceback.
        if hasattr(response, "accepted_renderer") or (settings.DEBUG and status >= HTTPStatus.INTERNAL_SERVER_ERROR):
            return response
        response.content = json.dumps(problem(status, *self.TEXTS.get(status, self.UNKNOWN)))
        response.headers["Content-Type"], response.headers["Content-Length"] = MEDIA_TYPE, str(len(response.content))
        # It belongs to the page that was replaced.
        response.headers.pop("ETag", None)
        return response
