"""Logging in and out, and what a token is good for."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apis.models import Token
from apis.tests.conftest import API, api_of

pytestmark = pytest.mark.django_db

CREDENTIALS = {"username": "reader", "password": "quiet-reading-room"}


def test_a_token_for_name_and_password(anon, reader):
    answer = anon("POST", "/api/v1/auth/token/", CREDENTIALS, status=200)
    assert set(answer) == {"token", "expires_at"}
    user = API({"authorization": f"Token {answer['token']}"})("GET", "/api/v1/auth/user/", status=200)
    assert user == {"id": reader.pk, "username": "reader", "email": "", "first_name": "", "last_name": ""}


def test_a_stale_token_does_not_keep_one_from_logging_in(reader):
    API({"authorization": "Token stale"})("POST", "/api/v1/auth/token/", CREDENTIALS, status=200)


@pytest.mark.parametrize("wrong", [{"username": "nobody"}, {"password": "wrong"}, {"password": "\x00"}])
def test_the_answer_is_the_same_for_a_wrong_name_and_a_wrong_password(anon, reader, wrong):
    status = 400 if "\x00" in wrong.values() else 401
    answer = anon("POST", "/api/v1/auth/token/", CREDENTIALS | wrong, status=status)
    if status == 401:
        assert answer["code"] == "wrong_credentials"
        assert anon.response["WWW-Authenticate"] == "Token"


def test_an_inactive_user_gets_no_token(anon, reader):
    reader.is_active = False
    reader.save()
    assert anon("POST", "/api/v1/auth/token/", CREDENTIALS, status=401)["code"] == "wrong_credentials"


def test_a_revoked_token_is_worth_nothing(reader):
    first, second = api_of(reader), api_of(reader)
    first("DELETE", "/api/v1/auth/token/", status=204)
    assert first("GET", "/api/v1/auth/user/", status=401)["code"] == "invalid_token"
    second("GET", "/api/v1/auth/user/", status=200)


def test_an_expired_token_is_worth_nothing_and_goes_with_the_next_login(reader):
    old = api_of(reader)
    Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    old("GET", "/api/v1/auth/user/", status=401)
    api_of(reader)
    assert Token.objects.count() == 1


def test_the_lifetime_of_a_token_is_a_setting(anon, reader, settings):
    settings.TOKEN_LIFETIME = 60
    anon("POST", "/api/v1/auth/token/", CREDENTIALS, status=200)
    assert timezone.now() < Token.objects.get().expires_at <= timezone.now() + timedelta(seconds=60)


def test_the_database_does_not_know_the_token(anon, reader):
    key = anon("POST", "/api/v1/auth/token/", CREDENTIALS, status=200)["token"]
    assert key not in str(Token.objects.values().get())
    API({"authorization": f"Token {Token.objects.get().digest}"})("GET", "/api/v1/auth/user/", status=401)


@pytest.mark.parametrize("header", ["Token", "Token a b", "Token \xff", "Token wrong", "token x"])
def test_a_broken_authorization_is_401(reader, header):
    api = API({"authorization": header})
    api("GET", "/api/v1/auth/user/", status=401)
    assert api.response["WWW-Authenticate"] == "Token"


def test_who_am_i_needs_credentials(anon):
    assert anon("GET", "/api/v1/auth/user/", status=401)["code"] == "not_authenticated"
    anon("DELETE", "/api/v1/auth/token/", status=401)


def test_a_session_reads_but_writes_only_with_the_token_of_a_form(reader):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(reader)
    assert browser.get("/api/v1/auth/user/").json()["username"] == "reader"
    assert browser.post("/api/v1/auth/user/").status_code == 405
