"""Limits by IP address and account, for failed logins (API, admin, login page) and for password-reset mails.

Without a limit, anybody could flood somebody else's inbox with these mails.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.signals import user_logged_in
from django.contrib.auth.views import PasswordResetView
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

from core.rate_limits import client_network, current_window, forget, seconds_to_wait
from core.views import error_page


class TooManyAttemptsError(Exception):
    """An address or an account has used up its attempts; `wait` is the number of seconds until the next one."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"Too many attempts. Try again in {wait:.0f} seconds.")
        self.wait = wait


def digest(name: str) -> str:
    """Return a part of a cache key for a user name or e-mail address: a hash that ignores case and Unicode form."""
    return hashlib.sha256(get_user_model().normalize_username(name).casefold().encode()).hexdigest()


def count(rate: str, *keys: str) -> None:
    """Count one more attempt for each of these keys, but none after one that has too many: raise TooManyAttemptsError.

    So an address that has used up its attempts cannot use up those of accounts.
    """
    for key in keys:
        if wait := seconds_to_wait(key, rate):
            raise TooManyAttemptsError(wait)


class LimitedModelBackend(ModelBackend):
    """Django's backend, limited to `LOGIN_RATE` failed attempts per IP address and per account.

    Raises TooManyAttemptsError. Every form and view that logs in calls it through `django.contrib.auth.authenticate`;
    calls without a request are not limited.
    """

    def authenticate(
        self, request: HttpRequest | None, username: Any = None, password: Any = None, **kwargs: Any
    ) -> Any:
        name = kwargs.get(get_user_model().USERNAME_FIELD) if username is None else username
        # Without a name and a password, it is an attempt for another backend.
        if request is None or name is None or password is None:
            return super().authenticate(request, username, password, **kwargs)
        keys = (f"login:address:{client_network(request)}", f"login:account:{digest(str(name))}")
        windows = [current_window(key, settings.LOGIN_RATE) for key in keys]
        count(settings.LOGIN_RATE, *keys)
        request.META["login_attempt"] = windows
        user = super().authenticate(request, username, password, **kwargs)
        if user is not None:
            forget_attempt(request)
        return user

    async def aauthenticate(
        self, request: HttpRequest | None, username: Any = None, password: Any = None, **kwargs: Any
    ) -> Any:
        return await sync_to_async(self.authenticate)(request, username, password, **kwargs)


@receiver(user_logged_in)
def forget_attempt(request: HttpRequest | None, **kwargs: Any) -> None:
    """Take back the attempt that this request has counted: the login succeeded, perhaps by another backend.

    A view must not log in another user after a failed attempt: the failure would no longer count.
    """
    for window in request.META.pop("login_attempt", ()) if request else ():
        forget(window)


class LimitedPasswordResetView(PasswordResetView):
    """Django's view, limited to `PASSWORD_RESET_RATE` requests per IP address and per e-mail address.

    Raises TooManyAttemptsError, whether there is a user with this e-mail address or not.
    """

    def form_valid(self, form: PasswordResetForm) -> HttpResponse:
        email = digest(form.cleaned_data["email"])
        count(settings.PASSWORD_RESET_RATE, f"reset:address:{client_network(self.request)}", f"reset:email:{email}")
        return super().form_valid(form)


class TooManyAttemptsMiddleware:
    """Turn TooManyAttemptsError into a 429 with `Retry-After`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, TooManyAttemptsError):
            return None
        response = error_page(429)
        response["Retry-After"] = str(round(exception.wait) + 1)
        return response
