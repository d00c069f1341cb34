"""Views that belong to no resource: the API's root, logging in and out, and the current user."""

from contextlib import suppress
from typing import Any

from django.contrib.auth import authenticate, get_user_model
from django.urls import NoReverseMatch
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from accounts.login_limits import forget_attempt
from apis.authentication import ExpiringTokenAuthentication
from apis.exceptions import WrongCredentials
from apis.models import Token
from apis.serializers import CredentialsSerializer, TokenSerializer, UserSerializer

# Examples of the OpenAPI document.
LOGIN = {"username": "admin", "password": "secret"}
TOKEN = {"token": "…", "expires_at": "2030-01-31T00:00:00Z"}
ADMINISTRATOR = {"id": 1, "username": "admin", "email": "", "first_name": "", "last_name": ""}


class RootView(APIView):
    """Links to the documentation, the resources and the login."""

    permission_classes = (AllowAny,)
    # It belongs to no version.
    versioning_class = None

    @extend_schema(
        operation_id="root",
        summary="List the endpoints",
        responses={200: {"type": "object", "additionalProperties": {"type": "string", "format": "uri"}}},
        examples=[OpenApiExample("Links", {"docs": "http://127.0.0.1:8000/api/docs/"})],
    )
    def get(self, request: Request) -> Response:
        from apis.v1.urls import router  # noqa: PLC0415  # its module imports this one

        lists = [(prefix, basename) for prefix, viewset, basename in router.registry if hasattr(viewset, "list")]
        links = {prefix: f"v1:{basename}-list" for prefix, basename in lists}
        links |= {"token": "v1:auth-token", "user": "v1:auth-user", "schema": "api-schema", "docs": "api-docs"}
        urls = {}
        for name, view in links.items():
            # A prefix with a parameter, such as `users/<int:user>/groups`, has no single URL.
            with suppress(NoReverseMatch):
                urls[name] = reverse(view, request=request)
        return Response(urls)


class TokenView(APIView):
    """Issue a token for a user name and password; `DELETE` revokes the token that the request has."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        # An old token that a client still sends must not prevent a login.
        return [ExpiringTokenAuthentication()] if self.request and self.request.method == "DELETE" else []

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated()] if self.request.method == "DELETE" else [AllowAny()]

    @extend_schema(
        operation_id="login",
        summary="Log in: get a token",
        request=CredentialsSerializer,
        responses=TokenSerializer,
        examples=[
            OpenApiExample("Login", LOGIN, request_only=True),
            OpenApiExample("Token", TOKEN, response_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        serializer = CredentialsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        credentials = serializer.validated_data
        # As Django's forms do.
        credentials["username"] = get_user_model().normalize_username(credentials["username"])
        # Takes the same time for unknown names.
        user: Any = authenticate(request, **credentials)
        if user is None:
            raise WrongCredentials
        forget_attempt(request)
        key, token = Token.issue(user)
        return Response(TokenSerializer({"token": key, "expires_at": token.expires_at}).data)

    @extend_schema(operation_id="logout", summary="Log out: revoke the token", request=None, responses={204: None})
    def delete(self, request: Request) -> Response:
        token: Any = request.auth
        token.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class UserView(APIView):
    """The user whose token or session the request has."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="current_user",
        summary="Show the current user",
        responses=UserSerializer,
        examples=[OpenApiExample("Administrator", ADMINISTRATOR)],
    )
    def get(self, request: Request) -> Response:
        return Response(UserSerializer(request.user).data)
