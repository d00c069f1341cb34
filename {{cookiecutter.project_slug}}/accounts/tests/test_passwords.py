"""Changing a password, and resetting a forgotten one by mail."""

import re
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.models import User
from core.tests.rows import create_user

pytestmark = pytest.mark.django_db

OLD, NEW = "quiet-reading-room", "loud-reading-room"
EMAIL = "reader@example.com"
LOGIN = "/accounts/login/"
CHANGE = "/accounts/password_change/"
RESET = "/accounts/password_reset/"


@pytest.fixture(autouse=True)
def _clock(clock: Any) -> None:
    """Let no window end by chance."""


@pytest.fixture(autouse=True)
def _english(settings: Any) -> None:
    """Pages have Django's own texts, which it translates."""
    settings.LANGUAGE_CODE = "en"


@pytest.fixture(autouse=True)
def reader() -> User:
    return create_user("reader", email=EMAIL, password=OLD)


def ask(email: str = EMAIL, *, address: str = "10.0.0.1", **options: Any) -> Any:
    """Send the form for a forgotten password with a new session; return the response."""
    return Client().post(RESET, {"email": email}, REMOTE_ADDR=address, **options)


def link() -> str:
    """Return the path of the link in the last mail."""
    found = re.search(r"https?://[^/\s]+(/\S+)", str(mail.outbox[-1].body))
    assert found
    return found[1]


def new_password(client: Client, password: str = NEW, repeated: str | None = None) -> Any:
    """Follow the link of the last mail and send its form; return the response."""
    form = client.get(link(), follow=True)
    assert "<h1>Enter new password</h1>" in form.content.decode()
    fields = {"new_password1": password, "new_password2": password if repeated is None else repeated}
    return client.post(form.redirect_chain[-1][0], fields)


# Resetting


def test_the_link_of_the_mail_leads_to_a_new_password(client, reader):
    assert ask()["Location"] == f"{RESET}done/"
    assert new_password(client)["Location"] == "/accounts/reset/done/"
    page = client.get("/accounts/reset/done/").content.decode()
    assert "<h1>Password reset complete</h1>" in page
    assert f'href="{LOGIN}"' in page
    assert client.post(LOGIN, {"username": "reader", "password": OLD}).status_code == 200
    assert client.post(LOGIN, {"username": "reader", "password": NEW}).status_code == 302


