"""Authentication."""

import base64

import pytest
from django.contrib.auth import get_user_model
from django.urls import path
from guide.models import Customer, Key
from guide.support import CustomerSerializer, as_view
from rest_framework import authentication, exceptions, generics
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

URL = "/api/v1/me/"


class Me(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request, format=None):
        return Response({"user": str(request.user), "auth": None if request.auth is None else str(request.auth)})

    def post(self, request, format=None):
        return Response({"user": str(request.user)})


class BearerAuthentication(authentication.TokenAuthentication):
    keyword = "Bearer"
    model = Key


class HeaderAuthentication(authentication.BaseAuthentication):
    def authenticate(self, request):
        name = request.headers.get("X-Username")
        if not name:
            return None
        try:
            return get_user_model().objects.get(username=name), None
        except get_user_model().DoesNotExist as error:
            raise exceptions.AuthenticationFailed("There is no such user.") from error


def basic(name, password):
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


def test_basic_authentication(mount, ann):
    mount(path("me/", as_view(Me, authentication_classes=[authentication.BasicAuthentication])))
    response = APIClient().get(URL, headers=basic("ann", "secret-of-a-user"))
    assert response.json() == {"user": "ann", "auth": None}


@pytest.mark.parametrize("headers", [{}, basic("ann", "wrong"), {"Authorization": "Basic"}])
def test_missing_or_wrong_credentials_are_challenged(mount, ann, headers):
    mount(path("me/", as_view(Me, authentication_classes=[authentication.BasicAuthentication])))
    response = APIClient().get(URL, headers=headers)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Basic realm="api"'


def test_session_authentication(mount, ann):
    mount(path("me/", as_view(Me, authentication_classes=[authentication.SessionAuthentication])))
    client = APIClient()
    assert client.get(URL).status_code == 403
    client.force_login(ann)
    assert client.get(URL).json()["user"] == "ann"
    client.logout()
    assert client.get(URL).status_code == 403


def test_default_authentication_reads_the_session(mount, ann):
    mount(path("me/", Me.as_view()))
    client = APIClient()
    assert client.login(username="ann", password="secret-of-a-user")
    assert client.get(URL).json()["user"] == "ann"
    assert client.post(URL).status_code == 200


def test_session_needs_a_csrf_token_for_writing(mount, ann):
    mount(path("me/", Me.as_view()))
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(ann)
    assert client.get(URL).status_code == 200
    assert client.post(URL).status_code == 403
    token = "x" * 32
    client.cookies["csrftoken"] = token
    assert client.post(URL, headers={"X-CSRFToken": token}).status_code == 200


def test_token_authentication_with_an_own_keyword_and_model(mount, ann):
    mount(path("me/", as_view(Me, authentication_classes=[BearerAuthentication])))
    Key.objects.create(key="abc", user=ann)
    assert APIClient().get(URL, headers={"Authorization": "Bearer abc"}).json() == {"user": "ann", "auth": "abc"}
    response = APIClient().get(URL, headers={"Authorization": "Bearer wrong"})
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")


def test_tokens_of_the_framework(mount, ann):
    view = as_view(Me, authentication_classes=[authentication.TokenAuthentication])
    mount(path("api-token-auth/", obtain_auth_token), path("me/", view))
    credentials = {"username": "ann", "password": "secret-of-a-user"}
    token = APIClient().post("/api/v1/api-token-auth/", credentials).json()["token"]
    assert token == Token.objects.get(user=ann).key
    assert APIClient().get(URL, headers={"Authorization": f"Token {token}"}).json()["user"] == "ann"
    assert APIClient().get(URL, headers={"Authorization": "Token wrong"}).status_code == 401
    assert APIClient().post("/api/v1/api-token-auth/", {**credentials, "password": "x"}).status_code == 400


def test_custom_authentication(mount, ann):
    mount(path("me/", as_view(Me, authentication_classes=[HeaderAuthentication])))
    assert APIClient().get(URL, headers={"X-Username": "ann"}).json()["user"] == "ann"
    response = APIClient().get(URL, headers={"X-Username": "nobody"})
    assert response.status_code == 403
    assert "There is no such user." in response.content.decode()


def test_custom_authentication_with_a_challenge(mount):
    class Challenge(HeaderAuthentication):
        def authenticate_header(self, request):
            return "X-Username"

    mount(path("me/", as_view(Me, authentication_classes=[Challenge])))
    response = APIClient().get(URL)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "X-Username")


def test_first_authentication_that_succeeds_counts(mount, ann, bob):
    mount(path("me/", as_view(Me, authentication_classes=[BearerAuthentication, HeaderAuthentication])))
    Key.objects.create(key="abc", user=ann)
    both = {"Authorization": "Bearer abc", "X-Username": "bob"}
    assert APIClient().get(URL, headers=both).json()["user"] == "ann"
    assert APIClient().get(URL, headers={"X-Username": "bob"}).json()["user"] == "bob"


def test_function_view_has_authentication_classes(mount, ann):
    @api_view(["GET"])
    @authentication_classes([authentication.BasicAuthentication])
    @permission_classes([IsAuthenticated])
    def me(request):
        return Response({"user": str(request.user)})

    mount(path("me/", me))
    assert APIClient().get(URL).status_code == 401
    assert APIClient().get(URL, headers=basic("ann", "secret-of-a-user")).json() == {"user": "ann"}


def test_view_without_authentication(mount):
    mount(path("me/", as_view(Me, authentication_classes=[], permission_classes=[])))
    assert APIClient().get(URL).json() == {"user": "AnonymousUser", "auth": None}
    assert APIClient().post(URL, {"a": 1}, format="json").status_code == 200


def test_webhook_writes_without_credentials(mount):
    view = as_view(
        generics.CreateAPIView,
        queryset=Customer.objects.all(),
        serializer_class=CustomerSerializer,
        authentication_classes=[],
        permission_classes=[AllowAny],
    )
    mount(path("customers/", view))
    response = APIClient().post("/api/v1/customers/", {"name": "Ada", "email": "ada@example.com"}, format="json")
    assert response.status_code == 201, response.content


def test_inactive_user_is_refused(mount, ann):
    mount(path("me/", as_view(Me, authentication_classes=[authentication.BasicAuthentication])))
    ann.is_active = False
    ann.save()
    assert APIClient().get(URL, headers=basic("ann", "secret-of-a-user")).status_code == 401
