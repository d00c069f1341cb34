"""The entry point of a WSGI server such as gunicorn, which serves the project in production."""

import os

from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_project.settings")


class Request(WSGIRequest):
    """Django's request, read as UTF-8 whatever `Content-Type` says.

    Django 5.2 decodes the query with the charset that a client sends, before any middleware: `charset=rot13`, which
    Python knows but which is no encoding of text, would be an error of the server.
    """

    def _set_content_type_params(self, meta: dict[str, str]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            # It names an encoding that Python does not know, for itself.
            self.content_type, self.content_params = "", {"charset": "unknown"}
        # Not by `encoding`, which reads the query at once: an error in it would have no answer.
        self._encoding = "utf-8"


application = get_wsgi_application()
application.request_class = Request