def test_the_mail_names_the_project_and_the_user_in_plain_text(settings, monkeypatch):
    monkeypatch.setitem(settings.PROJECT, "name", "Tea & Co")
    settings.DEFAULT_FROM_EMAIL = "library@example.com"
    ask()
    [message] = mail.outbox
    assert (message.to, message.from_email) == ([EMAIL], "library@example.com")
    assert message.subject == "New password for Tea & Co"
    assert "your account at Tea & Co. Your user name is reader." in message.body


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_the_link_has_the_scheme_and_host_that_the_proxy_reports(settings, scheme):
    settings.ALLOWED_HOSTS = ["library.example"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    ask(headers={"host": "library.example", "x-forwarded-proto": scheme})
    assert f"\n{scheme}://library.example/accounts/reset/" in mail.outbox[0].body


def test_a_forged_host_gets_no_mail():
    assert ask(headers={"host": "evil.example"}).status_code == 400
    assert mail.outbox == []


def test_the_response_does_not_tell_whether_there_is_an_account():
    known, unknown = ask(), ask("nobody@example.com")
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert len(mail.outbox) == 1


def test_neither_inactive_users_nor_those_without_a_password_get_a_mail(reader):
    create_user("by other means", email="other@example.com")
    ask("other@example.com")
    User.objects.update(is_active=False)
    ask()
    assert mail.outbox == []


def test_a_link_works_once(client):
    ask()
    new_password(client)
    page = Client().get(link()).content.decode()
    assert "<h1>Password reset unsuccessful</h1>" in page
    assert f'href="{RESET}"' in page


@pytest.mark.parametrize("path", ["x/y", "MQ/set-password", "MQ/abc-0123456789abcdef"])
def test_a_wrong_link_is_a_page_that_says_so(client, path):
    response = client.get(f"/accounts/reset/{path}/")
    assert response.status_code == 200
    assert "This link is wrong" in response.content.decode()


def test_a_weak_or_mistyped_password_is_an_error_at_its_field(client, reader):
    ask()
    for fields in ((NEW, "other"), ("12345678901",)):
        page = new_password(client, *fields).content.decode()
        assert "<title>Error: " in page
        field = re.search(r'<input[^>]*name="new_password2"[^>]*>', page)
        assert field
        assert 'aria-invalid="true"' in field[0]
        assert "id_new_password2_error" in field[0]
        assert 'id="id_new_password2_error"' in page
    reader.refresh_from_db()
    assert reader.check_password(OLD)


def test_a_reset_ends_the_sessions_of_the_user(client, reader):
    client.force_login(reader)
    ask()
    new_password(Client())
    assert not get_user(client).is_authenticated


@pytest.mark.parametrize("name", ["login", "admin:login"])
def test_the_login_pages_lead_to_the_form(client, name):
    assert f'href="{RESET}"' in client.get(reverse(name)).content.decode()


def test_the_form_needs_its_csrf_token():
    assert Client(enforce_csrf_checks=True).post(RESET, {"email": EMAIL}).status_code == 403


# Limits


def test_the_mails_to_one_e_mail_address_are_limited_from_all_ip_addresses(settings, clock):
    settings.PASSWORD_RESET_RATE = "3/hour"
    clock.now += 600
    for number in range(3):
        assert ask(address=f"10.0.1.{number}").status_code == 302
    for email in (EMAIL, "READER@example.com"):
        response = ask(email, address="10.0.0.9")
        assert (response.status_code, response["Retry-After"]) == (429, "3001")
    assert len(mail.outbox) == 3
    assert ask("other@example.com", address="10.0.0.8").status_code == 302
    clock.now += 3000
    assert ask().status_code == 302


def test_the_requests_of_one_ip_address_are_limited_whatever_the_e_mail_address(settings):
    settings.PASSWORD_RESET_RATE = "3/hour"
    for number in range(3):
        assert ask(f"{number}@example.com").status_code == 302
    assert ask().status_code == 429
    assert ask(address="10.0.0.2").status_code == 302


def test_a_mail_that_cannot_be_sent_is_logged_and_tells_the_visitor_nothing(monkeypatch, caplog):
    def fail(*args: Any) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", fail)
    assert ask()["Location"] == f"{RESET}done/"
    assert "Failed to send password reset email" in caplog.text


# Changing


def test_a_user_changes_the_password_and_stays_logged_in_here_alone(client, reader):
    elsewhere = Client()
    for browser in (client, elsewhere):
        browser.force_login(reader)
    assert "<h1>Password change</h1>" in client.get(CHANGE).content.decode()
    fields = {"old_password": OLD, "new_password1": NEW, "new_password2": NEW}
    page = client.post(CHANGE, fields, follow=True).content.decode()
    assert "<h1>Password change successful</h1>" in page
    assert get_user(client) == reader
    assert not get_user(elsewhere).is_authenticated
    reader.refresh_from_db()
    assert reader.check_password(NEW)


def test_changing_the_password_needs_the_old_one(client, reader):
    client.force_login(reader)
    client.post(CHANGE, {"old_password": "wrong", "new_password1": NEW, "new_password2": NEW})
    reader.refresh_from_db()
    assert reader.check_password(OLD)


def test_strangers_log_in_before_they_change_a_password(client):
    assert client.get(CHANGE)["Location"] == f"{LOGIN}?next={CHANGE}"


def test_the_admin_keeps_its_own_page(admin_client):
    page = admin_client.get(reverse("admin:password_change")).content.decode()
    assert 'id="site-name"' in page


# The rotation of the secret key


def test_sessions_outlive_the_rotation_of_the_secret_key_if_they_are_used_while_it_is_a_fallback(reader, settings):
    used, unused = Client(), Client()
    for browser in (used, unused):
        browser.force_login(reader)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "n" * 50
    assert used.get(CHANGE).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert used.get(CHANGE).status_code == 200
    assert unused.get(CHANGE).status_code == 302


def test_a_link_outlives_the_rotation_of_the_secret_key_as_long_as_it_is_a_fallback(client, settings):
    ask()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "n" * 50
    assert "Enter new password" in client.get(link(), follow=True).content.decode()
    settings.SECRET_KEY_FALLBACKS = []
    assert "This link is wrong" in client.get(link(), follow=True).content.decode()
