"""The fixtures of the idioms: their URLs, users and clients. Copied as conftest.py."""

import types

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.urls import include, path
from guide.support import client_of
from rest_framework.routers import SimpleRouter


@pytest.fixture(autouse=True)
def _surroundings(db, settings, tmp_path):
    """A database, a folder for uploads and a cache that are empty."""
    settings.MEDIA_ROOT = tmp_path
    cache.clear()


@pytest.fixture
def mount_api(settings):
    """A function that serves these URL patterns below /api/, in front of the project's own URLs."""
    own = settings.ROOT_URLCONF

    def mount(*patterns):
        urls = types.ModuleType("guide_urls")
        urls.urlpatterns = [path("api/", include(list(patterns))), path("", include(own))]
        settings.ROOT_URLCONF = urls
        return urls

    return mount


@pytest.fixture
def mount_versions(mount_api):
    """A function that serves lists of URL patterns below /api/<name>/, each in the namespace of this name."""

    def mount(**versions):
        return mount_api(*(path(f"{name}/", include((urls, name))) for name, urls in versions.items()))

    return mount


@pytest.fixture
def mount(mount_versions):
    """A function that serves URL patterns below /api/v1/, and viewsets by a router, each below its name."""

    def mount(*patterns, **viewsets):
        router = SimpleRouter()
        for prefix, viewset in viewsets.items():
            router.register(prefix, viewset)
        return mount_versions(v1=[*patterns, *router.urls])

    return mount


def with_permissions(name):
    user = get_user_model().objects.create_user(name, f"{name}@example.com", "secret-of-a-user")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="guide"))
    return user


@pytest.fixture
def ann():
    """A user who may write all models of the app."""
    return with_permissions("ann")


@pytest.fixture
def bob():
    """Another one."""
    return with_permissions("bob")


@pytest.fixture
def reader():
    """A user without any permission."""
    return get_user_model().objects.create_user("reader", "reader@example.com", "secret-of-a-user")


@pytest.fixture
def staff():
    return get_user_model().objects.create_superuser("staff", "staff@example.com", "secret-of-a-user")


@pytest.fixture
def api(ann):
    """A client that is signed in as Ann."""
    return client_of(ann)


@pytest.fixture
def anonymous():
    """A client without credentials."""
    return client_of(None)
