"""DRF's tools for tests, and its settings."""

from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import include, path, reverse
from guide.models import Customer, Key
from guide.support import CustomerSerializer, customer
from rest_framework import status, viewsets
from rest_framework.authentication import TokenAuthentication
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.settings import api_settings
from rest_framework.test import APIClient, APIRequestFactory, APITestCase, URLPatternsTestCase, force_authenticate
from rest_framework.views import APIView


class Echo(APIView):
    def get(self, request, *args, **kwargs):
        return Response({"user": str(request.user), "auth": str(request.auth), "kwargs": kwargs})

    def post(self, request):
        return Response({"data": request.data})

    put = post


class Customers(viewsets.ModelViewSet):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer


def test_request_factory_calls_a_view(ann):
    request = APIRequestFactory().get("/echo/7/")
    force_authenticate(request, user=ann, token="t")
    response = Echo.as_view()(request, pk="7")
    assert response.status_code == 200
    assert response.data == {"user": "ann", "auth": "t", "kwargs": {"pk": "7"}}
    assert b'"ann"' in response.render().content


def test_request_factory_without_credentials_is_refused():
    assert Echo.as_view()(APIRequestFactory().get("/echo/")).status_code in {401, 403}


def test_request_factory_encodes_data(ann):
    factory = APIRequestFactory()
    for request in (
        factory.post("/", {"title": "a"}, format="json"),
        factory.post("/", {"title": "a"}),
        factory.put("/", {"title": "a"}),
        factory.post("/", '{"title": "a"}', content_type="application/json"),
    ):
        force_authenticate(request, user=ann)
        assert dict(Echo.as_view()(request).data["data"].items()) == {"title": "a"}


def test_request_factory_calls_the_actions_of_a_view_set(ann):
    row = customer()
    request = APIRequestFactory().get("/")
    force_authenticate(request, user=ann)
    assert Customers.as_view({"get": "retrieve"})(request, pk=row.pk).data["name"] == "Ada"
    assert Customers.as_view({"get": "list"})(request).data["results"][0]["name"] == "Ada"


def test_view_makes_a_request_of_the_framework():
    request = Echo().initialize_request(APIRequestFactory().post("/?demo=test", {"example": "x"}))
    assert request.query_params == {"demo": ["test"]}
    assert request.data["example"] == "x"


def test_client_signs_in_and_out_by_a_session(mount, ann):
    mount(path("echo/", Echo.as_view()))
    client = APIClient()
    assert client.login(username="ann", password="secret-of-a-user")
    assert client.get("/api/v1/echo/").data["user"] == "ann"
    client.logout()
    assert client.get("/api/v1/echo/").status_code in {401, 403}


def test_client_sends_credentials_with_every_request(mount, ann):
    class Token(TokenAuthentication):
        model = Key

    class View(Echo):
        authentication_classes = [Token]

    mount(path("echo/", View.as_view()))
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {Key.objects.create(key='abc', user=ann)}")
    assert [client.get("/api/v1/echo/").data["user"] for _ in range(2)] == ["ann", "ann"]
    client.credentials()
    assert client.get("/api/v1/echo/").status_code == 401


def test_client_is_forced_to_authenticate(mount, ann):
    mount(path("echo/", Echo.as_view()))
    client = APIClient()
    client.force_authenticate(user=ann)
    assert client.get("/api/v1/echo/").data["user"] == "ann"
    client.force_authenticate(user=None)
    assert client.get("/api/v1/echo/").status_code in {401, 403}


def test_client_sends_files_and_other_formats(mount, api):
    class Upload(APIView):
        def post(self, request):
            return Response({"name": request.data["file"].name, "files": len(request.FILES)})

    mount(path("upload/", Upload.as_view()), path("echo/", Echo.as_view()))
    response = api.post("/api/v1/upload/", {"file": SimpleUploadedFile("a.txt", b"a")}, format="multipart")
    assert response.json() == {"name": "a.txt", "files": 1}
    assert api.put("/api/v1/echo/", {"a": [1]}, format="json").data == {"data": {"a": [1]}}


def test_response_has_its_data(mount, api):
    mount(customers=Customers)
    row = customer()
    assert api.get(f"/api/v1/customers/{row.pk}/").data == {"id": row.pk, "name": "Ada", "email": "ada@example.com"}


def test_settings_of_the_framework_are_read():
    assert api_settings.PAGE_SIZE == 20
    assert api_settings.DEFAULT_PAGINATION_CLASS().page_size == 20
    assert api_settings.SEARCH_PARAM == "search"
    assert api_settings.ORDERING_PARAM == "ordering"
    assert api_settings.URL_FIELD_NAME == "url"


class CustomerCase(APITestCase, URLPatternsTestCase):
    """A case with URLs of its own."""

    router = SimpleRouter()
    router.register("customers", Customers)
    urlpatterns = [path("api/v1/", include((router.urls, "v1")))]

    def test_case_creates_a_row(self):
        self.client.force_authenticate(get_user_model().objects.create_superuser("root"))
        response = self.client.post(reverse("v1:customer-list"), {"name": "Ada", "email": "ada@example.com"})
        assert response.status_code == status.HTTP_201_CREATED
        assert Customer.objects.get().name == "Ada"
