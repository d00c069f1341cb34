"""The entry point of a WSGI server such as gunicorn, which serves the project in production."""

import os
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_project.settings")


class Request(WSGIRequest):
    """Django's request, read as UTF-8 whatever `Content-Type` says, also if its body comes in chunks.

    Django 5.2 decodes the query with the charset that a client sends, before any middleware: `charset=rot13`, which
    Python knows but which is no encoding of text, would be an error of the server. A body whose length is not said in
    front would be empty.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        if "HTTP_TRANSFER_ENCODING" in environ and environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read((settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) + 1)
            environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        super().__init__(environ)

    def _set_content_type_params(self, meta: dict[str, str]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # the stubs do not have it
        except ValueError:
            # It names an encoding that Python does not know, for itself.
            self.content_type, self.content_params = "", {"charset": "unknown"}
        self.encoding = "utf-8"


application = get_wsgi_application()
application.request_class = Request
