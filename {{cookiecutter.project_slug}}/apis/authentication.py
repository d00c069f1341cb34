"""Who sends a request: `Authorization: Token …`, as DRF's own tokens, but stored as digests and with an end."""

from typing import Any

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed

from apis.models import Token


class TokenAuthentication(authentication.TokenAuthentication):
    """Accept the tokens that `apis.auth.TokenView` issues."""

    def authenticate_credentials(self, key: str) -> tuple[Any, Token]:
        """The user and the token, by one query. Raises AuthenticationFailed, in the same words whatever is wrong."""
        token = (
            Token.objects.select_related("user")
            .filter(digest=Token.digest_of(key), expires_at__gt=timezone.now(), user__is_active=True)
            .first()
        )
        if token is None:
            raise AuthenticationFailed("The token is not valid: unknown, expired or revoked.", code="invalid_token")
        return token.user, token


class RevokeTokens:
    """A validator of passwords that objects to none: Django tells it of each change, and the user's tokens go."""

    def validate(self, password: str, user: Any = None) -> None:
        return

    def get_help_text(self) -> str:
        return "A new password revokes all tokens of the API."

    def password_changed(self, password: str, user: Any = None) -> None:
        user.tokens.all().delete()


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # partly typed library
    """How the OpenAPI document describes it."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token` and a space in front of the token: `Authorization: Token …`",
        }
