"""The home page of a project without a page of its own."""

import re
from html import unescape

import pytest
from django.conf import settings as project
from django.urls import include, path, reverse
from django.utils.html import escape

from django_project import urls

# Before any other pattern for this URL.
urlpatterns = [path("", include("core.urls")), *urls.urlpatterns]

API = "api-root" in dict(project.NAVIGATION).values()


@pytest.fixture(autouse=True)
def home(settings):
    settings.ROOT_URLCONF = __name__


def test_the_home_page_shows_name_description_and_links(client, settings):
    page = client.get("/").content.decode()
    assert f"<h1>{escape(settings.PROJECT['name'])}</h1>" in page
    assert f"<p>{escape(settings.PROJECT['description'])}</p>" in page
    assert f'href="{reverse("admin:index")}"' in page
    assert ('<a href="/api/docs/">The documentation</a>' in page) == API


@pytest.mark.parametrize("secure", [False, True])
def test_the_commands_of_the_home_page_have_the_host_of_the_request(client, secure):
    page = client.get("/", secure=secure, headers={"host": "testserver:8123"}).content.decode()
    commands = [unescape(command) for command in re.findall("<code>curl (.*?)</code>", page)]
    start = f"{'https' if secure else 'http'}://testserver:8123"
    assert [command for command in commands if not command.startswith(f"{start}/")] == []
    assert commands[-1] == f"{start}/health/ready"
    assert (f"{start}/api/" in commands) == API
    assert len(commands) == (4 if API else 1)
