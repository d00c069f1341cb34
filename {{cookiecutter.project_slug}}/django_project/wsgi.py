"""The entry point of a WSGI server such as gunicorn, which serves the project in production."""

import os
from collections.abc import Callable, Iterable
from email.message import Message
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_project.settings")

django_application = get_wsgi_application()


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
    if environ["REQUEST_METHOD"] == "HEAD":
        # gunicorn drops the body, but logs a warning.
        response.close()
        return []
    return response
