"""What all pages have in common, and the pages of errors."""

import re

import pytest
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from django.urls import path, reverse
from django.utils.html import escape

from django_project import urls

pytestmark = pytest.mark.django_db

# A view of our own beside those of the project: the admin's protect themselves.
urlpatterns = [path("form/", lambda request: HttpResponse("done")), *urls.urlpatterns]


def test_every_page_links_what_the_navigation_lists(client, settings):
    page = client.get("/").content.decode()
    for label, name in settings.NAVIGATION:
        current = ' aria-current="page"' if name == "home" else ""
        assert f'<a href="{reverse(name)}"{current}>{escape(label)}</a>' in page
        assert client.get(reverse(name), headers={"accept": "text/html"}, follow=True).status_code == 200


def test_name_and_description_are_escaped(client, settings):
    settings.PROJECT = {"name": "<b>Name</b>", "description": "<i>&</i>"}
    page = client.get("/").content.decode()
    assert "&lt;b&gt;Name&lt;/b&gt;" in page
    assert not re.search("<b>|<i>", page)


def test_an_unknown_url_gets_a_page_in_the_style_of_the_others(client):
    response = client.get("/no-such-page/")
    assert response.status_code == 404
    assert "<h1>Page not found</h1>" in response.content.decode()
    assert 'href="/static/core/style.css"' in response.content.decode()


def test_a_form_without_its_csrf_token_is_refused(settings):
    settings.ROOT_URLCONF = __name__
    response = Client(enforce_csrf_checks=True).post("/form/", {"a": "b"})
    assert response.status_code == 403
    assert "<h1>Not allowed</h1>" in response.content.decode()


def test_a_user_without_permission_gets_a_page(client, monkeypatch):
    def refuse(self, request):
        raise PermissionDenied

    monkeypatch.setattr("django.contrib.admin.sites.AdminSite.has_permission", refuse)
    response = client.get(reverse("admin:login"))
    assert response.status_code == 403
    assert "<h1>Not allowed</h1>" in response.content.decode()


def test_pages_that_name_no_icon_have_one(client):
    response = client.get("/favicon.ico")
    assert response.status_code == 200
    assert response["Content-Type"] == "image/svg+xml"
    assert response["Cache-Control"] == "max-age=86400"


def test_an_unknown_host_name_is_refused(client):
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    ("error", "status", "title"), [(ZeroDivisionError, 500, "Server error"), (OperationalError, 503, "Not available")]
)
def test_an_unexpected_error_gets_a_page_without_details(client, monkeypatch, error, status, title):
    def fail(self, request):
        raise error("secret")

    monkeypatch.setattr("django.contrib.admin.sites.AdminSite.has_permission", fail)
    client.raise_request_exception = False
    response = client.get(reverse("admin:login"))
    assert response.status_code == status
    assert f"<h1>{title}</h1>" in response.content.decode()
    assert "secret" not in response.content.decode()


@pytest.mark.parametrize("model", sorted(admin.site._registry, key=str), ids=str)
def test_every_list_and_form_of_the_admin_opens(model, admin_client):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert admin_client.get(reverse(f"{name}_changelist"), {"q": "word"}).status_code == 200
    form = admin_client.get(reverse(f"{name}_add"))
    assert form.status_code == (200 if admin.site._registry[model].has_add_permission(form.wsgi_request) else 403)
