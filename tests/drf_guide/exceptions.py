"""Exceptions and status codes."""

import pytest
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import connection
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import path
from guide.models import Customer
from guide.support import CustomerSerializer, as_view, customer, refused
from rest_framework import exceptions, generics, serializers, status
from rest_framework.decorators import api_view
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView, exception_handler

URL = "/api/v1/fail/"


class ServiceUnavailable(exceptions.APIException):
    status_code = 503
    default_detail = "The service is unavailable, try again later."
    default_code = "service_unavailable"


def raising(mount, exception):
    """Serve a view that raises this exception."""

    class Fail(APIView):
        def get(self, request):
            raise exception

    mount(path("fail/", Fail.as_view()))


def test_own_exception_has_its_status_and_text(mount, api):
    raising(mount, ServiceUnavailable())
    response = api.get(URL)
    assert response.status_code == 503
    assert "The service is unavailable, try again later." in response.content.decode()


def test_own_exception_is_raised_with_another_text(mount, api):
    raising(mount, ServiceUnavailable("Back at noon."))
    response = api.get(URL)
    assert response.status_code == 503
    assert "Back at noon." in response.content.decode()


@pytest.mark.parametrize(
    ("exception", "expected"),
    [
        (exceptions.ParseError("text"), 400),
        (exceptions.PermissionDenied("text"), 403),
        (exceptions.NotFound("text"), 404),
        (exceptions.MethodNotAllowed("GET", "text"), 405),
        (exceptions.NotAcceptable("text"), 406),
        (exceptions.UnsupportedMediaType("a/b", "text"), 415),
        (exceptions.Throttled(None, "text"), 429),
        (exceptions.APIException("text"), 500),
    ],
)
def test_exceptions_of_the_framework_have_their_status(mount, api, exception, expected):
    raising(mount, exception)
    response = api.get(URL)
    assert response.status_code == expected
    assert "text" in response.content.decode()


@pytest.mark.parametrize("exception", [exceptions.NotAuthenticated, exceptions.AuthenticationFailed])
def test_exceptions_of_authentication_are_401_or_403(mount, api, exception):
    raising(mount, exception("Who are you?"))
    response = api.get(URL)
    assert response.status_code in {401, 403}
    assert "Who are you?" in response.content.decode()
    assert (response.status_code == 401) == ("WWW-Authenticate" in response)


@pytest.mark.parametrize(("exception", "expected"), [(Http404("x"), 404), (DjangoPermissionDenied("x"), 403)])
def test_exceptions_of_django_have_their_status(mount, api, exception, expected):
    raising(mount, exception)
    response = api.get(URL)
    assert response.status_code == expected
    assert "json" in response["Content-Type"]


def test_get_object_or_404_in_a_view(mount, api):
    @api_view(["GET"])
    def one(request, pk):
        return Response({"name": get_object_or_404(Customer, pk=pk).name})

    mount(path("one/<int:pk>/", one))
    assert api.get("/api/v1/one/99/").status_code == 404
    assert api.get(f"/api/v1/one/{customer().pk}/").json() == {"name": "Ada"}


@pytest.mark.parametrize(
    ("detail", "texts"),
    [
        ("One text.", ["One text."]),
        (["One text.", "Another."], ["One text.", "Another."]),
        ({"name": "One text."}, ['"name"', "One text."]),
        ({"name": ["One text.", "Another."], "email": ["A third."]}, ['"name"', '"email"', "Another.", "A third."]),
        ({"lines": [{}, {"quantity": ["One text."]}]}, ["lines", "quantity", "One text."]),
    ],
)
def test_validation_error_of_a_view(mount, api, detail, texts):
    raising(mount, serializers.ValidationError(detail))
    response = api.get(URL)
    assert response.status_code == 400
    for text in texts:
        assert text in response.content.decode()


def test_invalid_serializer_raises_in_a_view(mount, api):
    @api_view(["POST"])
    def check(request):
        serializer = CustomerSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(serializer.validated_data)

    mount(path("check/", check))
    assert refused(api.post("/api/v1/check/", {"name": "x", "email": "y"}), "email")


