"""The home page of a project without a page of its own."""

from django.urls import include, path
from django.utils.html import escape

from django_project import urls

# Before any other pattern for this URL.
urlpatterns = [path("", include("core.urls")), *urls.urlpatterns]


def test_the_home_page_shows_name_description_and_links(client, settings):
    settings.ROOT_URLCONF = __name__
    page = client.get("/").content.decode()
    assert f"<h1>{escape(settings.PROJECT['name'])}</h1>" in page
    assert '<a href="/admin/">Admin</a>' in page
