"""The entry point of a WSGI server such as gunicorn, which serves the project in production."""

import contextlib
import math
import os
from collections.abc import Callable, Iterable
from email.message import Message
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_project.settings")

django_application = get_wsgi_application()

# Bytes. More than the difference between MAX_UPLOAD_SIZE and `max_size` in docker-compose.yml.
MARGIN = 2 * 1024 * 1024


def drain(environ: dict[str, Any]) -> None:
    """Read the rest of a request whose body the view has not read, such as an upload without credentials.

    gunicorn closes the connection after such a response. A proxy that is still sending then returns 502 instead of it.
    """
    if "HTTP_EXPECT" in environ:
        # The client waits for "100 Continue" before it sends the body.
        return
    left = (settings.MAX_UPLOAD_SIZE or math.inf) + MARGIN
    # A malformed body, or a client that has left.
    with contextlib.suppress(Exception):
        while left > 0 and (data := environ["wsgi.input"].read(65536)):
            left -= len(data)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Pass the request to Django, with every charset other than UTF-8 replaced by `unknown`.

    Django decodes the query string with the charset of `Content-Type` before any middleware, and fails with one that
    Python knows but that is no text encoding, such as `rot13`. `RequestBodyMiddleware` refuses the others with 415.
    """
    header = Message()
    header["Content-Type"] = environ.get("CONTENT_TYPE") or "text/plain"
    # A parameter with an asterisk names an encoding of its own, with which Django fails, too.
    if "*" in header["Content-Type"] or header.get_content_charset("utf-8") not in {"utf-8", "utf8"}:
        environ["CONTENT_TYPE"] = f"{header.get_content_type()}; charset=unknown"
    response = django_application(environ, start_response)
    # A streaming response may read the body while it is sent.
    if not getattr(response, "streaming", False):
        drain(environ)
    if environ["REQUEST_METHOD"] == "HEAD":
        # gunicorn drops the body, but logs a warning.
        response.close()
        return []
    return response
