"""DRF's throttles with an exact count: DRF reads, appends and writes back, and so lets parallel requests through."""

import logging
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle, SimpleRateThrottle, UserRateThrottle

logger = logging.getLogger(__name__)


class FixedWindow(SimpleRateThrottle):
    """Count in windows that start with each multiple of the period, by one atomic step of the cache.

    A client that uses up a window at its end and the next one at its start gets two windows' worth in a row.
    """

    num_requests: int
    duration: int

    def allow_request(self, request: Request, view: Any) -> bool:
        key = self.get_cache_key(request, view) if self.rate else None
        if key is None:
            return True
        self.now = float(self.timer())
        window = f"{key}:{int(self.now // self.duration)}"
        try:
            cache.add(window, 0, timeout=2 * self.duration)
            return bool(cache.incr(window) <= self.num_requests)
        except Exception:
            # Without its cache the API answers uncounted rather than not at all.
            logger.warning("the cache does not count requests", exc_info=True)
            return True

    def get_ident(self, request: Request) -> str:
        """The client's address, without its port; of version 6 the network, of which a client has all addresses."""
        text = super().get_ident(request) or ""
        if text.startswith("["):
            text = text[1:].partition("]")[0]
        elif text.count(":") == 1:
            text = text.partition(":")[0]
        try:
            address = ip_address(text)
        except ValueError:
            return text
        if not isinstance(address, IPv6Address) or address.ipv4_mapped:
            return text
        return str(ip_network((address, 64), strict=False))

    def wait(self) -> float:
        """Seconds until the next window."""
        return self.duration - self.now % self.duration


class AnonThrottle(FixedWindow, AnonRateThrottle):
    """`THROTTLE_ANON`: requests without credentials, by address."""


class UserThrottle(FixedWindow, UserRateThrottle):
    """`THROTTLE_USER`: requests of one user."""

    def get_cache_key(self, request: Request, view: Any) -> Any:
        return super().get_cache_key(request, view) if request.user.is_authenticated else None


class LoginThrottle(FixedWindow, AnonRateThrottle):
    """`THROTTLE_LOGIN`: attempts to log in, by address."""

    scope = "login"
