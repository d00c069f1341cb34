"""A request id in every answer and every line of the log, so that one can be found by the other."""

import logging
import re
from collections.abc import Callable
from contextvars import ContextVar
from uuid import uuid4

from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
ACCEPTED = re.compile(r"[A-Za-z0-9_-]{8,64}")

current: ContextVar[str] = ContextVar("request_id", default="-")


class RequestIDMiddleware:
    """Take over the id that a proxy sends in `X-Request-ID` if it is well-formed, else make one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent = request.headers.get(HEADER, "")
        request_id = sent if ACCEPTED.fullmatch(sent) else uuid4().hex
        # It stays until the next request: Django logs an error's answer after the last middleware.
        current.set(request_id)
        response = self.get_response(request)
        response[HEADER] = request_id
        return response


class RequestIDFilter(logging.Filter):
    """Give a log record the attribute `request_id`: the id of the request, `-` outside of one."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current.get()
        return True
