"""Throttles: exact counts per user or IP address, in windows of time."""

import logging
from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ImproperlyConfigured
from django.urls import path
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from apis.tests.conftest import API, PASSWORD, api_of
from apis.throttling import AnonThrottle, UserThrottle
from apis.views import UserView

pytestmark = pytest.mark.django_db

ROOT = "/api/"


@pytest.fixture
def rate(monkeypatch: Any, clock: Any) -> Any:
    """Set the rate of a scope: `rate(anon="3/min")`."""

    def set_rates(**rates: str | None) -> None:
        for scope, value in rates.items():
            monkeypatch.setitem(api_settings.DEFAULT_THROTTLE_RATES, scope, value)

    return set_rates


@pytest.mark.parametrize("scope", ["anon", "user"])
def test_exactly_the_rate_is_let_through(anon, as_reader, rate, scope):
    rate(**{scope: "3/min"})
    client = as_reader if scope == "user" else anon
    for _ in range(3):
        client("GET", ROOT, status=200)
    for _ in range(2):
        assert client("GET", ROOT, status=429)["code"] == "throttled"


@pytest.mark.parametrize(
    ("period", "seconds"), [("sec", 1), ("second", 1), ("m", 60), ("min", 60), ("hour", 3_600), ("day", 86_400)]
)
def test_the_window_of_a_rate_ends_when_the_response_says(anon, rate, clock, period, seconds):
    rate(anon=f"1/{period}")
    clock.now += seconds / 4
    anon("GET", ROOT, status=200)
    anon("GET", ROOT, status=429)
    wait = int(anon.response["Retry-After"])
    assert 0.75 * seconds <= wait < 0.75 * seconds + 1
    clock.now += 0.75 * seconds - 0.01
    anon("GET", ROOT, status=429)
    clock.now += 0.02
    anon("GET", ROOT, status=200)


def test_users_are_counted_apart_from_each_other_and_from_strangers(anon, as_reader, as_editor, reader, rate):
    rate(anon="1/min", user="1/min")
    for client in (as_reader, as_editor, anon):
        client("GET", ROOT, status=200)
        client("GET", ROOT, status=429)
    # Another token is the same user.
    api_of(reader)("GET", ROOT, status=429)


def test_a_user_is_not_counted_by_ip_address(as_reader, rate):
    rate(anon="1/min")
    for _ in range(3):
        as_reader("GET", ROOT, status=200)


def test_logins_count_as_requests_of_an_ip_address(anon, reader, rate):
    rate(anon="2/min")
    anon("POST", "/api/v1/auth/token/", {"username": "reader", "password": PASSWORD}, status=200)
    anon("GET", ROOT, status=200)
    anon("POST", "/api/v1/auth/token/", {"username": "reader", "password": PASSWORD}, status=429)


def test_a_scope_without_a_rate_is_not_limited(anon, rate):
    rate(anon=None)
    for _ in range(3):
        anon("GET", ROOT, status=200)


def test_a_throttle_may_have_a_rate_of_its_own(as_reader, mount, clock):
    throttle = type("Burst", (UserThrottle,), {"scope": "burst", "rate": "1/min"})
    mount(path("burst/", UserView.as_view(throttle_classes=[throttle])))
    as_reader("GET", "/api/v1/burst/", status=200)
    as_reader("GET", "/api/v1/burst/", status=429)


def test_a_scope_that_is_missing_in_the_settings_is_an_error(rf):
    with pytest.raises(ImproperlyConfigured, match="no rate for the scope 'missing'"):
        type("Missing", (AnonThrottle,), {"scope": "missing"})().allow_request(rf.get("/"), None)


def test_every_view_is_throttled_by_default(settings):
    default = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_CLASSES"]
    assert [f"{throttle.__module__}.{throttle.__name__}" for throttle in APIView.throttle_classes] == default
    assert default == ["apis.throttling.AnonThrottle", "apis.throttling.UserThrottle"]


@pytest.mark.parametrize("method", ["add", "incr"])
def test_the_api_responds_while_the_cache_is_down_and_the_log_says_so(anon, rate, monkeypatch, caplog, method):
    def fail(*args, **options):
        raise ConnectionError("no route to the cache")

    rate(anon="1/min")
    monkeypatch.setattr(LocMemCache, method, fail)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            anon("GET", ROOT, status=200)
    assert "no route to the cache" in caplog.text


@pytest.mark.parametrize(
    ("proxies", "first", "second", "throttled"),
    [
        (0, "10.0.0.1", "10.0.0.2", True),
        (1, "10.0.0.1", "10.0.0.2", False),
        (1, "6.6.6.6, 10.0.0.1", "7.7.7.7, 10.0.0.1", True),
        (2, "10.0.0.1, 10.1.0.1", "10.0.0.2, 10.1.0.1", False),
        (1, "10.0.0.1:1025", "10.0.0.1:1026", True),
        (1, "2001:db8::1", "[2001:db8::2]:1025", True),
        (1, "2001:db8::1", "2001:db8:0:1::1", False),
        (1, "::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
    ],
)
def test_a_client_is_known_by_the_ip_address_that_a_trusted_proxy_reports(
    anon, rate, settings, proxies, first, second, throttled
):
    settings.TRUSTED_PROXIES = proxies
    rate(anon="1/min")
    anon("GET", ROOT, status=200, x_forwarded_for=first)
    anon("GET", ROOT, status=429 if throttled else 200, x_forwarded_for=second)


def test_a_throttled_response_is_a_problem_without_the_work_of_the_view(rate, monkeypatch):
    calls = []
    monkeypatch.setattr("apis.views.RootView.get", lambda *args: calls.append(1))
    rate(anon="0/min")
    api = API()
    assert api("GET", ROOT, status=429)["request_id"] == api.response["X-Request-ID"]
    assert not calls
