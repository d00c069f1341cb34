"""Rate limits, counted in the cache: exactly, if all processes share one with an atomic `incr`, such as Redis."""

import logging
import time
from contextlib import suppress
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

logger = logging.getLogger(__name__)

SECONDS = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}


def seconds_to_wait(key: str, rate: str) -> float:
    """Count one more event for `key` and return 0.0, or the seconds until the next window if `rate` is exceeded.

    `rate` is a number of events per period, such as "10/min". Windows start at multiples of the period, and the
    cache's atomic increment counts the events in them. A client that spends the events of one window at its end and
    those of the next one at its start gets twice the rate at once. Without a working cache nothing is limited, and a
    warning is logged.
    """
    number, duration = parse(rate)
    now = time.time()
    try:
        window = window_of(key, duration, now)
        cache.add(window, 0, timeout=2 * duration)
        exceeded = cache.incr(window) > number
    except Exception:
        logger.warning("The cache is unavailable: requests are not counted.", exc_info=True)
        return 0.0
    return duration - now % duration if exceeded else 0.0


def current_window(key: str, rate: str) -> str:
    """Return the cache key that counts the events of `key` now."""
    return window_of(key, parse(rate)[1], time.time())


def forget(window: str) -> None:
    """Take back one event of this window, if the cache works."""
    with suppress(Exception):
        cache.decr(window)


def parse(rate: str) -> tuple[int, int]:
    """Return the number of events and the period in seconds of a rate such as "10/min"."""
    number, period = rate.split("/")
    # As in DRF, the first letter counts.
    return int(number), SECONDS[period[0]]


def window_of(key: str, duration: int, now: float) -> str:
    """Return the cache key of the window of this time."""
    return f"rate:{key}:{int(now // duration)}"


def forwarded_address(request: HttpRequest) -> str:
    """Return the client's IP address, as the outermost trusted proxy reports it (TRUSTED_PROXIES), without a port.

    The result is not validated: it is whatever text the proxy has sent.
    """
    text = str(request.META.get("REMOTE_ADDR", ""))
    forwarded = request.headers.get("X-Forwarded-For")
    if settings.TRUSTED_PROXIES and forwarded:
        addresses = forwarded.split(",")
        text = addresses[-min(settings.TRUSTED_PROXIES, len(addresses))].strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    return text


def client_network(request: HttpRequest) -> str:
    """Return what a client is counted by: its IPv4 address, or its IPv6 network of 64 bits.

    An IPv6 client can use any address of its network, and so evade a limit for each address.
    """
    text = forwarded_address(request)
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if not isinstance(address, IPv6Address) or address.ipv4_mapped:
        return str(getattr(address, "ipv4_mapped", None) or address)
    return str(ip_network((address, 64), strict=False))
