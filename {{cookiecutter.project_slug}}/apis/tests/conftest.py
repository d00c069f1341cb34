"""What the tests of the API share: a client, users, and viewsets of Django's own models.

The models of `django.contrib.admin` and `django.contrib.auth` are in every project, so that these tests hold whatever
models are added or removed.
"""

import json
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client
from django.urls import include, path
from rest_framework.routers import SimpleRouter
from rest_framework.settings import api_settings

from accounts.models import User
from apis.models import Token
from apis.pagination import KeysetPagination
from core.tests.rows import create_user

PASSWORD = "quiet-reading-room"
# As in the URLconf of the project.
HANDLERS = {"handler404": "page_not_found", "handler500": "server_error"}


@dataclass
class API:
    """A client of the API, with the headers that it sends each time."""

    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, method: str, url: str, data: Any = None, *, status: int, **headers: str) -> Any:
        """Return the JSON of the response, which must have this status; None if it has none, such as a page.

        `data` is sent as JSON, a string or bytes as they are. `response` is the response itself.
        """
        body = data if isinstance(data, str | bytes) else json.dumps(data)
        client = Client(raise_request_exception=False)
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        content_type = sent.pop("content-type", "application/json")
        self.response = client.generic(method, url, "" if data is None else body, content_type, headers=sent)
        assert self.response.status_code == status, self.response.content
        is_json = self.response.content and "json" in self.response["Content-Type"]
        return self.response.json() if is_json else None


def api_of(user: User) -> API:
    """Return a client with a fresh token of this user."""
    return API({"authorization": f"Token {Token.issue(user)[0]}"})


def add_entry(user: User, **values: Any) -> LogEntry:
    """Create a row of the admin's log."""
    return LogEntry.objects.create(**{"user": user, "object_repr": "row", "action_flag": CHANGE, **values})


@pytest.fixture(autouse=True)
def _settings_of_api_tests(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests give the same result whatever limits the project has chosen."""
    settings.MAX_TOKENS_PER_USER = 20
    monkeypatch.setattr(KeysetPagination, "page_size", 20)
    for scope in ("anon", "user", "login"):
        monkeypatch.setitem(api_settings.DEFAULT_THROTTLE_RATES, scope, "10000/min")


@pytest.fixture
def anon() -> API:
    return API()


@pytest.fixture
def reader(db: None) -> User:
    """A user without any permission."""
    return create_user("reader", password=PASSWORD)


@pytest.fixture
def editor(db: None) -> User:
    """A user who may do everything."""
    return create_user("editor", is_staff=True, is_superuser=True)


@pytest.fixture
def as_reader(reader: User) -> API:
    return api_of(reader)


@pytest.fixture
def as_editor(editor: User) -> API:
    return api_of(editor)


@pytest.fixture
def mount(settings: Any) -> Any:
    """Serve viewsets in version 1: `mount(entries=EntryViewSet)` at `/api/v1/entries/`, named `entries-list`."""
    project = settings.ROOT_URLCONF

    def serve(*patterns: Any, **viewsets: Any) -> None:
        router = SimpleRouter()
        for prefix, viewset in viewsets.items():
            router.register(prefix, viewset, basename=prefix)
        urls = ModuleType("urls_of_a_test")
        versions = path("api/v1/", include(([*patterns, *router.urls], "v1")))
        handlers = {name: f"core.views.{view}" for name, view in HANDLERS.items()}
        vars(urls).update({"urlpatterns": [versions, path("", include(project))], **handlers})
        settings.ROOT_URLCONF = urls

    return serve
