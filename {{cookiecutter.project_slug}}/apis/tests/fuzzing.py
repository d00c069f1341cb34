"""Formats and credentials for valid requests of Schemathesis: `just fuzz` uses them. https://schemathesis.readthedocs.io/"""

import os
from urllib.parse import urlencode

import requests
import schemathesis
from hypothesis import strategies as st

from books.isbn import check_digit

ADDRESS = f"http://127.0.0.1:{os.environ.get('WEB_PORT', '8000')}"
CREDENTIALS = {"username": os.environ["FUZZ_USERNAME"], "password": os.environ["FUZZ_PASSWORD"]}


def isbn(number: int) -> str:
    """The ISBN-13 with this number, of nine digits, in it."""
    digits = f"978{number:09}"
    return digits + check_digit(digits)


schemathesis.openapi.format("isbn", st.integers(0, 10**9 - 1).map(isbn))
# Cursors are signed: only that of the first page, which is empty, can be generated.
schemathesis.openapi.format("cursor", st.just(""))


@schemathesis.hook
def filter_query(context, query):
    """Skip long URLs: gunicorn refuses them before the API sees them."""
    return len(urlencode(query or {}, doseq=True)) < 2000


class Login:
    """Log in by the API, and send its token."""

    def get(self, case, context):
        response = requests.post(f"{ADDRESS}/api/v1/auth/token/", json=CREDENTIALS, timeout=300)
        response.raise_for_status()
        return response.json()["token"]

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Token {data}"}


# Logging out revokes the token: each of these requests needs a new one.
schemathesis.auth(refresh_interval=None).apply_to(path="/api/v1/auth/token/", method="DELETE")(Login)
schemathesis.auth().apply_to(path_regex="^/api/v1/(?!auth/token/)")(Login)
