"""The user model and its admin."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.urls import reverse, reverse_lazy

from accounts.admin import AccountAdmin
from accounts.models import User
from core.tests.rows import create_user

pytestmark = pytest.mark.django_db

USERS = reverse_lazy("admin:accounts_user_changelist")
PASSWORD = "quiet-reading-room"


def test_the_user_of_the_project_is_an_own_model():
    assert get_user_model() is User


def test_a_user_can_be_added_in_the_admin(admin_client):
    data = {"username": "reader", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert admin_client.post(f"{USERS}add/", data).status_code == 302
    assert User.objects.get(username="reader").check_password(PASSWORD)


@pytest.mark.parametrize("password", ["12345678901", "password", "short"])
def test_a_weak_password_is_refused(admin_client, password):
    data = {"username": "reader", "password1": password, "password2": password, "usable_password": "true"}
    assert admin_client.post(f"{USERS}add/", data).status_code == 200
    assert not User.objects.filter(username="reader").exists()


def test_users_are_listed_found_and_changed_in_the_admin(admin_client):
    reader = create_user("reader", email="reader@example.com")
    assert admin_client.get(USERS, {"q": "reader@"}).context["cl"].result_count == 1
    form = admin_client.get(f"{USERS}{reader.pk}/change/").context["adminform"].form
    data = {
        name: value for name, value in form.initial.items() if value is not None and value is not False and value != []
    }
    data |= {"first_name": "Ada", "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    assert admin_client.post(f"{USERS}{reader.pk}/change/", data).status_code == 302
    reader.refresh_from_db()
    assert (reader.first_name, reader.email) == ("Ada", "reader@example.com")


def test_a_field_is_added_to_the_admin_as_django_documents_it(admin_client, monkeypatch):
    # Any field that the forms do not show yet stands for one that was added to the model.
    reader = create_user("reader")
    fieldsets: Any = UserAdmin.fieldsets
    monkeypatch.setattr(AccountAdmin, "fieldsets", fieldsets + (("More", {"fields": ("id",)}),))
    monkeypatch.setattr(AccountAdmin, "readonly_fields", ("id",))
    page = admin_client.get(f"{USERS}{reader.pk}/change/").content.decode()
    assert "More" in page
    assert f'<div class="readonly">{reader.pk}</div>' in page


def test_others_than_staff_do_not_enter_the_admin(client):
    client.force_login(create_user("reader"))
    response = client.get(USERS)
    assert response.status_code == 302
    assert response["Location"].startswith(reverse("admin:login"))
