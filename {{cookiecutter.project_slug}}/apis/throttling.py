"""Throttles with an atomic counter. DRF documents a race in its own, between reading and writing the counter.

https://www.django-rest-framework.org/api-guide/throttling/#a-note-on-concurrency
"""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from core.rate_limits import client_network, seconds_to_wait


class FixedWindowThrottle(BaseThrottle):
    """Count the requests of `scope`, whose rate is `rate` or in `DEFAULT_THROTTLE_RATES`.

    Subclasses define who is counted. Without a rate nothing is limited, if the setting has None for the scope.
    """

    scope: str
    rate: str | None = None
    seconds = 0.0

    def identity(self, request: Request) -> str | None:
        """Return the identity whose requests are counted together; None if this request is not counted."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: Any) -> bool:
        rates: Any = api_settings.DEFAULT_THROTTLE_RATES
        if not self.rate and self.scope not in rates:
            raise ImproperlyConfigured(f"DEFAULT_THROTTLE_RATES has no rate for the scope {self.scope!r}.")
        rate = self.rate or rates[self.scope]
        identity = self.identity(request)
        if rate and identity is not None:
            self.seconds = seconds_to_wait(f"throttle:{self.scope}:{identity}", rate)
        return not self.seconds

    def wait(self) -> float:
        """Return the seconds until the next window."""
        return self.seconds


class AnonThrottle(FixedWindowThrottle):
    """`THROTTLE_ANON`: requests without credentials, by IP address."""

    scope = "anon"

    def identity(self, request: Request) -> str | None:
        return None if request.user and request.user.is_authenticated else client_network(request)


class UserThrottle(FixedWindowThrottle):
    """`THROTTLE_USER`: requests of one user."""

    scope = "user"

    def identity(self, request: Request) -> str | None:
        return str(request.user.pk) if request.user and request.user.is_authenticated else None
