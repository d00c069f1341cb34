"""Tokens: how they are issued, what ends them, how the admin shows them, and limits for login attempts."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.urls import reverse_lazy
from django.utils import timezone

from accounts.models import User
from apis.models import Token
from apis.tests.conftest import API, PASSWORD, api_of
from core.tests.rows import create_user

pytestmark = pytest.mark.django_db

TOKEN = "/api/v1/auth/token/"
USER = "/api/v1/auth/user/"
ADMIN = reverse_lazy("admin:apis_token_changelist")
CREDENTIALS = {"username": "reader", "password": PASSWORD}


def log_in(api: API, **wrong: str) -> API:
    """Log in and return a client with the new token."""
    key = api("POST", TOKEN, CREDENTIALS | wrong, status=200)["token"]
    return API({"authorization": f"Token {key}"})


# Logging in and out


def test_a_name_and_a_password_are_exchanged_for_a_token(anon, reader):
    body = anon("POST", TOKEN, CREDENTIALS, status=200)
    assert set(body) == {"token", "expires_at"}
    user = API({"authorization": f"Token {body['token']}"})("GET", USER, status=200)
    assert user == {"id": reader.pk, "username": "reader", "email": reader.email, "first_name": "", "last_name": ""}


@pytest.mark.parametrize("wrong", [{"username": "nobody"}, {"password": "wrong"}, {"password": f" {PASSWORD}"}, {}])
def test_the_response_is_the_same_for_a_wrong_name_a_wrong_password_and_an_inactive_user(anon, reader, wrong):
    User.objects.update(is_active=bool(wrong))
    problem = anon("POST", TOKEN, CREDENTIALS | wrong, status=401)
    assert problem["code"] == "wrong_credentials"
    assert problem["detail"] == "The user name or the password is wrong."
    assert anon.response["WWW-Authenticate"] == "Token"
    assert not Token.objects.exists()


def test_an_unknown_name_takes_the_same_hashing_as_a_wrong_password(anon, reader, monkeypatch):
    hashed = []

    def encode(hasher, password, salt):
        hashed.append(password)
        return "md5$salt$hash"

    monkeypatch.setattr("django.contrib.auth.hashers.MD5PasswordHasher.encode", encode)
    counts = []
    for name in ("reader", "nobody"):
        anon("POST", TOKEN, {"username": name, "password": "wrong"}, status=401)
        counts.append(len(hashed))
    assert counts[1] == 2 * counts[0] > 0


@pytest.mark.parametrize("data", [{}, {"username": "reader"}, {"password": "x"}, {"username": "", "password": ""}])
def test_missing_credentials_are_named(anon, data):
    problem = anon("POST", TOKEN, data, status=400)
    assert {error["field"] for error in problem["errors"]} == {"username", "password"} - {
        k for k, v in data.items() if v
    }


@pytest.mark.parametrize(("field", "length"), [("username", 151), ("password", 4097)])
def test_overlong_credentials_are_refused_before_they_are_hashed(anon, field, length):
    problem = anon("POST", TOKEN, CREDENTIALS | {field: "x" * length}, status=400)
    assert [(error["field"], error["code"]) for error in problem["errors"]] == [(field, "max_length")]


@pytest.mark.parametrize("typed", ["Zoe\u0308", "\uff3aoë"])
def test_a_name_is_normalized_as_in_the_login_form(anon, typed):
    create_user("Zoë", password=PASSWORD)
    log_in(anon, username=typed)


def test_a_password_may_begin_and_end_with_spaces(anon, reader):
    reader.set_password("  quiet  room  ")
    reader.save()
    log_in(anon, password="  quiet  room  ")


def test_a_stale_token_does_not_prevent_logging_in(reader):
    log_in(API({"authorization": "Token stale"}))


def test_logging_out_revokes_the_token_that_was_sent_alone(reader):
    first, second = api_of(reader), api_of(reader)
    first("DELETE", TOKEN, status=204)
    assert first("GET", USER, status=401)["code"] == "invalid_token"
    second("GET", USER, status=200)


def test_logging_out_and_the_current_user_need_credentials(anon):
    assert anon("GET", USER, status=401)["code"] == "not_authenticated"
    assert anon("DELETE", TOKEN, status=401)["code"] == "not_authenticated"


# The header


@pytest.mark.parametrize(
    "header", ["Token", "Token ", "Token a b", "Token \xff", "Token wrong", "token x", "Token a.b.c", "Bearer x"]
)
def test_a_malformed_or_unknown_token_is_401(reader, header):
    api = API({"authorization": header})
    assert api("GET", USER, status=401)["code"] == "invalid_token"
    assert api.response["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("header", ["Bearer a.b.c", "Basic cmVhZGVyOnF1aWV0", "x", ""])
def test_another_scheme_or_a_json_web_token_is_left_to_other_authentication_classes(reader, header):
    assert API({"authorization": header})("GET", USER, status=401)["code"] != "invalid_token"


def test_the_scheme_is_token_or_bearer_in_any_case(reader):
    key, _ = Token.issue(reader)
    for scheme in ("Token", "token", "TOKEN", "Bearer", "bearer"):
        API({"authorization": f"{scheme} {key}"})("GET", USER, status=200)


def test_a_token_is_found_with_its_user_by_one_query(reader, django_assert_num_queries):
    api = api_of(reader)
    with django_assert_num_queries(1):
        api("GET", USER, status=200)


# What the database knows


def test_the_database_has_a_digest_which_does_not_authenticate(anon, reader):
    key = anon("POST", TOKEN, CREDENTIALS, status=200)["token"]
    row = Token.objects.values().get()
    assert key not in str(row)
    assert len(key) >= 43
    for stored in (row["digest"], row["auth_hash"]):
        API({"authorization": f"Token {stored}"})("GET", USER, status=401)


def test_a_digest_belongs_to_one_token(reader):
    _, token = Token.issue(reader)
    with pytest.raises(IntegrityError):
        Token.objects.create(digest=token.digest, auth_hash="", user=reader, expires_at=timezone.now())


# What ends a token


def test_a_token_expires_and_is_deleted_with_the_next_login(reader):
    old = api_of(reader)
    Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert old("GET", USER, status=401)["code"] == "invalid_token"
    api_of(reader)
    assert Token.objects.count() == 1


def test_the_lifetime_of_a_token_is_a_setting(anon, reader, settings):
    settings.TOKEN_LIFETIME = 60
    before = timezone.now()
    anon("POST", TOKEN, CREDENTIALS, status=200)
    issued = Token.objects.get().expires_at - timedelta(seconds=60)
    assert before <= issued <= timezone.now()


def test_the_oldest_tokens_of_a_user_end_when_there_are_too_many(reader, editor, settings):
    settings.MAX_TOKENS_PER_USER = 3
    of_another = api_of(editor)
    clients = []
    for _ in range(5):
        # As if an hour had passed, whatever the resolution of the clock.
        Token.objects.update(created_at=F("created_at") - timedelta(hours=1))
        clients.append(api_of(reader))
    for client, status in zip(clients, [401, 401, 200, 200, 200], strict=True):
        client("GET", USER, status=status)
    assert Token.objects.filter(user=reader).count() == 3
    of_another("GET", USER, status=200)


@pytest.mark.skipif(
    not connection.features.has_select_for_update,
    reason="SQLite has no SELECT … FOR UPDATE: a transaction that writes locks the whole database.",
)
def test_two_logins_at_once_count_the_tokens_one_after_the_other(reader):
    with CaptureQueriesContext(connection) as queries:
        Token.issue(reader)
    assert "FOR UPDATE" in next(query["sql"] for query in queries if "SELECT" in query["sql"])


def test_an_inactive_user_has_no_valid_token(reader):
    api = api_of(reader)
    User.objects.update(is_active=False)
    assert api("GET", USER, status=401)["code"] == "invalid_token"


def test_a_user_model_may_compute_whether_a_user_is_active(reader, monkeypatch):
    api = api_of(reader)
    monkeypatch.setattr(User, "is_active", property(lambda user: user.first_name != "gone", lambda user, value: None))
    api("GET", USER, status=200)
    User.objects.update(first_name="gone")
    api("GET", USER, status=401)


def test_a_deleted_user_has_no_token(reader):
    api = api_of(reader)
    reader.delete()
    api("GET", USER, status=401)


CHANGES = {
    "set_password": lambda user: (user.set_password("loud-reading-room"), user.save()),
    "update": lambda user: User.objects.filter(pk=user.pk).update(password=make_password("loud-reading-room")),
    "same password again": lambda user: (user.set_password(PASSWORD), user.save()),
    "unusable": lambda user: (user.set_unusable_password(), user.save()),
    "empty": lambda user: User.objects.filter(pk=user.pk).update(password=""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_password_ends_the_tokens_of_its_user_alone(reader, as_editor, change):
    api = api_of(reader)
    change(reader)
    assert api("GET", USER, status=401)["code"] == "invalid_token"
    as_editor("GET", USER, status=200)


def test_another_change_of_the_user_keeps_the_tokens(reader):
    api = api_of(reader)
    reader.email = "reader@example.com"
    reader.save()
    api("GET", USER, status=200)


def test_a_password_that_is_changed_while_it_is_checked_gives_no_valid_token(reader):
    checked = User.objects.get(username="reader")
    reader.set_password("loud-reading-room")
    reader.save()
    api_of(checked)("GET", USER, status=401)


def test_tokens_outlive_the_rotation_of_the_secret_key_as_long_as_it_is_a_fallback(reader, settings):
    api = api_of(reader)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "n" * 50
    api("GET", USER, status=200)
    settings.SECRET_KEY_FALLBACKS = []
    api("GET", USER, status=401)


# The admin


def test_the_admin_lists_finds_and_revokes_tokens(admin_client, reader):
    api = api_of(reader)
    token = Token.objects.get(user=reader)
    for query, count in (("", 1), ("reader", 1), ("nobody", 0)):
        assert admin_client.get(ADMIN, {"q": query}).context["cl"].result_count == count
    admin_client.post(f"{ADMIN}{token.pk}/delete/", {"post": "yes"})
    assert not Token.objects.exists()
    api("GET", USER, status=401)


def test_the_admin_revokes_all_tokens_of_the_users_of_the_selected_ones(admin_client, reader, as_editor):
    selected, other = Token.issue(reader)[1], api_of(reader)
    form = {"action": "revoke_all", "_selected_action": selected.pk}
    page = admin_client.post(ADMIN, form, follow=True).content.decode()
    assert "Tokens revoked: 2" in page
    other("GET", USER, status=401)
    as_editor("GET", USER, status=200)


def test_the_admin_revokes_tokens_for_those_who_may_delete_them_alone(client, reader):
    viewer = create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_token"))
    client.force_login(viewer)
    _, token = Token.issue(reader)
    assert "revoke_all" not in client.get(ADMIN).content.decode()
    client.post(ADMIN, {"action": "revoke_all", "_selected_action": token.pk})
    assert Token.objects.exists()


def test_the_admin_shows_nothing_that_authenticates(admin_client, reader):
    key, token = Token.issue(reader)
    for url in (ADMIN, f"{ADMIN}{token.pk}/change/"):
        page = admin_client.get(url).content.decode()
        assert "reader" in page
        assert key not in page
        assert token.auth_hash not in page


def test_the_admin_neither_adds_nor_changes_tokens(admin_client, reader):
    _, token = Token.issue(reader)
    data = {"user": reader.pk, "expires_at_0": "2100-01-01", "expires_at_1": "00:00"}
    for url in ("add/", f"{token.pk}/change/"):
        assert admin_client.post(f"{ADMIN}{url}", data).status_code == 403
    assert Token.objects.get().expires_at == token.expires_at


# Limits for login attempts. Those of the admin and the login page are in accounts/tests/test_login.py.


@pytest.fixture
def attempts(settings: Any, clock: Any) -> Any:
    """Make attempts to log in from an IP address; three may fail."""
    settings.LOGIN_RATE = "3/hour"
    settings.TRUSTED_PROXIES = 1

    def attempt(*, status: int, address: str = "10.0.0.1", **credentials: str) -> API:
        api = API({"x-forwarded-for": address})
        api("POST", TOKEN, CREDENTIALS | credentials, status=status)
        return api

    return attempt


def test_failed_attempts_of_an_ip_address_are_limited(attempts, reader, clock):
    clock.now += 600
    for number in range(3):
        attempts(username=f"user {number}", status=401)
    api = attempts(username="user 3", status=429)
    assert api.response.json()["code"] == "throttled"
    assert api.response["Retry-After"] == "3000"
    attempts(status=429)
    attempts(address="10.0.0.2", status=200)
    clock.now += 3000
    attempts(status=200)


def test_failed_attempts_for_an_account_are_limited_from_all_ip_addresses(attempts, reader, editor):
    for number in range(3):
        attempts(password="wrong", address=f"10.0.0.{number}", status=401)
    attempts(address="10.0.0.9", status=429)
    attempts(address="10.0.0.10", username="READER", status=429)
    attempts(address="10.0.0.11", username="editor", status=401)


def test_successful_logins_are_not_limited(attempts, reader):
    for _ in range(10):
        attempts(status=200)


def test_logins_by_another_backend_are_not_limited(attempts, reader, settings):
    settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, f"{__name__}.Directory"]
    for _ in range(10):
        attempts(password="in the directory", status=200)


class Directory(ModelBackend):
    """Another backend, which knows another password."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None, **kwargs: Any) -> Any:
        return User.objects.get(username=username) if password == "in the directory" else None


def test_an_ip_address_that_has_too_many_failures_still_has_its_tokens(attempts, reader, as_reader):
    for status in (401, 401, 401, 429):
        attempts(password="wrong", status=status)
    as_reader("GET", USER, status=200, x_forwarded_for="10.0.0.1")
