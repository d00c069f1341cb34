"""What all tests share."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache

from accounts.models import User
from core.tests.rows import create_user


@pytest.fixture(autouse=True)
def _settings_of_tests(settings: Any) -> Iterator[None]:
    """Tests give the same result whatever the environment or .env of whoever runs them says."""
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.LOGIN_RATE = "10/min"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.SECURE_SSL_REDIRECT = False
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def admin_user(db: None) -> User:
    """The superuser of `admin_client`, as in pytest-django, also if the user model has required fields of its own."""
    rights = {"is_staff": True, "is_superuser": True}
    return create_user("admin", email="admin@example.com", password="password", **rights)


@pytest.fixture
def no_users_or_groups(db: None) -> None:
    """Remove those that a data migration of the project has added."""
    Group.objects.all().delete()
    User.objects.all().delete()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The time of rate limits, which moves by `clock.now += seconds` alone; at first a minute, hour and day begin."""
    clock = SimpleNamespace(now=1_700_006_400.0)
    # The cache that counts the events has the same time: with its own, it would forget them too soon.
    for module in ("core.rate_limits", "django.core.cache.backends.base", "django.core.cache.backends.locmem"):
        monkeypatch.setattr(f"{module}.time", SimpleNamespace(time=lambda: clock.now))
    return clock
