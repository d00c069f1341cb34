"""Rate limits: exact counts in windows of time, and which clients are counted together."""

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache
from django.test import RequestFactory

from core.rate_limits import client_network, current_window, forget, seconds_to_wait


@pytest.fixture(autouse=True)
def _clock(clock: Any) -> None:
    """Let no window end by chance."""


def test_exactly_the_rate_is_let_through():
    assert [seconds_to_wait("a", "3/min") > 0 for _ in range(5)] == [False, False, False, True, True]


def test_each_key_has_a_count_of_its_own():
    for key in ("a", "b"):
        assert not seconds_to_wait(key, "1/min")
    for key in ("a", "b"):
        assert seconds_to_wait(key, "1/min")


@pytest.mark.parametrize(("period", "seconds"), [("sec", 1), ("min", 60), ("hour", 3_600), ("day", 86_400)])
def test_the_wait_lasts_until_the_next_window(clock, period, seconds):
    clock.now += seconds / 4
    seconds_to_wait("a", f"1/{period}")
    assert seconds_to_wait("a", f"1/{period}") == pytest.approx(0.75 * seconds)
    clock.now += 0.75 * seconds
    assert seconds_to_wait("a", f"1/{period}") == 0


def test_an_event_can_be_taken_back(clock):
    window = current_window("a", "1/min")
    for _ in range(5):
        assert not seconds_to_wait("a", "1/min")
        forget(window)
    # The next window counts other events.
    clock.now += 60
    assert not seconds_to_wait("a", "1/min")
    forget(window)
    assert seconds_to_wait("a", "1/min")


def test_a_counter_is_kept_as_long_as_its_window(monkeypatch):
    kept = []
    add = LocMemCache.add

    def record(cache: Any, key: str, value: Any, timeout: Any = None, version: Any = None) -> Any:
        kept.append(timeout)
        return add(cache, key, value, timeout, version)

    monkeypatch.setattr(LocMemCache, "add", record)
    seconds_to_wait("a", "1/hour")
    assert kept[0] >= 3_600


def test_events_at_the_same_time_are_all_counted(monkeypatch):
    # No event goes on from what it has read until all events have read it.
    for method in ("add", "get"):
        read, together = getattr(LocMemCache, method), Barrier(8)

        def wait(*args: Any, read: Any = read, together: Barrier = together, **options: Any) -> Any:
            result = read(*args, **options)
            together.wait(300)
            return result

        monkeypatch.setattr(LocMemCache, method, wait)
    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(lambda _: seconds_to_wait("a", "5/min"), range(8)))
    assert waits.count(0.0) == 5


@pytest.mark.parametrize("method", ["add", "incr"])
def test_nothing_is_limited_while_the_cache_is_down_and_the_log_says_so(monkeypatch, caplog, method):
    def fail(*args: Any, **options: Any) -> None:
        raise ConnectionError("no route to the cache")

    monkeypatch.setattr(LocMemCache, method, fail)
    monkeypatch.setattr(LocMemCache, "decr", fail)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert seconds_to_wait("a", "1/min") == 0
            forget(current_window("a", "1/min"))
    assert "no route to the cache" in caplog.text


def address(remote: str, forwarded: str | None = None) -> str:
    """Return the IP address of a client whose request came from `remote` with this `X-Forwarded-For`."""
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    return client_network(RequestFactory().get("/", headers=headers, REMOTE_ADDR=remote))


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, None, "10.0.0.9"),
        (0, "10.0.0.1", "10.0.0.9"),
        (1, None, "10.0.0.9"),
        (1, "10.0.0.1", "10.0.0.1"),
        (1, "6.6.6.6, 10.0.0.1", "10.0.0.1"),
        (1, "6.6.6.6,10.0.0.1 ", "10.0.0.1"),
        (2, "6.6.6.6, 10.0.0.1, 10.0.0.8", "10.0.0.1"),
        (3, "10.0.0.1, 10.0.0.8", "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_report_the_ip_address_of_a_client(settings, proxies, forwarded, expected):
    settings.TRUSTED_PROXIES = proxies
    assert address("10.0.0.9", forwarded) == expected


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("10.0.0.1:1025", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8:0:0:ffff::2", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("[2001:db8::1]:1025", "2001:db8::/64"),
        ("unix", "unix"),
        ("", ""),
    ],
)
def test_a_client_of_ipv6_is_known_by_its_network(remote, expected):
    assert address(remote) == expected
