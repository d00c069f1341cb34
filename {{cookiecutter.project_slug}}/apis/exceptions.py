"""Errors of the API: each is a problem details object (RFC 9457), `application/problem+json`.

    {"type": "about:blank", "title": "Bad Request", "status": 400, "code": "invalid", "detail": "…",
     "errors": [{"field": "name", "code": "max_length", "detail": "…"}], "request_id": "…"}

`code` is stable, for programs; `detail` is for people; `errors` lists the invalid fields of the request, if any.
`exception_handler` converts exceptions in DRF's views to such an object, `ProblemMiddleware` other error pages below
`/api/`.
https://www.rfc-editor.org/rfc/rfc9457
"""

import json
import logging
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.client import responses
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, RequestDataTooBig
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError, IntegrityError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import Resolver404
from rest_framework.exceptions import APIException, NotFound, PermissionDenied, Throttled, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.utils.serializer_helpers import ReturnDict
from rest_framework.views import exception_handler as drf_exception_handler

from accounts.login_limits import TooManyAttemptsError
from core.database import is_outage
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
    default_detail = "The request conflicts with stored data: a value is taken, or other data refers to this object."


class PreconditionFailed(APIException):
    """The row has changed since the client read it."""

    status_code = HTTPStatus.PRECONDITION_FAILED
    default_code = "precondition_failed"
    default_detail = "The resource has changed since it was read. Read it again."


class Unavailable(APIException):
    """The database is unavailable, or timed out."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = "The service is unavailable at the moment. Try again later."


class WrongCredentials(APIException):
    """The same error for an unknown name, a wrong password and an inactive user: nobody can find out who is a user."""

    status_code = HTTPStatus.UNAUTHORIZED
    default_code = "wrong_credentials"
    default_detail = "The user name or the password is wrong."


class ContentTooLarge(APIException):
    """The body has more bytes than `DATA_UPLOAD_MAX_MEMORY_SIZE`."""

    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = "The body of the request is too large."


def problem(status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """Return the body of an error response: a problem details object."""
    body: dict[str, Any] = {
        "type": "about:blank",
        # "Error" for a status that no standard defines.
        "title": responses.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": request_id.get(),
    }
    if errors:
        body["errors"] = errors
    return body


def is_single(details: Any) -> bool:
    """Whether this part of `get_full_details()` is a single error, with `message` and `code`."""
    return isinstance(details, dict) and isinstance(details.get("message"), str)


def field_errors(details: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Flatten the nested lists and dictionaries of `get_full_details()`.

    A field in a list is named like `authors.0.name`.
    """
    if is_single(details):
        yield {"field": path or "non_field_errors", "code": details["code"], "detail": details["message"]}
    elif isinstance(details, dict):
        for name, inner in details.items():
            yield from field_errors(inner, f"{path}.{name}" if path else str(name))
    else:
        for index, inner in enumerate(details):
            yield from field_errors(inner, path if is_single(inner) else f"{path}.{index}".lstrip("."))


def model_errors(error: DjangoValidationError) -> ValidationError:
    """Convert Django's ValidationError, such as from `full_clean()`, to DRF's, with the same fields and codes."""
    # Only a form has a documented way to get the codes of the errors by field.
    form = forms.Form({})
    form.fields.update({name: forms.Field(required=False) for name in getattr(error, "message_dict", ())})
    form.add_error(None, error)
    return ValidationError(
        {
            ("non_field_errors" if name == NON_FIELD_ERRORS else name): [
                single
                for each in errors
                for single in ValidationError(each["message"], each["code"] or "invalid").detail
            ]
            for name, errors in form.errors.get_json_data().items()
        }
    )


def is_conflict(error: IntegrityError) -> bool:
    """Whether a client caused the error: a unique value is taken, or other rows refer to this one."""
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    return isinstance(error, ProtectedError | RestrictedError) or code in TAKEN


