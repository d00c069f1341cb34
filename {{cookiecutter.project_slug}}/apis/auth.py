"""Logging in and out, and who one is."""

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers, status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from accounts.models import User
from apis.authentication import TokenAuthentication
from apis.models import Token
from core.generics import APIView, TextField
from core.throttling import LoginThrottle

# Examples of the OpenAPI document.
LOGIN = {"username": "admin", "password": "secret"}
TOKEN = {"token": "…", "expires_at": "2030-01-31T00:00:00Z"}
ADMINISTRATOR = {"id": 1, "username": "admin", "email": "", "first_name": "", "last_name": ""}


class WrongCredentials(APIException):
    """The same answer for an unknown name, a wrong password and a user who may not log in."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_code = "wrong_credentials"
    default_detail = "The user name or the password is wrong."
    # DRF sends this with the answer.
    auth_header = "Token"


class CredentialsSerializer(serializers.Serializer[Any]):
    username = TextField(max_length=150)
    password = TextField(max_length=4096, trim_whitespace=False, style={"input_type": "password"})


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Shown only now. Send it as `Authorization: Token …`.")
    expires_at = serializers.DateTimeField()


class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("id", "username", "email", "first_name", "last_name")


class TokenView(APIView):
    """A token for a user's name and password; `DELETE` revokes the token that it is sent with."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        # An old token that a client still sends must not keep it from logging in.
        return [TokenAuthentication()] if self.request and self.request.method == "DELETE" else []

    def get_permissions(self) -> list[BasePermission]:
        return [IsAuthenticated()] if self.request.method == "DELETE" else [AllowAny()]

    def get_throttles(self) -> list[BaseThrottle]:
        return [LoginThrottle()] if self.request.method == "POST" else super().get_throttles()

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
        credentials = CredentialsSerializer(data=request.data)
        credentials.is_valid(raise_exception=True)
        # Django takes the same time for names that do not exist.
        user: AbstractBaseUser | None = authenticate(request, **credentials.validated_data)
        if user is None:
            raise WrongCredentials
        with transaction.atomic():
            # The password may have been changed while it was checked, which takes a while.
            unchanged = User.objects.select_for_update().filter(pk=user.pk, password=user.password, is_active=True)
            if not unchanged:
                raise WrongCredentials
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
        operation_id="who_am_i",
        summary="Who am I?",
        responses=UserSerializer,
        examples=[OpenApiExample("Administrator", ADMINISTRATOR)],
    )
    def get(self, request: Request) -> Response:
        user: Any = request.user
        return Response(UserSerializer(user).data)
