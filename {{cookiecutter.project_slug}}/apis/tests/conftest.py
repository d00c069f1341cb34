"""Clients for tests of the API: one call sends a request, checks the status and hands back the JSON."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from apis.models import Token


@dataclass
class API:
    """A client of the API, with the headers that it sends each time."""

    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, address: str, data: Any = None, *, status: int, **headers: str) -> Any:
        """The JSON of the answer, which must have this status; None if it has no body. Text is sent as it is."""
        body = data if isinstance(data, str | bytes) else json.dumps(data)
        client = Client(raise_request_exception=False)
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        content_type = sent.pop("content-type", "application/json")
        self.response = client.generic(method, address, "" if data is None else body, content_type, headers=sent)
        assert self.response.status_code == status, self.response.content
        return self.response.json() if self.response.content else None


def api_of(user: User) -> API:
    """A client with a fresh token of this user."""
    return API({"authorization": f"Token {Token.issue(user)[0]}"})


@pytest.fixture
def anon() -> API:
    return API()


@pytest.fixture
def reader(db: None) -> User:
    """A user without any permission."""
    return User.objects.create_user("reader", password="quiet-reading-room")


@pytest.fixture
def as_editor(db: None) -> API:
    """A user who may do everything with the models of this project."""
    editor = User.objects.create_user("editor")
    editor.user_permissions.set(Permission.objects.all())
    return api_of(editor)
