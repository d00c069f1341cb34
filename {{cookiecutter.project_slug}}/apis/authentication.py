"""Authentication by `Authorization: Token …`, as with DRF's own tokens, but stored as digests and with an expiry."""

from typing import Any

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apis.models import Token


class ExpiringTokenAuthentication(BaseAuthentication):
    """Accept the tokens that `apis.views.TokenView` issues."""

    keyword = "Token"
    # Swagger UI and generated clients send only schemes that are registered, such as this one of RFC 6750.
    registered_keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[Any, Token] | None:
        """Return the user and the token, by one query; None if the request has no token.

        Raises AuthenticationFailed, with the same message whatever is wrong.
        """
        keyword, _, key = request.headers.get("Authorization", "").partition(" ")
        if keyword.lower() not in {self.keyword.lower(), self.registered_keyword.lower()}:
            return None
        if keyword.lower() != self.keyword.lower() and "." in key:
            # A JSON Web Token, which another class may accept.
            return None
        tokens = Token.objects.select_related("user").filter(expires_at__gt=timezone.now())
        token = tokens.filter(digest=Token.digest_of(key)).first()
        # A user model may have `is_active` as a property.
        if token is None or not token.user.is_active or not token.is_current():
            raise AuthenticationFailed("The token is invalid, expired or revoked.", code="invalid_token")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Return the value of `WWW-Authenticate`, which makes missing credentials 401 instead of 403."""
        return self.keyword


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # partly typed library
    """How the OpenAPI document describes the token."""

    target_class = ExpiringTokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The token that a login returns. `Authorization: Token …` works as well as `Bearer`.",
        }