def translate(error: Exception) -> Exception:
    """Translate errors of Django and of this project into DRF's; return any other error unchanged."""
    translated: Exception = error
    match error:
        case IntegrityError() if is_conflict(error):
            translated = Conflict()
        case _ if is_outage(error):
            logger.error("The database is unavailable, or timed out.", exc_info=error)
            translated = Unavailable()
        case DataError():
            # PostgreSQL cannot store the value, such as a NUL character in JSON. Logged, because it may be a bug.
            logger.warning("The database refused a value.", exc_info=error)
            translated = ValidationError("A value is out of range, or has characters that cannot be stored.")
        case DjangoValidationError():
            translated = model_errors(error)
        case Resolver404():
            # Without its arguments, which list the URL patterns of the project.
            translated = NotFound()
        case Http404():
            translated = NotFound(*error.args)
        case DjangoPermissionDenied():
            translated = PermissionDenied(*error.args)
        case RequestDataTooBig():
            translated = ContentTooLarge()
        case TooManyAttemptsError():
            translated = Throttled(error.wait)
    return translated


def exception_handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's handler with problem details as the body; returns None for a bug, which Django logs as a 500."""
    exception = translate(exception)
    response = drf_exception_handler(exception, context)
    if response is None or not isinstance(exception, APIException):
        return None
    # A custom exception may set `detail` to a plain string, which has no code: add one.
    details: Any = APIException(exception.detail, exception.default_code).get_full_details()
    if is_single(details):
        response.data = problem(response.status_code, details["code"], details["message"])
    else:
        errors = list(field_errors(details))
        code, detail = exception.default_code, str(exception.default_detail)
        if isinstance(exception, ValidationError):
            detail = "The request has errors."
            # If validators found only values that are taken, respond as for a conflict in the database.
            if errors and all(error["code"] in {"unique", "unique_together"} for error in errors):
                response.status_code = HTTPStatus.CONFLICT
                code, detail = Conflict.default_code, Conflict.default_detail
        response.data = problem(response.status_code, code, detail, errors)
    if isinstance(exception, Unavailable):
        response["Retry-After"] = str(RETRY_AFTER)
    if isinstance(exception, WrongCredentials):
        response["WWW-Authenticate"] = "Token"
    # HTML pages, such as the browsable API, show the error themselves; every other response becomes JSON.
    if getattr(getattr(context["view"].request, "accepted_renderer", None), "media_type", "") == "text/html":
        if isinstance(exception.detail, ReturnDict):
            # The browsable API shows the form of this serializer again, with what was typed.
            response.data = ReturnDict(response.data, serializer=exception.detail.serializer)
        return response
    headers = {**dict(response.items()), "Content-Type": MEDIA_TYPE}
    return ProblemResponse(response.data, response.status_code, headers=headers)


class ProblemResponse(Response):
    """A response whose body is a problem details object, whatever the client accepts."""

    @property
    def rendered_content(self) -> str:
        """The body as JSON; Django reads it when it renders the response."""
        return JSONRenderer().render(self.data).decode()


class ProblemMiddleware:
    """Turn error pages below `/api/` that do not come from a view of DRF into problem details."""

    TEXTS = {
        400: ("bad_request", "The server could not understand this request."),
        403: ("permission_denied", "This request is not allowed, or its CSRF token or origin is wrong."),
        404: ("not_found", "There is no resource at this URL."),
        405: ("method_not_allowed", "This URL does not allow this method."),
        411: ("length_required", "Send Content-Length: chunked bodies are not supported."),
        412: (PreconditionFailed.default_code, PreconditionFailed.default_detail),
        413: ("too_large", "The request is too large."),
        415: ("unsupported_media_type", "Send text as UTF-8: the Content-Type header names another charset."),
        429: ("throttled", "There were too many requests."),
        503: (Unavailable.default_code, Unavailable.default_detail),
    }
    OTHER = ("error", "The request failed.")
    UNEXPECTED = ("error", "An unexpected error occurred. It was logged.")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        status = response.status_code
        if not request.path_info.startswith(PREFIX) or status < HTTPStatus.BAD_REQUEST:
            return response
        is_page = response.get("Content-Type", "").startswith("text/") and not response.streaming
        # Keep the responses of DRF, streamed ones, those that are not text and, with DEBUG, the traceback.
        if hasattr(response, "accepted_renderer") or not is_page:
            return response
        if settings.DEBUG and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return response
        other = self.UNEXPECTED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else self.OTHER
        response.content = json.dumps(problem(status, *self.TEXTS.get(status, other)))
        response.headers["Content-Type"], response.headers["Content-Length"] = MEDIA_TYPE, str(len(response.content))
        # It belongs to the page that was replaced.
        response.headers.pop("ETag", None)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = str(RETRY_AFTER)
        return response
