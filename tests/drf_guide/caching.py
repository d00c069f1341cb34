"""Caching of responses."""

from itertools import count

from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page, never_cache
from django.views.decorators.vary import vary_on_cookie, vary_on_headers
from guide.models import Customer, Key
from guide.support import CustomerSerializer, customer, names
from rest_framework import authentication, viewsets
from rest_framework.decorators import api_view
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIClient
from rest_framework.views import APIView

URL = "/api/v1/cached/"


def test_response_of_a_class_is_cached(mount, api):
    numbers = count()

    class Post(APIView):
        @method_decorator(cache_page(60 * 60 * 2))
        def get(self, request, format=None):
            return Response({"number": next(numbers)})

        def post(self, request, format=None):
            return Response({"number": next(numbers)})

    mount(path("cached/", Post.as_view()))
    assert api.get(URL).json() == api.get(URL).json() == {"number": 0}
    assert api.get(f"{URL}?other=1").json() == {"number": 1}
    assert [api.post(URL).json()["number"] for _ in range(2)] == [2, 3]


def test_response_varies_by_credentials(mount, ann, bob):
    class Token(authentication.TokenAuthentication):
        model = Key

    class Profile(APIView):
        authentication_classes = [Token]

        @method_decorator(cache_page(60 * 60 * 2))
        @method_decorator(vary_on_headers("Authorization"))
        def get(self, request, format=None):
            return Response({"user": request.user.username})

    mount(path("cached/", Profile.as_view()))
    for user in (ann, bob):
        Key.objects.create(key=f"key-of-{user}", user=user)
    for _ in range(2):
        for name in ("ann", "bob"):
            response = APIClient().get(URL, headers={"Authorization": f"Token key-of-{name}"})
            assert response.json() == {"user": name}
            assert "Authorization" in response["Vary"]


def test_response_of_a_view_set_varies_by_session(mount_versions, ann, bob):
    numbers = count()

    class Feed(viewsets.ViewSet):
        @method_decorator(cache_page(60 * 60 * 2))
        @method_decorator(vary_on_cookie)
        def list(self, request, format=None):
            return Response({"user": request.user.username, "number": next(numbers)})

    router = SimpleRouter()
    router.register("cached", Feed, basename="feed")
    mount_versions(v1=router.urls)
    clients = []
    for user in (ann, bob):
        client = APIClient()
        client.force_login(user)
        clients.append(client)
    found = [client.get(URL).json() for client in clients * 2]
    assert [row["user"] for row in found] == ["ann", "bob", "ann", "bob"]
    assert found[:2] == found[2:]


def test_response_of_a_function_is_cached(mount, api):
    numbers = count()

    @cache_page(60 * 15)
    @vary_on_cookie
    @api_view(["GET"])
    def feed(request):
        return Response({"number": next(numbers)})

    mount(path("cached/", feed))
    assert api.get(URL).json() == api.get(URL).json() == {"number": 0}


def test_list_of_a_model_view_set_is_cached(mount, api):
    class Customers(viewsets.ModelViewSet):
        queryset = Customer.objects.all()
        serializer_class = CustomerSerializer

        @method_decorator(cache_page(60))
        def list(self, request, *args, **kwargs):
            return super().list(request, *args, **kwargs)

    mount(cached=Customers)
    customer("Ada")
    assert names(api.get(URL)) == ["Ada"]
    Customer.objects.all().delete()
    assert names(api.get(URL)) == ["Ada"]


def test_error_is_not_cached(mount, api):
    class Broken(APIView):
        @method_decorator(cache_page(60))
        def get(self, request):
            return Response({}, status=404 if not Customer.objects.exists() else 200)

    mount(path("cached/", Broken.as_view()))
    assert api.get(URL).status_code == 404
    customer()
    assert api.get(URL).status_code == 200


def test_decorated_class_is_never_cached(mount, api):
    @method_decorator(never_cache, name="dispatch")
    class Fresh(APIView):
        def get(self, request):
            return Response({})

    mount(path("cached/", Fresh.as_view()))
    assert "no-store" in api.get(URL)["Cache-Control"]