def test_details_and_codes_of_an_exception():
    error = exceptions.ValidationError({"age": [exceptions.ErrorDetail("Not a number.", code="invalid")]})
    assert error.detail == {"age": ["Not a number."]}
    assert error.get_codes() == {"age": ["invalid"]}
    assert error.get_full_details() == {"age": [{"message": "Not a number.", "code": "invalid"}]}
    assert ServiceUnavailable().get_codes() == "service_unavailable"


def test_throttled_exception_says_when_to_try_again(mount, api):
    raising(mount, exceptions.Throttled(wait=30))
    response = api.get(URL)
    assert (response.status_code, response["Retry-After"]) == (429, "30")


def test_exception_handler_of_a_view(mount, api):
    def with_status(exc, context):
        response = exception_handler(exc, context)
        if response is not None:
            response.data["status_code"] = response.status_code
            response.data["view"] = type(context["view"]).__name__
        return response

    class Detail(generics.RetrieveAPIView):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

        def get_exception_handler(self):
            return with_status

    mount(path("customers/<int:pk>/", Detail.as_view()))
    response = api.get("/api/v1/customers/99/")
    assert response.status_code == 404
    assert (response.json()["status_code"], response.json()["view"]) == (404, "Detail")
    assert "detail" in response.json()


def test_default_exception_handler_is_extended(mount, api):
    def counted(exc, context):
        response = api_settings.EXCEPTION_HANDLER(exc, context)
        if response is not None:
            response["X-Error"] = type(exc).__name__
        return response

    class Fail(APIView):
        def get_exception_handler(self):
            return counted

        def get(self, request):
            raise ServiceUnavailable

    mount(path("fail/", Fail.as_view()))
    assert api.get(URL)["X-Error"] == "ServiceUnavailable"


def test_unexpected_exception_is_a_server_error(mount, api):
    raising(mount, RuntimeError("a secret"))
    with pytest.raises(RuntimeError):
        api.get(URL)
    api.raise_request_exception = False
    response = api.get(URL)
    assert response.status_code == 500
    assert "a secret" not in response.content.decode()


def test_error_pages_of_the_framework_are_json(mount, api):
    urls = mount()
    urls.handler500 = "rest_framework.exceptions.server_error"

    class Fail(APIView):
        def get(self, request):
            raise RuntimeError

    urls.urlpatterns.insert(0, path("outside/", Fail.as_view()))
    api.raise_request_exception = False
    response = api.get("/outside/")
    assert response.status_code == 500
    assert response["Content-Type"] == "application/json"
    assert response.json() == {"error": "Server Error (500)"}


def test_changes_of_a_request_that_fails_are_undone_in_an_atomic_request(mount, api, monkeypatch):
    class Create(generics.CreateAPIView):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

        def perform_create(self, serializer):
            serializer.save()
            raise serializers.ValidationError("Not today.")

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    mount(path("customers/", Create.as_view()))
    response = api.post("/api/v1/customers/", {"name": "Ada", "email": "ada@example.com"})
    assert response.status_code == 400
    assert not Customer.objects.exists()


def test_status_codes_have_names_and_groups(mount, api):
    @api_view(["GET"])
    def teapot(request):
        return Response({}, status=status.HTTP_418_IM_A_TEAPOT)

    mount(path("teapot/", teapot))
    code = api.get("/api/v1/teapot/").status_code
    assert code == 418
    assert status.is_client_error(code)
    assert not status.is_success(code)
    assert status.is_success(204)
    assert status.is_redirect(status.HTTP_307_TEMPORARY_REDIRECT)
    assert status.is_server_error(503)


def test_error_in_the_browsable_api_is_html(mount, api):
    mount(
        path(
            "customers/<int:pk>/",
            as_view(generics.RetrieveAPIView, queryset=Customer.objects.all(), serializer_class=CustomerSerializer),
        )
    )
    response = api.get("/api/v1/customers/99/", headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")
